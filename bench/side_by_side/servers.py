"""The servers in the comparison: Perdure, Kamailio in two ways, and the floor. All have `start()`, `close()`, `pid`, `port` and `first_port`,
the first port of the generator that goes with them. Everything they start is pinned to the given cores."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import measure

SCRIPTS = pathlib.Path(__file__).resolve().parent / "scripts"
# In the shape of Kamailio's own example for scripts.
STOCK = pathlib.Path(__file__).resolve().parents[2] / "tests/compare/stock.lua"
PORTS = 4  # of callers, and as many of callees
CONNECTIONS = 100  # the same over TCP and TLS


def options_request(port):
    return (
        f"OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK{time.monotonic_ns()};rport\r\nMax-Forwards: 70\r\n"
        f"From: <sip:bench@example.org>;tag=1\r\nTo: <sip:127.0.0.1:{port}>\r\nCall-ID: {time.monotonic_ns()}@bench\r\nCSeq: 1 OPTIONS\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()


def wait_for_answer(port, timeout=20, interval=0.05):
    """Until the server answers OPTIONS: seconds."""
    begin = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("127.0.0.1", port))
        probe.settimeout(interval)
        while time.monotonic() - begin < timeout:
            try:
                probe.send(options_request(port))
                if probe.recv(4096).startswith(b"SIP/2.0 200"):
                    return time.monotonic() - begin
            except ConnectionRefusedError:
                time.sleep(0.001)
            except TimeoutError:
                pass
    raise RuntimeError(f"no answer from udp:127.0.0.1:{port} in {timeout} s")


def make_certificate(folder):
    """certificate.pem and key.pem, of the kind that is quickest to make a handshake with."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=127.0.0.1 -keyout key.pem -out certificate.pem"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)


class Server:
    """A process in a temporary folder. It listens on UDP, and on `transport` (tcp or tls) at the same port."""

    ports = PORTS

    def __init__(self, cores="0", transport="udp"):
        self.cores = cores
        self.transport = transport
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="perdure-bench-"))
        self.port = measure.free_port_range(1 + 2 * self.ports)
        self.first_port = self.port + 1
        self.process = None
        if transport == "tls":
            make_certificate(self.folder)

    @property
    def pid(self):
        return self.process.pid

    @property
    def load_options(self):
        """Of the generator."""
        return ("--ports", self.ports) if self.transport == "udp" else ("--transport", self.transport, "--connections", CONNECTIONS)

    def _spawn(self, *command):
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(["taskset", "-c", self.cores, *map(str, command)], stdout=self.log, stderr=self.log, start_new_session=True)
        measure.prefer(self.process.pid)
        return self

    def start(self):
        self.launch()
        wait_for_answer(self.port)
        return self

    def close(self):
        """At once, without leaving anything behind; a snapshot is of no use here."""
        if self.process:
            # The group reaches those that are being forked just now, the tree those that have left the group.
            descendants = measure.tree(self.process.pid)
            for kill, pid in [(os.killpg, self.process.pid), *((os.kill, each) for each in descendants)]:
                with contextlib.suppress(OSError):
                    kill(pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException as error:
            self.__exit__(type(error))
            raise

    def __exit__(self, kind, *_):
        if kind is not None and (self.folder / "log").exists():
            print("--- log of the server\n" + (self.folder / "log").read_text(errors="replace")[-3000:])
        self.close()


class Floor(Server):
    name = "floor"

    def __init__(self, binaries, cores="0"):
        super().__init__(cores)
        self.binary = binaries / "perdure_bench_floor"

    def start(self):
        self._spawn(self.binary, "--port", self.port, "--first-port", self.first_port, "--ports", self.ports)
        time.sleep(0.2)
        return self


class Perdure(Server):
    def __init__(self, binaries, cores="0", workers=1, persist="full", log_level="error", script=SCRIPTS / "route.lua", transport="udp"):
        if cores != "0":
            self.ports = 16  # the kernel chooses the worker by the ports
        super().__init__(cores, transport)
        self.binary = binaries / "perdure"
        self.state = self.folder / "state"
        self.config = self.folder / "perdure.toml"
        self.live_folder = None
        shutil.copy(script, self.folder / "route.lua")
        alias = "" if script.parent == SCRIPTS else 'alias = ["example.org"]\n'
        listen = ", ".join(f'"{each}:127.0.0.1:{self.port}"' for each in dict.fromkeys(("udp", transport)))
        tls = '[tls]\ncertificates = ["certificate.pem"]\nprivate_keys = ["key.pem"]\n' if transport == "tls" else ""
        self.config.write_text(
            f'listen = [{listen}]\nworkers = {workers}\nscript = "route.lua"\n{alias}[state]\ndirectory = "state"\n'
            f'max_bytes = "8GiB"\npersist = "{persist}"\n[log]\nlevel = "{log_level}"\n{tls}'
        )

    def launch(self):
        return self._spawn(self.binary, "run", "-c", self.config)

    def start(self):
        super().start()
        self.find_live_folder()
        return self

    def find_live_folder(self):
        """The state of open calls is in memory-backed files elsewhere, which must go when the server is killed."""
        engine = int((self.state / "engine.pid").read_text())
        found = re.search(r" (/\S+)/live\.store", pathlib.Path(f"/proc/{engine}/maps").read_text())
        self.live_folder = found and found.group(1)

    def ask(self, *command):
        done = subprocess.run([self.binary, *command, "-c", self.config], capture_output=True, text=True, timeout=30)
        if done.returncode != 0:
            raise RuntimeError(f"perdure {' '.join(command)}: {done.stderr}")
        return json.loads(done.stdout)

    def status(self):
        return self.ask("status", "--json")

    def latency(self):
        """{what: {"buckets": [...], ...}}"""
        return self.ask("rpc", "stats.latency")

    def settled_status(self, timeout=20):
        """The status when an engine is there."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                status = self.status()
                if "counters" in status:
                    return status
            except RuntimeError:
                pass
            if time.monotonic() > deadline:
                raise RuntimeError("no engine")
            time.sleep(0.05)

    def kill_engine(self):
        os.kill(int((self.state / "engine.pid").read_text()), signal.SIGKILL)

    def restart(self):
        """Orderly stop and start; returns at once when the new process has begun."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.launch()

    def close(self):
        super().close()
        if self.live_folder:
            shutil.rmtree(self.live_folder, ignore_errors=True)


# Connections stay as long as the measurement. The cipher is what OpenSSL prefers at both ends, as in Perdure.
KAMAILIO_STREAM = """listen={transport}:127.0.0.1:{port}
tcp_children={children}
tcp_connection_lifetime=3600
tcp_max_connections=4096
tls_max_connections=4096
"""
KAMAILIO_TLS = """loadmodule "tls.so"
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "{folder}/certificate.pem")
modparam("tls", "private_key", "{folder}/key.pem")
"""


class Kamailio(Server):
    """`language`: kemi (route.lua) or native (native.cfg). `children`: processes that receive, of UDP or of connections."""

    def __init__(self, language, children, cores="0", transport="udp"):
        super().__init__(cores, transport)
        self.config = self.folder / "kamailio.cfg"
        modules = next(pathlib.Path("/usr/lib").glob("*/kamailio/modules"))
        text = (SCRIPTS / "kamailio.cfg").read_text() + (SCRIPTS / f"{language}.cfg").read_text()
        words = {"CHILDREN": children, "PORT": self.port, "MODULES": f"{modules}/", "FOLDER": self.folder, "SCRIPT": SCRIPTS / "route.lua", "STREAM": "disable_tcp=yes", "TLS": ""}
        if transport != "udp":
            words["CHILDREN"] = 1
            words["STREAM"] = KAMAILIO_STREAM.format(transport=transport, port=self.port, children=children)
        if transport == "tls":
            words["STREAM"] = "enable_tls=yes\n" + words["STREAM"]
            words["TLS"] = KAMAILIO_TLS.format(folder=self.folder)
        for word, value in words.items():
            text = text.replace(f"@{word}@", str(value))
        self.config.write_text(text)

    def launch(self):
        # The fast memory manager, and more of both kinds of memory than the calls of this comparison can take.
        return self._spawn("kamailio", "-DD", "-E", "-x", "fm", "-m", 6144, "-M", 64, "-f", self.config, "-Y", self.folder, "-P", self.folder / "kamailio.pid")

    def command(self, *arguments):
        done = subprocess.run(["kamcmd", "-s", f"unix:{self.folder}/kamailio.ctl", *arguments], capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"kamcmd: {done.stderr}")
        return done.stdout

    def shared_memory_used(self):
        """Bytes."""
        return int(re.search(r"^\s*used: (\d+)", self.command("core.shmmem"), re.MULTILINE).group(1))

    def restart(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.launch()
