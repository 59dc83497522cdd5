"""The peers of one server: sockets that a case sends from and receives at. What comes in is kept in order, peer by peer."""
import re
import select
import socket

from servers import PEERS

SLICE = 0.05  # seconds; deadlines are counted in slices, so that a pause of the whole machine is not taken for silence
SLICES = 50


class Nothing(Exception):
    """What a case waited for did not come."""


class Message:
    def __init__(self, text):
        self.text = text
        head, _, self.body = text.partition("\r\n\r\n")
        # Folded lines are one value.
        lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
        self.first = lines[0]
        self.headers = [tuple(part.strip() for part in line.partition(":")[::2]) for line in lines[1:]]
        self.taken = False

    def all(self, *names):
        return [value for name, value in self.headers if name.lower() in names]

    def get(self, *names):
        return next(iter(self.all(*names)), "")

    @property
    def method(self):
        return "" if self.first.startswith("SIP/2.0 ") else self.first.split(" ")[0]

    @property
    def uri(self):
        return self.first.split(" ")[1]

    @property
    def status(self):
        return int(self.first.split(" ")[1]) if self.first.startswith("SIP/2.0 ") else 0

    def is_what(self, what):
        """A method, a status, or a status and the method that it belongs to as "200 BYE"."""
        if isinstance(what, int):
            return self.status == what
        if what[0].isdigit():
            status, method = what.split(" ")
            return self.status == int(status) and self.get("cseq").endswith(method)
        return self.method == what


class Peer:
    def __init__(self, world, name):
        self.world, self.name = world, name
        self.open()
        self.proxy = "proxy6" if name.endswith("6") else "proxy"
        self.inbox = []
        self.sequence = 0

    def open(self):
        host, port = self.world.places.place[self.name]
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, port))
        self.socket.setblocking(False)

    def send(self, text, source=None):
        """Text with {alice} and the like, line ends as in the source; `source`: another peer's socket."""
        text = self.world.places.fill(text)
        if "\r\n" not in text:
            text = text.replace("\n", "\r\n")
        self.send_bytes(text.encode(), source)
        return Message(text)

    def send_bytes(self, data, source=None):
        (source or self).socket.sendto(data, self.world.places.place[self.proxy])

    def request(self, method, uri="sip:bob@{bob}", headers=(), body="", *, to=None, from_uri=None, from_tag="alice-tag", to_tag="",
        via=None, via_params="",
                branch=None, max_forwards="70", cseq=None, call=None, contact=None, content_type=None, source=None):
        """Sends a request. `to_tag`: one within a dialog; `via`: values instead of the peer's own; `call`: ending of the Call-ID."""
        self.sequence += 1
        branch = branch or self.branch()
        lines = [f"{method} {uri} SIP/2.0"]
        lines += [f"Via: {value}" for value in (via if via is not None else [f"SIP/2.0/UDP {{{self.name}}};branch={branch}{via_params}"])]
        if max_forwards is not None:
            lines.append(f"Max-Forwards: {max_forwards}")
        if from_uri is None:
            from_uri = f"<sip:{self.name}@example.com>"
        lines.append(f"From: {from_uri}" + (f";tag={from_tag}" if from_tag else ""))
        lines.append(f"To: {to or '<sip:bob@example.com>'}" + (f";tag={to_tag}" if to_tag else ""))
        lines.append(f"Call-ID: {self.call_id(call)}")
        lines.append(f"CSeq: {cseq if cseq is not None else self.sequence} {method}")
        if contact is None and method in ("INVITE", "SUBSCRIBE", "REFER", "UPDATE", "NOTIFY"):
            contact = f"<sip:{self.name}@{{{self.name}}}>"
        if contact:
            lines.append(f"Contact: {contact}")
        lines += headers
        if body:
            lines.append(f"Content-Type: {content_type or 'text/plain'}")
        lines.append(f"Content-Length: {len(body)}")
        return self.send("\r\n".join(lines) + "\r\n\r\n" + body, source)

    def branch(self, ending=None):
        return f"z9hG4bK-{self.world.case_name}-{ending or f'{self.name}-{self.sequence}'}"

    def call_id(self, ending=None):
        return f"{self.world.case_name}{'-' + ending if ending else ''}@compare"

    def invite(self, uri="sip:bob@{bob}", **options):
        return self.request("INVITE", uri, **options)

    def _of_transaction(self, method, invite, *, to=None, headers=(), route=True):
        lines = [f"{method} {invite.uri} SIP/2.0", f"Via: {invite.get('via', 'v')}", "Max-Forwards: 70"]
        if route:
            lines += [f"Route: {value}" for value in invite.all("route")]
        lines += [f"From: {invite.get('from', 'f')}", f"To: {to or invite.get('to', 't')}", f"Call-ID: {invite.get('call-id', 'i')}"]
        lines += [f"CSeq: {invite.get('cseq').split(' ')[0]} {method}", *headers, "Content-Length: 0"]
        return self.send("\r\n".join(lines) + "\r\n\r\n")

    def cancel(self, invite, **options):
        return self._of_transaction("CANCEL", invite, **options)

    def ack_failure(self, invite, response, **options):
        """The ACK to a failure is a part of the transaction of its INVITE (RFC 3261 17.1.1.3)."""
        return self._of_transaction("ACK", invite, to=response.get("to", "t"), **options)

    def within(self, method, answer, *, cseq, headers=(), body="", **options):
        """A request within the dialog that `answer`, a 2xx, has made for the caller: along its route set."""
        routes = [value.strip() for line in answer.all("record-route") for value in line.split(",")]
        target = re.search(r"<([^>]*)>", answer.get("contact", "m"))[1]
        tag = re.search(r";tag=([^;]*)", answer.get("to", "t"))[1]
        return self.request(method, target, [f"Route: {value}" for value in reversed(routes)] + list(headers), body, to_tag=tag, cseq=cseq,
            **options)

    def within_as_callee(self, method, invite, *, tag, cseq, headers=(), body=""):
        """The same from the other side: `invite` as it came to this peer, `tag` as in its answer."""
        lines = [f"{method} {re.search(r'<([^>]*)>', invite.get('contact', 'm'))[1]} SIP/2.0"]
        self.sequence += 1
        lines += [f"Via: SIP/2.0/UDP {{{self.name}}};branch={self.branch()}", "Max-Forwards: 70"]
        lines += [f"Route: {value.strip()}" for line in invite.all("record-route") for value in line.split(",")]
        lines += [f"From: {invite.get('to', 't')};tag={tag}", f"To: {invite.get('from', 'f')}", f"Call-ID: {invite.get('call-id', 'i')}",
            f"CSeq: {cseq} {method}"]
        lines += [*headers, f"Content-Length: {len(body)}"]
        return self.send("\r\n".join(lines) + "\r\n\r\n" + body)

    def reply(self, request, status, reason="", headers=(), body="", *, tag=None, contact=True, via=None):
        """Answers a request that this peer received."""
        reasons = {100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 302: "Moved Temporarily", 404: "Not Found",
            408: "Request Timeout",
                   480: "Temporarily Unavailable", 486: "Busy Here", 487: "Request Terminated", 500: "Server Internal Error",
                       503: "Service Unavailable",
                   600: "Busy Everywhere", 603: "Decline"}
        lines = [f"SIP/2.0 {status} {reason or reasons[status]}"]
        lines += [f"Via: {value}" for value in (via if via is not None else request.all("via", "v"))]
        lines += [f"Record-Route: {value}" for value in request.all("record-route")]
        to = request.get("to", "t")
        if ";tag=" not in to and status > 100:
            to += f";tag={tag or self.name + '-tag'}"
        lines += [f"From: {request.get('from', 'f')}", f"To: {to}", f"Call-ID: {request.get('call-id', 'i')}",
            f"CSeq: {request.get('cseq')}"]
        if contact and status // 100 in (1, 2) and status > 100 and request.method == "INVITE":
            lines.append(f"Contact: <sip:{self.name}@{{{self.name}}}>")
        lines += headers
        lines.append(f"Content-Length: {len(body)}")
        return self.send("\r\n".join(lines) + "\r\n\r\n" + body)

    def receive(self, what):
        """The next message of that kind that this peer has not taken yet."""
        for _ in range(SLICES):
            self.world.drain()
            for message in self.inbox:
                if not message.taken and message.is_what(what):
                    message.taken = True
                    return message
            self.world.wait(SLICE)
        raise Nothing(f"{self.name} waited for {what}")

    def answer(self, method, status, *arguments, **options):
        """Receives a request and answers it; returns the request."""
        request = self.receive(method)
        self.reply(request, status, *arguments, **options)
        return request


class World:
    """All peers of one server in one case."""

    def __init__(self, server, case_name):
        self.server, self.places, self.case_name = server, server.places, case_name
        self.arrived = 0
        self.peers = [Peer(self, name) for name in [*PEERS, "alice6", "bob6"]]
        for peer in self.peers:
            setattr(self, peer.name, peer)

    def wait(self, seconds):
        select.select([peer.socket for peer in self.peers], [], [], seconds)

    def drain(self):
        for peer in self.peers:
            while True:
                try:
                    text = peer.socket.recv(65536).decode(errors="surrogateescape")
                except BlockingIOError:
                    break
                except ConnectionRefusedError:
                    continue
                self.came(peer, text)

    def came(self, peer, text):
        message = Message(text)
        # Transactions of cases before this one may still be there and have timers.
        call_id = message.get("call-id", "i")
        if not call_id.endswith("@compare") or re.fullmatch(rf"{re.escape(self.case_name)}(-.*)?@compare", call_id):
            self.arrived += 1
            message.number = self.arrived
            peer.inbox.append(message)

    def settle(self):
        """Until the server has dealt with everything; what it has sent by then is here."""
        if not self.server.barrier():
            raise Nothing(f"{self.server.name} does not answer any more")
        self.drain()

    def close(self):
        for peer in self.peers:
            peer.socket.close()
