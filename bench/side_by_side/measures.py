"""CPU per call and added latency at fixed rates, and capacity."""
import pathlib
import time

import measure
import servers

# Old transactions end 32 s after their calls in Perdure (RFC 3261 Timer J, RFC 6026 Timer L: 64*T1), 5 s after in Kamailio (wt_timer). A server
# is measured when as many old ones end as new ones begin.
STEADY_S = {"floor": 1, "perdure": 33, "kamailio": 7}


# A share of the machine that other processes may take before a measurement is marked. The kernel's own threads and interrupts are in it.
DISTURBED = 0.05


class Bench:
    """What all measures share."""

    def __init__(self, binaries, quick=False, rounds=3, warmup=None, only_servers=None, only_rates=None):
        self.binaries = pathlib.Path(binaries)
        self.quick, self.rounds, self.warmup = quick, rounds, warmup
        self.only_servers, self.only_rates = only_servers, only_rates
        self.children = 1
        self.results = {}

    def make(self, name, **options):
        """By name: floor, perdure, perdure_routes, perdure_off, kamailio_kemi, kamailio_native."""
        family, _, variant = name.partition("_")
        if family == "floor":
            return servers.Floor(self.binaries)
        if family == "perdure":
            return servers.Perdure(self.binaries, persist=variant or "full", **options)
        return servers.Kamailio(variant, **{"children": self.children, **options})

    def load(self, server, *options):
        """The generator around a server, on the other core."""
        return measure.Load(self.binaries / "perdure_bench_load", server.port, server.first_port, *server.load_options, *options, core=1)

    def wants(self, name, rate=None):
        return (not self.only_servers or name in self.only_servers) and (not self.only_rates or rate is None or rate in self.only_rates)

    def steady_s(self, name):
        if self.warmup is not None:
            return self.warmup
        return STEADY_S[name.partition("_")[0]]

    def say(self, text):
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def calls_at(bench, server, rate, warmup, seconds, *options):
    """Calls at a rate, after a warm-up at the same rate: what the generator reports, and CPU time of the server while it counted."""
    with bench.load(server, "--rate", rate, "--warmup", warmup, "--seconds", seconds, *options) as load:
        load.wait_for("measuring")
        watch = measure.Watch(server.pid, load.pid)
        load.wait_for("measured")
        used = watch.end()
        report = load.result()
    calls = report["attempted"]
    report["rate"] = rate
    report["cpu_us"] = used["server_s"] * 1e6 / calls
    report["others"] = used["others"]
    report["datagrams_per_call"] = (report["messages_sent"] + report["messages_received"]) / report["begun"]
    report["holds"] = holds(report)
    return report


def holds(report):
    """More than 99.9 % good calls, less than 0.1 % retransmitted INVITEs; over connections, INVITEs without a response when they would be."""
    calls = report["attempted"]
    return report["good"] > 0.999 * calls and report["invite_retransmissions"] < 0.001 * calls


def line_of(name, report):
    latency = report["latency_us"]["invite"]
    return (
        f"{name:16} {report['rate']:6}/s  {report['cpu_us']:7.1f} us CPU/call  good {100 * report['good'] / report['attempted']:6.2f} %"
        f"  INVITE +{latency['p50']:.0f} us p50, {latency['p99']:.0f} p99, {latency['p999']:.0f} p99.9"
        f"  {report['datagrams_per_call']:.2f} messages  generator {100 * report['generator_busy']:.0f} %" + ("" if report["holds"] else "  DOES NOT HOLD")
        + (f"  DISTURBED: others took {100 * report['others']:.0f} % of the machine" if report["others"] > DISTURBED else "")
    )


def run_rate(bench, name, rate, seconds, **options):
    with bench.make(name, **options) as server:
        report = calls_at(bench, server, rate, bench.steady_s(name), seconds)
        if isinstance(server, servers.Kamailio):
            report["children"] = options.get("children", bench.children)
        bench.say(line_of(name, report))
        return report


def children(bench):
    """The number of receiving processes with which Kamailio needs the least CPU per call on one core."""
    tried = {}
    for count in (1, 2, 4):
        with bench.make("kamailio_kemi", children=count) as server:
            tried[count] = calls_at(bench, server, 4000, 2 if bench.quick else 7, 3 if bench.quick else 5)
            bench.say(line_of(f"kamailio, {count} ch.", tried[count]))
    # A count that does not hold is out, unless none does.
    bench.children = min(tried, key=lambda count: (not tried[count]["holds"], tried[count]["cpu_us"]))
    bench.say(f"Kamailio runs with {bench.children} receiving processes")
    return {"chosen": bench.children, "tried": {str(count): report for count, report in tried.items()}}


def plan_of_rates(bench):
    """(server, rate) in the order of their turns. The rates of the targets come in every round, the others once."""
    proxies = ["perdure", "kamailio_kemi", "kamailio_native"]
    every_round = [(name, 4000) for name in ("floor", *proxies)] + [(name, 10000) for name in ("floor", "perdure")]
    once = [] if bench.quick else [(name, rate) for rate in (1000, 2000) for name in ("floor", *proxies)] + [("perdure_routes", 10000), ("perdure_off", 10000)]
    if not bench.quick:
        every_round.append(("perdure_off", 4000))
    if bench.only_rates:
        # Asked for in particular: everyone at these rates, the plan above or not.
        every_round = [(name, rate) for rate in bench.only_rates for name in bench.only_servers or ("floor", *proxies)]
        once = []
    plan = once + bench.rounds * every_round
    return [(name, rate) for name, rate in plan if bench.wants(name, rate)]


def rates(bench):
    """{server: {rate: [report of each turn]}}."""
    found = {}
    for name, rate in plan_of_rates(bench):
        report = run_rate(bench, name, rate, 4 if bench.quick else 6)
        found.setdefault(name, {}).setdefault(str(rate), []).append(report)
    return found


def capacity(bench):
    """The highest step of each server that holds: {server: {"rate":, "steps": [...]}}."""
    found = {}
    for name in ("perdure", "kamailio_kemi", "kamailio_native"):
        if not bench.wants(name):
            continue
        # From 75 % of what the CPU per call at the highest known rate allows.
        known = bench.results.get("rates", {}).get(name, {})
        reports = [report for rate in sorted(known, key=int) for report in known[rate] if report["holds"]]
        cpu_us = (reports[-1] if reports else run_rate(bench, name, 2000, 3))["cpu_us"]
        found[name] = search(bench, name, 0.75 * 1e6 / cpu_us, 5 if bench.quick else 15)
        bench.say(f"{name}: {found[name]['rate']:.0f} calls per second")
    return found


def search(bench, name, rate, step_s, **options):
    """Goes up in one running server, so that it is warm at each step: by 4 % (quick: 8 %), in one leap while the core is far from full; where
    the first step does not hold, begins anew lower."""
    steps = []
    while rate > 100:
        with bench.make(name, **options) as server:
            warmup = bench.steady_s(name)
            while True:
                rate = round(rate, -2)
                step = calls_at(bench, server, rate, warmup, step_s, "--grace", 2)
                bench.say(line_of(name, step))
                steps.append(step)
                if not step["holds"]:
                    break
                used = step["cpu_us"] * rate / 1e6
                rate *= max(1.08 if bench.quick else 1.04, min(1.4, 0.97 / used))
                warmup = 2
        if len(steps) > 1:
            break
        steps.clear()
        rate *= 0.7
    good = [step for step in steps if step["holds"]]
    return {"rate": good[-1]["rate"] if good else 0, "steps": steps, "generator_was_the_limit": bool(steps) and steps[-1]["generator_busy"] > 0.97}
