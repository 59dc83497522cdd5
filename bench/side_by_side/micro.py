"""The micro benchmarks: ROOM_bench of Google Benchmark, one per room of src/."""
import json
import re
import subprocess

ROOMS = ("sip", "transaction", "store", "script", "engine", "proxy")


def run_room(bench, room):
    command = ["taskset", "-c", "0"] if room != "engine" else []  # the hand-over needs two cores
    command += [str(bench.binaries / f"{room}_bench"), "--benchmark_format=json", f"--benchmark_min_time={0.1 if bench.quick else 0.2}"]
    if bench.quick:
        command.append("--benchmark_filter=-.*/(100000|1000000).*")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["benchmarks"]


def nanoseconds(entry):
    """CPU time per iteration; where the benchmark keeps the time itself, or two threads share the work, that time."""
    by_wall = any(mark in entry["name"] for mark in ("manual_time", "real_time"))
    return entry["real_time" if by_wall else "cpu_time"] * {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[entry["time_unit"]]


def readable(ns):
    for limit, divisor, unit in ((1e3, 1, "ns"), (1e6, 1e3, "us"), (1e9, 1e6, "ms")):
        if ns < limit:
            return f"{ns / divisor:.3g} {unit}"
    return f"{ns / 1e9:.3g} s"


def micro(bench):
    """{room: {benchmark: {"ns":, counters of its own...}}}."""
    known = {"name", "family_index", "per_family_instance_index", "run_name", "run_type", "repetitions", "repetition_index", "threads", "iterations", "real_time", "cpu_time", "time_unit"}
    found = {}
    for room in ROOMS:
        for entry in run_room(bench, room):
            if entry.get("error_occurred"):
                raise RuntimeError(f"{entry['name']}: {entry['error_message']}")
            name = re.sub(r"/(manual_time|real_time|iterations:.*|min_time:.*)", "", entry["name"]).removeprefix("BM_")
            counters = {key: value for key, value in entry.items() if key not in known and isinstance(value, (int, float))}
            found.setdefault(room, {})[name] = {"ns": nanoseconds(entry), **counters}
            bench.say(f"{room:12} {name:28} {readable(nanoseconds(entry))}")
    return found
