#!/usr/bin/env python3
"""Every transport to every other, IPv4 and IPv6: INVITE, re-INVITE and BYE from the callee, CANCEL, MESSAGE; and the same while the engine is killed.

matrix.py PERDURE [--kills N]
"""
import argparse
import asyncio
import collections
import itertools
import pathlib
import random
import re
import sys
import time

import connections
import devices
import server

HERE = pathlib.Path(__file__).resolve().parent
TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")
FAMILIES = ("127.0.0.1", "::1")
PATIENCE = 20


class UdpDevice(asyncio.DatagramProtocol):
    def __init__(self, port, on_message, host):
        self.transport, self.port, self.on_message, self.host = "udp", port, on_message, host
        self.closed = False

    async def open(self):
        self.socket, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, remote_addr=(self.host, self.port))
        ip, port = self.socket.get_extra_info("sockname")[:2]
        self.host_text = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
        return self

    def datagram_received(self, data, _):
        self.on_message(self, data.decode())

    def error_received(self, _):
        pass

    def send(self, text):
        self.socket.sendto(text.encode())

    def uri(self, user):
        return f"sip:{user}@{self.host_text}"

    async def close(self):
        self.socket.close()


class Party:
    """A user agent at the end of a device: what comes is sorted by call, and repetitions are dropped."""

    def __init__(self, transport, host):
        self.name, self.side = f"{transport} {host}", (transport, host)
        self.queues = collections.defaultdict(asyncio.Queue)
        self.seen = set()
        self.device = None

    async def open(self, test):
        port = test.ports[self.side]
        tls = devices.client_tls() if self.side[0] in ("tls", "wss") else None
        if self.side[0] == "udp":
            self.device = await UdpDevice(port, self.on_message, self.side[1]).open()
        else:
            self.device = await devices.Device(self.side[0], port, self.on_message, tls, self.side[1]).open()

    def on_message(self, _, text):
        first = text.split("\r\n", 1)[0]
        call_id = devices.header(text, "Call-ID")
        key = (call_id, first, devices.header(text, "CSeq"))
        if key not in self.seen and not first.startswith("SIP/2.0 100"):
            self.seen.add(key)
            self.queues[call_id].put_nowait(text)

    async def expect(self, call_id, start, cseq=""):
        text = await asyncio.wait_for(self.queues[call_id].get(), PATIENCE)
        first = text.split("\r\n", 1)[0]
        assert first.startswith(start) and devices.header(text, "CSeq").endswith(cseq), f"{self.name} got {first} instead of {start}"
        return text

    def request(self, method, uri, call_id, cseq, local, remote, routes=(), branch=None):
        """Sends it once, by UDP as well: loopback loses nothing."""
        branch = branch or f"z9hG4bK{random.getrandbits(64):x}"
        self.device.send("\r\n".join([
            f"{method} {uri} SIP/2.0", f"Via: SIP/2.0/{self.side[0].upper()} {self.device.host_text};branch={branch};rport", *routes,
            "Max-Forwards: 70", f"From: {local}", f"To: {remote}", f"Call-ID: {call_id}", f"CSeq: {cseq} {method}",
            f"Contact: <{self.device.uri('me')}>", "Content-Length: 0", "", ""]))
        return branch

    def answer(self, request, status, tag):
        to = devices.header(request, "To")
        to = to if "tag=" in to else f"{to};tag={tag}"
        self.device.send("\r\n".join([
            f"SIP/2.0 {status}", *devices.headers(request, "Via"), *devices.headers(request, "Record-Route"),
            f"From: {devices.header(request, 'From')}", f"To: {to}", f"Call-ID: {devices.header(request, 'Call-ID')}",
            f"CSeq: {devices.header(request, 'CSeq')}", f"Contact: <{self.device.uri('me')}>", "Content-Length: 0", "", ""]))


def routes_of(message, backwards):
    routes = [line.replace("Record-Route", "Route", 1) for line in devices.headers(message, "Record-Route")]
    return routes[::-1] if backwards else routes


def contact_of(message):
    return devices.header(message, "Contact").strip("<>")


async def answered_call(a, b):
    call_id = f"{random.getrandbits(64):x}"
    me, you = f"<sip:a@example.org>;tag=a{call_id}", "<sip:b@example.org>"
    a.request("INVITE", b.device.uri("b"), call_id, 1, me, you)
    invite = await b.expect(call_id, "INVITE")
    sides = len(devices.headers(invite, "Record-Route"))
    leaves_by = (b.side[0].replace("wss", "ws"), b.side[1])  # the URI of a browser says "ws" with TLS, too
    assert sides == (1 if a.side == leaves_by else 2), f"{sides} Record-Route"
    b.answer(invite, "180 Ringing", "b1")
    await a.expect(call_id, "SIP/2.0 180")
    b.answer(invite, "200 OK", "b1")
    ok = await a.expect(call_id, "SIP/2.0 200")
    you += ";tag=b1"
    forth, back = routes_of(ok, True), routes_of(invite, False)
    a.request("ACK", contact_of(ok), call_id, 1, me, you, forth)
    ack = await b.expect(call_id, "ACK")
    assert not devices.headers(ack, "Route"), "a Route of ours is left"
    b.request("INVITE", contact_of(invite), call_id, 7, you, me, back)
    again = await a.expect(call_id, "INVITE")
    assert not devices.headers(again, "Route"), "a Route of ours is left"
    a.answer(again, "200 OK", "")
    await b.expect(call_id, "SIP/2.0 200", "INVITE")
    b.request("ACK", contact_of(invite), call_id, 7, you, me, back)
    await a.expect(call_id, "ACK")
    b.request("BYE", contact_of(invite), call_id, 8, you, me, back)
    a.answer(await a.expect(call_id, "BYE"), "200 OK", "")
    await b.expect(call_id, "SIP/2.0 200", "BYE")


async def cancelled_call(a, b):
    call_id = f"{random.getrandbits(64):x}"
    me, you, uri = f"<sip:a@example.org>;tag=a{call_id}", "<sip:b@example.org>", b.device.uri("b")
    branch = a.request("INVITE", uri, call_id, 1, me, you)
    invite = await b.expect(call_id, "INVITE")
    b.answer(invite, "180 Ringing", "b1")
    await a.expect(call_id, "SIP/2.0 180")
    a.request("CANCEL", uri, call_id, 1, me, you, branch=branch)
    b.answer(await b.expect(call_id, "CANCEL"), "200 OK", "b1")
    await a.expect(call_id, "SIP/2.0 200", "CANCEL")
    b.answer(invite, "487 Request Terminated", "b1")
    await b.expect(call_id, "ACK")
    await a.expect(call_id, "SIP/2.0 487")
    a.request("ACK", uri, call_id, 1, me, you + ";tag=b1", branch=branch)


async def message(a, b):
    call_id = f"{random.getrandbits(64):x}"
    a.request("MESSAGE", b.device.uri("b"), call_id, 1, f"<sip:a@example.org>;tag=a{call_id}", "<sip:b@example.org>")
    b.answer(await b.expect(call_id, "MESSAGE"), "200 OK", "b1")
    await a.expect(call_id, "SIP/2.0 200")


async def one(what, a, b, failures):
    try:
        await what(a, b)
    except (AssertionError, asyncio.TimeoutError) as error:
        failures.append(f"{what.__name__}, {a.name} to {b.name}: {error or 'nothing came'}")


async def run(test, kills):
    callers, callees = ([Party(*side) for side in itertools.product(TRANSPORTS, FAMILIES)] for _ in range(2))
    for party in callers + callees:
        await party.open(test)
    failures, count, killed = [], 0, 0
    begin = time.monotonic()
    for a in callers:
        pending = [one(what, a, b, failures) for b in callees for what in (answered_call, cancelled_call, message)]
        count += len(pending)
        if killed < kills:
            pending.append(asyncio.to_thread(test.kill_engine))
            killed += 1
        await asyncio.gather(*pending)
    closed = sum(party.device.closed for party in callers + callees)
    for party in callers + callees:
        await party.device.close()
    print(f"{count} calls and messages in {time.monotonic() - begin:.1f} s, {killed} engines killed: {len(failures)} failed, {closed} connections closed")
    return failures, closed


class MatrixServer(server.Server):
    def __init__(self, binary, script=HERE / "connections.lua", sections=""):
        super().__init__(binary, gateways=0, script=script)
        connections.make_certificate(self.folder)
        listen = ", ".join(f'"{transport}:{f"[{host}]" if ":" in host else host}:0"' for transport, host in itertools.product(TRANSPORTS, FAMILIES))
        text = self.config.read_text().replace(f'"udp:127.0.0.1:{self.port}"', listen)
        self.config.write_text(text + '[tls]\ncertificates = ["certificate.pem"]\nprivate_keys = ["key.pem"]\n' + sections)
        self.start()
        ready = (self.folder / "out").read_text()
        self.ports = {(transport, host): int(re.search(rf" {transport}:{re.escape(f'[{host}]' if ':' in host else host)}:(\d+)", ready)[1])
                      for transport, host in itertools.product(TRANSPORTS, FAMILIES)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--kills", type=int, default=0)
    options = parser.parse_args()
    with MatrixServer(options.binary) as test:
        failures, closed = asyncio.run(run(test, options.kills))
        for failure in failures[:30]:
            print(failure)
        test.stop()
        if failures or closed:
            print(test.log_text()[-3000:])
        return 1 if failures or closed else 0


if __name__ == "__main__":
    sys.exit(main())
