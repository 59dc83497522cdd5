"""Servers that run at the same time and have calls one after the other, again and again: what changes on the machine meanwhile changes all of them alike,
so small differences can be told that get lost between runs one after the other."""
import statistics
import time

import measures

PERIOD_S = 16  # of the turns of all servers. Transactions end 32 s after their calls, so each server has the ends of its own in its own turns
LEAD_S, TAIL_S = 0.6, 0.6  # of a turn: calls that are not counted, and the end of the last ones


def turn(bench, server, rate, begin, length, options):
    """A turn of a server, at its time."""
    time.sleep(max(0.0, begin - time.monotonic()))
    return measures.calls_at(bench, server, rate, LEAD_S, length - LEAD_S - TAIL_S, "--grace", 1, *options)


def in_turns(bench, group, *options):
    """{name: [report of each turn]} for {name: (server, calls per second)}; options are the generator's. A server may have several names."""
    length = PERIOD_S / len(group)
    steady = 0 if bench.warmup is not None else 2
    reports = {name: [] for name in group}
    begin = time.monotonic() + 1
    for cycle in range(steady + (1 if bench.quick else 4)):
        for place, (name, (server, rate)) in enumerate(group.items()):
            report = turn(bench, server, rate, begin + (cycle + place / len(group)) * PERIOD_S, length, options)
            if cycle >= steady:
                reports[name].append(report)
    return reports


def cpu_us(reports):
    return statistics.median(report["cpu_us"] for report in reports)


def shares(turns, names, against):
    """What the first have more than the others, in percent, of each cycle: of CPU per call, the mean of each side."""
    sides = [[statistics.mean(report["cpu_us"] for report in cycle) for cycle in zip(*(turns[name] for name in side))] for side in (names, against)]
    return [100 * (one / other - 1) for one, other in zip(*sides)]


def rounded(percents):
    return " ".join(f"{percent:+.1f}" for percent in percents)
