"""Linphone by TLS: linphone-daemon, the one of its programs that tells what happens, by lines "Event: ..."."""
import asyncio
import re
import time

import client

# No sound hardware; what it listens with by itself has any port. It does not take a certificate that nobody else has signed.
CONFIG = """
[sip]
sip_port=-1
sip_tcp_port=-1
sip_tls_port=-1
verify_server_certs=0
verify_server_cn=0
default_proxy=0
register_only_when_network_is_up=0
use_ipv6=0
media_encryption=none
im_notif_policy=none
[proxy_0]
reg_proxy=<sip:{proxy};transport=tls>
reg_route=<sip:{proxy};transport=tls>
reg_identity=<sip:{user}@example.org>
reg_expires=600
reg_sendregister=1
publish=0
[rtp]
audio_rtp_port=-1
"""


EVENTS = {"IncomingReceived": "incoming", "OutgoingRinging": "ringing", "StreamsRunning": "established", "UpdatedByRemote": "reinvited",
          "PausedByRemote": "reinvited", "Paused": "renegotiated", "End": "ended", "Error": "refused"}


class Linphone(client.Client):
    def __init__(self, *arguments):
        super().__init__("linphone", *arguments)
        self.registered = asyncio.Event()
        self.call_id, self.seen = "", set()

    async def start(self):
        (self.folder / ".local/share/linphone").mkdir(parents=True)
        (self.folder / "rc").write_text(CONFIG.format(proxy=self.proxy, user=self.user))
        await self.spawn("linphone-daemon", "--config", self.folder / "rc", "--disable-stats-events", on_line=self.on_line, HOME=str(self.folder))
        # It says so only when it is asked.
        deadline = time.monotonic() + client.PATIENCE
        while not self.registered.is_set():
            if time.monotonic() > deadline:
                raise client.Failure(f"{self.user} has not registered")
            self.tell("register-status ALL")
            await asyncio.sleep(0.1)

    def on_line(self, line):
        name, _, value = line.partition(": ")
        if line == "State: LinphoneRegistrationOk":
            self.registered.set()
        elif line == "State: LinphoneChatMessageStateDelivered":
            self.happened("delivered")
        elif name == "Content":
            self.happened("message", value.strip('"'))
        elif name == "Id" and re.fullmatch(r"\d+", value):
            self.call_id = value
        elif name == "Event":
            self.on_state(EVENTS.get(value.removeprefix("LinphoneCall")))

    def on_state(self, word):
        """Each word once a call, though media starts again after each change."""
        if word in ("incoming", "ringing"):
            self.seen.clear()
        if word == "ended" and "established" not in self.seen:
            word = "cancelled"
        if word and word not in self.seen:
            self.seen.add(word)
            self.happened(word)

    def call(self, callee):
        self.tell("call", self.uri(callee))

    def message(self, callee):
        self.tell("message", self.uri(callee), f"from {self.user}")

    def answer(self):
        self.tell("answer", self.call_id)

    def again(self):
        self.tell("call-pause", self.call_id)

    def bye(self):
        self.tell("terminate", self.call_id)

    cancel = bye
