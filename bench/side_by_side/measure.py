"""Processes under measurement: starting them, waiting for what they say, the CPU time that they take."""
import json
import os
import pathlib
import random
import socket
import subprocess
import threading
import time


def free_port_range(count):
    """First of so many UDP ports of 127.0.0.1 in a row that nobody uses now."""
    while True:
        first = random.randrange(12000, 31000)
        sockets = []
        try:
            for port in range(first, first + count):
                sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                sockets[-1].bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()


class Process:
    """A child that says something when it is ready; ends with the block."""

    def __init__(self, command, ready=None, core=None, log=None):
        pin = ["taskset", "-c", str(core)] if core is not None else []
        self.process = subprocess.Popen(pin + [str(part) for part in command], stdout=subprocess.PIPE, stderr=log, text=True)
        self.pid = self.process.pid
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


def core_busy_seconds(core):
    """Time in which the core was not idle, whoever used it, interrupts included."""
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            values = list(map(int, line.split()[1:]))
            return time.monotonic() - (values[3] + values[4]) / os.sysconf("SC_CLK_TCK")
    raise RuntimeError(f"no core {core}")


class Watch:
    """CPU time between two moments."""

    def __init__(self, pid, core):
        self.pid, self.core = pid, core
        self.begin = time.monotonic(), cpu_seconds(pid), core_busy_seconds(core)

    def end(self):
        seconds = time.monotonic() - self.begin[0]
        return {"seconds": seconds, "process_s": cpu_seconds(self.pid) - self.begin[1], "core_s": core_busy_seconds(self.core) - self.begin[2]}
