#!/usr/bin/env python3
"""Real clients register and call each other, each kind every other: SIPp (UDP, TCP), baresip and Linphone (TLS), JsSIP and sip.js (WebSocket with
and without TLS).

Of each pair: a call that is answered, changed by a re-INVITE and ended, each by the end whose turn it is; one that is cancelled while it rings; a message.
In every third pair the engine is killed in the middle of the call. By IPv4; and a ring of calls by IPv6, from each transport to the next.

Left out is what Debian's packages cannot do: SIPp has no TLS there, baresip does not say whether a message of its own was delivered (the end that it was for
says that it came), sip.js does not hear that Linphone rings.

clients.py PERDURE FOLDER_FOR_NPM
"""
import argparse
import asyncio
import collections
import json
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import baresip
import browser
import client
import linphone
import matrix
import sipp

PACKAGES = {"jssip": "3.13.8", "sip.js": "0.21.2", "ws": "8.23.0"}
KINDS = (("sipp", "udp"), ("sipp", "tcp"), ("baresip", "tls"), ("linphone", "tls"), ("jssip", "ws"), ("jssip", "wss"), ("sipjs", "ws"), ("sipjs", "wss"))
BROWSERS = ("jssip", "sipjs")
RING = (("sipp", "udp"), ("sipp", "tcp"), ("baresip", "tls"), ("jssip", "ws"), ("sipjs", "wss"))
ENOUGH_FAILURES = 10  # Each of them has waited; nothing new is learned from more.


def install_packages(folder):
    """Returns the folder that has them; None: they cannot be fetched from here."""
    found = folder / "node_modules"
    for name, version in PACKAGES.items():
        manifest = found / name / "package.json"
        if not manifest.exists() or json.loads(manifest.read_text())["version"] != version:
            wanted = [f"{name}@{version}" for name, version in PACKAGES.items()]
            try:
                subprocess.run(["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", *wanted], check=True, timeout=100)
            except (OSError, subprocess.SubprocessError) as error:
                print(f"JsSIP and sip.js are LEFT OUT, npm cannot fetch them: {error}")
                return None
            break
    return found


class World:
    def __init__(self, server, packages):
        self.kinds, self.ring = ([one for one in kinds if packages or one[0] not in BROWSERS] for kinds in (KINDS, RING))
        self.server, self.packages = server, packages
        self.done, self.failures = collections.Counter(), []
        self.one_kill = asyncio.Lock()
        self.all = []

    async def start(self, kinds, host, suffix, peers):
        made = []
        for kind, transport in kinds:
            where = (transport, host, self.server, suffix)
            if kind == "sipp":
                made.append(sipp.Sipp(*where))
            elif kind == "baresip":
                made.append(baresip.Baresip(*where, peers=peers))
            elif kind == "linphone":
                made.append(linphone.Linphone(*where))
            else:
                made.append(browser.Browser(kind, *where, packages=self.packages))
        self.all += made
        await asyncio.gather(*(one.start() for one in made))
        return made

    async def stop(self):
        await asyncio.gather(*(one.stop() for one in self.all))

    async def kill_engine(self):
        """With one that takes over before the next is killed."""
        async with self.one_kill:
            deadline = time.monotonic() + client.PATIENCE
            while not await asyncio.to_thread(self.server.kill_engine):
                if time.monotonic() > deadline:
                    raise client.Failure("there is no engine to kill")
                await asyncio.sleep(0.02)
            await asyncio.to_thread(self.server.settled_status)
            self.done["engines killed"] += 1

    async def answered(self, a, b, turn, kill):
        changes, other = (a, b) if turn % 2 else (b, a)
        await b.prepare("answered", reinvites=b is changes, ends=b is other)
        await a.place(b.user, "answered", reinvites=a is changes, ends=a is other)
        self.check_record_route(a, b, await b.expect("incoming"))
        if a.hears_ringing(b):
            await a.expect("ringing")
        b.answer()
        await asyncio.gather(a.expect("established"), b.expect("established"))
        self.done["calls established"] += 1
        if kill:
            await self.kill_engine()
        changes.again()
        await asyncio.gather(changes.expect("renegotiated"), other.expect("reinvited"))
        self.done["re-INVITEs"] += 1
        other.bye()
        await asyncio.gather(a.expect("ended"), b.expect("ended"))
        self.done["ended"] += 1

    def check_record_route(self, a, b, seen):
        """Some clients say how many URIs the INVITE had recorded: two where it left by another socket of the server than it had come by."""
        if seen:
            expected = 1 if a.side == b.side else 2
            if int(seen) != expected:
                raise client.Failure(f"{seen} Record-Route, not {expected}")
            self.done["double Record-Route"] += expected == 2

    async def cancelled(self, a, b, *_):
        await b.prepare("cancelled")
        await a.place(b.user, "cancelled")
        await b.expect("incoming")
        if a.hears_ringing(b):
            await a.expect("ringing")
        a.cancel()
        await asyncio.gather(a.expect("cancelled"), b.expect("cancelled"))
        self.done["cancelled"] += 1

    async def written(self, a, b, *_):
        await b.prepare("written")
        await a.place(b.user, "written")
        text = await b.expect("message")
        if text != f"from {a.user}":
            raise client.Failure(f"{b.user} reads '{text}'")
        if a.says_delivered:
            await a.expect("delivered")
        self.done["messages"] += 1

    def failed(self, text):
        self.failures.append(text)
        print(text, flush=True)

    async def pair(self, a, b, turn):
        for what in (self.answered, self.cancelled, self.written):
            if len(self.failures) >= ENOUGH_FAILURES:
                return
            try:
                await what(a, b, turn, turn % 3 == 0)
                await asyncio.gather(a.finish(), b.finish())
            except client.Failure as failure:
                self.failed(f"{what.__name__}, {a.user} to {b.user} by {a.host}: {failure}")
                await asyncio.gather(a.give_up(), b.give_up())


async def run(world):
    kinds, ring_kinds = world.kinds, world.ring
    callees = [f"{kind}-{transport}-b" for kind, transport in kinds]
    callers, callees = await asyncio.gather(world.start(kinds, "127.0.0.1", "a", callees), world.start(kinds, "127.0.0.1", "b", callees))
    ring = await world.start(ring_kinds, "::1", "six", [f"{kind}-{transport}-six" for kind, transport in ring_kinds])
    turn = 0
    for shift in range(len(kinds)):
        pairs = [(a, callees[(place + shift) % len(kinds)]) for place, a in enumerate(callers)]
        await asyncio.gather(*(world.pair(a, b, turn + place) for place, (a, b) in enumerate(pairs)))
        turn += len(kinds)
    for place, a in enumerate(ring):
        await world.pair(a, ring[(place + 1) % len(ring)], turn + place)
    return turn + len(ring)


async def run_and_stop(world):
    try:
        return await run(world)
    except client.Failure as failure:
        world.failed(f"at the start: {failure}")
        return 0
    finally:
        await world.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("npm", type=pathlib.Path)
    options = parser.parse_args()
    packages = install_packages(options.npm.resolve())
    with matrix.MatrixServer(options.binary, HERE / "clients.lua", "[htable.location]\npersist = true\n") as test:
        world = World(test, packages)
        begin = time.monotonic()
        pairs = asyncio.run(run_and_stop(world))
        counted = ", ".join(f"{count} {what}" for what, count in sorted(world.done.items()))
        print(f"{pairs} pairs of clients in {time.monotonic() - begin:.0f} s: {counted}, {len(world.failures)} failures")
        test.stop()
    # Nobody that says how many URIs were recorded: the check of them was none.
    return 1 if world.failures or not world.done["double Record-Route"] else 0


if __name__ == "__main__":
    sys.exit(main())
