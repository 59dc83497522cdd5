"""Perdure beside itself: persistence and none, one worker and two, messages that gather longer or not at all."""
import contextlib
import os
import pathlib
import statistics

import observing
import turns


def persistence(bench):
    """What persist = "full" costs in CPU per call at 10,000 calls per second, in percent of what "off" takes. Two servers of each, so that the difference
    between two that are equal tells what the result is worth."""
    found = {name: [] for name in ("full", "off", "full_again", "off_again")}
    for turn in range(bench.rounds):
        # The memory that comes first can be the better one, for as long as a server runs, so each begins once.
        names = [*found][turn % len(found) :] + [*found][: turn % len(found)]
        with contextlib.ExitStack() as stack:
            group = {name: (stack.enter_context(bench.make("perdure_off" if name.startswith("off") else "perdure")), 10000) for name in names}
            for name, reports in turns.in_turns(bench, group).items():
                found[name] += reports
    more = turns.shares(found, ["full", "full_again"], ["off", "off_again"])
    equals = [100 * (max(pair) / min(pair) - 1) for pair in ([turns.cpu_us(found[name]) for name in (kind, f"{kind}_again")] for kind in ("full", "off"))]
    result = {
        "cpu_us": {kind: statistics.mean(turns.cpu_us(found[name]) for name in (kind, f"{kind}_again")) for kind in ("full", "off")},
        "percent": statistics.median(more),
        "turns": more,
        "between_equals_percent": max(equals),
        "holds": all(report["holds"] for reports in found.values() for report in reports),
    }
    bench.say(
        f"persist = full {result['cpu_us']['full']:.1f} us/call, off {result['cpu_us']['off']:.1f}: {result['percent']:+.1f} %  turns {turns.rounded(more)}"
        f"  two equal servers differ by {max(equals):.1f} %"
    )
    return result


def gathering(bench):
    """What engine.gather takes and gives at 4,000 calls per second: {time: {"cpu_us":, "p50_us":, "p99_us":}}."""
    found = {"0s": [], "500us": [], "1ms": [], "2ms": []}
    for _ in range(bench.rounds):
        with contextlib.ExitStack() as stack:
            group = {name: (stack.enter_context(observing.Observed(bench.binaries, f'[engine]\ngather = "{name}"\n')), 4000) for name in found}
            for name, reports in turns.in_turns(bench, group).items():
                found[name] += reports
    result = {}
    for name, reports in found.items():
        waits = {f"{quantile}_us": statistics.median(report["latency_us"]["invite"][quantile] for report in reports) for quantile in ("p50", "p99")}
        result[name] = {"cpu_us": turns.cpu_us(reports), "holds": all(report["holds"] for report in reports), **waits}
        bench.say(f"gather = {name:5} {result[name]['cpu_us']:6.1f} us/call, INVITE {waits['p50_us']:.0f} us p50, {waits['p99_us']:.0f} p99")
    return result


def workers(bench):
    """CPU per call with one and with two workers, each worker on its own core, at rates that leave room for the generator. What a worker takes for a call
    depends on how much it has to do, because datagrams gather, so two are compared with one that has half as much; one that has as much is told, too."""
    found = {name: [] for name in ("one", "one_with_all", "two")}
    handed_over = []
    for _ in range(bench.rounds):
        with bench.make("perdure", workers=1, cores="0,1") as one, bench.make("perdure", workers=2, cores="0,1") as two:
            pin_workers(one)
            pin_workers(two)
            before = two.status()["counters"]
            for name, reports in turns.in_turns(bench, {"one": (one, 2000), "one_with_all": (one, 4000), "two": (two, 4000)}, "--idle-sleep", 50).items():
                found[name] += reports
            after = two.status()["counters"]
        handed_over.append((after["handed_over"] - before["handed_over"]) / max(after["datagrams_received"] - before["datagrams_received"], 1))
    result = {name: {"cpu_us": turns.cpu_us(reports), "holds": all(report["holds"] for report in reports)} for name, reports in found.items()}
    result["handed_over_share"] = statistics.mean(handed_over)
    result["speedup"] = 2 * statistics.median(one["cpu_us"] / two["cpu_us"] for one, two in zip(found["one"], found["two"]))
    bench.say(
        f"one worker {result['one']['cpu_us']:.1f} us CPU/call with 2,000, {result['one_with_all']['cpu_us']:.1f} with 4,000; two {result['two']['cpu_us']:.1f} with 4,000,"
        f" {100 * result['handed_over_share']:.0f} % of the datagrams handed over: {result['speedup']:.2f} times the load of one"
    )
    return result


def pin_workers(server):
    """Each on its own core."""
    engine = int((server.state / "engine.pid").read_text())
    for task in pathlib.Path(f"/proc/{engine}/task").iterdir():
        name = (task / "comm").read_text().strip()
        if name.startswith("worker-"):
            os.sched_setaffinity(int(task.name), {int(name.removeprefix("worker-"))})
