"""Medians, ratios and targets out of the results."""
import statistics


def reports(results, name, rate):
    return results.get("rates", {}).get(name, {}).get(str(rate), [])


def median_of(entries, pick):
    """None without entries."""
    return statistics.median(map(pick, entries)) if entries else None


def cpu_us(results, name, rate):
    """Only of turns in which the server kept up: a server that drops calls spends less on each."""
    return median_of([report for report in reports(results, name, rate) if report["holds"]], lambda report: report["cpu_us"])


def latency_us(results, name, rate, quantile, message="invite"):
    return median_of(reports(results, name, rate), lambda report: report["latency_us"][message][quantile])


def rates_of(results, name):
    return sorted(map(int, results.get("rates", {}).get(name, {})))


def ratio(part, whole):
    return part / whole if part is not None and whole else None


def capacity(results, name):
    return results.get("capacity", {}).get(name, {}).get("rate") or None


def attach_ms(results, count):
    """What the engine took with real calls, else what the store takes alone."""
    real = results.get("attach", {}).get(str(count))
    if real:
        return real["attach_ms"]
    alone = results.get("micro", {}).get("store", {}).get(f"Attach/{count}")
    return alone["ns"] / 1e6 if alone else None


def persist_cost_percent(results):
    return results.get("persistence", {}).get("percent")


def persist_p99_us(results):
    full, off = (latency_us(results, name, 4000, "p99") for name in ("perdure", "perdure_off"))
    return None if full is None or off is None else full - off


def kill_wait_ms(results):
    killed = results.get("pause", {}).get("perdure_kill")
    return killed and max(killed["first_response_max_ms"], killed["message_max_ms"])


def over(results, transport):
    """What was measured over a transport of connections, {} if nothing was."""
    return results.get("connections", {}).get(transport, {})


def connections_times(results, transport, name):
    servers = over(results, transport).get("servers", {})
    return ratio(servers.get("perdure", {}).get("rate") or None, servers.get(name, {}).get("rate"))


def ring_p99_us(results):
    """The worse direction of the worse transport."""
    rings = [over(results, transport)["ring"] for transport in ("tcp", "tls") if over(results, transport).get("ring")]
    return max((ring[direction]["p99_us"] for ring in rings for direction in ("inbound", "outbound")), default=None)


def observed(results, name):
    """More CPU than without, in percent of that."""
    return results.get("observing", {}).get("messages", {}).get(name, {}).get("percent")


def message_ring_percent(results):
    return observed(results, "ring")


def hep_percent(results, transport):
    """What the export costs beyond the ring that it reads."""
    ring, both = observed(results, "ring"), observed(results, f"hep_{transport}")
    return None if ring is None or both is None else both - ring


def targets(results):
    """[(key, what, target, "most" or "least", value or None, unit)]."""

    def against(name):
        return ratio(cpu_us(results, "perdure", 4000), cpu_us(results, name, 4000))

    def times(name):
        return ratio(capacity(results, "perdure"), capacity(results, name))

    floor = ratio(cpu_us(results, "perdure", 10000), cpu_us(results, "floor", 10000))
    state = results.get("state", {}).get("perdure", {}).get("bytes")
    third = 1 / 3
    return [
        ("cpu_kemi", "CPU per call at 4,000 calls per second, part of that of Kamailio with the same Lua script", third, "most", against("kamailio_kemi"), ""),
        ("cpu_native", "CPU per call at 4,000 calls per second, part of that of Kamailio's native language", third, "most", against("kamailio_native"), ""),
        ("capacity_kemi", "capacity of one core, times that of Kamailio with the same Lua script", 3, "least", times("kamailio_kemi"), ""),
        ("capacity_native", "capacity of one core, times that of Kamailio's native language", 3, "least", times("kamailio_native"), ""),
        ("tcp_kemi", "capacity over TCP, times that of Kamailio with the same Lua script", 1.5, "least", connections_times(results, "tcp", "kamailio_kemi"), ""),
        ("tls_kemi", "capacity over TLS, times that of Kamailio with the same Lua script", 1.5, "least", connections_times(results, "tls", "kamailio_kemi"), ""),
        ("ring_p99", "a message's wait in the ring between edge and engine, p99 at half of the capacity over TCP and TLS", 100, "most", ring_p99_us(results), "us"),
        ("floor", "CPU per call at 10,000 calls per second, times the floor", 2, "most", floor, ""),
        ("persist_cpu", "persist = full costs, of capacity (as CPU per call at 10,000 calls per second)", 3, "most", persist_cost_percent(results), "%"),
        ("persist_p99", "persist = full costs at p99 of an INVITE, at 4,000 calls per second", 5, "most", persist_p99_us(results), "us"),
        ("state", "state of an INVITE transaction that rings, messages of 1 KiB", 4096, "most", state, "bytes"),
        ("attach_100k", "take-over of 100,000 open transactions", 50, "most", attach_ms(results, 100000), "ms"),
        ("attach_1m", "attach of 1,000,000 open transactions (the store alone)", 500, "most", attach_ms(results, 1000000), "ms"),
        ("kill", "longest wait of a caller over kill -9 at 1,000 calls per second", 50, "most", kill_wait_ms(results), "ms"),
        ("workers", "load of two workers, times that of one, as CPU per call with 2,000 calls per second for each worker", 1.8, "least", results.get("workers", {}).get("speedup"), ""),
        ("scrape", "scraping the metrics once a second, of the CPU at 2,000 calls per second", 1, "most", results.get("observing", {}).get("scrape", {}).get("percent"), "%"),
        ("message_ring", "the ring of the last messages (`[trace] bytes`), of the CPU at 2,000 calls per second", 5, "most", message_ring_percent(results), "%"),
        ("hep_tcp", "export by HEP over TCP, beside the ring, of the CPU at 2,000 calls per second", 5, "most", hep_percent(results, "tcp"), "%"),
        ("hep", "the same over UDP", 5, "most", hep_percent(results, "udp"), "%"),
    ]


def reached(target):
    _, _, wanted, direction, value, _ = target
    if value is None:
        return None
    return value <= wanted if direction == "most" else value >= wanted


def figure(value, unit=""):
    if value is None:
        return "not measured"
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return f"{text} {unit}".rstrip()


def rate_rows(results):
    """[[server, rate, CPU, of perdure's, p50, p99, p99.9, datagrams, turns]] for tables."""
    names = ["perdure", "perdure_routes", "perdure_off", "kamailio_kemi", "kamailio_native", "floor"]
    rows = []
    for rate in sorted({rate for name in names for rate in rates_of(results, name)}):
        for name in names:
            entries = reports(results, name, rate)
            if not entries:
                continue
            cpu, ours = cpu_us(results, name, rate), cpu_us(results, "perdure", rate)
            row = [name, f"{rate:,}", figure(cpu) if cpu else "does not keep up", figure(ratio(cpu, ours)) if cpu and ours else ""]
            row += [figure(latency_us(results, name, rate, quantile)) for quantile in ("p50", "p99", "p999")]
            row += [f"{median_of(entries, lambda report: report['datagrams_per_call']):.2f}", str(len(entries))]
            rows.append(row)
    return rows


def connection_rows(results, transport):
    """[[server, CPU at each rate..., INVITE p99 at the last, capacity, note]]."""
    rows = []
    for name, found in over(results, transport).get("servers", {}).items():
        reports = list(found["rates"].values())
        row = [name, *(figure(report["cpu_us"]) if report["holds"] else "does not keep up" for report in reports), figure(reports[-1]["latency_us"]["invite"]["p99"])]
        rows.append([*row, f"{found['rate']:,.0f}", "the generator was the limit" if found["generator_was_the_limit"] else ""])
    return rows


def connection_heads(results, transport):
    rates = next(iter(over(results, transport)["servers"].values()))["rates"]
    return ["", *(f"CPU us/call at {int(rate):,}" for rate in rates), "INVITE p99 us there", "capacity, calls/s", ""]


RATE_HEADS = ["server", "calls/s", "CPU us/call", "of Perdure's", "INVITE p50 us", "p99", "p99.9", "datagrams/call", "turns"]


def aligned(table):
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    return ["  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in table]


def terminal(results):
    """The table that ends a run."""
    parts = []
    rows = rate_rows(results)
    if rows:
        parts += [*aligned([RATE_HEADS, *rows]), ""]
    for transport in results.get("connections", {}):
        if rows := connection_rows(results, transport):
            parts += [f"over {transport}", *aligned([connection_heads(results, transport), *rows]), ""]
        if found := over(results, transport).get("ring"):
            waits = (f"{direction} {figure(found[direction]['p50_us'])} us p50, {figure(found[direction]['p99_us'])} us p99" for direction in ("inbound", "outbound"))
            parts += [f"ring over {transport} at {found['rate']:,.0f} calls per second: " + "; ".join(waits), ""]
    for name, found in results.get("capacity", {}).items():
        parts.append(f"capacity  {name:16} {found['rate']:,.0f} calls per second" + ("  (the generator was the limit)" if found["generator_was_the_limit"] else ""))
    if layer := results.get("script"):
        parts.append(f"script layer: {layer['request_us']:.2f} us per request, {layer['call_us']:.1f} of {layer['server_us']:.1f} us per call, {100 * layer['share']:.0f} %")
    for target in targets(results):
        _, what, wanted, direction, value, unit = target
        if value is None:
            continue
        mark = "reached" if reached(target) else "MISSED"
        parts.append(f"{mark:8} {figure(value, unit):>14}  (at {direction} {figure(wanted, unit)})  {what}")
    return "\n".join(parts)
