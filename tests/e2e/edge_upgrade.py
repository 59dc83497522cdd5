#!/usr/bin/env python3
"""The edge is replaced while it holds connections with calls on them: none closes, no call fails; the process before leaves when the last of
its TLS sessions has ended, or when its time is over.

edge_upgrade.py PERDURE DYING_ENGINE [--tcp N] [--tls N] [--ws N] [--wss N] [--rate CALLS_PER_SECOND] [--upgrades N]
DYING_ENGINE is a program whose engine ends three seconds after it has taken over.
"""
import argparse
import asyncio
import itertools
import json
import os
import pathlib
import sys
import time

import connections
import devices
import upgrade as upgrade_series



def memory_kib(pid):
    fields = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status") if ":" in line)
    return int(fields["RssAnon"].split()[0]), int(fields["VmRSS"].split()[0])


def is_alive(pid):
    try:
        return (pathlib.Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def gone(pid, seconds):
    end = time.monotonic() + seconds
    while is_alive(pid):
        assert time.monotonic() < end, f"process {pid} does not leave"
        await asyncio.sleep(0.05)


def options_request(device, body):
    return (f"OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{device.transport.upper()} {device.host_text};branch=z9hG4bK{os.urandom(8).hex()};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: {os.urandom(8).hex()}\r\nCSeq: 1 OPTIONS\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}")


class Halves:
    """One device of each transport that sends the first half of a message before an upgrade, and the second after it."""

    def __init__(self, test, transports):
        self.test, self.transports, self.answers = test, transports, {}

    def on_message(self, device, text):
        self.answers[device.transport] = text.split("\r\n", 1)[0]

    async def begin(self):
        tls = devices.client_tls()
        self.devices = [await devices.Device(transport, self.test.ports[transport], self.on_message, tls if transport in ("tls", "wss") else None).open()
                        for transport in self.transports]
        self.rest = {}
        for device in self.devices:
            sent = []
            device.writer.write, write = sent.append, device.writer.write
            device.send(options_request(device, "x" * 3000))
            device.writer.write = write
            write(sent[0][:1700])
            self.rest[device] = sent[0][1700:]
        await asyncio.sleep(0.3)

    async def end(self):
        for device, rest in self.rest.items():
            device.writer.write(rest)
        for _ in range(100):
            if len(self.answers) == len(self.devices):
                break
            await asyncio.sleep(0.05)
        assert all(answer == "SIP/2.0 200 Keepalive" for answer in self.answers.values()), self.answers
        assert len(self.answers) == len(self.devices), f"only {sorted(self.answers)} were answered after the upgrade"
        for device in self.devices:
            assert not device.closed
            await device.close()


async def upgrade(test, deadline):
    """Returns the id of the edge before, and what the command says."""
    before = test.edge_pid()
    code, out, err = await asyncio.to_thread(test.command, "upgrade", "--edge", "--json", "--deadline", str(deadline))
    assert code == 0, f"{out} {err}"
    assert test.edge_pid() != before
    return before, json.loads(out)


async def check_open(test, counts, relayed):
    """Those that the test has closed just now may take a moment."""
    wanted = {**dict.fromkeys(("tcp", "tls", "ws", "wss"), 0), **counts}, relayed
    for _ in range(50):
        status = await asyncio.to_thread(test.settled_status)
        if (found := (status["connections"]["open"], status["connections"]["counters"]["relayed"])) == wanted:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{found} are open and relayed, not {wanted}")


async def run(test, options, counts):
    calls = devices.Calls()
    opened = await connections.open_devices(test, counts, calls.on_message)
    everyone = [device for group in opened.values() for device in group]
    secure = counts.get("tls", 0) + counts.get("wss", 0)
    pairs = list(zip(everyone[::2], everyone[1::2]))
    over = asyncio.get_running_loop().create_future()
    placing = asyncio.ensure_future(place_until(calls, pairs, options.rate, over))
    await asyncio.sleep(1)
    parked, pauses = [], []
    for number in range(options.upgrades):
        halves = Halves(test, list(counts))
        await halves.begin()
        edge, said = await upgrade(test, 600)
        parked.append(edge)
        pauses.append(said["pause_us"] / 1000)
        # The second edge has those of the first by sockets, and only what was opened there stays there.
        own = sum(device.transport in ("tls", "wss") for device in halves.devices)
        assert said["sessions_stay"] == own + (secure if number == 0 else 0), said
        await halves.end()
    first, *rest = parked
    for edge in rest:
        await gone(edge, 20)
    await asyncio.sleep(1)
    over.set_result(None)
    await placing
    closed = sum(device.closed for device in everyone)
    await check_open(test, counts, secure)
    anonymous, resident = memory_kib(first)
    print(f"{len(everyone)} connections, {calls.started} calls, {options.upgrades} upgrades of the edge: {closed} connections closed, "
          f"{calls.started - calls.finished} calls unfinished, {len(calls.problems)} problems, {calls.doubled} messages doubled, "
          f"pauses {', '.join(f'{pause:.1f}' for pause in pauses)} ms; the edge before has {anonymous / 1024:.1f} MiB of its own ({resident / 1024:.1f} MiB "
          f"resident) for {secure} sessions")
    for problem in calls.problems[:20]:
        print(problem)
    await last_sessions(test, opened, calls, first)
    for device in everyone:
        await device.close()
    return not closed and calls.started == calls.finished > 0 and not calls.problems and not calls.doubled


async def place_until(calls, pairs, rate, over):
    pending = []
    begin = time.monotonic()
    chosen = itertools.cycle(pairs)
    while not over.done():
        await asyncio.sleep(max(0.0, begin + len(pending) / rate - time.monotonic()))
        pending.append(calls.begin(*next(chosen), 0.5 + len(pending) % 10 / 10))
    await asyncio.wait(pending, timeout=20)


async def one_call(calls, caller, callee):
    problems = len(calls.problems)
    await asyncio.wait_for(calls.begin(caller, callee, 0.1), 10)
    assert len(calls.problems) == problems, calls.problems


async def last_sessions(test, opened, calls, parked):
    """Of the sessions that stayed all end but one, then that; what the new edge has goes on."""
    tls = devices.client_tls()
    fresh = [await devices.Device("tls", test.ports["tls"], calls.on_message, tls).open() for _ in range(2)]
    await one_call(calls, *fresh)
    staying = opened.get("tls", []) + opened.get("wss", [])
    for device in staying[1:]:
        await device.close()
    await one_call(calls, staying[0], fresh[0])
    await one_call(calls, fresh[1], staying[0])
    assert is_alive(parked), "the process left before its last session"
    await staying[0].close()
    await gone(parked, 10)
    assert test.process.wait(5) == 0, "the edge that was started did not end in order"
    await one_call(calls, *fresh)
    await one_call(calls, *opened["tcp"][:2])
    for device in fresh:
        await device.close()


async def run_deadline(test):
    """When its time is over, the process leaves, and its sessions end in order."""
    calls = devices.Calls()
    opened = await connections.open_devices(test, {"tcp": 2, "tls": 4}, calls.on_message)
    edge, said = await upgrade(test, 2)
    assert said["sessions_stay"] == 4 and said["sessions_stay_with"] == edge, said
    await one_call(calls, *opened["tls"][:2])
    await gone(edge, 10)
    await asyncio.sleep(0.5)
    assert all(device.closed for device in opened["tls"]) and not any(device.closed for device in opened["tcp"])
    await check_open(test, {"tcp": 2, "tls": 0}, 0)
    await one_call(calls, *opened["tcp"])
    return True


async def run_brought_back(test, dying):
    """The engine of the new edge dies during its probation: the edge before gets back what it gave."""
    calls = devices.Calls()
    opened = await connections.open_devices(test, dict.fromkeys(test.ports, 4), calls.on_message)
    edge = test.edge_pid()
    upgrading = asyncio.ensure_future(asyncio.to_thread(test.command, "upgrade", "--edge", "--binary", dying))
    while test.edge_pid() == edge:
        await asyncio.sleep(0.02)
    for group in opened.values():
        await one_call(calls, *group[:2])
    halves = Halves(test, [transport for transport in test.ports if transport in ("tcp", "ws")])
    await halves.begin()
    code, out, err = await upgrading
    assert code == 1 and "its engine crashed" in err and "the edge before serves again" in err, f"{code} {out} {err}"
    assert test.edge_pid() == edge
    await halves.end()
    await check_open(test, dict.fromkeys(test.ports, 4), 4 * sum(transport in ("tls", "wss") for transport in test.ports))
    for group in opened.values():
        assert not any(device.closed for device in group), f"{group[0].transport} closed"
        await one_call(calls, *group[:2])
        await one_call(calls, *group[2:])
    # And now in earnest.
    before, _ = await upgrade(test, 600)
    for group in opened.values():
        await one_call(calls, *group[1:3])
    assert before == edge and not any(device.closed for group in opened.values() for device in group)
    return True


async def kill_in_exchange(test, victim, when):
    """Returns the edges before and after the kill."""
    old = test.edge_pid()
    upgrading = asyncio.ensure_future(asyncio.to_thread(test.command, "upgrade", "--edge"))
    while (new := upgrade_series.next_edge_of(old)) is None:
        await asyncio.sleep(0.005)
    while when == "serving" and test.edge_pid() == old:
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.3 if when == "serving" else 0)
    os.kill(old if victim == "old" else new, 9)
    await upgrading
    if test.process.poll() is not None:
        test.process.returncode = 0  # it was to be killed
    return old, new


async def run_killed(test):
    """What each death leads to: decision 37."""
    for victim, when, survivors in (("new", "starting", {"tcp", "ws", "tls"}), ("new", "serving", set()), ("old", "serving", {"tcp", "ws"})):
        calls = devices.Calls()
        opened = await connections.open_devices(test, dict.fromkeys(("tcp", "ws", "tls"), 2), calls.on_message)
        old, new = await kill_in_exchange(test, victim, when)
        for _ in range(100):
            if test.edge_pid() == (new if victim == "old" else old):
                break
            await asyncio.sleep(0.05)
        await asyncio.to_thread(test.settled_status)
        await asyncio.sleep(0.3)
        for transport, group in opened.items():
            closed = [device.closed for device in group]
            assert closed == [transport not in survivors] * 2, f"the {victim} edge was killed {when}: of {transport} {closed} are closed"
            if transport in survivors:
                await one_call(calls, *group)
        fresh = await connections.open_devices(test, dict.fromkeys(("tcp", "ws", "tls"), 2), calls.on_message)
        for group in fresh.values():
            await one_call(calls, *group)
        for group in (*opened.values(), *fresh.values()):
            for device in group:
                await device.close()
    return True


# With the time for which a new edge is on probation.
SERIES = [
    (run, "1s"),
    (lambda test, *_: run_deadline(test), "1s"),
    (lambda test, *_: run_killed(test), "2s"),
    (lambda test, options, _: run_brought_back(test, options.dying), "5s"),
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("dying")
    for transport in ("tcp", "tls", "ws", "wss"):
        parser.add_argument(f"--{transport}", type=int, default=0)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--upgrades", type=int, default=2)
    options = parser.parse_args()
    counts = {transport: count for transport in ("tcp", "tls", "ws", "wss") if (count := getattr(options, transport))}
    connections.raise_limit()
    good = True
    for series, probation in SERIES:
        with connections.ConnectionServer(options.binary, counts, f'[engine]\nprobation = "{probation}"\n') as test:
            good = asyncio.run(series(test, options, counts)) and good
            code, out, err = test.command("stop")
            assert code == 0, f"{out} {err}"
            if not good:
                print(test.log_text()[-3000:])
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
