#!/usr/bin/env python3
"""Calls go on while the program is replaced under them; every call is judged.

upgrade.py BINARY LOAD TOOLS SERIES [--calls N] [--rate N] [--upgrades N]
TOOLS is the folder with perdure_bad_engine and perdure_dying_engine.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import threading
import time

from server import Load, Server


def report_of(load, extra):
    report, out = load.result()
    print(out, end="")
    for example in report["examples"].get("retransmitted", [])[:3]:
        print(example)
    print(json.dumps({"failures": {k: v for k, v in report["failures"].items() if v}, **extra}))
    return report


def undisturbed(report):
    assert report["retransmissions"] == 0, f"an upgrade caused {report['retransmissions']} retransmissions"
    return report["failed_calls"] == 0


class Installed(Server):
    """A server whose program lies in its folder and can be replaced there, as a package does it: another file under the same name."""

    def __init__(self, args, probation):
        super().__init__(args.binary, extra=f'[engine]\nprobation = "{probation}"')
        self.build = args.binary
        self.binary = str(self.folder / "perdure")
        self.install(args.binary)

    def install(self, source):
        fresh = self.folder / "perdure.new"
        shutil.copy(source, fresh)
        os.rename(fresh, self.binary)

    def copy(self, source, name):
        path = self.folder / name
        shutil.copy(source, path)
        return str(path)


def engine_file(pid):
    return os.stat(f"/proc/{pid}/exe").st_ino


def upgraded(args):
    """The program on disk is replaced, and the engine with it, again and again."""
    with Installed(args, args.probation).start() as server:
        load = Load(args.load, server, "--calls", args.calls, "--rate", args.rate)
        time.sleep(1)
        pauses, recovered = [], []
        for number in range(args.upgrades):
            server.install(server.build)
            wanted = os.stat(server.binary).st_ino
            code, out, err = server.command("upgrade", "--json")
            assert code == 0, f"upgrade {number}: {out} {err}"
            assert "has taken over" in err and "has initialised" in err, f"no progress was shown: {err}"
            result = json.loads(out)
            pauses.append(result["pause_us"])
            status = server.settled_status()
            recovered.append(status["last_start"]["recovered"])
            assert engine_file(status["pids"]["engine"]) == wanted, "the engine is not of the new file"
            assert status["last_start"]["reason"] == "planned", status["last_start"]
        assert load.running(), "the calls ended before the last upgrade: give more of them"
        deadline = time.monotonic() + 10
        while (spare := server.status()["pids"]["spare"]) == 0 or engine_file(spare) != wanted:
            assert time.monotonic() < deadline, "the spare is not of the new file"
            time.sleep(0.05)
        starts = server.status()["engine_starts"]
        report = report_of(load, {"upgrades": args.upgrades, "engine_starts": starts, "longest_pause_us": max(pauses), "pauses_us": pauses, "recovered": recovered})
        assert starts == args.upgrades + 1, "an engine died"
        assert min(recovered) > 0, "no transaction was open when the engine was replaced: the test shows nothing"
        return undisturbed(report)


def refused(args):
    """Programs that crash at their start, hang there, know no layout of ours, or are none: nothing changes, and the command says why."""
    tools = pathlib.Path(args.tools)
    with Installed(args, "10s").start() as server:
        load = Load(args.load, server, "--calls", args.calls, "--rate", args.rate)
        before = server.settled_status()
        cases = {
            "crashes": "it ended while it initialised (signal 6)",
            "hangs": "it has not initialised within 2 s",
            "foreign": "it does not know the layout of the store: records of kind store have layout 1, and it reads only 7",
        }
        for name, why in cases.items():
            path = server.copy(tools / "perdure_bad_engine", name)
            code, out, err = server.command("upgrade", "--binary", path, "--patience", "2")
            assert code == 1 and out == "" and f"perdure: {path}: {why}" in err, f"{name}: {code} {out} {err}"
            assert not pathlib.Path(path + ".was-told").exists(), "a program that was refused was given the store"
        text = server.folder / "text"
        text.write_text("no program\n")
        code, out, err = server.command("upgrade", "--binary", str(text))
        assert code == 1 and "may not be executed" in err, f"{code} {out} {err}"
        text.chmod(0o755)
        code, out, err = server.command("upgrade", "--binary", str(text))
        assert code == 1 and "it is no program for this machine" in err, f"{code} {out} {err}"
        after = server.status()
        assert after["pids"] == before["pids"] and after["engine_starts"] == 1, f"{before['pids']} became {after['pids']}"
        return undisturbed(report_of(load, {"engine_starts": after["engine_starts"]}))


def brought_back(args):
    """The new engine dies three seconds after it has taken over. The file of the old one is gone by then, and yet it comes back."""
    tools = pathlib.Path(args.tools)
    with Installed(args, "10s").start() as server:
        old = os.stat(server.binary).st_ino
        load = Load(args.load, server, "--calls", args.calls, "--rate", args.rate)
        time.sleep(1)
        server.install(tools / "perdure_dying_engine")
        answers = []
        command = threading.Thread(target=lambda: answers.append(server.command("upgrade")))
        command.start()
        command.join(60)
        code, out, err = answers[0]
        assert code == 1 and out == "", f"{code} {out} {err}"
        assert "it crashed 3." in err and "(signal 6)" in err and "serves again" in err, err
        status = server.settled_status()
        assert status["engine_starts"] == 3 and status["last_start"]["reason"] == "crashed", status
        assert engine_file(status["pids"]["engine"]) == old, "the engine is not of the file before"
        deadline = time.monotonic() + 10
        while (spare := server.status()["pids"]["spare"]) == 0 or engine_file(spare) != old:
            assert time.monotonic() < deadline, "the spare is not of the file before"
            time.sleep(0.05)
        return undisturbed(report_of(load, {"engine_starts": status["engine_starts"], "longest_pause_us": server.status()["longest_pause_us"]}))


def edge_upgraded(args):
    """The edge itself is replaced, again and again; the process that was started leaves in order."""
    with Installed(args, args.probation).start() as server:
        load = Load(args.load, server, "--calls", args.calls, "--rate", args.rate)
        time.sleep(1)
        pauses, edges = [], [server.edge_pid()]
        for number in range(args.upgrades):
            server.install(server.build)
            wanted = os.stat(server.binary).st_ino
            code, out, err = server.command("upgrade", "--edge", "--json")
            assert code == 0, f"upgrade {number}: {out} {err}"
            assert "has taken over" in err and "has initialised" in err, f"no progress was shown: {err}"
            pauses.append(json.loads(out)["pause_us"])
            status = server.settled_status()
            edges.append(server.edge_pid())
            assert status["pids"]["edge"] == edges[-1] and edges[-1] not in edges[:-1], f"{status['pids']}, edges {edges}"
            for role in ("edge", "engine"):
                assert engine_file(status["pids"][role]) == wanted, f"the {role} is not of the new file"
            assert status["last_start"]["recovered"] > 0 and status["last_start"]["reason"] == "planned", status["last_start"]
            assert status["engine_starts"] == number + 2
            assert server.process.wait(10) == 0, "the edge that was started did not end in order"
        assert load.running(), "the calls ended before the last upgrade: give more of them"
        report = report_of(load, {"upgrades": args.upgrades, "longest_pause_us": max(pauses), "pauses_us": pauses})
        code, out, err = server.command("stop")
        assert code == 0, f"stop: {out} {err}"
        assert (server.state / "snapshot").exists() and not (server.state / "edge.pid").exists() and not (server.state / "control.sock").exists()
        return undisturbed(report)


def edge_refused(args):
    """Edges that crash, hang, know no layout of ours, or whose engine dies soon: the edge before serves on or takes back."""
    tools = pathlib.Path(args.tools)
    with Installed(args, "10s").start() as server:
        load = Load(args.load, server, "--calls", args.calls, "--rate", args.rate)
        before = server.settled_status()
        cases = {"crashes": "it ended (signal 6)", "hangs": "it has not initialised within 2 s", "foreign": "it does not know the layout of the store"}
        for name, why in cases.items():
            path = server.copy(tools / "perdure_bad_engine", name)
            code, out, err = server.command("upgrade", "--edge", "--binary", path, "--patience", "2")
            assert code == 1 and out == "" and f"perdure: {path}: {why}" in err, f"{name}: {code} {out} {err}"
            assert not pathlib.Path(path + ".was-told").exists(), "a program that was refused was given the word"
        after = server.status()
        assert after["pids"] == before["pids"] and after["engine_starts"] == 1, f"{before['pids']} became {after['pids']}"
        path = server.copy(tools / "perdure_dying_engine", "dies")
        code, out, err = server.command("upgrade", "--edge", "--binary", path)
        assert code == 1 and "its engine crashed" in err and "the edge before serves again" in err, f"{code} {out} {err}"
        after = server.settled_status()
        assert after["pids"]["edge"] == before["pids"]["edge"] == server.edge_pid() and after["pids"]["engine"] == before["pids"]["spare"], after["pids"]
        return undisturbed(report_of(load, {"engine_starts": after["engine_starts"]}))


def edge_killed(args):
    """Either edge is killed at any moment of the exchange: the other goes on. Where that is none, the next start does."""
    chance = random.Random(args.calls)
    outcomes = {}
    with Installed(args, "1s").start() as server:
        load = Load(args.load, server, "--calls", args.calls, "--rate", args.rate)
        time.sleep(0.5)
        number = 0
        while load.running() and number < args.upgrades:
            old, victim, delay = server.edge_pid(), ("old", "new")[number % 2], chance.uniform(0, 0.6)
            command = threading.Thread(target=lambda: server.command("upgrade", "--edge"))
            command.start()
            deadline = time.monotonic() + 10
            while (new := next_edge_of(old)) is None and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(delay)
            os.kill(old if victim == "old" else new, signal.SIGKILL)
            command.join(60)
            outcome = f"{victim} killed, " + wait_for_edge(server, old, new)
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
            number += 1
        serving = server.settled_status()
        report = report_of(load, {"kills": number, "outcomes": outcomes, "engine_starts": serving["engine_starts"]})
        assert number >= args.upgrades, "the calls ended before the last kill: give more of them"
        assert any("old serves" in outcome for outcome in outcomes) and any("new serves" in outcome for outcome in outcomes), outcomes
        server.command("stop")
        return report["failed_calls"] == 0


def next_edge_of(old):
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if b"--take-over" in (folder / "cmdline").read_bytes() and int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1]) == old:
                return int(folder.name)
        except (OSError, IndexError):
            pass
    return None


def wait_for_edge(server, old, new):
    """Who serves in the end; starts a server if nobody does."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if server.process and server.process.poll() is not None and not alive(old) and not alive(new):
            server.start()
            return "none serves, a new start does"
        try:
            edge = server.status()["pids"]["edge"]
            # During its probation a new edge has the old one behind it, which ends by itself.
            if edge == old or not alive(old):
                return "old serves" if edge == old else "new serves"
        except (RuntimeError, ValueError):
            pass
        time.sleep(0.05)
    raise AssertionError("no edge serves")


def alive(pid):
    try:
        return (pathlib.Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


SERIES = {
    "upgraded": upgraded,
    "refused": refused,
    "brought_back": brought_back,
    "edge_upgraded": edge_upgraded,
    "edge_refused": edge_refused,
    "edge_killed_in_exchange": edge_killed,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("load")
    parser.add_argument("tools")
    parser.add_argument("series", choices=SERIES)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--upgrades", type=int, default=3)
    parser.add_argument("--probation", default="1s")
    arguments = parser.parse_args()
    passed = SERIES[arguments.series](arguments)
    print("passed" if passed else "FAILED")
    sys.exit(0 if passed else 1)
