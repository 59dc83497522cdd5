#!/usr/bin/env python3
"""Thousands of calls wait for a slow database at once: other requests pass, and no call is lost when the engine is killed meanwhile.

waiting.py BINARY LOAD [--calls N] [--rate N]
"""
import argparse
import contextlib
import json
import os
import pathlib
import socket
import sys
import threading
import time

from postgres import Postgres
from server import Load, Server

SCRIPT = pathlib.Path(__file__).with_name("waiting.lua")


class Passing:
    """Requests that do not wait, a hundred a second: how long each takes through the proxy and back."""

    def __init__(self, server):
        self.port = server.port
        self.delays_ms = []
        self.end = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        # What is measured is the server, not how long this phone waits for a processor beside a hundred sessions of the database.
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -19)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.bind(("127.0.0.1", 0))
            phone.settimeout(5)
            own = phone.getsockname()[1]
            number = 0
            while not self.end.wait(0.01):
                number += 1
                begun = time.monotonic()
                phone.sendto(
                    f"OPTIONS sip:fast@127.0.0.1:{own} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{own};branch=z9hG4bKfast{number}\r\n"
                    f"From: <sip:a@example.org>;tag=a\r\nTo: <sip:fast@example.org>\r\nCall-ID: fast-{number}\r\nCSeq: 1 OPTIONS\r\n"
                    f"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n".encode(), ("127.0.0.1", self.port))
                text = phone.recv(4096).decode()
                while f"fast-{number}\r\n" not in text or not text.startswith("OPTIONS "):
                    text = phone.recv(4096).decode()
                self.delays_ms.append((time.monotonic() - begun) * 1000)
                head = [line for line in text.split("\r\n") if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
                phone.sendto(("SIP/2.0 200 OK\r\n" + "\r\n".join(head) + "\r\nContent-Length: 0\r\n\r\n").encode(), ("127.0.0.1", self.port))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()

    def p99_ms(self):
        return sorted(self.delays_ms)[int(len(self.delays_ms) * 0.99)]


def waiting_now(server):
    """How many callbacks wait, asked at the control socket itself: a command each time would be a load of its own. 0 while no engine is there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.settimeout(10)
        control.connect(str(server.state / "control.sock"))
        control.sendall(b'{"jsonrpc":"2.0","method":"status","id":1}\n')
        return json.loads(control.makefile().readline()).get("result", {}).get("waiting", 0)


def run(arguments, kill):
    with Postgres() as database:
        database.start()
        extra = f'[sql.slow]\nurl = "{database.url}"\nconnections = 100\ntimeout = "30s"\n'
        with Server(arguments.binary, script=SCRIPT, sections=extra).start() as server, Passing(server) as passing:
            # Whoever waits for the database rings late, so cancelled calls are cancelled late, too.
            load = Load(arguments.load, server, "--calls", arguments.calls, "--rate", arguments.rate, "--grace", 60000)
            most, killed = 0, False
            while load.running():
                waiting = waiting_now(server)
                most = max(most, waiting)
                if kill and not killed and waiting >= arguments.calls / 2:
                    killed = server.kill_engine()
                time.sleep(0.1)
            report, out = load.result()
            passing.end.set()
            print(out, f"most waited at once: {most}; others: p99 {passing.p99_ms():.1f} ms of {len(passing.delays_ms)}; killed: {killed}")
            assert most >= arguments.calls / 2, "hardly anybody waited: the test shows nothing"
            assert killed == kill
            assert report["failed_calls"] == 0, report["failures"]
            assert kill or passing.p99_ms() < arguments.p99, "others waited, too"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("load")
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--p99", type=float, default=5, help="milliseconds that other requests may take")
    chosen = parser.parse_args()
    run(chosen, kill=False)
    run(chosen, kill=True)
    print("passed")
