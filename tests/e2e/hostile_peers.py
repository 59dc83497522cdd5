#!/usr/bin/env python3
"""Peers that do what they should not, while others place calls: memory stays bounded and calls quick.

hostile_peers.py PERDURE [--peers N] [--half-open] [--seconds S] [--p99 MILLISECONDS]
"""
import argparse
import asyncio
import os
import resource
import sys
import time

import connections
import devices

SECTIONS = '''[connections]
handshake_timeout = "{handshake}"
message_timeout = "2s"
write_timeout = "2s"
buffers = "64MiB"
max = 100000
per_source = 100000
'''


class Hostile:
    """Opens connections again as soon as the server closes them."""

    def __init__(self, port, secure):
        self.port, self.secure, self.opened = port, secure, 0

    async def connect(self):
        self.opened += 1
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=self.secure)

    async def forever(self, behaviour):
        while True:
            try:
                reader, writer = await self.connect()
                await behaviour(reader, writer)
                writer.close()
            except (OSError, EOFError, asyncio.IncompleteReadError, ValueError):
                pass
            await asyncio.sleep(0.05)


async def half_open(reader, _):
    """Never says a word; on a TLS port that is half a handshake."""
    await reader.read(1)


async def hello_and_no_more(reader, writer):
    """The beginning of a TLS record that never ends."""
    writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(40))
    await reader.read(100)


async def slow(reader, writer):
    for byte in b"OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1\r\n":
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.2)
        if reader.at_eof():
            return


async def endless_headers(reader, writer):
    writer.write(b"OPTIONS sip:a@127.0.0.1 SIP/2.0\r\n")
    while not reader.at_eof():
        writer.write(b"X-More: " + b"x" * 1000 + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0)


async def wrong_length(reader, writer):
    writer.write(b"OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n" + os.urandom(100))
    await reader.read()


async def half_a_body(reader, writer):
    writer.write(b"OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nContent-Length: 60000\r\n\r\n" + b"x" * 50000)
    await reader.read()


async def garbage(reader, writer):
    writer.write(os.urandom(3000) + b"\r\n\r\n")
    await reader.read()


async def never_reads(reader, writer):
    """Asks as long as it can and takes no answer."""
    ip, port = writer.get_extra_info("sockname")[:2]
    reader._transport.pause_reading()
    for i in range(20000):
        writer.write((f"OPTIONS sip:a@{ip}:{port} SIP/2.0\r\nVia: SIP/2.0/TCP {ip}:{port};branch=z9hG4bK{os.urandom(8).hex()};rport\r\n"
                      f"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: {os.urandom(8).hex()}\r\nCSeq: {i} OPTIONS\r\n"
                      "X-Room: " + "x" * 3000 + "\r\nContent-Length: 0\r\n\r\n").encode())
        await asyncio.wait_for(writer.drain(), 5)


async def bad_frames(reader, writer):
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                 b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n" + os.urandom(500))
    await reader.read()


def memory(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no RssAnon")


async def measure(test, until):
    """Round trips of OPTIONS by a connection of its own."""
    answered = asyncio.Event()
    device = await devices.Device("tcp", test.ports["tcp"], lambda *_: answered.set()).open()
    times = []
    while time.monotonic() < until:
        answered.clear()
        begin = time.monotonic()
        device.send(f"OPTIONS sip:ping@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP {device.host_text};branch=z9hG4bK{os.urandom(8).hex()};rport\r\n"
                    f"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: {os.urandom(8).hex()}\r\nCSeq: 1 OPTIONS\r\n"
                    "Content-Length: 0\r\n\r\n")
        await asyncio.wait_for(answered.wait(), 20)
        times.append(time.monotonic() - begin)
        await asyncio.sleep(0.02)
    closed = device.closed
    await device.close()
    return sorted(times), closed


HALF_OPEN = [("tls", None, half_open, 4), ("tls", None, hello_and_no_more, 1)]


async def attack(test, count, only_half_open):
    tls = devices.client_tls()
    plan = HALF_OPEN if only_half_open else [*HALF_OPEN, ("tcp", None, slow, 1), ("tcp", None, endless_headers, 1),
            ("tcp", None, wrong_length, 1), ("tcp", None, half_a_body, 1), ("tcp", None, garbage, 1), ("tcp", None, never_reads, 0.05),
            ("tls", tls, garbage, 0.2), ("ws", None, bad_frames, 1), ("ws", None, half_open, 1)]
    weight = sum(part for *_, part in plan)
    tasks = []  # nobody else holds a reference to a task that waits
    for transport, secure, behaviour, part in plan:
        hostile = Hostile(test.ports[transport], secure)
        for _ in range(max(1, int(count * part / weight))):
            tasks.append(asyncio.ensure_future(hostile.forever(behaviour)))
            await asyncio.sleep(0)
    return tasks


def attacking_process(test, options):
    """In a process of its own, so that the measuring one is not late."""
    pid = os.fork()
    if pid:
        return pid
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)

    async def main():
        tasks = await attack(test, options.peers, options.half_open)
        await asyncio.wait(tasks, timeout=options.seconds + 60)

    try:
        loop.run_until_complete(main())
    finally:
        os._exit(0)


def wait_for_half_open(test, wanted):
    """They come as fast as they are let in, and go when their time is over: how many there are settles."""
    end = time.monotonic() + 60
    while (count := test.status()["connections"]["open"]["tls"]) < wanted:
        assert time.monotonic() < end, f"only {count} handshakes are half open"
        time.sleep(0.2)
    return count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--peers", type=int, default=200)
    parser.add_argument("--half-open", action="store_true", help="all of them begin a handshake of TLS and do not end it")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--p99", type=float, default=10)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with connections.ConnectionServer(options.binary, ["tcp", "tls", "ws"], SECTIONS.format(handshake="30s" if options.half_open else "2s")) as test:
        edge = test.status()["pids"]["edge"]
        before = memory(edge)
        attacker = attacking_process(test, options)
        try:
            if options.half_open:
                print(f"{wait_for_half_open(test, options.peers * 0.95)} handshakes are half open")
            times, closed = asyncio.run(measure(test, time.monotonic() + options.seconds))
            most = memory(edge)
            status = test.status()
        finally:
            os.kill(attacker, 9)
            os.waitpid(attacker, 0)
        counters = status["connections"]["counters"]
        p99 = times[int(len(times) * 0.99)] * 1000
        print(f"{options.peers} hostile peers, {counters['accepted']} connections: {len(times)} round trips of another, median "
              f"{times[len(times) // 2] * 1000:.2f} ms, p99 {p99:.2f} ms, longest {times[-1] * 1000:.2f} ms; memory of the edge {before:.0f} MiB before, "
              f"{most:.0f} MiB meanwhile; buffered {counters['buffered_bytes'] / 1048576:.1f} MiB")
        print(", ".join(f"{name} {value}" for name, value in counters.items() if value))
        expected = () if options.half_open else ("closed_handshake_timeout", "closed_slow_sender", "closed_too_large", "closed_malformed")
        good = not closed and p99 < options.p99 and most - before < 64 + options.peers * 0.1 and status["engine_starts"] == 1
        if options.half_open and status["connections"]["open"]["tls"] < options.peers * 0.9:
            print(f"only {status['connections']['open']['tls']} handshakes were half open")
            good = False
        for name in expected:
            if not counters[name]:
                print(f"{name} is 0")
                good = False
        test.stop()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
