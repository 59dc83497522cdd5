#!/usr/bin/env python3
"""Perdure beside Kamailio: ./dev bench. README.md in the folder above says what is measured and how."""
import argparse
import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys
import time

import connections
import measures
import micro
import observing
import outage
import page
import summary
import variants

ROOT = pathlib.Path(__file__).resolve().parents[2]

# In this order; a later one may use what an earlier one has found.
MEASURES = {
    "children": measures.children,
    "rates": measures.rates,
    "capacity": measures.capacity,
    "connections": connections.connections,
    "persistence": variants.persistence,
    "gathering": variants.gathering,
    "workers": variants.workers,
    "state": outage.state,
    "attach": outage.attach,
    "pause": outage.pause,
    "observing": observing.observing,
    "script": micro.script,
    "micro": micro.micro,
}


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text()
    model = next((line.split(":")[1].strip() for line in info.splitlines() if line.startswith("model name")), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_bytes": memory,
        "kernel": platform.release(),
        "load_before": os.getloadavg()[0],
    }


def versions(binaries):
    return {
        "perdure": first_line(binaries / "perdure", "--version"),
        "commit": first_line("git", "-C", ROOT, "rev-parse", "--short", "HEAD"),
        "kamailio": first_line("kamailio", "-v").removeprefix("version: ").split(" (")[0],
        "compiler": first_line("c++", "--version"),
    }


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binaries", type=pathlib.Path, default=ROOT / "build/bench", help="folder of perdure and the generator")
    parser.add_argument("--out", type=pathlib.Path, default=None, help="results as JSON; default: results.json in that folder")
    parser.add_argument("--quick", action="store_true", help="one short round: to work with, not to publish")
    parser.add_argument("--rounds", type=int, default=None, help="how often each server has its turn; default 3, quick 1")
    parser.add_argument("--warmup", type=float, default=None, help="seconds before each measurement, instead of what each server needs to be steady")
    parser.add_argument("--only", action="append", choices=MEASURES, help="this measure alone; may be repeated")
    parser.add_argument("--micro", action="store_true", help="only the micro benchmarks; as --only micro")
    parser.add_argument("--servers", type=lambda text: text.split(","), help="only these: floor,perdure,perdure_routes,perdure_off,kamailio_kemi,kamailio_native")
    parser.add_argument("--at", type=lambda text: [int(rate) for rate in text.split(",")], help="only these rates, calls per second with a comma between them")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md and its curves also after a quick or partial run")
    parser.add_argument("--from", dest="source", type=pathlib.Path, help="measure nothing: print (and write) what such a file of results says")
    arguments = parser.parse_args()
    if arguments.micro:
        arguments.only = [*(arguments.only or []), "micro"]
    return arguments


def measure_all(arguments):
    rounds = arguments.rounds or (1 if arguments.quick else 3)
    bench = measures.Bench(arguments.binaries, arguments.quick, rounds, arguments.warmup, arguments.servers, arguments.at)
    out = arguments.out or arguments.binaries / "results.json"
    bench.results = {
        "when": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "quick": arguments.quick,
        "rounds": rounds,
        "machine": machine(),
        "versions": versions(arguments.binaries),
    }
    begin = time.monotonic()
    for name, run in MEASURES.items():
        if arguments.only and name not in arguments.only:
            continue
        bench.say(f"== {name}")
        bench.results[name] = run(bench)
        bench.results["minutes"] = (time.monotonic() - begin) / 60
        # After each measure, so that a run that is broken off leaves what it has.
        out.write_text(json.dumps(bench.results, indent=1) + "\n")
    bench.say(f"{out}, {bench.results['minutes']:.1f} minutes")
    return bench.results


def main():
    arguments = parse_arguments()
    try:
        # What else runs on the machine should take little of what is measured; all that is measured shares this priority.
        os.setpriority(os.PRIO_PROCESS, 0, -19)
    except PermissionError:
        pass
    results = json.loads(arguments.source.read_text()) if arguments.source else measure_all(arguments)
    print(summary.terminal(results))
    whole = not (arguments.source or arguments.quick or arguments.only or arguments.servers or arguments.at)
    if whole or arguments.write:
        page.write(results, ROOT / "docs")
        print(f"written: {ROOT}/docs/performance.md")


if __name__ == "__main__":
    sys.exit(main())
