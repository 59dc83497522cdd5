#!/usr/bin/env python3
"""Calls to host names (RFC 3263) with a real name server, one that is silent, and one that lies; engines die while calls wait for it.

names.py PERDURE LOAD [--calls N]
"""
import argparse
import json
import pathlib
import socket
import ssl
import struct
import subprocess
import tempfile
import time

from dns_servers import Liar, Nsd, encoded
from server import ROOT, Every, Load, Server, free_ports
from sip_peers import Caller, Gateway, header

SCRIPT = pathlib.Path(__file__).with_name("names.lua")
QUICK = 'X-Timeout: 400'  # milliseconds that a gateway may be silent


class Proxy(Server):
    """With TCP and TLS too, which asks the name server on that port."""

    def __init__(self, binary, dns_port, sections="", timeout="200ms", dispatcher="", believed=None, **more):
        (self.tcp_port,) = free_ports(1)
        super().__init__(binary, gateways=more.pop("gateways", 0), script=more.pop("script", SCRIPT),
                         sections=f'{dispatcher}[dns]\nservers = ["127.0.0.1:{dns_port}"]\ntimeout = "{timeout}"\nhosts_file = "/dev/null"\n{sections}', **more)
        text = self.config.read_text().replace(f'"udp:127.0.0.1:{self.port}"', f'"udp:127.0.0.1:{self.port}", "tcp:127.0.0.1:{self.tcp_port}", "tls:127.0.0.1:0"')
        make_certificate(self.folder, "proxy.example.test")
        self.config.write_text(text + f'[tls]\ncertificates = ["proxy.example.test.pem"]\nprivate_keys = ["proxy.example.test.key"]\n'
                               f'ca_file = "{believed or "proxy.example.test.pem"}"\n')
        self.start()

    def rpc(self, *words):
        code, out, err = self.command("rpc", "--json", *words)
        assert code == 0, (words, err)
        return json.loads(out)


def make_certificate(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=DNS:{name}", "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem"], check=True, capture_output=True)


def closed_tcp_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def order_and_failover(binary):
    good, spare, busy, silent = Gateway(), Gateway(), Gateway(503), Gateway(None)
    by_tcp = Gateway(kind=socket.SOCK_STREAM)
    heavy, light = Gateway(), Gateway()
    two_faced = free_ports(1)[0]
    large_udp, large_tcp = Gateway(port=two_faced), Gateway(port=two_faced, kind=socket.SOCK_STREAM)
    only_udp = Gateway(port=free_ports(1)[0])
    waits = Gateway(503, extra="Retry-After: 30\r\n")
    records = f"""
gw IN A 127.0.0.1
{service("_sip._udp.order", (10, 1, good), (20, 1, spare))}
{service("_sip._udp.silent", (10, 1, silent), (20, 1, good))}
{service("_sip._udp.busy", (10, 1, busy), (20, 1, good))}
{service("_sip._udp.failing", (10, 1, busy), (20, 1, busy.port))}
{service("_sip._udp.weights", (10, 30, heavy), (10, 10, light))}
{service("_sip._tcp.refused", (10, 1, closed_tcp_port()), (20, 1, by_tcp))}
{service("_sip._udp.pointer", (10, 1, spare))}
{service("_sip._tcp.pointer", (10, 1, by_tcp))}
pointer IN NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.pointer
pointer IN NAPTR 20 10 "s" "SIP+D2U" "" _sip._udp.pointer
{service("_sip._udp.large", (10, 1, two_faced))}
{service("_sip._udp.onlyudp", (10, 1, only_udp))}
{service("_sip._udp.waits", (10, 1, waits), (20, 1, good))}
{service("_sip._udp.notoffered", (0, 0, 0), target=".")}
notoffered IN A 127.0.0.1
"""
    peers = [good, spare, busy, silent, by_tcp, heavy, light, large_udp, large_tcp, only_udp, waits]
    with Nsd(records) as dns, Proxy(binary, dns.port, '[transaction]\nt1 = "100ms"\n') as proxy:
        caller = Caller(proxy.port)
        peers.append(caller)

        def uri(name):
            return f"sip:bob@{name}.example.test"

        def forget(*gateways):
            for gateway in gateways:
                gateway.seen.clear()

        try:
            # Order by priority; the second call finds the answer in the cache.
            for _ in range(2):
                assert caller.call("INVITE", uri("order"))[-1] == 200
            assert good.methods() == ["INVITE", "INVITE"] and not spare.seen, (good.methods(), spare.methods())
            assert proxy.rpc("dns.stats")["searches"] == 1

            # Addresses alone, an explicit port, and a destination URI of the script.
            for target, lines in ((f"sip:bob@gw.example.test:{spare.port}", ()), ("sip:bob@127.0.0.1:9", (f"X-Destination: sip:gw.example.test:{spare.port}",))):
                forget(spare)
                assert caller.call("INVITE", target, lines)[-1] == 200 and spare.methods() == ["INVITE"]

            # Silence: another branch to the next, within the same transaction. The one that has failed comes last from then on.
            forget(good)
            assert caller.call("INVITE", uri("silent"), (QUICK,))[-1] == 200
            assert silent.branches("INVITE").isdisjoint(good.branches("INVITE")) and len(good.branches("INVITE")) == 1
            assert [one["address"] for one in proxy.rpc("dns.blocked")] == [f"127.0.0.1:{silent.port}"]
            forget(silent)
            assert caller.call("INVITE", uri("silent"), (QUICK,))[-1] == 200 and not silent.seen
            proxy.rpc("dns.unblock_all")
            assert caller.call("INVITE", uri("silent"), (QUICK,))[-1] == 200 and silent.seen

            # 503: the next one, and the first gets its ACK. The caller sees the end alone.
            forget(good)
            assert caller.call("INVITE", uri("busy")) == [100, 200]
            wait_for(lambda: busy.methods() == ["INVITE", "ACK"], busy.methods)
            assert good.methods() == ["INVITE"]
            # With Retry-After it is left alone for so long.
            assert caller.call("INVITE", uri("waits"))[-1] == 200
            wait_for(lambda: waits.methods() == ["INVITE", "ACK"], waits.methods)
            assert caller.call("INVITE", uri("waits"))[-1] == 200 and waits.methods() == ["INVITE", "ACK"]

            # All fail: a branch that fails, for failure routes as well. A branch-failure route replaces it.
            assert caller.call("INVITE", uri("failing"), ("X-Failure: yes",))[-1] == 600 and caller.reason == "saw 503"
            forget(good)
            assert caller.call("INVITE", uri("failing"), (f"X-Branch-Failure: sip:bob@gw.example.test:{good.port}",))[-1] == 200 and len(good.branches("INVITE")) == 1

            # A connection that is refused: the next one by TCP. NAPTR prefers TCP.
            assert caller.call("INVITE", uri("refused") + ";transport=tcp")[-1] == 200 and by_tcp.methods() == ["INVITE"]
            assert header(by_tcp.seen[0], "Via").startswith("SIP/2.0/TCP ")
            forget(by_tcp)
            assert caller.call("MESSAGE", uri("pointer")) == [200] and by_tcp.methods() == ["MESSAGE"]
            assert header(by_tcp.seen[0], "Record-Route").startswith(f"<sip:127.0.0.1:{proxy.tcp_port};transport=tcp;lr;r2=on"), by_tcp.seen[0]

            # Too large for a datagram: by TCP, or by UDP where TCP is refused (RFC 3261 18.1.1).
            long = ("Subject: " + "x" * 1400,)
            assert caller.call("MESSAGE", uri("large"), long) == [200] and large_tcp.methods() == ["MESSAGE"] and not large_udp.seen
            assert caller.call("MESSAGE", uri("onlyudp"), long) == [200] and only_udp.methods() == ["MESSAGE"]
            assert caller.call("MESSAGE", uri("large") + ";transport=udp", long) == [200] and large_udp.methods() == ["MESSAGE"]

            # Weights, over calls: of 200 three quarters.
            for _ in range(200):
                assert caller.call("MESSAGE", uri("weights")) == [200]
            assert len(heavy.seen) + len(light.seen) == 200 and 115 <= len(heavy.seen) <= 185, (len(heavy.seen), len(light.seen))

            # What leads nowhere: as in Kamailio; the second time t_relay knows it at once.
            for name in ("nosuchname", "notoffered"):
                for _ in range(2):
                    assert caller.call("INVITE", uri(name))[-1] == 478, name
                    assert caller.reason == "Unresolvable destination"
            assert caller.call("INVITE", uri("nosuchname2"), ("X-Failure: yes",))[-1] == 600 and caller.reason == "saw 478"
            print("order, failover, transports and weights: passed")
        finally:
            for peer in peers:
                peer.close()


def secure_servers(binary):
    """The certificate of a server must have the name that was called; one that has another fails over like one that refuses."""
    with tempfile.TemporaryDirectory() as folder:
        gateways = []
        for name in ("secure.example.test", "other.example.test"):
            make_certificate(folder, name)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(f"{folder}/{name}.pem", f"{folder}/{name}.key")
            gateways.append(Gateway(kind=socket.SOCK_STREAM, tls=context))
        good, wrong = gateways
        believed = pathlib.Path(folder, "believed.pem")
        believed.write_text("".join(pathlib.Path(folder, f"{name}.example.test.pem").read_text() for name in ("secure", "other")))
        records = f'gw IN A 127.0.0.1\nsecure IN NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.secure\n{service("_sips._tcp.secure", (10, 1, wrong), (20, 1, good))}\n'
        with Nsd(records) as dns, Proxy(binary, dns.port, believed=believed) as proxy:
            caller = Caller(proxy.port)
            try:
                for uri in ("sip:bob@secure.example.test", "sips:bob@secure.example.test", "sip:bob@secure.example.test;transport=tls"):
                    good.seen.clear()
                    assert caller.call("MESSAGE", uri) == [200], uri
                    assert good.methods() == ["MESSAGE"] and header(good.seen[0], "Via").startswith("SIP/2.0/TLS ") and not wrong.seen
                assert caller.call("MESSAGE", f"sip:bob@gw.example.test:{good.port};transport=tls") == [500], "another name than that of the certificate"
                print("secure servers: passed")
            finally:
                for peer in (caller, *gateways):
                    peer.close()


def service(owner, *servers, target="gw"):
    return "\n".join(f"{owner} IN SRV {priority} {weight} {getattr(server, 'port', server)} {target}" for priority, weight, server in servers)


def wait_for(condition, shown, timeout=5):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, shown()
        time.sleep(0.01)


def silent_name_server(binary):
    """Calls to names wait, others do not; what waits outlives the engine."""
    good = Gateway([180, 200])
    with Nsd("gw IN A 127.0.0.1\nother IN A 127.0.0.1\nthird IN A 127.0.0.1\n") as dns, Proxy(
            binary, dns.port, 'search_timeout = "3s"\n', timeout="2s") as proxy:
        caller = Caller(proxy.port)
        try:
            dns.falls_silent()
            waiting = caller.send(caller.request("INVITE", f"sip:bob@gw.example.test:{good.port}"))
            begun = time.monotonic()
            assert caller.call("INVITE", f"sip:bob@127.0.0.1:{good.port}")[-1] == 200
            assert time.monotonic() - begun < 1, "a call to an address has waited, too"
            assert caller.statuses(waiting)[-1] == 478
            assert 2 < time.monotonic() - begun < 8
            good.seen.clear()

            # The engine dies while calls wait: each goes on in the next one, is cancelled in it, or was cancelled before.
            calls = [caller.send(caller.request("INVITE", f"sip:bob@{name}.example.test:{good.port}")) for name in ("other", "third", "other")]
            wait_for(lambda: len(proxy.rpc("tm.list")) >= 3, lambda: proxy.rpc("tm.list"))
            caller.cancel(calls[2])
            assert proxy.kill_engine()
            time.sleep(0.2)
            caller.cancel(calls[1])
            assert caller.statuses(calls[2])[-1] == 487
            assert caller.statuses(calls[1])[-1] == 487
            dns.speaks_again()
            assert caller.statuses(calls[0])[-1] == 200
            assert len(good.branches("INVITE")) == 1, good.methods()
            assert proxy.settled_status()["engine_starts"] >= 2
            print("a name server that is silent, and an engine that dies meanwhile: passed")
        finally:
            caller.close()
            good.close()


def lying_name_server(binary):
    """Answers that are wrong, poisoned, cut or oversized lead nowhere, and nothing of them is kept."""
    bad = Gateway()
    address = socket.inet_aton("127.0.0.1")

    def record(name, kind, data, ttl=300):
        return encoded(name) + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data

    def answer(question, query, records=(), extra=(), flags=0x8180, number=None, asked=None):
        number = query[:2] if number is None else number
        return number + struct.pack(">HHHHH", flags, 1, len(records), 0, len(extra)) + (asked or question) + b"".join(records) + b"".join(extra)

    def lies(question, query):
        name, kind = "", struct.unpack(">H", question[-4:-2])[0]
        at = 0
        while question[at]:
            name += question[at + 1:at + 1 + question[at]].decode() + "."
            at += 1 + question[at]
        name = name[:-1]
        lie = name.split(".")[-3]
        if kind != 1:
            return [answer(question, query)]
        true = record(name, 1, address)
        if lie == "otherid":  # of a query that was never made
            return [answer(question, query, [true], number=bytes([query[0] ^ 0xFF, query[1]]))]
        if lie == "otherquestion":
            return [answer(question, query, [true], asked=encoded("elsewhere.example.test") + question[-4:])]
        if lie == "poison":  # records of names that nobody has asked for
            return [answer(question, query, [record("victim.example.test", 1, address)], [record("victim.example.test", 1, address)])]
        if lie == "loop":  # a name that points to itself
            return [answer(question, query, [b"\xc0" + bytes([len(query)]) + struct.pack(">HHIH", 1, 1, 300, 4) + address])]
        if lie == "short":
            return [answer(question, query, [true])[:-7]]
        if lie == "counts":
            return [query[:2] + struct.pack(">HHHHH", 0x8180, 1, 65535, 65535, 65535) + question + true]
        if lie == "garbage":
            return [query[:2] + b"\xff" * 40, b"", b"x", bytes(range(256)) * 200]
        if lie == "crowd":  # far more than anybody needs
            return [answer(question, query, [record(name, 1, socket.inet_aton(f"127.1.{i // 250}.{i % 250 + 1}")) for i in range(1000)])]
        if lie == "multicast":
            return [answer(question, query, [record(name, 1, socket.inet_aton("224.0.0.1")), record(name, 1, socket.inet_aton("0.0.0.0"))])]
        if lie == "circle":  # an alias of itself
            return [answer(question, query, [record(name, 5, encoded(name))])]
        return [answer(question, query, [true])]

    with Liar(lies) as liar, Proxy(binary, liar.port, 'search_timeout = "1s"\n[transaction]\nt1 = "20ms"\n') as proxy:
        caller = Caller(proxy.port)
        try:
            assert caller.call("MESSAGE", f"sip:bob@true.example.test:{bad.port}") == [200], "the harness"
            for lie in ("otherid", "otherquestion", "poison", "loop", "short", "garbage", "multicast", "circle"):
                assert caller.call("MESSAGE", f"sip:bob@{lie}.example.test:{bad.port}", timeout=15) == [478], lie
            for lie in ("counts", "crowd"):  # as far as they make sense they are believed
                caller.statuses(caller.send(caller.request("MESSAGE", f"sip:bob@{lie}.example.test:{bad.port}", (QUICK,))), until_final=False)
            known = proxy.rpc("dns.view")
            assert not [one for one in known if one["name"] == "victim.example.test"], known
            assert all(len(one["records"]) <= 32 for one in known)
            assert caller.call("MESSAGE", f"sip:bob@127.0.0.1:{bad.port}") == [200]
            assert len(bad.seen) <= 3, bad.methods()
            status = proxy.settled_status()
            assert status["engine_starts"] == 1, status
            print("a name server that lies: passed")
        finally:
            caller.close()
            bad.close()


def run_load(arguments, proxy):
    load = Load(arguments.load, proxy, "--calls", arguments.calls, "--rate", 200)
    with Every(0.5, proxy.kill_engine) as kills:
        report, out = load.result()
    print(out, f"engines killed: {kills.count}")
    assert kills.count >= 5
    assert report["failed_calls"] == 0, report["failures"]


def one_name_for_all(arguments):
    """All calls go to one name whose servers are the gateways; engines are killed, and nothing is remembered from one to the next."""
    ports = free_ports(4)
    records = "gw IN A 127.0.0.1\n" + service("_sip._udp.gateways", *((10, 1, port) for port in ports)) + "\n"
    with Nsd(records) as dns, Proxy(arguments.binary, dns.port, gateways=4) as proxy:
        proxy.gateways = ports
        script = SCRIPT.read_text().replace('local destination = KSR.hdr.get("X-Destination")', 'local destination = "sip:gateways.example.test"')
        (proxy.folder / "routes.lua").write_text(script)
        assert proxy.command("reload")[0] == 0
        run_load(arguments, proxy)
        print("calls to one name while engines are killed: passed")


def destinations_of(record):
    return [target["DEST"] for target in record["SET"]["TARGETS"]]


def dispatcher_by_name(arguments):
    """Destinations of the dispatcher that have host names: calls, probes, and the source of a request."""
    ports = free_ports(4)
    records = "gw IN A 127.0.0.1\n" + "\n".join(service(f"_sip._udp.gw{i}", (10, 1, port)) for i, port in enumerate(ports)) + "\n"
    with Nsd(records) as dns, Proxy(arguments.binary, dns.port, dispatcher='probing_interval = "1s"\nprobing_mode = "all"\n', gateways=4,
                                    script=ROOT / "etc/routes.lua") as proxy:
        proxy.gateways = ports
        (proxy.folder / "dispatcher.list").write_text("".join(f"1 sip:gw{i}.example.test\n" for i in range(4)) + "2 sip:nowhere.example.test\n")
        assert proxy.command("reload")[0] == 0
        run_load(arguments, proxy)
        alive = [Gateway(port=port) for port in ports[:2]]
        try:
            # Probes go where the names lead; a name that leads nowhere is a destination that does not answer.
            def flags():
                return {destination["URI"]: destination["FLAGS"] for one in proxy.rpc("dispatcher.list")["RECORDS"] for destination in destinations_of(one)}
            wait_for(lambda: all("OPTIONS" in gateway.methods() for gateway in alive), flags, timeout=20)
            wait_for(lambda: flags()["sip:nowhere.example.test"][0] in "TI" and flags()["sip:gw0.example.test"][0] == "A", flags, timeout=20)
            assert header(alive[0].seen[-1], "Via").startswith("SIP/2.0/UDP ") and alive[0].seen[-1].startswith("OPTIONS sip:gw0.example.test ")
        finally:
            for gateway in alive:
                gateway.close()
        print("dispatcher by name: passed")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("load")
    parser.add_argument("--calls", type=int, default=1000)
    chosen = parser.parse_args()
    order_and_failover(chosen.binary)
    secure_servers(chosen.binary)
    silent_name_server(chosen.binary)
    lying_name_server(chosen.binary)
    one_name_for_all(chosen)
    dispatcher_by_name(chosen)
    print("passed")
