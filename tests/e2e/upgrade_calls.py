#!/usr/bin/env python3
"""The engine is upgraded, again and again, under calls by every transport to every other: none fails, nothing is sent twice.

upgrade_calls.py PERDURE [--rate CALLS_PER_SECOND] [--upgrades N] [--devices N] [--edge N]
"""
import argparse
import asyncio
import itertools
import json
import os
import random
import shutil
import sys
import time

import connections
import devices
import matrix

T1 = 0.5


class Judged(devices.Calls):
    """Devices that send again what is not answered in time (RFC 3261 17.1, 13.3.1.4), and count how often they do."""

    def __init__(self):
        super().__init__()
        self.retransmissions, self.longest_wait = 0, 0.0
        self.waiting = {}

    def expect_answer(self, key, device, text):
        self.waiting[key] = time.monotonic()
        asyncio.get_running_loop().call_later(T1, self.check_answer, key, device, text)

    def check_answer(self, key, device, text):
        if key in self.waiting:
            self.retransmissions += 1
            self.problem(key[0], f"{key[1]} has waited {time.monotonic() - self.waiting[key]:.1f} s")
            device.send(text)

    def answered(self, key):
        since = self.waiting.pop(key, None)
        if since is not None:
            self.longest_wait = max(self.longest_wait, time.monotonic() - since)

    def request(self, device, method, uri, call_id, cseq, *more):
        sent, device_send = [], device.send
        device.send = lambda text: (sent.append(text), device_send(text))
        super().request(device, method, uri, call_id, cseq, *more)
        device.send = device_send
        if method != "ACK":
            self.expect_answer((call_id, f"{cseq} {method}"), device, sent[0])

    def answer(self, device, request, status, call_id):
        super().answer(device, request, status, call_id)
        if status == "200 OK" and request.startswith("INVITE"):
            self.waiting[call_id, "ACK"] = time.monotonic()
            asyncio.get_running_loop().call_later(T1, self.check_ack, call_id)

    def check_ack(self, call_id):
        if (call_id, "ACK") in self.waiting:
            self.retransmissions += 1
            self.problem(call_id, "no ACK has come in time")

    def on_message(self, device, text):
        call_id = devices.header(text, "Call-ID")
        if text.startswith("SIP/2.0"):
            self.answered((call_id, devices.header(text, "CSeq")))
        elif text.startswith("ACK"):
            self.answered((call_id, "ACK"))
        super().on_message(device, text)


async def open_all(test, count, on_message):
    opened = await connections.open_devices(test, dict.fromkeys(test.ports, count), on_message)
    opened["udp"] = [await matrix.UdpDevice(test.port, on_message, "127.0.0.1").open() for _ in range(count)]
    return opened


async def place(calls, opened, rate, over):
    """Every transport to every other in turn."""
    routes = itertools.cycle(itertools.product(opened, opened))
    pending, begin = [], time.monotonic()
    while not over.done():
        await asyncio.sleep(max(0.0, begin + len(pending) / rate - time.monotonic()))
        caller, callee = next(routes)
        half = len(opened[caller]) // 2
        pending.append(calls.begin(random.choice(opened[caller][:half]), random.choice(opened[callee][half:]), random.uniform(0.1, 2)))
    await asyncio.wait(pending, timeout=20)


async def upgrade(test, number, *options):
    binary = test.folder / f"perdure-{number % 2}"
    code, out, err = await asyncio.to_thread(test.command, "upgrade", "--json", "--binary", str(binary), *options)
    assert code == 0, f"upgrade {number}: {out} {err}"
    status = await asyncio.to_thread(test.settled_status)
    assert os.readlink(f"/proc/{status['pids']['engine']}/exe") == str(binary), "the engine is not of the new file"
    return json.loads(out)["pause_us"] / 1000, status["last_start"]["recovered"]


async def run(test, options):
    calls = Judged()
    opened = await open_all(test, options.devices, calls.on_message)
    everyone = [device for group in opened.values() for device in group]
    over = asyncio.get_running_loop().create_future()
    placing = asyncio.ensure_future(place(calls, opened, options.rate, over))
    await asyncio.sleep(2)
    begin, before = time.monotonic(), calls.started
    results = [await upgrade(test, number) for number in range(options.upgrades)]
    results += [await upgrade(test, number, "--edge") for number in range(options.upgrades, options.upgrades + options.edge)]
    rate = (calls.started - before) / (time.monotonic() - begin)
    over.set_result(None)
    await placing
    closed = sum(device.closed for device in everyone)
    unfinished = calls.started - calls.finished
    pauses, recovered = zip(*results)
    print(f"{calls.started} calls by {len(everyone)} devices ({rate:.0f} per second), {options.upgrades} upgrades of the engine and {options.edge} of the "
          f"edge: {unfinished} calls unfinished, {len(calls.problems)} problems, {calls.retransmissions} retransmissions, {calls.doubled} messages "
          f"doubled, {closed} connections closed; longest pause {max(pauses):.1f} ms, longest wait for an answer {calls.longest_wait * 1000:.0f} ms; "
          f"{min(recovered)} to {max(recovered)} transactions were open")
    for problem in calls.problems[:20]:
        print(problem)
    for device in everyone:
        await device.close()
    assert min(recovered) > 0, "no transaction was open when the engine was replaced: the test shows nothing"
    return not (unfinished or calls.problems or calls.retransmissions or calls.doubled or closed)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--upgrades", type=int, default=3)
    parser.add_argument("--edge", type=int, default=0)
    parser.add_argument("--devices", type=int, default=20)
    options = parser.parse_args()
    connections.raise_limit()
    with connections.ConnectionServer(options.binary, ["tcp", "tls", "ws", "wss"], '[engine]\nprobation = "500ms"\n') as test:
        for number in range(2):
            shutil.copy(options.binary, test.folder / f"perdure-{number}")
        good = asyncio.run(run(test, options))
        code, out, err = test.command("stop")
        assert code == 0, f"{out} {err}"
        if not good:
            print(test.log_text()[-3000:])
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
