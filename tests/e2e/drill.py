#!/usr/bin/env python3
"""The drill of docs/operations.md, run as it stands there, under load: each command does what the page says, and no call is lost.

drill.py BINARY LOAD [--show]     --show prints what came instead of comparing it
"""
import argparse
import os
import re
import shlex
import subprocess
import time

from server import ROOT, Load, Server

PAGE = ROOT / "docs/operations.md"
BEGIN, END = "<!-- drill: begin -->\n", "<!-- drill: end -->"


def steps():
    """Each command of the page with the lines that follow it."""
    text = PAGE.read_text()
    found = []
    for line in text[text.index(BEGIN) + len(BEGIN):text.index(END)].splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and not line.startswith("```"):
            found[-1][1].append(line)
        elif line.startswith("```") and found:
            found.append(("", []))
    return [(command, lines) for command, lines in found if command]


def normal(line):
    """Without what differs from run to run: numbers with their units, paths, the width of columns."""
    line = re.sub(r"/\S+", "PATH", line)
    line = re.sub(r", \d+ messages done again", "", line)  # if the engine was killed in the midst of some
    line = re.sub(r"\d[\d.,:]*( (us|ms|s|min|h|KiB|MiB|GiB|B)\b)*", "N", line)
    return re.sub(r"\s+", " ", line).strip()


def run(arguments):
    with Server(arguments.binary, extra="", sections='[engine]\nprobation = "2s"\n') as server:
        tools = server.folder / "bin"
        tools.mkdir()
        wrapper = tools / "perdure"
        wrapper.write_text(f'#!/bin/sh\nexec {shlex.quote(os.path.abspath(arguments.binary))} "$@" -c {shlex.quote(str(server.config))}\n')
        wrapper.chmod(0o755)
        environment = dict(os.environ, PATH=f"{tools}:{os.environ['PATH']}")
        server.start()
        load = Load(arguments.load, server, "--calls", 200 * 30, "--rate", 200, "--refusals")
        time.sleep(2)  # some calls are open
        wrong = 0
        for command, expected in steps():
            done = subprocess.run(["bash", "-c", command], cwd=server.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  timeout=120)
            got = done.stdout.splitlines()
            if arguments.show:
                print(f"$ {command}\n{done.stdout}", end="", flush=True)
                continue
            if [normal(line) for line in got if line.strip()] != [normal(line) for line in expected if line.strip()]:
                wrong += 1
                print(f"$ {command}\n--- the page says\n" + "\n".join(expected) + "\n--- it is\n" + "\n".join(got))
        report, out = load.result()
        print(out)
        assert wrong == 0, f"{wrong} steps are not as the page says"
        assert report["failed_calls"] == 0, report["failures"]
        assert report["refused_calls"] > 0, "nobody called while the server drained"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("load")
    parser.add_argument("--show", action="store_true")
    run(parser.parse_args())
    print("passed")
