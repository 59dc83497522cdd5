"""baresip by TLS. Driven by its module ctrl_tcp: JSON in netstrings."""
import asyncio
import contextlib
import json
import pathlib
import re
import shutil

import client
from server import free_ports

# No sound hardware: what is said is a tone, and nobody listens.
CONFIG = """
sip_listen {host}:0
sip_cafile {certificate}
call_max_calls 4
audio_player aufile,/dev/null
audio_source ausine,440
ausrc_srate 48000
ausrc_channels 2
audio_alert aufile,/dev/null
module_path {modules}
module g711.so
module ausine.so
module stdio.so
module aufile.so
module_tmp account.so
module_app menu.so
module_app contact.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control}
"""
EVENTS = {"CALL_INCOMING": "incoming", "CALL_RINGING": "ringing", "CALL_PROGRESS": "ringing", "CALL_ESTABLISHED": "established"}


class Baresip(client.Client):
    says_delivered = False

    def __init__(self, *arguments, peers):
        """`peers`: whom it may write to."""
        super().__init__("baresip", *arguments)
        (self.control,) = free_ports(1)
        self.peers, self.current_peer = list(peers), 0
        self.established = False

    async def start(self):
        modules = pathlib.Path(shutil.which("baresip")).parents[1] / "lib/baresip/modules"
        host = self.proxy.rpartition(":")[0]
        (self.folder / "config").write_text(CONFIG.format(host=host, certificate=self.server.folder / "certificate.pem", control=self.control, modules=modules))
        (self.folder / "accounts").write_text(
            f'<{self.uri(self.user)}>;outbound="sip:{self.proxy};transport={self.transport}";regint=600;answermode=manual;audio_codecs=PCMU/8000/1\n')
        (self.folder / "contacts").write_text("".join(f'"{peer}" <{self.uri(peer)}>\n' for peer in self.peers))
        await self.spawn("baresip", "-f", self.folder, on_line=self.on_line)
        reader, self.writer = await self.connect()
        self.tasks.append(asyncio.create_task(self.read_events(reader)))
        await self.expect("registered")

    async def connect(self):
        for _ in range(client.PATIENCE * 20):
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", self.control)
            await asyncio.sleep(0.05)
        raise client.Failure(f"{self.user} does not start")

    def on_line(self, line):
        """Messages come as lines on the screen alone; and the registration may be over before the control connection is there."""
        if "200 OK () [1 binding]" in line:
            self.happened("registered")
        found = re.search(r'sip:\S+: "([^"]*)', line)
        if found:
            self.happened("message", found[1])

    async def read_events(self, reader):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError), open(self.folder / "events", "a") as log:
            while True:
                size = int((await reader.readuntil(b":"))[:-1])
                said = json.loads((await reader.readexactly(size + 1))[:-1])
                print(said, file=log, flush=True)
                if said.get("event"):
                    self.on_event(said["type"], said.get("param", ""))

    def on_event(self, kind, parameter):
        if kind == "CALL_REMOTE_SDP" and self.established:
            self.happened("reinvited" if parameter == "offer" else "renegotiated")
        elif kind == "CALL_CLOSED":
            self.happened("ended" if self.established else "cancelled" if not re.match("[3-6]", parameter) else f"refused {parameter}")
            self.established = False
        elif kind in EVENTS:
            self.established = kind == "CALL_ESTABLISHED"
            self.happened(EVENTS[kind])

    def command(self, word, parameters=""):
        text = json.dumps({"command": word, "params": parameters})
        self.writer.write(f"{len(text)}:{text},".encode())

    def call(self, callee):
        self.command("dial", self.uri(callee))

    def message(self, callee):
        """To the current one of its contacts, which can only be moved by one."""
        wanted = self.peers.index(callee)
        for _ in range(abs(wanted - self.current_peer)):
            self.command("contact_next" if wanted > self.current_peer else "contact_prev")
        self.current_peer = wanted
        self.command("message", f"from {self.user}")

    def answer(self):
        self.command("accept")

    def again(self):
        self.command("hold")

    def bye(self):
        self.command("hangup")

    cancel = bye
