#!/usr/bin/env python3
"""A server that drains: no new dialog after the command has returned, no open call disturbed, and nothing changes when engines or the server die.

drain.py BINARY LOAD [--calls N] [--rate N]
"""
import argparse
import json
import socket
import subprocess
import time

from server import Load, Server


class Phone:
    """Asks for new dialogs, one after the other, and counts what it is answered."""

    def __init__(self, server):
        self.port = server.port
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(2)
        self.own = self.socket.getsockname()[1]
        self.number = 0

    def ask(self, method="INVITE", uri=None, headers=""):
        """The final response; a request without an answer is sent again, as phones do."""
        self.number += 1
        uri = uri or f"sip:bob@127.0.0.1:{self.port}"
        text = (
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{self.own};branch=z9hG4bKd{self.number}\r\n"
            f"From: <sip:a@example.org>;tag=a\r\nTo: <sip:bob@example.org>\r\nCall-ID: drain-{self.own}-{self.number}\r\nCSeq: 1 {method}\r\n"
            f"Contact: <sip:a@127.0.0.1:{self.own}>\r\nMax-Forwards: 70\r\n{headers}Content-Length: 0\r\n\r\n").encode()
        for _ in range(5):
            self.socket.sendto(text, ("127.0.0.1", self.port))
            try:
                while True:
                    answer = self.socket.recv(4096).decode()
                    if f"drain-{self.own}-{self.number}\r\n" in answer and answer.startswith("SIP/2.0 ") and answer[8] != "1":
                        if method == "INVITE":
                            to = next(line for line in answer.split("\r\n") if line.startswith("To:"))
                            self.socket.sendto(text.replace(b"INVITE", b"ACK").replace(b"To: <sip:bob@example.org>", to.encode()), ("127.0.0.1", self.port))
                        return answer
            except socket.timeout:
                continue
        raise AssertionError(f"no answer to {method}")


def run_command(server, *arguments):
    code, out, err = server.command(*arguments)
    assert code == 0, f"{arguments}: {code} {out} {err}"
    return out


def refused(phone, code="503", retry_after="30", **request):
    answer = phone.ask(**request)
    assert answer.startswith(f"SIP/2.0 {code} "), answer
    assert f"\r\nRetry-After: {retry_after}\r\n" in answer if retry_after else "Retry-After" not in answer, answer
    return answer


def bleeds_off(arguments):
    """Calls that ring when the order comes end as if nothing had been, whatever dies; `--wait` returns with the last of them."""
    with Server(arguments.binary).start() as server:
        phone = Phone(server)
        load = Load(arguments.load, server, "--calls", arguments.calls, "--rate", arguments.rate, "--ring-least", 2500, "--ring-most", 5000,
                    "--hold", 1000)
        # All calls have begun, none has been answered for long.
        while server.status()["counters"]["transactions_created"] < arguments.calls:
            time.sleep(0.05)
        begun = time.monotonic()
        waiting = subprocess.Popen([arguments.binary, "drain", "--wait", "--deadline", "2m", "--json", "-c", str(server.config)],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not server.status()["drain"]["on"]:
            time.sleep(0.01)
        run_command(server, "drain")  # said twice is said once; when it has returned no worker takes a call
        count = 0
        refused(phone)
        status = server.status()
        open_calls = json.loads(run_command(server, "rpc", "drain.progress"))["unanswered"]
        assert open_calls > arguments.calls / 4, f"only {open_calls} calls were open: the test shows nothing"
        killed = server.kill_engine()
        while waiting.poll() is None:
            refused(phone)
            count += 1
        out, err = waiting.communicate()
        took = time.monotonic() - begun
        assert waiting.returncode == 0, f"drain --wait: {waiting.returncode} {out} {err}"
        left = json.loads(out)["left"]["unanswered"]
        report, text = load.result()
        print(text, f"open at the order: {open_calls}; killed: {killed}; new calls refused meanwhile: {count}; waited {took:.1f} s", status["drain"])
        assert left == 0 and killed and count > 10
        assert report["failed_calls"] == 0, report["failures"]
        assert report["kinds"]["answered"] > 0


def is_kept(arguments):
    """Over the death of the engine, of the server, and an orderly restart; until `undrain`."""
    with Server(arguments.binary).start() as server:
        phone = Phone(server)
        us = f"sip:127.0.0.1:{server.port}"
        assert run_command(server, "drain", "--code", "480", "--retry-after", "7") == "new dialogs get 480 with Retry-After 7\n"
        refused(phone, "480", "7")
        refused(phone, "480", "7", method="SUBSCRIBE")
        refused(phone, "480", "7", method="OPTIONS", uri=us)
        assert not phone.ask("REGISTER", us).startswith("SIP/2.0 480"), "a registration is no dialog"
        assert "draining" in run_command(server, "status")
        server.kill_engine()
        refused(phone, "480", "7")
        server.stop()
        server.start()
        refused(phone, "480", "7")
        server.kill()
        server.start()
        refused(phone, "480", "7")
        run_command(server, "drain", "--retry-after", "0", "--registrations")
        refused(phone, "503", None)
        refused(phone, "503", None, method="REGISTER", uri=us)
        assert run_command(server, "undrain") == "new dialogs are taken\n"
        assert not phone.ask("OPTIONS", us).startswith("SIP/2.0 503")
        server.kill_engine()
        assert not phone.ask("OPTIONS", us).startswith("SIP/2.0 503")
        assert not server.status()["drain"]["on"]
        assert server.status()["counters"]["drain_refusals"] == 0, "counted by the engine that is there"


def routes_go_on(arguments):
    """persist = "routes": after the death of the engine the caller repeats an INVITE whose transaction only the map of routes knows. It is open, not new."""
    with Server(arguments.binary, persist="routes", gateways=1).start() as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gateway:
        gateway.bind(("127.0.0.1", server.gateways[0]))
        gateway.settimeout(10)
        phone = Phone(server)
        invite = (
            f"INVITE sip:bob@127.0.0.1:{server.port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{phone.own};branch=z9hG4bKroutes\r\n"
            f"From: <sip:a@example.org>;tag=a\r\nTo: <sip:bob@example.org>\r\nCall-ID: routes\r\nCSeq: 1 INVITE\r\n"
            f"Contact: <sip:a@127.0.0.1:{phone.own}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n").encode()
        phone.socket.sendto(invite, ("127.0.0.1", server.port))
        forwarded = gateway.recv(4096).decode()
        run_command(server, "drain")
        starts = server.status()["engine_starts"]
        assert server.kill_engine()
        while server.settled_status()["engine_starts"] == starts:
            time.sleep(0.01)
        phone.socket.sendto(invite, ("127.0.0.1", server.port))
        head = "".join(line + "\r\n" for line in forwarded.split("\r\n") if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq", "Record-Route"))
        ok = f"SIP/2.0 200 OK\r\n{head}Content-Length: 0\r\n\r\n".replace("To: <sip:bob@example.org>", "To: <sip:bob@example.org>;tag=g")
        gateway.sendto(ok.encode(), ("127.0.0.1", server.port))
        answers = []
        while not answers or answers[-1].startswith("SIP/2.0 1"):
            answers.append(phone.socket.recv(4096).decode())
        assert answers[-1].startswith("SIP/2.0 200 "), answers
        refused(phone)


def script_decides(arguments):
    with Server(arguments.binary).start() as server:
        script = server.folder / "routes.lua"
        script.write_text("""
function ksr_request_route()
  if KSR.drain.is_on() and KSR.pv.get("$drain") == 1 and KSR.pv.get("$rU") == "guest" then
    KSR.drain.reject()
    return 1
  end
  KSR.sl.send_reply(200, KSR.drain.registrations() and "Both" or "OK")
  return 1
end
""")
        run_command(server, "reload")
        phone = Phone(server)
        guest, staff = f"sip:guest@127.0.0.1:{server.port}", f"sip:staff@127.0.0.1:{server.port}"
        assert phone.ask(uri=guest).startswith("SIP/2.0 200 OK")
        run_command(server, "drain", "--by-script", "--registrations")
        refused(phone, uri=guest)
        assert phone.ask(uri=staff).startswith("SIP/2.0 200 Both")
        run_command(server, "drain")
        refused(phone, uri=staff)


def deadline_passes(arguments):
    with Server(arguments.binary, gateways=1).start() as server:
        gateway = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        gateway.bind(("127.0.0.1", server.gateways[0]))
        caller = Phone(server)
        caller.socket.sendto(
            f"INVITE sip:bob@127.0.0.1:{server.port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{caller.own};branch=z9hG4bKopen\r\n"
            f"From: <sip:a@example.org>;tag=a\r\nTo: <sip:bob@example.org>\r\nCall-ID: open\r\nCSeq: 1 INVITE\r\n"
            f"Contact: <sip:a@127.0.0.1:{caller.own}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n".encode(), ("127.0.0.1", server.port))
        gateway.settimeout(10)
        gateway.recv(4096)
        code, _, err = server.command("drain", "--wait", "--deadline", "1s")
        assert code == 3 and "deadline" in err and "1 without final response" in err, f"{code} {err}"
        assert server.status()["drain"]["on"], "it drains on"
        gateway.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("load")
    parser.add_argument("--calls", type=int, default=600)
    parser.add_argument("--rate", type=int, default=300)
    chosen = parser.parse_args()
    for series in (bleeds_off, is_kept, routes_go_on, script_decides, deadline_passes):
        series(chosen)
        print(f"{series.__name__}: passed", flush=True)
