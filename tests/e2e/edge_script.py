#!/usr/bin/env python3
"""etc/edge with SIPp: devices with private Contacts register and call each other through a registrar that knows them by their Path alone,
while the engine is killed.

edge_script.py BINARY
"""
import argparse
import pathlib
import re
import socket
import subprocess
import threading

from server import ROOT, Server, free_ports
from sip_peers import header

CALLS = 40
PRIVATE = "10.9.8.7:5060"  # where each device believes to be

REGISTER = f"""
  <send retrans="500"><![CDATA[
    REGISTER sip:example.org SIP/2.0
    Via: SIP/2.0/UDP {PRIVATE};branch=[branch];rport
    Max-Forwards: 70
    From: <sip:USER@example.org>;tag=[pid]-[call_number]
    To: <sip:USER@example.org>
    Call-ID: [call_id]
    CSeq: 1 REGISTER
    Contact: <sip:USER@{PRIVATE}>
    Content-Length: 0

  ]]></send>
  <recv response="200"/>"""

CALLER = f"""
  <send retrans="500"><![CDATA[
    INVITE sip:callee@example.org SIP/2.0
    Via: SIP/2.0/UDP {PRIVATE};branch=[branch];rport
    Max-Forwards: 70
    From: <sip:caller@example.org>;tag=[pid]-[call_number]
    To: <sip:callee@example.org>
    Call-ID: [call_id]
    CSeq: 1 INVITE
    Contact: <sip:caller@{PRIVATE}>
    Content-Length: 0

  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="180"/>
  <recv response="200" rrs="true"/>
  <send><![CDATA[
    ACK [next_url] SIP/2.0
    Via: SIP/2.0/UDP {PRIVATE};branch=[branch];rport
    Max-Forwards: 70
    [routes]
    From: <sip:caller@example.org>;tag=[pid]-[call_number]
    To: <sip:callee@example.org>[peer_tag_param]
    Call-ID: [call_id]
    CSeq: 1 ACK
    Content-Length: 0

  ]]></send>
  <recv request="BYE"/>
  <send><![CDATA[
    SIP/2.0 200 OK
    [last_Via:]
    [last_From:]
    [last_To:]
    [last_Call-ID:]
    [last_CSeq:]
    Content-Length: 0

  ]]></send>"""


def answer(status, retransmitted=""):
    return f"""
  <send{retransmitted}><![CDATA[
    SIP/2.0 {status}
    [last_Via:]
    [last_Record-Route:]
    [last_From:]
    [last_To:];tag=[pid]-[call_number]
    [last_Call-ID:]
    [last_CSeq:]
    Contact: <sip:callee@{PRIVATE}>
    Content-Length: 0

  ]]></send>"""


# Hangs up: the BYE must find the way to the caller, who has a private Contact as well.
CALLEE = f"""
  <recv request="INVITE" rrs="true"/>{answer("180 Ringing")}
  <pause milliseconds="300"/>{answer("200 OK", ' retrans="500"')}
  <recv request="ACK"/>
  <send retrans="500"><![CDATA[
    BYE [next_url] SIP/2.0
    Via: SIP/2.0/UDP {PRIVATE};branch=[branch];rport
    Max-Forwards: 70
    [routes]
    From: <sip:callee@example.org>;tag=[pid]-[call_number]
    To: <sip:caller@example.org>[peer_tag_param]
    Call-ID: [call_id]
    CSeq: 1 BYE
    Content-Length: 0

  ]]></send>
  <recv response="200"/>"""


class Registrar:
    """A stateless proxy that knows where its subscribers are by what their REGISTER brought: Contact and Path."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.05)
        self.port = self.socket.getsockname()[1]
        self.bindings = {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._serve)

    def _serve(self):
        while not self.over.is_set():
            try:
                data, source = self.socket.recvfrom(65535)
            except socket.timeout:
                continue
            text = data.decode()
            if text.startswith("SIP/2.0 100"):
                continue  # ends here
            if text.startswith("SIP/2.0"):
                self._send_back(text)
            elif text.startswith("REGISTER "):
                self._register(text, source)
            elif text.startswith("OPTIONS "):
                self._answer(text, source, "200 OK")
            else:
                self._forward(text, source)

    def _answer(self, text, source, status, lines=()):
        kept = [line for line in text.split("\r\n") if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
        self.socket.sendto("\r\n".join([f"SIP/2.0 {status}", *kept, *lines, "Content-Length: 0", "", ""]).encode(), source)

    def _register(self, text, source):
        user = re.search(r"sip:(\w+)@", header(text, "To"))[1]
        self.bindings[user] = (header(text, "Contact").strip("<>"), header(text, "Path"))
        self._answer(text, source, "200 OK", [f"Contact: <{self.bindings[user][0]}>;expires=600", f"Path: {self.bindings[user][1]}"])

    def _forward(self, text, source):
        user = re.match(r"\w+ sip:(\w+)@", text)[1]
        if user not in self.bindings:
            return self._answer(text, source, "404 Not Found")
        contact, path = self.bindings[user]
        first, _, rest = text.partition("\r\n")
        branch = re.search(r"branch=([^;\r]+)", rest)[1]
        head = f"{first.split()[0]} {contact} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{self.port};branch={branch}-registrar\r\nRoute: {path}\r\n"
        self.socket.sendto((head + rest).encode(), self._address(path))

    def _send_back(self, text):
        # SIPp writes all values into one line.
        text = re.sub(r"Via: [^,\r]*(, |\r\n)", lambda end: "Via: " if end[1] == ", " else "", text, count=1)
        self.socket.sendto(text.encode(), self._address(header(text, "Via")))

    def _address(self, text):
        host, port = re.search(r"([\d.]+):(\d+)", text).groups()
        return host, int(port)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.socket.close()


class EdgeServer(Server):
    """etc/edge as it is, but for ports and the number of requests that one address may send."""

    def __init__(self, binary, registrar_port):
        super().__init__(binary, gateways=0)
        folder = ROOT / "etc/edge"
        script = (folder / "edge.lua").read_text()
        assert "127.0.0.1:5060;lr" in script
        (self.folder / "edge.lua").write_text(script.replace("127.0.0.1:5060;lr", f"127.0.0.1:{self.port};lr"))
        (self.folder / "dispatcher.list").write_text(f"1 sip:127.0.0.1:{registrar_port}\n")
        text = (folder / "perdure.toml").read_text().replace("127.0.0.1:5060", f"127.0.0.1:{self.port}").replace("= 50 ", "= 5000 ")
        self.config.write_text(text + '\n[state]\ndirectory = "state"\n')


def sipp(folder, name, steps, port, proxy, calls, rate=20):
    file = folder / f"{name}.xml"
    file.write_text(f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="{name}">{steps}\n</scenario>\n')
    return subprocess.Popen(
        ["sipp", f"127.0.0.1:{proxy}", "-sf", file, "-i", "127.0.0.1", "-p", str(port), "-m", str(calls), "-r", str(rate), "-nostdin", "-timeout", "40s",
         "-trace_err", "-error_file", folder / f"{name}.err"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)


def succeed(folder, name, process):
    code = process.wait(60)
    errors = folder / f"{name}.err"
    assert code == 0, f"SIPp as {name} ended with {code}: " + (errors.read_text(errors="replace")[-2000:] if errors.exists() else "")


def run(binary):
    with Registrar() as registrar, EdgeServer(binary, registrar.port).start() as server:
        ports = dict(zip(("caller", "callee"), free_ports(2)))
        for user, port in ports.items():
            succeed(server.folder, "register", sipp(server.folder, "register", REGISTER.replace("USER", user), port, server.port, 1))
        contact, path = registrar.bindings["callee"]
        assert f"alias=127.0.0.1~{ports['callee']}~1" in contact, contact
        assert f"127.0.0.1:{server.port}" in path, path
        callee = sipp(server.folder, "callee", CALLEE, ports["callee"], server.port, CALLS)
        caller = sipp(server.folder, "caller", CALLER, ports["caller"], server.port, CALLS)
        kills = 0
        while caller.poll() is None:
            try:
                caller.wait(0.4)
            except subprocess.TimeoutExpired:
                kills += server.kill_engine()
        succeed(server.folder, "caller", caller)
        succeed(server.folder, "callee", callee)
        assert kills >= 2, "the calls were over before anything was killed"
        errors = server.settled_status()["counters"].get("script_errors", 0)
        assert errors == 0, f"{errors} script errors"
        print(f"{CALLS} calls between devices with private Contacts, {kills} engines killed: none lost")
        server.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", type=pathlib.Path)
    run(parser.parse_args().binary)
