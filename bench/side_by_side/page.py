"""docs/performance.md and its curves, from the results of a run."""
import statistics

import curves
import micro
import summary
from summary import figure

KERNEL = "Receiving and sending the datagrams of a call costs every server the same: the floor takes {floor:.0f} us of CPU per call at {rate:,}, Perdure {perdure:.0f} us, Kamailio {kamailio:.0f} us. A server that took nothing but that would reach {bound}. "

CONNECTIONS = "Each message goes through two processes, the edge that has the connections and the engine, and is copied into the ring and out of it; in exchange connections outlive the engine. "

# What stands in the way of a target that is missed.
LIMITS = {
    "cpu_kemi": KERNEL,
    "cpu_native": KERNEL,
    "capacity_kemi": KERNEL,
    "capacity_native": KERNEL,
    "tcp_kemi": CONNECTIONS,
    "tls_kemi": CONNECTIONS,
    "ring_p99": "Edge and engine share one core here, so a message waits until the one is done with its batch before the other runs.",
    "floor": "Beside the kernel's part a call costs its parsing, the script, and the records of two transactions that stay for 32 seconds (the parts alone are below).",
    "persist_cpu": "The records lie in a file in memory, not in memory of the process; beside that both do the same.",
    "persist_p99": "Each change of a transaction is committed before the message that it justifies is sent.",
    "state": "An INVITE transaction keeps the request as received and as sent, and the last response.",
    "attach_100k": "Each record is read, and its timers and indexes are rebuilt.",
    "attach_1m": "Each record is read once.",
    "kill": "The next engine attaches all that is open before it reads the next datagram; here the transactions of the last 32 seconds, {recovered:,}.",
    "scrape": "A scrape asks the engine for what only it knows, and writes {scrape_bytes:,} bytes of text; all calls of a second take {second_ms:.0f} ms of CPU at this rate.",
    "message_ring": "Each message is copied once more, searched for credentials and written to memory that is in no cache: a call has 13.",
    "hep_tcp": "The messages are read from the ring, packed and sent once more, 13 for each call.",
    "hep": "The collector gets each message in a datagram of its own, so the kernel sends twice as many, and on loopback receives them in the same turn. Over TCP the export costs {hep_tcp:.0f} %.",
    "workers": "The kernel gives a datagram to a worker by its ports; one of a call of another worker is handed over, {handed:.0f} % of them here. A hand-over moves the message between the caches of two cores and may have to wake the other thread.",
}


def bound(results, key, name):
    """What a server would reach of a target that took no more than the floor."""
    if key.startswith("cpu"):
        return figure(summary.ratio(summary.cpu_us(results, "floor", 4000), summary.cpu_us(results, name, 4000)))
    floor = summary.cpu_us(results, "floor", 10000)
    return f"{figure(summary.ratio(1e6 / floor, summary.capacity(results, name)))} with the {figure(floor, 'us')} that the floor takes at 10,000" if floor else "an unknown value"


def limit(results, key):
    kamailio = "kamailio_native" if "native" in key else "kamailio_kemi"
    cpu = {name: summary.cpu_us(results, name, 4000) or 0 for name in ("floor", "perdure", kamailio)}
    known = {
        "rate": 4000,
        "floor": cpu.pop("floor"),
        "perdure": cpu.pop("perdure"),
        "kamailio": cpu[kamailio],
        "bound": bound(results, key, kamailio),
        "recovered": results.get("pause", {}).get("perdure_kill", {}).get("recovered", 0),
        "handed": 100 * results.get("workers", {}).get("handed_over_share", 0),
        "scrape_bytes": results.get("observing", {}).get("scrape", {}).get("bytes", 0),
        "second_ms": results.get("observing", {}).get("scrape", {}).get("whole_ms", 0),
        "hep_tcp": summary.hep_percent(results, "tcp") or 0,
    }
    return LIMITS[key].format(**known).strip()


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "| " + " | ".join(["---"] + ["---:"] * (len(heads) - 1)) + " |"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def named(rows):
    return [[curves.NAMES[row[0]], *row[1:]] for row in rows]


def head(results):
    machine, versions = results["machine"], results["versions"]
    children = results.get("children", {})
    turns = [report for servers in results.get("rates", {}).values() for reports in servers.values() for report in reports]
    others = statistics.median(report["others"] for report in turns) if turns else 0
    text = f"""# Performance

This page is written by `./dev bench` from one run; the numbers are of this machine, so read the ratios. `bench/README.md` says how it measures and
how to repeat it.

- Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB, Linux {machine['kernel']}. The server has core 0, the generator of calls core 1.
  In the median turn {100 * others:.0f} % of the machine went to neither of them.
- Perdure: {versions['perdure']} ({versions['commit']}), one worker, `persist = "full"` if not said otherwise. Built with {versions['compiler']}.
- Kamailio: {versions['kamailio']}, the Debian package, with its fast memory manager (`-x fm`) and {children.get('chosen', 1)} receiving process{'es' if children.get('chosen', 1) != 1 else ''}, with which it did best on one core; debug output off.
- {results['when'][:10]}, {results['rounds']} round{'s' if results['rounds'] != 1 else ''}, servers in turns, {results.get('minutes', 0):.0f} minutes. Medians of the turns.
"""
    if results["quick"]:
        text += "\n**This was a quick run, with short measurements: not for comparison.**\n"
    return text


def targets_section(results):
    rows, limits = [], []
    for target in summary.targets(results):
        key, what, wanted, direction, value, unit = target
        reached = summary.reached(target)
        rows.append([what, f"at {direction} {figure(wanted, unit)}", figure(value, unit), {True: "reached", False: "**missed**", None: "-"}[reached]])
        if reached is False:
            limits.append(f"- *{what}*: {figure(value, unit)} instead of at {direction} {figure(wanted, unit)}. {limit(results, key)}\n")
    text = "\n## Targets\n\n" + table(["", "target", "measured", ""], rows)
    return text + ("\nWhat limits those that are missed:\n\n" + "".join(limits) if limits else "")


def rates_section(results):
    text = """
## CPU per call

An answered call is INVITE, 100, 180, 200, ACK, BYE, 200: 6 datagrams in and 7 out. Requests take the same way through the same routing script: sanity checks,
Max-Forwards, loose routing, Record-Route, relay with a failure route (`bench/side_by_side/scripts/`). CPU time is that of all processes of
the server, user and system, as the kernel accounts it. The floor is a program that only receives and sends the same number of datagrams.
Each server is measured when as many old transactions end as new ones begin.

![CPU per call](performance/cpu.svg)

"""
    heads = ["", *summary.RATE_HEADS[1:]]
    text += table(heads, named(summary.rate_rows(results)))
    return text + """
The latencies are from the moment at which one side sends an INVITE to that at which the other has it. Calls begin by the clock and not when others
end, so a server that stands still is charged for all that wait.

![Latency](performance/latency.svg)
"""


def capacity_section(results):
    rows = []
    for name, found in results.get("capacity", {}).items():
        good = [step for step in found["steps"] if step["holds"]]
        note = "the generator was the limit" if found["generator_was_the_limit"] else f"at {found['steps'][-1]['rate']:,.0f} not any more"
        rows.append([name, f"{found['rate']:,.0f}", figure(good[-1]["cpu_us"]) if good else "", figure(good[-1]["latency_us"]["invite"]["p99"]) if good else "", note])
    return f"""
## Capacity of one core

The highest rate, in steps of {5 if results['quick'] else 15} seconds and about {8 if results['quick'] else 4} % each, at which more than 99.9 % of the calls are good and less than 0.1 % of the INVITEs are retransmitted.

![Capacity](performance/capacity.svg)

""" + table(["", "calls/s", "CPU us/call there", "INVITE p99 us there", ""], named(rows))


def connections_section(results):
    text = """
## Calls over TCP and TLS

The same calls, 100 connections of callers and 100 of callees, all opened before the first call; a callee is called over the connection that it has opened. Steps of
the capacity are as above, and an INVITE that has heard nothing for 500 ms, when it would be sent again over UDP, counts as one that is.
"""
    for transport, found in results["connections"].items():
        rows = summary.connection_rows(results, transport)
        if not rows:
            continue
        children = f", Kamailio with {found['children']['chosen']} reading process{'es' if found['children']['chosen'] != 1 else ''}" if "children" in found else ""
        security = next(iter(next(iter(found["servers"].values()))["rates"].values())).get("security")
        text += f"\nOver {transport.upper()}{f' ({security})' if security else ''}{children}:\n\n"
        text += table(summary.connection_heads(results, transport), named(rows))
    rows = []
    for transport, found in results["connections"].items():
        if ring := found.get("ring"):
            for direction, what in (("inbound", "edge to engine"), ("outbound", "engine to edge")):
                waits = ring[direction]
                rows.append([f"{transport.upper()}, {what}", f"{ring['rate']:,.0f}", *(figure(waits[f"{quantile}_us"]) for quantile in ("p50", "p90", "p99"))])
    if rows:
        text += """
A message of a connection passes through memory that edge and engine share (`perdure_ring_inbound_seconds`, `perdure_ring_outbound_seconds`). How long it waits there, at half of
the capacity, edge and engine on the same core:

""" + table(["", "calls/s", "p50 us", "p90 us", "p99 us"], rows)
    return text


def state_section(results):
    rows = [[name, figure(found["bytes"]), f"{found['calls']:,}"] for name, found in results.get("state", {}).items()]
    text = "\n## State of open calls\n\nMemory for each call that rings, with messages of 1 KiB and one branch.\n\n" + table(["", "bytes", "calls open"], named(rows))
    rows = []
    store = results.get("micro", {}).get("store", {})
    for count in (1000, 10000, 100000, 1000000):
        real, alone = results.get("attach", {}).get(str(count), {}), store.get(f"Attach/{count}")
        rows.append([f"{count:,}", figure(real.get("attach_ms")) if real else "", figure(alone["ns"] / 1e6) if alone else ""])
    text += """
After `kill -9` of the engine the next one takes over what is open. The first column of times is what the engine reports with real calls, the second what
the store takes alone.

"""
    return text + table(["open calls", "take-over ms", "store alone ms"], rows)


def pause_section(results):
    found, rows = results.get("pause", {}), []
    names = {"perdure_kill": "Perdure, `kill -9` of the engine", "perdure_restart": "Perdure, stop and start", "kamailio_kemi_restart": "Kamailio, stop and start"}
    for key, name in names.items():
        if key in found:
            each = found[key]
            rows.append([name, figure(each["gap_ms"]), figure(each["first_response_max_ms"]), str(each["retransmitted_invites"]), f"{each['failed']} of {each['attempted']:,}"])
    text = "\n## Pauses\n\n1,000 calls per second, while the server is killed or restarted again and again.\n\n"
    text += table(["", "longest silence ms", "longest wait for a first response ms", "INVITEs retransmitted", "calls failed"], rows)
    starts = ", ".join(f"{curves.NAMES[name]} {figure(ms, 'ms')}" for name, ms in found.get("start_ms", {}).items())
    text += f"\nFrom start to first answer, without open calls: {starts}.\n" if starts else ""
    return text + (
        "\nCalls of this load are answered at once, so few are in a state that a restart can lose; what becomes of calls that ring, are cancelled or fail over"
        " while the server restarts is judged call by call in `./dev endurance`.\n"
    )


def persistence_section(results):
    found = results["persistence"]
    return f"""
## What it costs to keep calls

At 10,000 calls per second, servers with `persist = "full"` and with `"off"` at the same time, that have calls one after the other: {figure(found['cpu_us']['full'])} us of CPU per call and {figure(found['cpu_us']['off'])} us,
**{found['percent']:+.1f} %** in the median of {len(found['turns'])} rounds. Two equal servers differ by up to {found['between_equals_percent']:.1f} % in the same rounds. With `"off"` the records are the same and die with their process, so this is what it costs that
they lie in a file in memory; what it costs to write them at all is in both.
"""


def gathering_section(results):
    rows = [[f'`engine.gather = "{name}"`', *(figure(found[key]) for key in ("cpu_us", "p50_us", "p99_us"))] for name, found in results["gathering"].items()]
    return """
## Processor time or latency

Under load datagrams gather before a worker turns to them (`engine.gather`). At 4,000 calls per second, servers that have calls one after the other:

""" + table(["", "CPU us/call", "INVITE p50 us", "p99 us"], rows)


def workers_section(results):
    found = results["workers"]
    return f"""
## Two workers

With two cores, one of which makes the calls, two workers cannot be filled. So this is CPU per call, each worker on its own core, one of them together with the generator. A worker
takes less for a call when it has more of them, because datagrams gather, so two workers are compared with one that has as much to do as each of them: {figure(found['two']['cpu_us'])} us with two workers
and 4,000 calls per second, {figure(found['one']['cpu_us'])} us with one and 2,000. So two could carry {found['speedup']:.2f} times the load of one. (One worker with all 4,000 takes {figure(found['one_with_all']['cpu_us'])} us.) With two,
{100 * found['handed_over_share']:.0f} % of the datagrams are handed over to the other worker, because a call belongs to one worker and the kernel distributes by ports.
"""


def observing_section(results):
    found = results["observing"]
    scrape, messages = found["scrape"], found["messages"]
    names = {
        "ring": '`[trace] bytes = "64MiB"`: the last messages are kept',
        "hep_udp": "the same, and exported by HEP over UDP",
        "hep_tcp": "the same, and exported by HEP over TCP",
        "plain_again": "a second server without, for comparison",
    }
    rows = [["without", figure(messages["plain"]["cpu_us"]), ""]]
    rows += [[text, figure(messages[name]["cpu_us"]), f"{messages[name]['percent']:+.1f} %"] for name, text in names.items()]
    rows.append(["metrics scraped once a second", "", f"{scrape['percent']:+.1f} %"])
    return f"""
## What it costs to look

At {found['rate']:,} calls per second, all processes of the server. Servers with and without the ring have their turns one after the other; for the metrics it is the same
server, asked in every other interval of five seconds: {scrape['scrape_ms']:.1f} ms of the threads that answer for each scrape of {scrape['bytes']:,} bytes, {scrape['percent_of_core']:.2f} % of a core. The collector is on the same machine, so what
it costs the kernel to receive is in it.

""" + table(["", "CPU us/call", "more than without"], rows)


def script_section(results):
    found = results["script"]
    return f"""
## The script layer

With a script in the shape of Kamailio's own example (`tests/compare/stock.lua`: checks, dialogs, record-routing, callbacks for branches, replies and failures), the
way of a call through the core takes {figure(found['core_with_script_us'])} us, and {figure(found['core_alone_us'])} us when C++ makes the same decisions. The difference is what the script layer costs:
**{figure(found['request_us'])} us per request**, its replies included, {figure(found['call_us'])} us per call. The whole server with that script takes {figure(found['server_us'])} us of CPU for a call at
{found['report']['rate']:,} calls per second: the script layer is **{100 * found['share']:.0f} %** of it.
"""


def micro_section(results):
    text = "\n## Parts alone\n\nGoogle Benchmark, `./dev bench --micro`; the sources are in `bench/`.\n\n"
    rows = [[f"{room}: {name}", micro.readable(entry["ns"]).replace("us", "µs")] for room, found in results["micro"].items() for name, entry in found.items()]
    return text + table(["", "time"], rows)


LEFT_OUT = """
## Not measured

Registrations, upgrades of the running server, and handshakes: all connections are open before a measurement begins.
"""

SECTIONS = {"rates": rates_section, "capacity": capacity_section, "connections": connections_section, "state": state_section, "pause": pause_section, "persistence": persistence_section, "gathering": gathering_section, "observing": observing_section, "workers": workers_section, "script": script_section, "micro": micro_section}


def points(results, name, of_rate, of_step):
    """The measured rates, and the steps of the search for the capacity above them that hold."""
    found = {rate: of_rate(rate) for rate in summary.rates_of(results, name)}
    for step in results.get("capacity", {}).get(name, {}).get("steps", []):
        if step["holds"] and step["rate"] > max(found, default=0):
            found[step["rate"]] = of_step(step)
    return [(rate, value) for rate, value in found.items() if value is not None]


def write_curves(results, folder):
    folder.mkdir(exist_ok=True)
    names = ["perdure", "kamailio_kemi", "kamailio_native", "floor"]
    cpu = {name: points(results, name, lambda rate: summary.cpu_us(results, name, rate), lambda step: step["cpu_us"]) for name in names}
    p99 = {name: points(results, name, lambda rate: summary.latency_us(results, name, rate, "p99"), lambda step: step["latency_us"]["invite"]["p99"]) for name in names}
    if any(cpu.values()):
        (folder / "cpu.svg").write_text(curves.lines("CPU per call", "calls per second", "microseconds, all processes of the server", cpu))
        (folder / "latency.svg").write_text(curves.lines("INVITE through the server, p99", "calls per second", "microseconds, logarithmic", p99, logarithmic=True))
    capacity = {name: found["rate"] for name, found in results.get("capacity", {}).items() if found["rate"]}
    if capacity:
        (folder / "capacity.svg").write_text(curves.bars("Capacity of one core", "calls per second, more than 99.9 % good", capacity))


def write(results, docs):
    """`docs`: the folder."""
    text = head(results) + targets_section(results)
    text += "".join(section(results) for name, section in SECTIONS.items() if results.get(name))
    (docs / "performance.md").write_text(text + LEFT_OUT)
    write_curves(results, docs / "performance")
