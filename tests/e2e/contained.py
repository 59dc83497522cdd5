#!/usr/bin/env python3
"""Scripts that loop, eat memory, fail or use what is not theirs any more, in each callback, while other calls go on: each trouble ends with its
own request, and no call is lost.

contained.py BINARY LOAD [--calls N] [--rate N]
"""
import argparse
import pathlib
import socket
import sys

from server import Load, Server

SCRIPT = pathlib.Path(__file__).with_name("contained.lua")
KINDS = ("loop", "memory", "error", "stale")
# Where, what the callee answers, and what becomes of the request.
PLACES = {"request": (None, 500), "branch": (200, 200), "onreply": (200, 200), "reply": (200, 200), "failure": (486, 500), "branch_failure": (486, 486)}


class Phone:
    """Caller and callee of requests that make trouble."""

    def __init__(self, server):
        self.proxy = ("127.0.0.1", server.port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(30)
        self.port = self.socket.getsockname()[1]
        self.number = 0

    def receive(self, start, call_id):
        while True:
            text = self.socket.recv(65536).decode()
            if text.startswith(start) and f"Call-ID: {call_id}\r\n" in text:
                return text

    def make_trouble(self, kind, place):
        """The status that the request gets."""
        self.number += 1
        call_id = f"trouble-{self.number}"
        answer, _ = PLACES[place]
        trouble = f"X-Trouble: {kind} {place}\r\n"
        self.socket.sendto(
            f"MESSAGE sip:trouble@127.0.0.1:{self.port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{call_id}\r\n"
            f"From: <sip:a@example.org>;tag=a\r\nTo: <sip:trouble@example.org>\r\nCall-ID: {call_id}\r\nCSeq: 1 MESSAGE\r\n"
            f"{trouble}Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n".encode(), self.proxy)
        if answer:
            request = self.receive("MESSAGE ", call_id)
            lines = [line for line in request.split("\r\n") if line.split(":")[0] in ("Via", "From", "Call-ID", "CSeq")]
            self.socket.sendto(
                (f"SIP/2.0 {answer} Answer\r\n" + "\r\n".join(lines) + f"\r\nTo: <sip:trouble@example.org>;tag=b\r\n{trouble}Content-Length: 0\r\n\r\n").encode(),
                self.proxy)
        return int(self.receive("SIP/2.0 ", call_id).split(" ")[1])


def run(arguments):
    with Server(arguments.binary, script=SCRIPT).start() as server:
        before = server.settled_status()
        phone = Phone(server)
        load = Load(arguments.load, server, "--calls", arguments.calls, "--rate", arguments.rate)
        made = 0
        while load.running() or made < len(KINDS) * len(PLACES):
            kind, place = KINDS[made % len(KINDS)], list(PLACES)[made // len(KINDS) % len(PLACES)]
            status = phone.make_trouble(kind, place)
            assert status == PLACES[place][1], f"{kind} in {place}: {status}"
            made += 1
        report, out = load.result()
        after = server.settled_status()
        print(out, f"{made} troubles, {after['script']['errors']} script errors, last: {after['script']['last_error']}")
        assert report["failed_calls"] == 0, report["failures"]
        assert after["script"]["errors"] - before["script"]["errors"] == made, "each is one error"
        assert after["pids"]["engine"] == before["pids"]["engine"], "the engine has ended"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("load")
    parser.add_argument("--calls", type=int, default=600)
    parser.add_argument("--rate", type=int, default=100)
    run(parser.parse_args())
    print("passed")
    sys.exit(0)
