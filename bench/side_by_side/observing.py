"""What it costs to look: the metrics scraped, the ring of the last messages, and its export to a collector."""
import contextlib
import http.client
import os
import pathlib
import socket
import statistics
import threading
import time

import measure
import measures
import servers
import turns

RATE = 2000
SCRAPED_S = 5
TRACE = '[trace]\nbytes = "64MiB"\n'


class Observed(servers.Perdure):
    def __init__(self, binaries, sections):
        super().__init__(binaries)
        with self.config.open("a") as config:
            config.write(sections)


class Sink:
    """A collector that takes everything, on the generator's core."""

    def __init__(self, transport):
        self.stream = transport == "tcp"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM if self.stream else socket.SOCK_DGRAM)
        if not self.stream:
            with contextlib.suppress(OSError):
                self.socket.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE, for who may
        self.socket.bind(("127.0.0.1", 0))
        if self.stream:
            self.socket.listen(1)
        self.address = f"{transport}:127.0.0.1:{self.socket.getsockname()[1]}"
        self.bytes = 0
        self.end = threading.Event()
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        os.sched_setaffinity(0, {1})
        source = self.socket.accept()[0] if self.stream else self.socket
        source.setblocking(False)
        room = bytearray(256 * 1024)
        # In bursts: one that sleeps in the kernel would have the server pay for waking it, with each message.
        while not self.end.wait(0.02):
            with contextlib.suppress(BlockingIOError):
                while count := source.recv_into(room):
                    self.bytes += count


class Scraper:
    """Asks for the metrics once a second, over one connection as Prometheus does, on the generator's core."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        self.count = self.bytes = 0
        self.on = False
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        os.sched_setaffinity(0, {1})
        while not self.end.wait(1):
            if self.on:
                self.connection.request("GET", "/metrics")
                self.bytes = len(self.connection.getresponse().read())
                self.count += 1

    def stop(self):
        self.end.set()
        self.thread.join()


def scraping(bench):
    """One server under steady load; the scraper is on every other interval."""
    port = measure.free_port_range(1)
    pairs = 2 if bench.quick else 10
    warmup = bench.steady_s("perdure")
    with Observed(bench.binaries, f'[admin]\nhttp = "127.0.0.1:{port}"\n') as server:
        with bench.load(server, "--rate", RATE, "--warmup", warmup, "--seconds", (2 * pairs + 1) * SCRAPED_S) as load:
            load.wait_for("measuring")
            scraper = Scraper(port)
            try:
                used = []
                for interval in range(2 * pairs):
                    scraper.on = interval % 2 == 1
                    used.append(cpu_in(server, SCRAPED_S))
            finally:
                scraper.stop()
            report = load.result()
    # Workers do not answer. What they take differs from one interval to the next by more than a scrape, so the others are compared.
    costs_ms = [1e3 * (scraped["others"] - plain["others"]) for plain, scraped in zip(used[::2], used[1::2])]
    whole_ms = statistics.median(1e3 * (plain["others"] + plain["workers"]) for plain in used[::2])
    cost_ms = statistics.median(costs_ms)
    found = {
        "percent": 100 * cost_ms / whole_ms,
        "scrape_ms": cost_ms,
        "percent_of_core": cost_ms / 10,
        "whole_ms": whole_ms,
        "bytes": scraper.bytes,
        "pairs_ms": costs_ms,
        "holds": measures.holds(report),
    }
    bench.say(f"scraped once a second: {found['percent']:.2f} % of CPU, {cost_ms:.2f} ms of {whole_ms:.0f} ms a second for {scraper.bytes} bytes")
    return found


def cpu_by_kind(pid):
    """CPU seconds of the threads that route, and of all others."""
    used = {"workers": 0, "others": 0}
    for process in measure.tree(pid):
        for task in pathlib.Path(f"/proc/{process}/task").iterdir():
            with contextlib.suppress(OSError):
                kind = "workers" if (task / "comm").read_text().startswith("worker-") else "others"
                used[kind] += int((task / "schedstat").read_text().split()[0]) / 1e9
    return used


def cpu_in(server, seconds):
    """The same of a second, from now on."""
    begin, before = time.monotonic(), cpu_by_kind(server.pid)
    time.sleep(seconds)
    after = cpu_by_kind(server.pid)
    return {kind: (after[kind] - before[kind]) / (time.monotonic() - begin) for kind in after}


def messages(bench):
    """The ring, and its export over UDP and TCP, beside two servers without; the second tells what such a comparison is worth."""
    found = {name: [] for name in ("plain", "ring", "hep_udp", "hep_tcp", "plain_again")}
    for _ in range(bench.rounds):
        sinks = {transport: Sink(transport) for transport in ("udp", "tcp")}
        sections = {"ring": TRACE, **{f"hep_{transport}": f'{TRACE}hep = "{sink.address}"\n' for transport, sink in sinks.items()}}
        with contextlib.ExitStack() as stack:
            group = {name: (stack.enter_context(Observed(bench.binaries, sections.get(name, ""))), RATE) for name in found}
            for name, reports in turns.in_turns(bench, group).items():
                found[name] += reports
            for transport, sink in sinks.items():
                if sink.bytes == 0:
                    raise RuntimeError(f"nothing was exported over {transport}")
                sink.end.set()
    return found


def observing(bench):
    """{"scrape": {"percent":, "scrape_ms":, ...}, "messages": {what: {"percent":, "cpu_us":, ...}}}, percent of the CPU without."""
    scrape = scraping(bench)
    reports = messages(bench)
    costs = {}
    for name, of_name in reports.items():
        # Both servers without have their turns in the same period, one before and one after the others.
        more = turns.shares(reports, [name], ["plain", "plain" if name == "plain_again" else "plain_again"])
        costs[name] = {"cpu_us": turns.cpu_us(of_name), "percent": statistics.median(more), "turns": more, "holds": all(report["holds"] for report in of_name)}
        bench.say(f"{name:12} {costs[name]['cpu_us']:6.1f} us/call  {costs[name]['percent']:+.1f} %  turns {turns.rounded(more)}")
    return {"rate": RATE, "scrape": scrape, "messages": costs}
