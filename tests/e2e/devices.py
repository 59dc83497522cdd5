"""Devices that hold a connection (TCP, TLS, WebSocket) to the proxy and call each other by it."""
import asyncio
import base64
import collections
import os
import random
import ssl
import struct


def header(message, name):
    for line in message.split("\r\n\r\n", 1)[0].split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.strip().lower() == name.lower():
            return value.strip()
    return ""


def headers(message, name):
    lines = message.split("\r\n\r\n", 1)[0].split("\r\n")[1:]
    return [line for line in lines if line.partition(":")[0].strip().lower() == name.lower()]


def client_tls():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Device:
    """One connection. `on_message(device, text)` is called for each message."""

    def __init__(self, transport, port, on_message, tls=None, host="127.0.0.1"):
        self.transport, self.port, self.on_message, self.tls, self.host = transport, port, on_message, tls, host
        self.closed = False
        self.closing = False

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection(self.host, self.port, ssl=self.tls)
        ip, port = self.writer.get_extra_info("sockname")[:2]
        self.host_text = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
        if self.transport in ("ws", "wss"):
            key = base64.b64encode(os.urandom(16)).decode()
            self.writer.write((f"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n").encode())
            answer = await self.reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 101 "), answer
        self.task = asyncio.ensure_future(self.read())
        return self

    async def read(self):
        try:
            while True:
                self.on_message(self, await (self.read_frame() if self.transport in ("ws", "wss") else self.read_stream()))
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            if not self.closing:
                self.closed = True

    async def read_stream(self):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lstrip("\r\n")
        body = await self.reader.readexactly(int(header(head, "Content-Length")))
        return head + body.decode()

    async def read_frame(self):
        while True:
            first, length = await self.reader.readexactly(2)
            if length == 126:
                (length,) = struct.unpack("!H", await self.reader.readexactly(2))
            payload = await self.reader.readexactly(length)
            if first & 15 in (1, 2):
                return payload.decode()
            if first & 15 == 9:
                self.writer.write(b"\x8a" + bytes([0x80 | length]) + bytes(4) + payload)  # a pong, by a mask of zeros

    def send(self, text):
        data = text.encode()
        if self.transport in ("ws", "wss"):
            mask = os.urandom(4)
            size = struct.pack("!BB", 0x81, 0x80 | len(data)) if len(data) < 126 else struct.pack("!BBH", 0x81, 0x80 | 126, len(data))
            data = size + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        self.writer.write(data)

    def uri(self, user):
        return f"sip:{user}@{self.host_text};transport={self.transport.replace('wss', 'ws')}"

    async def close(self):
        self.closing = True
        self.writer.close()
        self.task.cancel()


class Calls:
    """Calls from one half of the devices to the other; each is judged by both of its ends."""

    def __init__(self):
        self.state = {}
        self.seen = collections.Counter()
        self.problems = []
        self.doubled = 0
        self.started = self.finished = 0
        self.done = {}

    def begin(self, caller, callee, hold):
        call_id = f"{random.getrandbits(64):x}"
        self.started += 1
        self.state[call_id] = {"caller": caller, "callee": callee, "hold": hold, "stage": "inviting", "acks": 0}
        self.done[call_id] = asyncio.get_running_loop().create_future()
        self.request(caller, "INVITE", callee.uri("callee"), call_id, 1, "<sip:callee@example.org>", [])
        return self.done[call_id]

    def request(self, device, method, uri, call_id, cseq, to, routes):
        via = device.transport.upper()
        device.send("\r\n".join([
            f"{method} {uri} SIP/2.0", f"Via: SIP/2.0/{via} {device.host_text};branch=z9hG4bK{random.getrandbits(64):x};rport", *routes,
            "Max-Forwards: 70", f"From: <sip:caller@example.org>;tag=c{call_id}", f"To: {to}", f"Call-ID: {call_id}", f"CSeq: {cseq} {method}",
            f"Contact: <{device.uri('caller')}>", "Content-Length: 0", "", ""]))

    def answer(self, device, request, status, call_id):
        to = header(request, "To")
        to = to if "tag=" in to else f"{to};tag=d{call_id}"
        device.send("\r\n".join([
            f"SIP/2.0 {status}", *headers(request, "Via"), *headers(request, "Record-Route"), f"From: {header(request, 'From')}", f"To: {to}",
            f"Call-ID: {call_id}", f"CSeq: {header(request, 'CSeq')}", f"Contact: <{device.uri('callee')}>", "Content-Length: 0", "", ""]))

    def problem(self, call_id, text):
        self.problems.append(f"{call_id}: {text}")

    def on_message(self, device, text):
        call_id = header(text, "Call-ID")
        call = self.state.get(call_id)
        first = text.split("\r\n", 1)[0]
        if call is None:
            return self.problem(call_id, f"of no call: {first}")
        key = (id(device), call_id, first, header(text, "CSeq"))
        self.seen[key] += 1
        if self.seen[key] > 1:
            self.doubled += 1
            return None
        if first.startswith("SIP/2.0"):
            return self.on_response(device, call, call_id, text, int(first.split()[1]))
        return self.on_request(device, call, call_id, text, first.split()[0])

    def on_request(self, device, call, call_id, text, method):
        if device is not call["callee"]:
            return self.problem(call_id, f"{method} came to the wrong device")
        loop = asyncio.get_running_loop()
        if method == "INVITE":
            self.answer(device, text, "180 Ringing", call_id)
            loop.call_later(call["hold"], self.answer, device, text, "200 OK", call_id)
        elif method == "ACK":
            call["acks"] += 1
        elif method == "BYE":
            self.answer(device, text, "200 OK", call_id)
        return None

    def on_response(self, device, call, call_id, text, status):
        if device is not call["caller"]:
            return self.problem(call_id, f"{status} came to the wrong device")
        if status >= 300:
            self.problem(call_id, text.split("\r\n", 1)[0])
            return self.finish(call_id)
        if status < 200:
            return None
        contact = header(text, "Contact").strip("<>")
        routes = [line.replace("Record-Route", "Route", 1) for line in reversed(headers(text, "Record-Route"))]
        if header(text, "CSeq") == "1 INVITE":
            self.request(device, "ACK", contact, call_id, 1, header(text, "To"), routes)
            asyncio.get_running_loop().call_later(call["hold"], self.request, device, "BYE", contact, call_id, 2, header(text, "To"), routes)
        else:
            if call["acks"] != 1:
                self.problem(call_id, f"{call['acks']} ACK before the BYE was answered")
            self.finish(call_id)
        return None

    def finish(self, call_id):
        if not self.done[call_id].done():
            self.finished += 1
            self.done[call_id].set_result(None)
