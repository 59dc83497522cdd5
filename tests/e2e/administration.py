#!/usr/bin/env python3
"""Administration from outside: metrics that tell what has happened and go on over deaths, and HTTP that nobody gets the better of.

administration.py BINARY LOAD counted|cancels|killed|attacked|secured|kept [--calls N] [--rate N] [--p99-factor F]
"""
import argparse
import grp
import http.client
import json
import os
import re
import resource
import socket
import ssl
import subprocess
import threading
import time

from server import Every, Load, Server, free_ports

TOKEN = "the-token-of-this-test-0123456789"


class Administered(Server):
    """A server with HTTP on loopback and a token."""

    def __init__(self, binary, admin="", **others):
        self.http_port = free_ports(1)[0]
        super().__init__(binary, sections=f'[admin]\nhttp = "127.0.0.1:{self.http_port}"\ntoken_file = "token"\n{admin}', **others)
        (self.folder / "token").write_text(TOKEN + "\n")
        (self.folder / "token").chmod(0o600)

    def http(self, method, path, body=None, token=TOKEN, headers=None, timeout=10):
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout)
        fields = dict(headers or {})
        if token:
            fields["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, body, fields)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def rpc(self, request, **others):
        status, text = self.http("POST", "/rpc", json.dumps(request), headers={"Content-Type": "application/json"}, **others)
        return status, json.loads(text) if text else None

    def scrape(self):
        status, text = self.http("GET", "/metrics")
        assert status == 200, (status, text)
        return parse(text)

    def scrape_patiently(self):
        """Who has the token gets in even under attack, if it asks again."""
        for _ in range(200):
            try:
                return self.scrape()[0]
            except (OSError, AssertionError, http.client.HTTPException):
                time.sleep(0.05)
        raise AssertionError("nobody gets in")


def parse(text):
    """{'name{labels}': value}, and of each name its type."""
    values, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            types[name] = kind
        elif line and not line.startswith("#"):
            series, value = line.rsplit(" ", 1)
            values[series] = float(value)
    return values, types


def is_counter(series, types):
    name = series.split("{")[0]
    return types.get(name) == "counter" or types.get(re.sub(r"_(bucket|sum|count)$", "", name)) == "histogram"


def fell(before, after):
    """Counters that went backward, or went away."""
    (old, types), (new, _) = before, after
    # What is asked of the engine is absent while none answers.
    return [f"{series}: {value} -> {new.get(series)}" for series, value in old.items()
            if is_counter(series, types) and new.get(series, value) < value - 1e-9 and not series.startswith("perdure_dns")]


class Gateway:
    """Rings, and answers with the status that the user part names."""

    def __init__(self, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", port))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            request, source = self.socket.recvfrom(65536)
            lines = request.decode().split("\r\n")
            method, uri, _ = lines[0].split(" ")
            if method == "ACK":
                continue
            kept = [line for line in lines[1:] if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq", "Record-Route")]
            head = "\r\n".join(kept).replace("\r\nTo: <sip:bob@example.org>", "\r\nTo: <sip:bob@example.org>;tag=g")
            if method == "INVITE":
                self.socket.sendto(f"SIP/2.0 180 Ringing\r\n{head}\r\nContent-Length: 0\r\n\r\n".encode(), source)
                time.sleep(0.06)
            status = re.search(r"sip:(\d\d\d)@", uri)
            code = status.group(1) if status else "200"
            self.socket.sendto(f"SIP/2.0 {code} Whatever\r\n{head}\r\nContact: <sip:g@127.0.0.1>\r\nContent-Length: 0\r\n\r\n".encode(), source)


def call(server, number, code):
    """One INVITE until its final response, and the ACK of a failure."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(5)
        port = phone.getsockname()[1]
        text = (f"INVITE sip:{code}@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKm{number}\r\nMax-Forwards: 70\r\n"
                f"From: <sip:a@example.org>;tag=a\r\nTo: <sip:bob@example.org>\r\nCall-ID: counted-{port}-{number}\r\nCSeq: 1 INVITE\r\n"
                f"Contact: <sip:a@127.0.0.1:{port}>\r\nContent-Length: 0\r\n\r\n")
        phone.sendto(text.encode(), ("127.0.0.1", server.port))
        while True:
            answer = phone.recv(65536).decode()
            if answer.startswith("SIP/2.0 1"):
                continue
            assert answer.startswith(f"SIP/2.0 {code} "), answer
            if code >= 300:
                to = next(line for line in answer.split("\r\n") if line.startswith("To:"))
                phone.sendto(text.replace("INVITE", "ACK").replace("To: <sip:bob@example.org>", to).encode(), ("127.0.0.1", server.port))
            return


def counted(arguments):
    """Known calls stand in the metrics as what they were; the methods of RPC answer over HTTP."""
    with Administered(arguments.binary, gateways=2).start() as server:
        for port in server.gateways:
            Gateway(port)
        before, _ = server.scrape()
        plan = [200] * 6 + [486] * 3 + [404]
        for number, code in enumerate(plan):
            call(server, number, code)
        after, types = server.scrape()

        def grew(series):
            return after.get(series, 0) - before.get(series, 0)

        assert grew('perdure_requests_received_total{method="INVITE"}') == 10
        assert grew('perdure_final_responses_total{request="INVITE",code="200"}') == 6
        assert grew('perdure_final_responses_total{request="INVITE",code="486"}') == 3
        assert grew('perdure_calls_total{outcome="answered"}') == 6
        assert grew('perdure_calls_total{outcome="busy"}') == 3
        assert grew('perdure_calls_total{outcome="not_found"}') == 1
        assert abs(after["perdure_answer_seizure_ratio"] - 0.6) < 1e-9 and abs(after["perdure_network_efficiency_ratio"] - 0.9) < 1e-9
        assert grew("perdure_post_dial_delay_seconds_count") == 10 and grew("perdure_call_setup_seconds_count") == 6
        assert 0.06 * 6 <= grew("perdure_call_setup_seconds_sum") < 3 and grew("perdure_post_dial_delay_seconds_sum") < 1
        assert grew("perdure_script_seconds_count") >= 10 and grew("perdure_commit_seconds_count") >= 20
        assert grew("perdure_added_latency_seconds_count") >= 30
        gateways = [f"sip:127.0.0.1:{port}" for port in server.gateways]
        assert sum(grew(f'perdure_gateway_requests_total{{gateway="{uri}"}}') for uri in gateways) == 10
        assert sum(grew(f'perdure_gateway_responses_total{{gateway="{uri}",class="4xx"}}') for uri in gateways) == 4
        assert all(after[f'perdure_gateway_up{{set="1",gateway="{uri}"}}'] == 1 for uri in gateways)
        assert after["perdure_up"] == 1 and after['perdure_store_bytes{kind="max"}'] > 0 and after['perdure_script_memory_bytes{worker="0"}'] > 0
        assert types["perdure_commit_seconds"] == "histogram"

        request = {"jsonrpc": "2.0", "method": "stats.fetchn", "params": ["transactions_created"], "id": 1}
        status, answer = server.rpc(request)
        assert status == 200 and answer["result"] == {"proxy.transactions_created": 10}, answer
        status, answers = server.rpc([request, {**request, "method": "core.psx", "params": [], "id": 2}, {"jsonrpc": "2.0", "method": "nothing", "id": 3}])
        assert [one["id"] for one in answers] == [1, 2, 3] and answers[2]["error"]["code"] == -32601, answers
        assert [process["DSC"] for process in answers[1]["result"]][:2] == ["edge", "engine"]
        assert server.http("POST", "/rpc", json.dumps(request))[0] == 415, "a form of a web page is no request"
        _, document = server.rpc({"jsonrpc": "2.0", "method": "system.methodSchema", "id": 1})
        assert len(document["result"]["methods"]) > 50
        # Every method of the table is there, whichever process answers: none is unknown.
        for method in document["result"]["methods"]:
            if not method["x-changes"] and method["name"] != "upgrade.progress":
                _, answer = server.rpc({"jsonrpc": "2.0", "method": method["name"], "id": 1})
                assert answer.get("error", {}).get("code") != -32601, method["name"]
        _, answer = server.rpc({"jsonrpc": "2.0", "method": "pike.top", "params": ["ALL"], "id": 1})
        assert set(answer["result"]) == {"max_hits", "list", "number_of_rows"}, answer
        _, answer = server.rpc({"jsonrpc": "2.0", "method": "dispatcher.ping_active", "params": [0], "id": 1})
        assert answer["result"] == {"NewPingState": 0, "OldPingState": 1}, answer
        server.rpc({"jsonrpc": "2.0", "method": "dispatcher.set_state", "params": ["i", 1, gateways[0]], "id": 1})
        assert server.scrape()[0][f'perdure_gateway_up{{set="1",gateway="{gateways[0]}"}}'] == 0
        assert re.search(r'dispatcher.set_state \["i",1,"sip:127.0.0.1:\d+"\] by http 127.0.0.1:\d+: done', server.log_text())
        server.command("rpc", "pv.shvSet", "x", "int", "5")
        assert re.search(rf'pv.shvSet .* by user {os.getuid()}, process \d+: done', server.log_text())
        assert server.http("GET", "/healthz", token=None) == (200, "ok\n") and server.http("GET", "/readyz", token=None)[0] == 200
        server.command("drain")
        assert server.http("GET", "/readyz", token=None) == (503, "draining\n")
        print(f"{len(after)} series, {len(types)} metrics")


def cancels(arguments):
    """tm.cancel ends a call that rings."""
    with Administered(arguments.binary).start() as server:
        load = Load(arguments.load, server, "--calls", 1, "--rate", 10, "--ring-least", 20000, "--ring-most", 21000)
        deadline = time.monotonic() + 10
        calls = []
        while not calls and time.monotonic() < deadline:
            calls = server.rpc({"jsonrpc": "2.0", "method": "tm.list", "id": 1})[1]["result"]
            time.sleep(0.1)
        parameters = {"call_id": calls[0]["call_id"], "cseq": 1}
        _, answer = server.rpc({"jsonrpc": "2.0", "method": "tm.cancel", "params": parameters, "id": 1})
        assert "result" in answer, answer
        while time.monotonic() < deadline and 'perdure_final_responses_total{request="INVITE",code="487"}' not in server.scrape()[0]:
            time.sleep(0.1)
        _, answer = server.rpc({"jsonrpc": "2.0", "method": "tm.cancel", "params": parameters, "id": 1})
        assert "error" in answer
        load.process.kill()
        load.process.wait()


def killed(arguments):
    """No counter goes backward, whatever dies, and calls are counted once."""
    with Administered(arguments.binary).start() as server:
        scrapes = [server.scrape()]
        load = Load(arguments.load, server, "--calls", arguments.calls, "--rate", arguments.rate)
        with Every(0.2, lambda: scrapes.append(server.scrape())), Every(1.1, server.kill_engine) as kills:
            while load.running():
                time.sleep(0.1)
        report, text = load.result()
        time.sleep(0.5)
        scrapes.append(server.scrape())
        falls = [line for before, after in zip(scrapes, scrapes[1:]) for line in fell(before, after)]
        last = scrapes[-1][0]
        calls = sum(value for series, value in last.items() if series.startswith("perdure_calls_total"))
        print(text, f"{len(scrapes)} scrapes over {kills.count} deaths; calls counted: {calls:.0f} of {report['calls']}; "
                    f"engines {last['perdure_engine_starts_total']:.0f}, pause {last['perdure_engine_pause_seconds_total'] * 1000:.1f} ms in all")
        assert not falls, falls[:10]
        assert report["failed_calls"] == 0, report["failures"]
        assert kills.count >= 2 and last["perdure_engine_starts_total"] >= 1 + kills.count and last["perdure_engine_pause_seconds_total"] > 0
        assert last["perdure_records_recovered_total"] > 0
        # A message whose effect was not finished is done again, and may be counted again.
        assert report["calls"] <= calls <= report["calls"] + 3 * kills.count, calls


def crowd(server, end, counts):
    """1,000 connections that say little, and others that ask without the token, with a wrong one, and with bodies that do not end."""
    def open_one():
        one = socket.socket()
        one.settimeout(0.5)
        try:
            one.connect(("127.0.0.1", server.http_port))
            one.send(b"POST /rpc HTTP/1.1\r\n")
            counts["connections"] += 1
            return one
        except OSError:
            one.close()
            return None

    def slow():
        connections = []
        while not end.is_set():
            if len(connections) < 500:
                one = open_one()
                if one:
                    connections.append(one)
            for one in connections[:: max(1, len(connections) // 20)]:
                try:
                    one.send(b"X")
                except OSError:
                    connections.remove(one)
                    one.close()
        for one in connections:
            one.close()

    def ask():
        while not end.is_set():
            for token, body in ((None, None), ("wrong" * 5, None), (None, b"x" * 300_000)):
                try:
                    status, _ = server.http("POST", "/rpc", body, token=token, timeout=2)
                    counts[status] = counts.get(status, 0) + 1
                except OSError:
                    counts["closed"] += 1
                except http.client.HTTPException:
                    counts["closed"] += 1

    threads = [threading.Thread(target=one) for one in (slow, slow, ask)]
    for thread in threads:
        thread.start()
    return threads


def attacked(arguments):
    """Administration under attack: refused or limited, and calls are as quick as before it and after it."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with Administered(arguments.binary).start() as server:
        load = ["--calls", arguments.calls, "--rate", arguments.rate]
        quiet, _ = Load(arguments.load, server, *load).result()
        end, counts = threading.Event(), {"connections": 0, "closed": 0}
        threads = crowd(server, end, counts)
        try:
            under_attack, text = Load(arguments.load, server, *load).result()
            open_now = server.scrape_patiently()["perdure_admin_http_connections_total"]
        finally:
            end.set()
            for thread in threads:
                thread.join()
        values, _ = server.scrape()
        # Twice without: a machine that becomes slower meanwhile is no fault of the attack.
        quiet_again, _ = Load(arguments.load, server, *load).result()
        p99 = [report["post_dial_delay_ms"]["p99"] for report in (quiet, under_attack, quiet_again)]
        refusals = {series: value for series, value in values.items() if series.startswith("perdure_admin_http_refused")}
        print(text, f"p99 of the post-dial delay {p99[0]:.1f} ms before, {p99[1]:.1f} ms under attack, {p99[2]:.1f} ms after; {open_now:.0f} connections; {counts}; {refusals}")
        assert counts["connections"] > 200 and counts.get(401, 0) > 20, counts
        assert 200 not in counts and 204 not in counts
        assert values["perdure_admin_http_requests_total"] < 50
        for report in (quiet, under_attack, quiet_again):
            assert report["failed_calls"] == 0, report["failures"]
        assert server.status()["engine_starts"] == 1
        assert p99[1] <= (p99[0] + p99[2]) / 2 * arguments.p99_factor + 1, p99


def make_certificate(folder, name):
    """One that signs itself: name.pem and name.key."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
                   check=True, capture_output=True)


def secured(arguments):
    """HTTPS with client certificates: without one, with a stranger's, and with the right one but no token nobody gets in."""
    admin = 'certificate = "server.pem"\nprivate_key = "server.key"\nclient_ca = "client.pem"\n'
    as_root = os.getuid() == 0
    with Administered(arguments.binary, admin=admin + ('group = "daemon"\n' if as_root else "")) as server:
        for name in ("server", "client", "stranger"):
            make_certificate(server.folder, name)
        server.start()

        def ask(certificate, token):
            trusting = ssl.create_default_context(cafile=server.folder / "server.pem")
            if certificate:
                trusting.load_cert_chain(server.folder / f"{certificate}.pem", server.folder / f"{certificate}.key")
            connection = http.client.HTTPSConnection("127.0.0.1", server.http_port, timeout=10, context=trusting)
            try:
                connection.request("POST", "/rpc", json.dumps({"jsonrpc": "2.0", "method": "pv.shvSet", "params": ["x", "int", 1], "id": 1}),
                                   {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})})
                return connection.getresponse().status
            except OSError:
                return "no connection"
            finally:
                connection.close()

        assert ask("client", TOKEN) == 200
        assert "by http 127.0.0.1:" in server.log_text() and "(client): done" in server.log_text()
        assert ask("client", None) == 401
        assert ask(None, TOKEN) == "no connection" and ask("stranger", TOKEN) == "no connection"
        try:
            assert server.http("GET", "/metrics")[0] != 200, "HTTP in clear"
        except (OSError, http.client.HTTPException):
            pass
        control, folder = os.stat(server.state / "control.sock"), os.stat(server.state)
        assert control.st_mode & 0o777 == 0o660
        if as_root:
            assert control.st_gid == folder.st_gid == grp.getgrnam("daemon").gr_gid and folder.st_mode & 0o777 == 0o710
        # What must not be opened is refused before a start.
        for section, wanted in (('http = "0.0.0.0:8090"', "needs admin.token_file or admin.client_ca"), ('http = "127.0.0.1:1"\ntoken_file = "no"', "no"),
                                ('http = "127.0.0.1:1"\ncertificate = "server.pem"', "belong together")):
            config = server.config.read_text().split("[admin]")[0] + f"[admin]\n{section}\n"
            (server.folder / "bad.toml").write_text(config)
            done = subprocess.run([arguments.binary, "check", "-c", str(server.folder / "bad.toml")], capture_output=True, text=True)
            assert done.returncode != 0 and wanted in done.stderr, (section, done)


def kept(arguments):
    """Counters and HTTP are there after an upgrade of the edge, too, and over HTTP it is begun and followed."""
    with Administered(arguments.binary, admin='[engine]\nprobation = "2s"\n').start() as server:
        Load(arguments.load, server, "--calls", 50, "--rate", 50).result()
        before = server.scrape()
        code, _, err = server.command("upgrade", "--edge")
        assert code == 0, err
        after = server.scrape()
        assert not [line for line in fell(before, after) if "admin_http" not in line and "pause" not in line], fell(before, after)
        assert after[0]['perdure_requests_received_total{method="INVITE"}'] >= 50

        edge = server.status()["pids"]["edge"]
        begin = time.monotonic()
        _, answer = server.rpc({"jsonrpc": "2.0", "method": "upgrade", "params": {"edge": True}, "id": 1})
        assert answer["result"]["begun"] and time.monotonic() - begin < 2, answer
        progress = follow_upgrade(server)
        assert any("has taken over" in step for step in progress["steps"]), progress
        assert server.status()["pids"]["edge"] != edge and server.scrape()[0]["perdure_up"] == 1
        # What fails is told, at once or to whoever follows it.
        edge = server.status()["pids"]["edge"]
        refused = {"jsonrpc": "2.0", "method": "upgrade", "params": {"edge": True, "binary": "/no/such/file"}, "id": 1}
        assert "/no/such/file" in server.rpc(refused)[1]["error"]["message"]
        assert server.rpc({**refused, "params": {"edge": True, "binary": "/bin/false"}})[1]["result"]["begun"]
        progress = follow_upgrade(server)
        assert "/bin/false: it ended (exit code 1)" in progress["steps"][-1], progress
        assert server.status()["pids"]["edge"] == edge


def follow_upgrade(server):
    """upgrade.progress when it has ended; nobody answers in the moment of the exchange."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            progress = server.rpc({"jsonrpc": "2.0", "method": "upgrade.progress", "id": 1})[1]["result"]
            if not progress["running"]:
                return progress
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.05)
    raise AssertionError("the upgrade does not end")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("load")
    parser.add_argument("series", choices=["counted", "cancels", "killed", "attacked", "secured", "kept"])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--p99-factor", type=float, default=1.1, help="how much longer the post-dial delay may be under attack")
    arguments = parser.parse_args()
    globals()[arguments.series](arguments)


main()
