"""Both servers with configurations that say the same, on the same port of two addresses: what they write is of the same length, and hashes
over URIs without an address are the same."""
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import tables

HERE = pathlib.Path(__file__).resolve().parent
PEERS = ["alice", "bob", "carol", "dave", "erin"]
BARRIER = "barrier@compare"

# Before a script: Kamailio loads a script into the Lua state that the one before has left.
PROLOGUE = "ksr_reply_route = nil\nfunction ksr_tm_event() end\n"
# After it: a request that is answered when all that came before it has been dealt with. A worker takes one message at a time.
EPILOGUE = f"""
local compare_request_route = ksr_request_route
function ksr_request_route()
  if KSR.kx.get_callid() == "{BARRIER}" then
    KSR.sl.sl_send_reply(200, "Here")
    return 1
  end
  return compare_request_route()
end
"""


def free_ports(count, addresses):
    """Ports of five digits that are free on all these addresses, below the range that the kernel hands out by itself."""
    ports = []
    while len(ports) < count:
        port = random.randrange(20000, 32000)
        if port in ports:
            continue
        try:
            for address in addresses:
                with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
                    probe.bind((address, port))
        except OSError:
            continue
        ports.append(port)
    return ports


class Places:
    """Who is where. `address4` differs between the servers, the ports are the same; on IPv6 loopback has one address: the ports differ."""

    def __init__(self, address4, ports4, ports6):
        names = ["proxy", *PEERS]
        self.place = {name: (address4, port) for name, port in zip(names, ports4)}
        self.place |= {f"{name}6": ("::1", port) for name, port in zip(["proxy", "alice", "bob"], ports6)}

    def text(self, name):
        host, port = self.place[name]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def words(self):
        """What templates, scripts and lists may use: {alice} is host:port, {alice.port} the port."""
        words = {name: self.text(name) for name in self.place}
        words |= {f"{name}.port": str(port) for name, (_, port) in self.place.items()}
        words["host"] = self.place["proxy"][0]
        return words

    def fill(self, template):
        words = self.words()
        return re.sub(r"\{([a-z0-9.]+)\}", lambda found: words.get(found[1], found[0]), template)


class Server:
    """A process in a temporary folder. `places` says where it listens."""

    def __init__(self, places, fr_timer_ms, dispatcher_list):
        self.places = places
        self.fr_timer_ms = fr_timer_ms
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="perdure-compare-"))
        (self.folder / "dispatcher.list").write_text(places.fill(dispatcher_list))
        self.log_path = self.folder / "log"
        self.log_read = 0
        self.process = None
        self.barrier_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.barrier_socket.bind((places.place["proxy"][0], 0))
        self.barriers = 0
        self.put_script("function ksr_request_route() end")

    def put_script(self, text):
        (self.folder / "script.lua").write_text(PROLOGUE + self.places.fill(text) + EPILOGUE)

    def start(self):
        self.prepare()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([str(word) for word in self.command()], stdout=log, stderr=log, start_new_session=True,
                cwd=self.folder)
        if not self.barrier(300):
            raise RuntimeError(f"{self.name} does not answer:\n{self.log_path.read_text(errors='replace')[-3000:]}")
        return self

    def load(self, script):
        self.put_script(script)
        done = self.reload()
        if done.returncode != 0:
            raise RuntimeError(f"{self.name} does not take the script: {done.stderr or done.stdout}")
        self.new_errors()

    def barrier(self, slices=60):
        """Waits until the server has worked off what it was sent so far; False: it does not answer."""
        self.barriers += 1
        number = self.barriers
        host, port = self.barrier_socket.getsockname()
        request = (
            f"OPTIONS sip:{self.places.text('proxy')} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bKbarrier{number}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:barrier@{host}>;tag=b\r\nTo: <sip:barrier@{host}>\r\n"
            f"Call-ID: {BARRIER}\r\nCSeq: {number} OPTIONS\r\nContent-Length: 0\r\n\r\n"
        ).encode()
        self.barrier_socket.settimeout(0.05)
        for turn in range(slices):
            # The server may be starting.
            if turn % 4 == 0:
                self.barrier_socket.sendto(request, self.places.place["proxy"])
            try:
                while f"CSeq: {number} OPTIONS".encode() not in self.barrier_socket.recv(65536):
                    pass
                return True
            except TimeoutError:
                if self.process.poll() is not None:
                    return False
        return False

    def new_errors(self):
        """Lines about errors of the script that were logged since the last call."""
        text = self.log_path.read_bytes()[self.log_read:]
        self.log_read += len(text)
        return [line for line in text.decode(errors="replace").splitlines() if re.search(self.script_error, line)]

    def close(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.barrier_socket.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Kamailio(Server):
    name = "kamailio"
    script_error = "error from Lua|app_lua.*(failed|error|invalid parameters)"

    def prepare(self):
        modules = next(pathlib.Path("/usr/lib").glob("*/kamailio/modules"))
        text = (HERE / "kamailio.cfg").read_text()
        words = {"LISTEN4": self.places.text("proxy"), "LISTEN6": self.places.text("proxy6"), "MODULES": f"{modules}/",
            "FOLDER": self.folder,
                 "FR_TIMER": self.fr_timer_ms}
        for word, value in words.items():
            text = text.replace(f"@{word}@", str(value))
        (self.folder / "kamailio.cfg").write_text(text)
        tables.write_kamailio(self.folder, self.places)

    def command(self):
        return [shutil.which("kamailio", path=os.environ.get("PATH", "") + ":/usr/sbin"), "-DD", "-E", "-f", self.folder / "kamailio.cfg",
            "-Y", self.folder, "-P", self.folder / "kamailio.pid"]

    def reload(self):
        return subprocess.run(["kamcmd", "-s", f"unix:{self.folder}/kamailio.ctl", "app_lua.reload"], capture_output=True, text=True,
            timeout=60)


class Perdure(Server):
    name = "perdure"
    script_error = "script error"
    binary = None

    def prepare(self):
        tables.write_perdure(self.folder, self.places)
        self.config = self.folder / "perdure.toml"
        self.config.write_text(
            f'listen = ["udp:{self.places.text("proxy")}", "udp:{self.places.text("proxy6")}"]\nalias = ["proxy.example"]\nworkers = 1\n'
            'script = "script.lua"\n[state]\ndirectory = "state"\nmax_bytes = "64MiB"\n[log]\nlevel = "error"\n'
            f'[transaction]\nt1 = "10s"\nt2 = "20s"\nfr_timer = "{self.fr_timer_ms}ms"\n[dispatcher]\nlist = "dispatcher.list"\n[event_callback]\ntm = "ksr_tm_event"\n{tables.PERDURE_OPTIONS}'
        )

    def command(self):
        return [self.binary, "run", "-c", self.config]

    def reload(self):
        # Open transactions of the case before may name callbacks that the next one does not have.
        command = [str(self.binary), "reload", "--force", "-c", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)
