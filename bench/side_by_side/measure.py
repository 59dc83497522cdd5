"""Processes under measurement: starting them, waiting for what they say, the CPU time that they take."""
import json
import os
import pathlib
import random
import socket
import subprocess
import threading
import time


PORTS_GIVEN = set()  # some are not bound before a server has its first turn


def free_port_range(count):
    """First of so many UDP ports of 127.0.0.1 in a row that nobody uses now, and that no earlier call has returned."""
    while True:
        first = random.randrange(12000, 31000)
        if not PORTS_GIVEN.isdisjoint(range(first, first + count)):
            continue
        sockets = []
        try:
            for port in range(first, first + count):
                sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                sockets[-1].bind(("127.0.0.1", port))
            PORTS_GIVEN.update(range(first, first + count))
            return first
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()


def prefer(pid):
    """What is measured before what else runs. Priorities count within a session only where the kernel groups processes by session (sched_autogroup);
    this is the priority of the whole session, which the process must lead."""
    try:
        pathlib.Path(f"/proc/{pid}/autogroup").write_text("-19")
    except OSError:
        pass  # no such groups, or no right to


class Process:
    """A child that says something when it is ready; ends with the block."""

    def __init__(self, command, ready=None, core=None, log=None):
        pin = ["taskset", "-c", str(core)] if core is not None else []
        self.process = subprocess.Popen(pin + [str(part) for part in command], stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True)
        self.pid = self.process.pid
        prefer(self.pid)
        if ready:
            self.wait_for(ready)

    def wait_for(self, beginning):
        for line in self.process.stdout:
            if line.startswith(beginning):
                return line
        raise RuntimeError(f"{self.process.args[0]} ended with {self.process.wait()} instead of saying '{beginning}'")

    def end(self):
        self.process.terminate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Load(Process):
    """The generator. `result()` is its report."""

    def __init__(self, binary, proxy_port, first_port, *options, core=None):
        super().__init__([binary, "--proxy", proxy_port, "--first-port", first_port, *options], core=core)

    def result(self, timeout=300):
        timer = threading.Timer(timeout, self.process.kill)
        timer.start()
        try:
            return json.loads(self.wait_for("{"))
        finally:
            timer.cancel()
            self.process.wait()


def tree(pid):
    """The process and all that descend from it."""
    found, pending = [], [pid]
    while pending:
        each = pending.pop()
        found.append(each)
        for task in pathlib.Path(f"/proc/{each}/task").glob("*/children"):
            try:
                pending.extend(int(child) for child in task.read_text().split())
            except OSError:
                pass  # it has just ended
    return found


def cpu_seconds(pid):
    """User and system time of all threads of a process and its descendants. The kernel's own account in nanoseconds, of which the ticks in
    /proc/PID/stat are a rounding."""
    total = 0
    for each in tree(pid):
        for task in pathlib.Path(f"/proc/{each}/task").glob("*/schedstat"):
            try:
                total += int(task.read_text().split()[0])
            except OSError:
                pass
    return total / 1e9


def busy_seconds():
    """Time in which the cores were not idle, of all cores together, whoever used them, interrupts included."""
    values = list(map(int, pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]))
    idle = (values[3] + values[4]) / os.sysconf("SC_CLK_TCK")
    return os.cpu_count() * time.monotonic() - idle


class Watch:
    """CPU time of a server between two moments, and the share of the machine that neither it nor the generator took."""

    def __init__(self, server, generator):
        self.pids = server, generator
        self.begin = self._now()

    def _now(self):
        return time.monotonic(), *(cpu_seconds(pid) for pid in self.pids), busy_seconds()

    def end(self):
        seconds, server, generator, busy = (after - before for before, after in zip(self.begin, self._now()))
        return {"seconds": seconds, "server_s": server, "others": max(0.0, (busy - server - generator) / (os.cpu_count() * seconds))}
