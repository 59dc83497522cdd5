"""A perdure of its own in a temporary folder, on free ports of loopback."""
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def free_ports(count):
    """UDP ports of 127.0.0.1 that nobody uses now, below the range that the kernel hands out by itself."""
    ports = []
    while len(ports) < count:
        port = random.randrange(20000, 32000)
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


class Server:
    """Configuration, processes and what a test does to them."""

    def __init__(self, binary, workers=2, persist="full", gateways=4, script=None, extra="", sections=""):
        self.binary = str(binary)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="perdure-e2e-"))
        self.port, *self.gateways = free_ports(1 + gateways)
        self.state = self.folder / "state"
        self.config = self.folder / "perdure.toml"
        self.log = open(self.folder / "log", "ab")
        self.process = None
        shutil.copy(script or ROOT / "etc/routes.lua", self.folder / "routes.lua")
        (self.folder / "dispatcher.list").write_text("".join(f"1 sip:127.0.0.1:{port}\n" for port in self.gateways))
        self.config.write_text(
            f'listen = ["udp:127.0.0.1:{self.port}"]\nworkers = {workers}\nscript = "routes.lua"\n{extra}\n'
            f'[state]\ndirectory = "state"\nmax_bytes = "512MiB"\npersist = "{persist}"\nclock = "frozen"\n'
            f'[dispatcher]\nlist = "dispatcher.list"\n{sections}'
        )

    def start(self, timeout=30):
        out = open(self.folder / "out", "ab")
        begin = out.tell()
        self.process = subprocess.Popen([self.binary, "run", "-c", str(self.config)], stdout=out, stderr=self.log)
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            text = (self.folder / "out").read_bytes()[begin:] + (self.folder / "log").read_bytes()[-20000:]
            if b"ready udp:" in (self.folder / "out").read_bytes()[begin:]:
                return self
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}: {text.decode(errors='replace')}")
            time.sleep(0.02)
        raise RuntimeError("the server did not become ready")

    def stop(self, timeout=20):
        """SIGTERM; an orderly end."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout)
        self.process = None
        assert code == 0, f"the server ended with {code}"

    def kill(self):
        """SIGKILL to the edge; its engines end with it."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def kill_engine(self, number=signal.SIGKILL):
        """False: there was no engine at that moment."""
        try:
            os.kill(int((self.state / "engine.pid").read_text()), number)
            return True
        except (OSError, ValueError):
            return False

    def command(self, *arguments):
        done = subprocess.run([self.binary, *arguments, "-c", str(self.config)], capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout, done.stderr

    def status(self):
        code, out, err = self.command("status", "--json")
        if code != 0:
            raise RuntimeError(f"status: {err}")
        return json.loads(out)

    def resident_bytes(self):
        """Memory of the engine alone, without what it maps from files."""
        pid = self.status()["pids"]["engine"]
        for line in open(f"/proc/{pid}/status"):
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no RssAnon")

    def settled_status(self, timeout=10):
        """The status when an engine is there: one that was killed just now is replaced first."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                status = self.status()
                if "counters" in status:
                    return status
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def log_text(self):
        return (self.folder / "log").read_text(errors="replace")

    def edge_pid(self):
        return int((self.state / "edge.pid").read_text())

    def close(self):
        # After an upgrade of the edge it is another process than the one that was started.
        if self.process and self.process.poll() is not None and (self.state / "edge.pid").exists():
            self.command("stop")
        if self.process and self.process.poll() is None:
            # In an orderly way, so that nothing stays behind on tmpfs.
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None and self.folder.exists():
            print("--- log of the server\n" + self.log_text()[-6000:])
        self.close()


class Every:
    """Calls `action` every `seconds` in a thread, until the block ends, which then raises what the action raised."""

    def __init__(self, seconds, action):
        self.seconds, self.action = seconds, action
        self.end = threading.Event()
        self.count, self.error = 0, None

    def _run(self):
        while not self.end.wait(self.seconds):
            try:
                self.action()
                self.count += 1
            except Exception as error:  # raised in the thread of the test
                self.error = error
                return

    def __enter__(self):
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.end.set()
        self.thread.join()
        if self.error and kind is None:
            raise self.error


class Load:
    """perdure_load in the background."""

    def __init__(self, load, server, *arguments):
        self.json = server.folder / f"load-{random.randrange(1 << 30)}.json"
        self.process = subprocess.Popen(
            [str(load), "--proxy", str(server.port), "--gateways", ",".join(map(str, server.gateways)), "--json", str(self.json), *map(str, arguments)],
            stdout=subprocess.PIPE, text=True,
        )

    def running(self):
        return self.process.poll() is None

    def result(self, timeout=600):
        out, _ = self.process.communicate(timeout=timeout)
        return json.loads(self.json.read_text()), out
