"""Calls over TCP and TLS: CPU per call, capacity, and the time that messages wait in the ring between edge and engine."""
import measures

TRANSPORTS = ("tcp", "tls")
RATES = (1000, 2000)
PROXIES = ("perdure", "kamailio_kemi", "kamailio_native")


def connections(bench):
    """{transport: {"children": {...}, "servers": {server: {"rates": {rate: report}, "rate":, "steps": [...]}}, "ring": {...}}}."""
    return {transport: of_transport(bench, transport) for transport in TRANSPORTS}


def of_transport(bench, transport):
    found = {"servers": {}}
    if bench.wants("kamailio_kemi") or bench.wants("kamailio_native"):
        found["children"] = children(bench, transport)
    for name in PROXIES:
        if not bench.wants(name) or (bench.quick and name == "kamailio_native"):
            continue
        options = {"transport": transport}
        if name != "perdure":
            options["children"] = found["children"]["chosen"]
        found["servers"][name] = of_server(bench, name, options)
        bench.say(f"{name} over {transport}: {found['servers'][name]['rate']:.0f} calls per second")
    if ours := found["servers"].get("perdure"):
        found["ring"] = ring(bench, transport, ours["rate"] / 2)
    return found


def children(bench, transport):
    """The number of processes that read from connections with which Kamailio needs the least CPU per call on one core."""
    tried = {}
    for count in (1, 2, 4):
        with bench.make("kamailio_kemi", children=count, transport=transport) as server:
            tried[count] = measures.calls_at(bench, server, 2000, 2 if bench.quick else 5, 3)
            bench.say(measures.line_of(f"{transport}, {count} ch.", tried[count]))
    chosen = min(tried, key=lambda count: (not tried[count]["holds"], tried[count]["cpu_us"]))
    bench.say(f"Kamailio reads from connections with {chosen} processes")
    return {"chosen": chosen, "tried": {str(count): report for count, report in tried.items()}}


def of_server(bench, name, options):
    rates = bench.only_rates or (RATES[-1:] if bench.quick else RATES)
    reports = {str(rate): measures.run_rate(bench, name, rate, 4 if bench.quick else 5, **options) for rate in rates}
    cpu_us = [report["cpu_us"] for report in reports.values() if report["holds"]] or [1000]
    return {"rates": reports, **capacity(bench, name, 1e6 / cpu_us[-1], options)}


def capacity(bench, name, rate, options):
    """As measures.search, but the leaps are by the latency: over connections batches grow with the load, and CPU per call falls so much that it does
    not tell how far the end is. Where a leap was too long, begins anew behind the last step that held."""
    fine = 1.08 if bench.quick else 1.04
    steps, leap, factor = [], 1.25, 1.25
    while rate > 100:
        with bench.make(name, **options) as server:
            warmup = bench.steady_s(name)
            while True:
                rate = int(round(rate, -2))
                step = measures.calls_at(bench, server, rate, warmup, 5 if bench.quick else 10, "--grace", 2)
                bench.say(measures.line_of(name, step))
                steps.append(step)
                if not step["holds"]:
                    break
                factor = leap if step["latency_us"]["invite"]["p99"] < 10_000 else fine
                rate *= factor
                warmup = 2
        good = [each["rate"] for each in steps if each["holds"]]
        if good and (factor == fine or leap == fine):
            break
        if good:
            leap = fine
        rate = fine * max(good) if good else 0.7 * rate
    return {"rate": max(good, default=0), "steps": steps, "generator_was_the_limit": bool(steps) and steps[-1]["generator_busy"] > 0.97}


def ring(bench, transport, rate):
    """How long messages wait in the ring at half of the capacity, as the histograms of the server have it: {"inbound": {"p50_us":, "p99_us":}, ...}."""
    rate = max(round(rate, -2), 100)
    with bench.make("perdure", transport=transport) as server:
        with bench.load(server, "--rate", rate, "--warmup", 5, "--seconds", 10) as load:
            load.wait_for("measuring")
            before = server.latency()
            load.wait_for("measured")
            after = server.latency()
            report = load.result()
    found = {"rate": rate, "holds": measures.holds(report), "invite_us": report["latency_us"]["invite"]}
    for direction in ("inbound", "outbound"):
        counts = [late - early for early, late in zip(before[f"ring_{direction}"]["buckets"], after[f"ring_{direction}"]["buckets"])]
        found[direction] = {"messages": sum(counts), **{f"p{round(100 * share)}_us": quantile_us(counts, share) for share in (0.5, 0.9, 0.99)}}
    bench.say(f"the ring at {rate}/s over {transport}: " + ", ".join(f"{direction} {found[direction]['p50_us']:.0f} us p50, {found[direction]['p99_us']:.0f} us p99" for direction in ("inbound", "outbound")))
    return found


def bound_us(bucket):
    """Upper bound of a bucket of src/metrics/histogram.hpp: nine to a decade, from 100 ns."""
    return (bucket % 9 + 1) * 10 ** (bucket // 9) / 10


def quantile_us(counts, share):
    """Within a bucket by proportion, as histogram_quantile of Prometheus."""
    wanted = share * sum(counts)
    for bucket, count in enumerate(counts):
        if count and wanted <= count:
            low = bound_us(bucket - 1) if bucket else 0
            return low + (bound_us(bucket) - low) * wanted / count
        wanted -= count
    return 0
