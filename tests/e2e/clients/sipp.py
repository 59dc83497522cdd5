"""SIPp by UDP and TCP. A scenario is a straight line, so each call has its own, put together from steps, and a process of its own.

The steps report and stop at gates by the connection that SIPp has for two of its kind ("3PCC"): the test is the other one. sendCmd is an event, recvCmd waits
for a word.
"""
import asyncio
import contextlib
import re

import client
from server import free_ports

SDP = """v=0
o=- 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
"""
END_OF_COMMAND = b"\x1b"
GATE = "<recvCmd/>"


def event(word, lines=""):
    return f"<sendCmd><![CDATA[\nCall-ID: [call_id]\nEvent: {word}\n{lines}\n]]></sendCmd>"


def received(what, attributes="", actions=""):
    return f'<recv {what} {attributes}>{f"<action>{actions}</action>" if actions else ""}</recv>'


def response(status, **options):
    return received(f'response="{status}"', **options)


def request(method, **options):
    return received(f'request="{method}"', **options)


def saved(name, header, occurrence=1):
    return f'<ereg regexp=".*" search_in="hdr" header="{header}:" occurrence="{occurrence}" assign_to="{name}"/>'


class Scenario:
    """One end of a call, or of a message, to or from `user`."""

    def __init__(self, user):
        self.contact = f"Contact: <sip:{user}@[local_ip]:[local_port];transport=[transport]>"
        self.user = user

    def out(self, method, uri, cseq, body="", *, kind="", lines="", branch="[branch]"):
        again = "" if method == "ACK" else ' retrans="500"'
        typed = f"Content-Type: {kind}\n" if body else ""
        return (f"<send{again}><![CDATA[\n{method} {uri} SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch};rport\n{lines}"
                f"Max-Forwards: 70\nFrom: {self.local}\nTo: {self.remote}\nCall-ID: [call_id]\nCSeq: {cseq} {method}\n{self.contact}\n{typed}"
                f"Content-Length: [len]\n\n{body}\n]]></send>")

    def in_dialog(self, method, cseq, body=""):
        return self.out(method, "[next_url]", cseq, body, kind="application/sdp", lines="[routes]\n")

    def answer(self, status, body="", via="[last_Via:]", tag="", cseq="[last_CSeq:]", again=""):
        typed = "Content-Type: application/sdp\n" if body else ""
        return (f"<send{again}><![CDATA[\nSIP/2.0 {status}\n{via}\n[last_Record-Route:]\n[last_From:]\n[last_To:]{tag}\n[last_Call-ID:]\n{cseq}\n"
                f"{self.contact}\n{typed}Content-Length: [len]\n\n{body}\n]]></send>")

    def dialog(self, cseq, reinvites, ends):
        """What comes after the ACK."""
        if reinvites:
            steps = [GATE, self.in_dialog("INVITE", cseq, SDP), response(100, attributes='optional="true"'), response(200), self.in_dialog("ACK", cseq),
                     event("renegotiated")]
        else:
            steps = [request("INVITE"), self.answer("200 OK", SDP, again=' retrans="500"'), request("ACK"), event("reinvited")]
        if ends:
            return steps + [GATE, self.in_dialog("BYE", cseq + 1), response(200), event("ended")]
        return steps + [request("BYE"), self.answer("200 OK"), event("ended")]


class Caller(Scenario):
    def __init__(self, user, callee):
        super().__init__(user)
        self.local, self.remote, self.callee = f"<sip:{user}@example.org>;tag=a[pid][call_number]", f"<sip:{callee}@example.org>", callee

    def invite(self):
        return [self.out("INVITE", f"sip:{self.callee}@example.org", 1, SDP, kind="application/sdp", branch="z9hG4bKa[pid][call_number]"),
                response(100, attributes='optional="true"'), response(180), event("ringing")]

    def answered(self, reinvites, ends):
        steps = [*self.invite(), response(200, attributes='rrs="true"')]
        self.remote += "[peer_tag_param]"
        return steps + [self.in_dialog("ACK", 1), event("established"), *self.dialog(2, reinvites, ends)]

    def cancelled(self, *_):
        def hop_by_hop(method):
            return self.out(method, f"sip:{self.callee}@example.org", 1, branch="z9hG4bKa[pid][call_number]")
        steps = [*self.invite(), GATE, hop_by_hop("CANCEL"), response(200), response(487)]
        self.remote += "[peer_tag_param]"
        return steps + [hop_by_hop("ACK"), event("cancelled")]

    def written(self, *_):
        return [self.out("MESSAGE", f"sip:{self.callee}@example.org", 1, f"from {self.user}", kind="text/plain"), response(200), event("delivered")]

    def registered(self):
        self.remote = f"<sip:{self.user}@example.org>"
        return [self.out("REGISTER", "sip:example.org", 1), response(200), event("registered")]


class Callee(Scenario):
    TAG = ";tag=b[pid][call_number]"

    def __init__(self, user):
        super().__init__(user)
        self.local, self.remote = f"[$callee]{self.TAG}", "[$caller]"

    def invited(self):
        names = saved("caller", "From") + saved("callee", "To") + saved("way", "Via") + saved("way_before", "Via", 2)
        return [request("INVITE", attributes='rrs="true"', actions=names), self.answer("180 Ringing", tag=self.TAG),
                event("incoming", "[last_Record-Route:]")]

    def answered(self, reinvites, ends):
        ok = self.answer("200 OK", SDP, tag=self.TAG, again=' retrans="500"')
        return [*self.invited(), GATE, ok, request("ACK"), event("established"), *self.dialog(7, reinvites, ends)]

    def cancelled(self, *_):
        terminated = self.answer("487 Request Terminated", via="Via:[$way]\nVia:[$way_before]", tag=self.TAG, cseq="CSeq: [cseq] INVITE",
                                 again=' retrans="500"')
        return [*self.invited(), request("CANCEL"), self.answer("200 OK", tag=self.TAG), terminated, request("ACK"), event("cancelled")]

    def written(self, *_):
        text = '<ereg regexp="from [a-z0-9-]*" search_in="msg" assign_to="text"/>'
        return [request("MESSAGE", actions=text), self.answer("200 OK", tag=self.TAG), event("message [$text]")]


class Sipp(client.Client):
    def __init__(self, *arguments):
        super().__init__("sipp", *arguments)
        (self.port,) = free_ports(1)
        self.gates = None

    async def start(self):
        await self.run(Caller(self.user, self.user).registered())
        await self.expect("registered")
        await self.finish()

    async def run(self, steps):
        """Until the process has its sockets: it connects to the test after that."""
        text = "".join(steps)
        saved_ones = "".join(f'<Reference variables="{name}"/>' for name in re.findall(r'assign_to="(\w+)"', text))
        (self.folder / "scenario.xml").write_text(f'<?xml version="1.0" encoding="us-ascii"?>\n<scenario>{text}{saved_ones}</scenario>\n')
        connected = asyncio.Event()
        self.gates = await asyncio.start_server(lambda *streams: self.connected(connected, *streams), "127.0.0.1", 0)
        gate = "{}:{}".format(*self.gates.sockets[0].getsockname())
        await self.spawn("sipp", self.proxy, "-sf", "scenario.xml", "-i", self.host, "-p", self.port, "-t", f"{self.transport[0]}1", "-m", 1, "-nostdin",
                         "-3pcc", gate, "-trace_err", "-error_file", "sipp.err")
        try:
            await asyncio.wait_for(connected.wait(), client.PATIENCE)
        except asyncio.TimeoutError:
            raise client.Failure(f"{self.user} does not start") from None

    async def connected(self, connected, reader, writer):
        self.writer = writer
        connected.set()
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                text = (await reader.readuntil(END_OF_COMMAND)).decode()
                call_id, word = (re.search(rf"^{name}: *(.*?)\r?$", text, re.M) for name in ("Call-ID", "Event"))
                if not word:
                    return self.happened("aborted")
                self.call_id = call_id[1]
                self.happened(f"incoming {text.count('<sip:')}" if word[1] == "incoming" else word[1])

    async def prepare(self, what, reinvites=False, ends=False):
        await self.run(getattr(Callee(self.user), what)(reinvites, ends))

    async def place(self, callee, what, reinvites=False, ends=False):
        await self.run(getattr(Caller(self.user, callee), what)(reinvites, ends))

    async def finish(self):
        try:
            code = await asyncio.wait_for(self.process.wait(), client.PATIENCE)
        except asyncio.TimeoutError:
            code = "nothing"
        self.gates.close()
        if code != 0:
            errors = self.folder / "sipp.err"
            raise client.Failure(f"{self.user} ended with {code}: {errors.read_text()[-800:] if errors.exists() else ''}")

    async def give_up(self):
        await self.stop()
        while not self.events.empty():
            self.events.get_nowait()

    def open_gate(self):
        self.writer.write(f"Call-ID: {self.call_id}\r\nWord: go\r\n\r\n".encode() + END_OF_COMMAND)

    answer = again = bye = cancel = open_gate
