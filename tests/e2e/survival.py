#!/usr/bin/env python3
"""Calls go on while engines or the whole server are killed; every call is judged.

survival.py BINARY LOAD SERIES [--calls N] [--rate N]
"""
import argparse
import json
import random
import signal
import socket
import sys
import time

from server import ROOT, Every, Load, Server


def print_result(report, out, extra):
    print(out, end="")
    print(json.dumps({"failures": {k: v for k, v in report["failures"].items() if v}, **extra}))


def killed(args, persist="full", judge=()):
    """kill -9 of the engine every second."""
    with Server(args.binary, persist=persist).start() as server:
        load = Load(args.load, server, "--calls", args.calls, "--rate", args.rate, *judge)
        with Every(1.0, server.kill_engine) as kills:
            report, out = load.result()
        time.sleep(0.2)
        status = server.status()
        print_result(report, out, {"kills": kills.count, "engine_starts": status["engine_starts"], "pause_us": status["last_start"]["pause_us"]})
        if kills.error:
            raise kills.error
        assert kills.count >= args.calls / args.rate * 0.8, "the engine was not killed every second"
        assert status["engine_starts"] >= kills.count * 0.9, "an engine that was killed was not replaced"
        if persist == "full":
            assert status["transactions"] < 100000
        return report["failed_calls"]


def restarted(args):
    """SIGTERM and start of the whole server every five seconds."""
    with Server(args.binary).start() as server:
        def restart():
            code = server.stop()
            assert code == 0, f"the server ended with {code}"
            server.start()
        load = Load(args.load, server, "--calls", args.calls, "--rate", args.rate)
        with Every(5.0, restart) as restarts:
            report, out = load.result()
        print_result(report, out, {"restarts": restarts.count})
        if restarts.error:
            raise restarts.error
        assert restarts.count >= 2
        return report["failed_calls"]


def order(args):
    """180 and 200 of thousands of calls follow each other within a millisecond, with several workers."""
    failed = 0
    for workers in (2, 4):
        with Server(args.binary, workers=workers).start() as server:
            load = Load(args.load, server, "--calls", args.calls, "--rate", args.rate, "--back-to-back", "--mix", "100,0,0,0", "--callers", 16, "--hold", 50)
            report, out = load.result()
            print_result(report, out, {"workers": workers})
            failed += report["failed_calls"]
            counters = server.status()["counters"]
            assert counters["handed_over"] > args.calls, "nothing was handed over between workers: the test shows nothing"
    return failed


def hung(args):
    """An engine that is stopped but not dead is replaced by the watchdog."""
    with Server(args.binary, extra='[engine]\nwatchdog = "500ms"').start() as server:
        load = Load(args.load, server, "--calls", args.calls, "--rate", args.rate)
        time.sleep(1)
        assert server.kill_engine(signal.SIGSTOP)
        report, out = load.result()
        status = server.status()
        print_result(report, out, {"engine_starts": status["engine_starts"], "reason": status["last_start"]["reason"]})
        assert status["engine_starts"] == 2, "the hung engine was not replaced"
        return report["failed_calls"]


def mutations(seed, count):
    """Valid and torture messages with random damage; the seed makes a run repeatable."""
    chance = random.Random(seed)
    valid = (
        "{method} sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKm{n}\r\nMax-Forwards: 70\r\nFrom: <sip:m@127.0.0.1>;tag={n}\r\n"
        "To: <sip:bob@127.0.0.1>\r\nCall-ID: m{n}@hostile\r\nCSeq: {n} {method}\r\nContact: <sip:m@127.0.0.1:9>\r\nContent-Length: 0\r\n\r\n"
    )
    files = [path.read_bytes() for path in sorted((ROOT / "tests/fixtures").glob("rfc*/*"))]
    for number in range(count):
        if chance.random() < 0.5:
            method = chance.choice(["OPTIONS", "MESSAGE", "REGISTER", "BYE", "ACK", "CANCEL", "SUBSCRIBE"])
            message = bytearray(valid.format(method=method, n=number + 1).encode())
        else:
            message = bytearray(chance.choice(files))
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(message)) if message else 0
            what = chance.randrange(6)
            if what == 0 and message:
                message[at] = chance.randrange(256)
            elif what == 1:
                del message[at : at + chance.randrange(1, 40)]
            elif what == 2:
                message[at:at] = message[at : at + chance.randrange(1, 60)] * chance.randrange(1, 4)
            elif what == 3:
                message[at:at] = bytes(chance.choices(b"\r\n :;,<>\"\\%@=\0\xff", k=chance.randrange(1, 9)))
            elif what == 4:
                del message[at:]
            else:
                message[at:at] = str(chance.randrange(1 << chance.choice([8, 31, 32, 63, 64, 80]))).encode()
        if chance.random() < 0.001:
            message += b"x" * (65000 - len(message))
        yield bytes(message[:65000])


def hostile(args):
    """A hundred thousand damaged messages and garbage while calls run: nobody is disturbed, nothing dies, what is malformed is counted."""
    with Server(args.binary).start() as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        load = Load(args.load, server, "--calls", args.calls, "--rate", args.rate)
        sent = 0
        begin = time.monotonic()
        for message in mutations(20261123, 100000):
            try:
                sender.sendto(message, ("127.0.0.1", server.port))
            except OSError:
                pass  # an error of an earlier one
            sent += 1
            if sent % 100 == 0:  # paced: a flood is another test
                time.sleep(max(0.0, begin + sent / 10000 - time.monotonic()))
        report, out = load.result()
        status = server.status()
        counters = status["counters"]
        print_result(report, out, {"sent": sent, "malformed": counters["malformed"], "engine_starts": status["engine_starts"]})
        assert status["engine_starts"] == 1, "an engine died"
        assert counters["malformed"] > sent * 0.2
        return report["failed_calls"]


SERIES = {
    "killed": lambda args: killed(args) == 0,
    "routes": lambda args: killed(args, "routes", ["--cancels-only"]) == 0,
    # The control: a proxy that forgets must fail the same checks.
    "off": lambda args: killed(args, "off") > 0,
    "restarted": lambda args: restarted(args) == 0,
    "order": lambda args: order(args) == 0,
    "hung": lambda args: hung(args) == 0,
    "hostile": lambda args: hostile(args) == 0,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("load")
    parser.add_argument("series", choices=SERIES)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rate", type=int, default=200)
    arguments = parser.parse_args()
    passed = SERIES[arguments.series](arguments)
    print("passed" if passed else "FAILED")
    sys.exit(0 if passed else 1)
