#!/usr/bin/env python3
"""The generator against the floor: every call is good, the counts are right, and a floor that stands still shows. Over connections against
Perdure, since the floor has none.

load_test.py LOAD FLOOR PERDURE
"""
import os
import pathlib
import signal
import subprocess
import sys
import time

import measure
import servers


def against_floor(load, floor, *options, during=None):
    first = measure.free_port_range(17)
    with measure.Process([floor, "--port", first, "--first-port", first + 1], ready="ready") as server:
        run = measure.Load(load, first, first + 1, *options)
        if during:
            during(server.pid)
        return run.result()


def expect(what, seen, wanted):
    assert seen == wanted, f"{what}: {seen} instead of {wanted}"


def answered(load, floor):
    report = against_floor(load, floor, "--rate", 500, "--warmup", 0.2, "--seconds", 1, "--ring", 5, "--hold", 10)
    for what in ("attempted", "good", "reached", "acknowledged"):
        expect(what, report[what], 500)
    for what in ("failed", "unexpected"):
        expect(what, report[what], 0)
    expect("begun", report["begun"], 600)
    for message in ("invite", "ringing", "ok", "bye"):
        expect(message, report["latency_us"][message]["count"], 500)
    if report["invite_retransmissions"] + report["other_retransmissions"] == 0:
        # INVITE, 180, 200, ACK, BYE, 200, and the 100 that only arrives.
        expect("sent", report["messages_sent"], 6 * 600)
        expect("received", report["messages_received"], 7 * 600)


def cancelled(load, floor):
    report = against_floor(load, floor, "--rate", 500, "--warmup", 0, "--seconds", 1, "--cancel", 100)
    for what in ("attempted", "good", "reached", "acknowledged"):
        expect(what, report[what], 500)
    expect("answered", report["latency_us"]["ok"]["count"], 0)


def stopped(load, floor):
    """Half of the second nobody forwards: the calls of that time are charged for it, and the gap is seen."""

    def pause(pid):
        time.sleep(0.3)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.4)
        os.kill(pid, signal.SIGCONT)

    report = against_floor(load, floor, "--rate", 500, "--warmup", 0, "--seconds", 1, during=pause)
    expect("good", report["good"], 500)
    assert report["gap_max_ms"] > 350, f"gap of {report['gap_max_ms']} ms"
    assert report["latency_us"]["invite"]["p90"] > 300_000, "calls that waited were left out"
    assert report["late_max_ms"] < 350, "the generator waited for the proxy"


def unanswered(load):
    """Nobody there: every call fails, and INVITE is retransmitted after 500 ms and once more after a second."""
    first = measure.free_port_range(9)
    report = measure.Load(load, first, first + 1, "--rate", 100, "--warmup", 0, "--seconds", 0.5, "--grace", 2).result()
    expect("attempted", report["attempted"], 50)
    expect("failed", report["failed"], 50)
    expect("good", report["good"], 0)
    expect("calls retransmitted", report["calls_retransmitted"], 50)
    expect("retransmissions", report["invite_retransmissions"], 100)


def opened(load, floor):
    first = measure.free_port_range(17)
    with measure.Process([floor, "--port", first, "--first-port", first + 1], ready="ready"):
        run = measure.Load(load, first, first + 1, "--rate", 2000, "--open", 1000)
        run.wait_for("holding")
        run.end()
        report = run.result()
    expect("ringing", report["good"], 1000)
    expect("answered", report["latency_us"]["ok"]["count"], 0)


def over_connections(load, perdure, transport):
    with servers.Perdure(pathlib.Path(perdure).parent, transport=transport) as server:
        options = ("--rate", 300, "--warmup", 0.2, "--seconds", 1, "--ring", 5, "--hold", 10)
        report = measure.Load(load, server.port, server.first_port, "--transport", transport, "--connections", 7, *options).result()
        rejected = measure.Load(load, server.port, server.first_port, "--transport", transport, "--connections", 7, *options, "--cancel", 100).result()
    for each in (report, rejected):
        for what in ("attempted", "good", "reached", "acknowledged"):
            expect(what, each[what], 300)
        for what in ("failed", "unexpected", "connections_closed"):
            expect(what, each[what], 0)
    expect("TLS", report["security"].startswith("TLSv1.3"), transport == "tls")
    if report["other_retransmissions"] == 0:
        expect("sent", report["messages_sent"], 6 * 360)
        expect("received", report["messages_received"], 7 * 360)


if __name__ == "__main__":
    binaries = sys.argv[1:3]
    answered(*binaries)
    cancelled(*binaries)
    stopped(*binaries)
    unanswered(binaries[0])
    opened(*binaries)
    for transport in ("tcp", "tls"):
        over_connections(binaries[0], sys.argv[3], transport)
    print("passed")
