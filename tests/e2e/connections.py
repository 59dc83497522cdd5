#!/usr/bin/env python3
"""Calls by connections while the engine is killed: no connection closes, no call fails.

connections.py PERDURE [--tcp N] [--tls N] [--ws N] [--wss N] [--seconds S] [--interval S] [--rate CALLS_PER_SECOND] [--hold S]
"""
import argparse
import asyncio
import itertools
import json
import pathlib
import random
import re
import resource
import subprocess
import sys
import time

import devices
import server

HERE = pathlib.Path(__file__).resolve().parent


def raise_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def make_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,IP:::1", "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
                   check=True, capture_output=True)


class ConnectionServer(server.Server):
    """Listens by all transports; the kernel chooses the ports."""

    def __init__(self, binary, transports, sections="", script=HERE / "connections.lua"):
        super().__init__(binary, gateways=0, script=script)
        make_certificate(self.folder)
        listen = ", ".join(f'"{transport}:127.0.0.1:0"' for transport in transports)
        text = self.config.read_text().replace(f'"udp:127.0.0.1:{self.port}"', f'"udp:127.0.0.1:{self.port}", {listen}')
        self.config.write_text(text + f'[tls]\ncertificates = ["certificate.pem"]\nprivate_keys = ["key.pem"]\n{sections}')
        self.start()
        ready = (self.folder / "out").read_text()
        self.ports = {transport: int(re.search(rf" {transport}:127\.0\.0\.1:(\d+)", ready)[1]) for transport in transports}


async def open_devices(test, counts, on_message):
    tls = devices.client_tls()
    opened = {}
    for transport, count in counts.items():
        secure = tls if transport in ("tls", "wss") else None
        opened[transport] = []
        for begin in range(0, count, 200):
            part = [devices.Device(transport, test.ports[transport], on_message, secure).open() for _ in range(begin, min(count, begin + 200))]
            opened[transport] += await asyncio.gather(*part)
    return opened


async def kill_engines(test, interval, until):
    kills = 0
    while time.monotonic() < until:
        await asyncio.sleep(interval)
        kills += await asyncio.to_thread(test.kill_engine)
    return kills


async def place_calls(calls, pairs, rate, hold, until):
    """By all pairs in turn; a call rings and lasts at most `hold` each. Returns how many were in progress at most."""
    random.shuffle(pairs)
    turns = itertools.cycle(pairs)
    pending, most = [], 0
    begin = time.monotonic()
    while time.monotonic() < until:
        await asyncio.sleep(max(0.0, begin + len(pending) / rate - time.monotonic()))
        pending.append(calls.begin(*next(turns), random.uniform(0.1, hold)))
        most = max(most, calls.started - calls.finished)
    if pending:
        await asyncio.wait(pending, timeout=20 + 2 * hold)
    return most


def check_commands(test, total):
    """What an operator can ask and do."""
    def ask(*words):
        code, out, err = test.command("rpc", "--json", *words)
        assert code == 0, (words, err)
        return json.loads(out)
    assert ask("core.tcp_info")["opened_connections"] == total
    listed = ask("core.tcp_list", str(total))
    assert len(listed) == min(total, 10_000) and all(one["state"] == "open" for one in listed), listed[:3]
    assert ask("tls.reload") == "reloaded"
    if "tls" in test.ports:
        key = test.folder / "key.pem"
        text = key.read_text()
        key.write_text("not a key")
        code, _, err = test.command("rpc", "tls.reload")
        assert code == 1 and "key.pem" in err, err
        code, _, err = test.command("check")
        assert code == 1 and "key.pem" in err, err
        subprocess.run(["openssl", "genpkey", "-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", key], check=True, capture_output=True)
        code, _, err = test.command("check")
        assert code == 1 and "key.pem: key values mismatch" in err, err
        key.write_text(text)
        assert test.command("check")[0] == 0
    assert ask("core.tcp_close", f"s:{listed[0]['id']}") == "closed"
    assert ask("core.tcp_info")["closed_by_command"] == 1


async def run(test, options, counts):
    calls = devices.Calls()
    opened = await open_devices(test, counts, calls.on_message)
    pairs = []
    for group in opened.values():
        pairs += list(zip(group[::2], group[1::2]))
    until = time.monotonic() + options.seconds
    kills, most = await asyncio.gather(kill_engines(test, options.interval, until), place_calls(calls, pairs, options.rate, options.hold, until))
    everyone = [device for group in opened.values() for device in group]
    closed = sum(device.closed for device in everyone)
    status = await asyncio.to_thread(test.settled_status)
    await asyncio.to_thread(check_commands, test, sum(status["connections"]["open"].values()))
    for device in everyone:
        await device.close()
    return calls, kills, closed, status, most


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    for transport in ("tcp", "tls", "ws", "wss"):
        parser.add_argument(f"--{transport}", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--interval", type=float, default=1)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--hold", type=float, default=1.5)
    options = parser.parse_args()
    counts = {transport: count for transport in ("tcp", "tls", "ws", "wss") if (count := getattr(options, transport))}
    raise_limit()
    with ConnectionServer(options.binary, counts, "[connections]\nmax = 100000\nper_source = 100000\n") as test:
        calls, kills, closed, status, most = asyncio.run(run(test, options, counts))
        counters = status["connections"]["counters"]
        unfinished = calls.started - calls.finished
        print(f"{sum(counts.values())} connections, {calls.started} calls ({most} at once), {kills} engines killed: {closed} connections closed, "
              f"{unfinished} calls unfinished, {len(calls.problems)} problems, {calls.doubled} messages doubled, "
              f"{counters['duplicates_suppressed']} duplicates suppressed, last pause {status['last_start']['pause_us'] / 1000:.1f} ms")
        for problem in calls.problems[:20]:
            print(problem)
        open_now = sum(status["connections"]["open"].values())
        good = not closed and not unfinished and not calls.problems and not calls.doubled and kills > 0 and calls.started > 0
        if open_now != sum(counts.values()):
            print(f"the server has {open_now} connections")
            good = False
        test.stop()
        if not good:
            print(test.log_text()[-3000:])
        return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
