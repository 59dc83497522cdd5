"""Prints line coverage by folder of src/ from the JSON summary of llvm-cov; exits 1 where a folder has less than asked for."""

import argparse
import collections
import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("summary")
    parser.add_argument("--at-least", action="append", default=[], metavar="FOLDER=PERCENT")
    arguments = parser.parse_args()
    with open(arguments.summary, encoding="utf-8") as file:
        files = json.load(file)["data"][0]["files"]

    lines = collections.defaultdict(lambda: [0, 0])  # folder: lines that run, lines
    for one in files:
        path = os.path.relpath(one["filename"], ROOT)
        if not path.startswith("src/"):
            continue
        counts = one["summary"]["lines"]
        for name in (path.split("/")[1], path):
            lines[name][0] += counts["covered"]
            lines[name][1] += counts["count"]

    def percent(name: str) -> float:
        covered, count = lines[name]
        return 100 * covered / count if count else 0.0

    print(f"{'folder of src':<16}{'lines':>8}{'run':>8}{'percent':>9}")
    for name in sorted(name for name in lines if "/" not in name):
        print(f"{name:<16}{lines[name][1]:>8}{lines[name][0]:>8}{percent(name):>9.1f}")

    failed = False
    for wanted in arguments.at_least:
        name, _, least = wanted.partition("=")
        if percent(name) >= float(least):
            continue
        failed = True
        print(f"\nsrc/{name} has less than {least} % of its lines run:")
        for path in sorted(path for path in lines if path.startswith(f"src/{name}/") and percent(path) < 100):
            print(f"  {path:<40}{percent(path):>6.1f}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
