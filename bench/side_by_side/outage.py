"""What an open call takes, how long it takes to take over, and what callers see of it."""
import contextlib
import os
import pathlib
import statistics
import time

import measure
import servers


@contextlib.contextmanager
def opened(bench, server, count, rate):
    """So many calls that ring on, until the block ends; then the generator's report is in what it yields."""
    with bench.load(server, "--rate", rate, "--open", count, "--grace", 30) as load:
        load.wait_for("holding")
        report = {}
        yield report
        load.end()
        report.update(load.result())
    if report["good"] < count:
        raise RuntimeError(f"only {report['good']} of {count} calls ring: {report}")


def state(bench):
    """Bytes per INVITE transaction that rings: {server: {"bytes":, "calls":, "invite_bytes":}}."""
    count = 5000 if bench.quick else 20000
    found = {}
    used = {
        "perdure": lambda server: server.status()["store"]["used_bytes"],
        "kamailio_kemi": lambda server: server.shared_memory_used(),
        "kamailio_native": lambda server: server.shared_memory_used(),
    }
    for name, bytes_used in used.items():
        if not bench.wants(name):
            continue
        with bench.make(name) as server:
            before = bytes_used(server)
            with opened(bench, server, count, 2000) as report:
                after = bytes_used(server)
        found[name] = {"bytes": (after - before) / count, "calls": count, "invite_bytes": report["invite_bytes"]}
        bench.say(f"{name:16} {found[name]['bytes']:.0f} bytes for each of {count} ringing calls, INVITE of {report['invite_bytes']} bytes")
    return found


def attach(bench):
    """kill -9 with so many calls ringing: what the next engine reports, the median of the turns: {calls: {"attach_ms":, "pause_ms":, "recovered":}}."""
    found = {}
    for count in (1000, 10000) if bench.quick else (1000, 10000, 100000):
        starts = [attach_once(bench, count) for _ in range(bench.rounds)]
        found[str(count)] = {key: statistics.median(start[key] for start in starts) for key in starts[0]}
    return found


def attach_once(bench, count):
    with bench.make("perdure") as server:
        with opened(bench, server, count, min(count, 5000)):
            server.kill_engine()
            start = start_after(server, 2)["last_start"]
    found = {"attach_ms": start["attach_us"] / 1000, "pause_ms": start["pause_us"] / 1000, "recovered": start["recovered"]}
    bench.say(f"{count} ringing calls: attached in {found['attach_ms']:.1f} ms, {found['pause_ms']:.1f} ms from the death seen to the first datagram read")
    if start["recovered"] < count:
        raise RuntimeError(f"only {start['recovered']} of {count} were recovered")
    return found


def start_after(server, number, timeout=60):
    """The status when the engine of that number is at work. Nobody asks in the first second: the answer, and who asks, would take time from the engine."""
    time.sleep(1)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        status = server.settled_status()
        if status["engine_starts"] >= number:
            return status
    raise RuntimeError(f"the engine was not started {number} times")


def outcome(report):
    """Of calls during which something happened to the server."""
    waits = {name: report["latency_us"][name]["max"] / 1000 for name in ("invite", "ringing", "ok", "bye")}
    return {
        "attempted": report["attempted"],
        "failed": report["failed"],
        "retransmitted_invites": report["invite_retransmissions"],
        "gap_ms": report["gap_max_ms"],
        "first_response_max_ms": report["first_response_us"]["max"] / 1000,
        "message_max_ms": max(waits.values()),
    }


def disturbed(bench, server, warmup, times, interval, action):
    """1,000 calls per second, and the action every `interval` seconds, so many times."""
    with bench.load(server, "--rate", 1000, "--warmup", warmup, "--seconds", times * interval + 1, "--grace", 40) as load:
        load.wait_for("measuring")
        for _ in range(times):
            time.sleep(interval)
            action()
        return outcome(load.result())


def say_outcome(bench, what, found):
    bench.say(
        f"{what}: longest time without any response {found['gap_ms']:.1f} ms, longest wait of a caller for his first {found['first_response_max_ms']:.1f} ms,"
        f" {found['retransmitted_invites']} INVITEs retransmitted, {found['failed']} of {found['attempted']} calls failed"
    )


def pause(bench):
    """1,000 calls per second while engines are killed and servers restarted; and the time from start to first answer without calls."""
    found = {}
    times = 2 if bench.quick else 5
    with bench.make("perdure") as server:
        pauses = []

        def kill_and_note():
            server.kill_engine()
            pauses.append(start_after(server, len(pauses) + 2)["last_start"])

        found["perdure_kill"] = disturbed(bench, server, bench.steady_s("perdure"), times, 2, kill_and_note)
        found["perdure_kill"]["engine_pause_ms"] = max(each["pause_us"] for each in pauses) / 1000
        found["perdure_kill"]["recovered"] = max(each["recovered"] for each in pauses)
        say_outcome(bench, "perdure, engine killed", found["perdure_kill"])
    for name in ("perdure", "kamailio_kemi"):
        with bench.make(name) as server:
            found[f"{name}_restart"] = disturbed(bench, server, 5, 1 if bench.quick else 2, 4, server.restart)
            say_outcome(bench, f"{name}, restarted", found[f"{name}_restart"])
    for name in ("perdure", "kamailio_kemi", "kamailio_native"):
        found.setdefault("start_ms", {})[name] = sorted(start_ms(bench, name) for _ in range(3))[1]
    bench.say(f"start to first answer: {found['start_ms']}")
    return found


def start_ms(bench, name):
    server = bench.make(name)
    try:
        server.launch()
        took = servers.wait_for_answer(server.port, interval=0.001) * 1000
        if name == "perdure":
            server.find_live_folder()
        return took
    finally:
        server.close()
