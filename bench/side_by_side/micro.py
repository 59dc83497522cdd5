"""The micro benchmarks: ROOM_bench of Google Benchmark, one per room of src/."""
import json
import re
import subprocess

import measures
import servers

REQUESTS = 3  # of an answered call: INVITE, ACK, BYE
ROOMS = ("sip", "transaction", "store", "script", "engine", "proxy")


def run_room(bench, room, only=None):
    command = ["taskset", "-c", "0"] if room != "engine" else []  # the hand-over needs two cores
    command += [str(bench.binaries / f"{room}_bench"), "--benchmark_format=json", f"--benchmark_min_time={0.1 if bench.quick else 0.2}"]
    if only:
        command.append(f"--benchmark_filter={only}")
    elif bench.quick:
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


def script(bench):
    """What the script layer costs with a script in the shape of Kamailio's example: a call through the core with it and without, and its share of
    what the whole server takes for a call."""
    found = {}
    for entry in run_room(bench, "proxy", "AnsweredCall/script:(0|3)"):
        if entry.get("error_occurred"):
            raise RuntimeError(f"{entry['name']}: {entry['error_message']}")
        found["scripted" if "script:3" in entry["name"] else "plain"] = nanoseconds(entry) / 1e3
    report = measures.run_rate(bench, "perdure", 4000, 4 if bench.quick else 6, script=servers.STOCK)
    layer = found["scripted"] - found["plain"]
    bench.say(f"the script layer: {layer / REQUESTS:.2f} us per request, {layer:.1f} of {report['cpu_us']:.1f} us per call")
    return {"core_with_script_us": found["scripted"], "core_alone_us": found["plain"], "call_us": layer, "request_us": layer / REQUESTS,
            "server_us": report["cpu_us"], "share": layer / report["cpu_us"], "report": report}


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
