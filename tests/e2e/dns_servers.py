"""Name servers on loopback: Debian's NSD, and one that lies."""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

from server import free_ports

HEAD = "$ORIGIN example.test.\n$TTL 300\n@ IN SOA ns admin 1 3600 600 86400 30\n@ IN NS ns\nns IN A 127.0.0.1\n"


def encoded(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def query(name, kind, number=1):
    return struct.pack(">HHHHHH", number, 0, 1, 0, 0, 0) + encoded(name) + struct.pack(">HH", kind, 1)


class Nsd:
    """NSD with the zone example.test."""

    def __init__(self, records):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="perdure-nsd-"))
        (self.port,) = free_ports(1)
        (self.folder / "zone").write_text(HEAD + records)
        (self.folder / "nsd.conf").write_text(
            f'server:\n  ip-address: 127.0.0.1@{self.port}\n  port: {self.port}\n  username: ""\n  zonesdir: "{self.folder}"\n  database: ""\n'
            f'  pidfile: ""\n  xfrdfile: ""\n  xfrdir: "{self.folder}"\n  zonelistfile: "{self.folder}/zones"\n  logfile: "{self.folder}/log"\n'
            f'  server-count: 1\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no\nzone:\n  name: example.test\n  zonefile: zone\n')
        # A group of its own: NSD is several processes, which are stopped and go on together.
        self.process = subprocess.Popen(["/usr/sbin/nsd", "-d", "-c", str(self.folder / "nsd.conf")], start_new_session=True)
        self._wait()

    def _wait(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as asking:
                asking.settimeout(0.1)
                asking.connect(("127.0.0.1", self.port))
                try:
                    asking.send(query("example.test", 6))
                    if len(asking.recv(512)) > 12:
                        return
                except OSError:
                    time.sleep(0.02)
        raise RuntimeError("NSD does not answer: is the package nsd installed?")

    def falls_silent(self):
        os.killpg(self.process.pid, signal.SIGSTOP)

    def speaks_again(self):
        os.killpg(self.process.pid, signal.SIGCONT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.speaks_again()
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


class Liar:
    """Answers each query with what `answers(question, query)` gives: a list of datagrams."""

    def __init__(self, answers):
        self.answers = answers
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.1)
        self.port = self.socket.getsockname()[1]
        self.over = threading.Event()
        self.queries = 0
        self.thread = threading.Thread(target=self._serve)

    def _serve(self):
        while not self.over.is_set():
            try:
                data, source = self.socket.recvfrom(4096)
            except socket.timeout:
                continue
            self.queries += 1
            end = data.index(b"\0", 12) + 5
            for answer in self.answers(data[12:end], data):
                self.socket.sendto(answer, source)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.socket.close()
