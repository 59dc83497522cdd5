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

from hostile import mutations
from server import Every, Load, Server


def print_result(report, out, extra):
    print(out, end="")
    for example in report["examples"].get("retransmitted", [])[:3]:
        print(example)
    print(json.dumps({"failures": {k: v for k, v in report["failures"].items() if v}, **extra}))


def calls(args, server, *options):
    return Load(args.load, server, "--calls", args.calls, "--rate", args.rate, *options)


def killed(args, persist="full", options=()):
    """kill -9 of the engine every second: the report of the calls."""
    with Server(args.binary, persist=persist).start() as server:
        load = calls(args, server, *options)
        with Every(1.0, server.kill_engine) as kills:
            report, out = load.result()
        status = server.settled_status()
        print_result(report, out, {"kills": kills.count, "engine_starts": status["engine_starts"], "pause_us": status["last_start"]["pause_us"]})
        assert kills.count >= args.calls / args.rate * 0.8, "the engine was not killed every second"
        assert status["engine_starts"] >= kills.count * 0.9, "an engine that was killed was not replaced"
        return report


def survives_kills(args):
    report = killed(args)
    # Nobody waited so long for an answer that he asked again.
    assert report["retransmissions"] == 0, "a kill caused retransmissions"
    return report["failed_calls"]


def forgets(args):
    """The control: the same kills at a proxy that forgets must show in the checks. Calls that ring on are not waited for."""
    report = killed(args, "off", ["--grace", 5000])
    cancelled = report["kinds"]["cancelled"]
    assert report["failures"]["rings on"] > cancelled / 10, "a proxy that forgets does not show"
    assert report["failures"]["missing ACK"] > 0
    return report["failed_calls"]


def hammered(args):
    """The engine is killed at any moment of its life, most of the time while it takes over."""
    chance = random.Random(args.calls)
    with Server(args.binary).start() as server:
        load = calls(args, server)
        kills = 0
        while load.running():
            time.sleep(chance.uniform(0.002, 0.2))
            kills += server.kill_engine()
        report, out = load.result()
        status = server.settled_status()
        quarantined = sum(1 for file in (server.state / "quarantine").rglob("*") if file.is_file()) if (server.state / "quarantine").exists() else 0
        print_result(report, out, {"kills": kills, "engine_starts": status["engine_starts"], "quarantined": quarantined})
        assert kills > args.calls / args.rate * 4
        assert quarantined == 0, "a kill from outside was blamed on a message"
        return report["failed_calls"]


def restarted(args, stop=Server.stop):
    """SIGTERM and start of the whole server every five seconds."""
    with Server(args.binary).start() as server:
        def restart():
            stop(server)
            server.start()
        load = calls(args, server)
        with Every(5.0, restart) as restarts:
            report, out = load.result()
        print_result(report, out, {"restarts": restarts.count})
        assert restarts.count >= 2
        return report["failed_calls"]


def reloaded(args):
    """The script is reloaded twice a second, every second time with an error in it: calls do not notice, the error is told."""
    with Server(args.binary).start() as server:
        script = server.folder / "routes.lua"
        good = script.read_text()
        rounds = iter(range(1 << 30))

        def reload():
            broken = next(rounds) % 2 == 1
            script.write_text(good + ("\nlocal = 1\n" if broken else "\n"))
            code, out, err = server.command("reload")
            assert (code != 0) == broken, f"reload: {code} {out} {err}"
            line = good.count("\n") + 2
            assert not broken or f"routes.lua:{line}:" in err, f"the error does not name file and line {line}: {err}"

        load = calls(args, server)
        with Every(0.5, reload) as reloads:
            report, out = load.result()
        status = server.settled_status()
        print_result(report, out, {"reloads": reloads.count, "engine_starts": status["engine_starts"]})
        assert reloads.count >= 4
        assert status["engine_starts"] == 1, "a reload cost an engine"
        assert report["retransmissions"] == 0, "a reload caused retransmissions"
        return report["failed_calls"]


def reloaded_often(args):
    """A reload as soon as the one before has ended, a thousand in all: no call notices, and no memory stays."""
    wanted = 1000
    with Server(args.binary).start() as server:
        script = server.folder / "routes.lua"
        good = script.read_text()
        load = calls(args, server)
        began, resident = time.monotonic(), {}
        # Memory is compared from when as many old transactions end as new ones begin (64*T1).
        before, now = -1, 0
        while now == 0 or now > 1.01 * before:
            time.sleep(3)
            before, now = now, server.status()["transactions"]
        for number in range(1, wanted + 1):
            script.write_text(f"{good}\n-- {number}\n")
            code, out, err = server.command("reload")
            assert code == 0, f"reload {number}: {out} {err}"
            if number in (50, wanted):
                resident[number] = server.resident_bytes()
        seconds = time.monotonic() - began
        report, out = load.result()
        status = server.settled_status()
        print_result(report, out, {"reloads": wanted, "seconds": round(seconds, 1), "resident_bytes": resident})
        assert seconds < args.calls / args.rate, "the calls ended before the last reload: give more of them"
        assert status["engine_starts"] == 1, "a reload cost an engine"
        assert report["retransmissions"] == 0, "a reload caused retransmissions"
        assert resident[wanted] <= 1.02 * resident[50], f"memory grows: {resident}"
        return report["failed_calls"]


def order(args):
    """180 and 200 of thousands of calls follow each other within a millisecond, with several workers."""
    failed = 0
    for workers in (2, 4):
        with Server(args.binary, workers=workers).start() as server:
            load = calls(args, server, "--back-to-back", "--mix", "100,0,0,0", "--callers", 16, "--hold", 50)
            report, out = load.result()
            print_result(report, out, {"workers": workers})
            failed += report["failed_calls"]
            counters = server.status()["counters"]
            assert counters["handed_over"] > args.calls, "nothing was handed over between workers: the test shows nothing"
    return failed


def hung(args):
    """An engine that is stopped but not dead is replaced by the watchdog."""
    with Server(args.binary, extra='[engine]\nwatchdog = "500ms"').start() as server:
        load = calls(args, server)
        time.sleep(1)
        assert server.kill_engine(signal.SIGSTOP)
        report, out = load.result()
        status = server.status()
        print_result(report, out, {"engine_starts": status["engine_starts"], "reason": status["last_start"]["reason"]})
        assert status["engine_starts"] == 2, "the hung engine was not replaced"
        return report["failed_calls"]


def hostile(args):
    """A hundred thousand damaged messages and garbage while calls run: nobody is disturbed, nothing dies, what is malformed is counted."""
    with Server(args.binary).start() as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        load = calls(args, server)
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
    "killed": lambda args: survives_kills(args) == 0,
    "hammered": lambda args: hammered(args) == 0,
    "routes": lambda args: killed(args, "routes", ["--cancels-only"])["failed_calls"] == 0,
    "off": lambda args: forgets(args) > 0,
    "restarted": lambda args: restarted(args) == 0,
    "edge_killed": lambda args: restarted(args, Server.kill) == 0,
    "reloaded": lambda args: reloaded(args) == 0,
    "reloaded_often": lambda args: reloaded_often(args) == 0,
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
