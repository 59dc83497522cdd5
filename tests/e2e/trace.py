#!/usr/bin/env python3
"""The messages of a call over the death of its engine: the ladder, the capture file (read by tshark) and the export to a collector.

trace.py BINARY
"""
import argparse
import json
import pathlib
import re
import socket
import struct
import subprocess
import threading
import time

from server import Server

TRACE = '[trace]\nbytes = "16MiB"\nhep = "{transport}:127.0.0.1:{port}"\nhep_capture_id = 42\nhep_node_name = "node"\n'


class Collector:
    """Takes HEPv3 over UDP or TCP and keeps the chunks of each packet."""

    def __init__(self, transport):
        kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.packets = []
        if transport == "tcp":
            self.socket.listen()
        threading.Thread(target=self._stream if transport == "tcp" else self._datagrams, daemon=True).start()

    def _datagrams(self):
        while True:
            self._take(self.socket.recv(65535))

    def _stream(self):
        while True:
            connection, _ = self.socket.accept()
            data = b""
            while True:
                more = connection.recv(65535)
                if not more:
                    break
                data += more
                while len(data) >= 6 and len(data) >= struct.unpack(">H", data[4:6])[0]:
                    size = struct.unpack(">H", data[4:6])[0]
                    self._take(data[:size])
                    data = data[size:]

    def _take(self, packet):
        assert packet[:4] == b"HEP3" and struct.unpack(">H", packet[4:6])[0] == len(packet)
        chunks, at = {}, 6
        while at < len(packet):
            vendor, kind, size = struct.unpack(">HHH", packet[at:at + 6])
            assert vendor == 0
            chunks[kind] = packet[at + 6:at + size]
            at += size
        self.packets.append(chunks)


class Peer:
    def __init__(self, port=0):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", port))
        self.socket.settimeout(10)
        self.port = self.socket.getsockname()[1]

    def send(self, text, port):
        self.socket.sendto(text.encode(), ("127.0.0.1", port))

    def expect(self, start):
        while True:
            text = self.socket.recv(65535).decode()
            if text.startswith(start):
                return text


def headers(message, *names):
    return "".join(line + "\r\n" for line in message.split("\r\n") if line.split(":")[0] in names)


def answer(request, line, tag="g1"):
    text = headers(request, "Via", "From", "To", "Call-ID", "CSeq", "Record-Route")
    if not line.startswith("100"):
        text = re.sub(r"(?m)^(To: [^;\r]*)\r$", rf"\1;tag={tag}\r", text)
    return f"SIP/2.0 {line}\r\n{text}Content-Length: 0\r\n\r\n"


def cancelled_call(server, caller, gateway, call_id):
    """INVITE, 180, the engine is killed, CANCEL: to its end."""
    invite = (
        f"INVITE sip:bob@127.0.0.1:{server.port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{caller.port};branch=z9hG4bK{call_id}\r\n"
        f"From: <sip:a@example.org>;tag=a\r\nTo: <sip:bob@example.org>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n"
        f'Proxy-Authorization: Digest username="a", response="5ec2e7", realm="r"\r\n'
        f"Contact: <sip:a@127.0.0.1:{caller.port}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n")
    caller.send(invite, server.port)
    caller.expect("SIP/2.0 100")
    forwarded = gateway.expect("INVITE")
    gateway.send(answer(forwarded, "180 Ringing"), server.port)
    caller.expect("SIP/2.0 180")
    starts = server.status()["engine_starts"]
    assert server.kill_engine()
    while server.settled_status()["engine_starts"] == starts:
        time.sleep(0.01)
    cancel = headers(invite, "Via", "From", "To", "Call-ID", "Max-Forwards")
    caller.send(f"CANCEL sip:bob@127.0.0.1:{server.port} SIP/2.0\r\n{cancel}CSeq: 1 CANCEL\r\nContent-Length: 0\r\n\r\n", server.port)
    caller.expect("SIP/2.0 200")
    cancelled = gateway.expect("CANCEL")
    gateway.send(answer(cancelled, "200 OK"), server.port)
    gateway.send(answer(forwarded, "487 Request Terminated"), server.port)
    gateway.expect("ACK")
    final = caller.expect("SIP/2.0 487")
    ack = headers(invite, "Via", "From", "Call-ID", "Max-Forwards") + headers(final, "To")
    caller.send(f"ACK sip:bob@127.0.0.1:{server.port} SIP/2.0\r\n{ack}CSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n", server.port)


# Kind, peer, what: "c" the caller, "g" the gateway.
STORY = [
    ("received", "c", "INVITE"), ("sent", "c", "SIP/2.0 100"), ("sent", "g", "INVITE"), ("received", "g", "SIP/2.0 180"), ("sent", "c", "SIP/2.0 180"),
    ("start", "", ""),
    ("received", "c", "CANCEL"), ("sent", "c", "SIP/2.0 200"), ("sent", "g", "CANCEL"), ("received", "g", "SIP/2.0 200"), ("received", "g", "SIP/2.0 487"),
    ("sent", "g", "ACK"), ("sent", "c", "SIP/2.0 487"), ("received", "c", "ACK"),
]


def check_messages(messages, caller, gateway):
    """Every message once; what comes in together may be told in either order of what left."""
    seen = [
        (one["kind"], "c" if one.get("remote", "").endswith(f":{caller.port}") else "g" if "remote" in one else "",
         next((start for _, _, start in STORY if start and one["text"].startswith(start)), ""))
        for one in messages]
    assert sorted(seen) == sorted(STORY), f"{seen}"
    restart = seen.index(("start", "", ""))
    assert sorted(seen[:restart]) == sorted(STORY[:5]), "the restart is not where it was"
    assert [one for one in seen if one[0] == "received"] == [one for one in STORY if one[0] == "received"]
    assert [m["at_us"] for m in messages] == sorted(m["at_us"] for m in messages)
    assert "was killed" in messages[restart]["text"]


def run(binary, transport):
    collector = Collector(transport)
    with Server(binary, gateways=1, sections=TRACE.format(transport=transport, port=collector.port)).start() as server:
        caller, gateway = Peer(), Peer(server.gateways[0])
        call_id = f"traced-{transport}"
        cancelled_call(server, caller, gateway, call_id)
        deadline = time.monotonic() + 10
        while len(messages := json.loads(server.command("call", call_id, "--json")[1])) < len(STORY) and time.monotonic() < deadline:
            time.sleep(0.05)
        check_messages(messages, caller, gateway)
        assert not any("5ec2e7" in one["text"] for one in messages), "credentials stand in the trace"
        code, ladder, err = server.command("call", call_id)
        assert code == 0 and ladder.count("\n") == len(STORY) + 1 and "=== the engine was killed" in ladder, ladder + err
        print(ladder)
        capture = server.folder / "call.pcap"
        assert server.command("call", call_id, "--pcap", str(capture))[0] == 0
        fields = ["udp.srcport", "udp.dstport", "sip.CSeq.method", "sip.Status-Code", "sip.Call-ID"]
        shown = subprocess.run(
            ["tshark", "-r", str(capture), "-d", f"udp.port=={server.port},sip", "-T", "fields", *[word for field in fields for word in ("-e", field)]],
            capture_output=True, text=True, check=True).stdout.splitlines()
        assert len(shown) == len(STORY) - 1, shown
        assert all(line.split("\t")[4] == call_id for line in shown), shown
        assert shown[0].split("\t")[:3] == [str(caller.port), str(server.port), "INVITE"], shown[0]
        deadline = time.monotonic() + 10
        mine = []
        while len(mine) < len(STORY) - 1 and time.monotonic() < deadline:
            mine = [packet for packet in collector.packets if packet.get(17) == call_id.encode()]
            time.sleep(0.05)
        assert len(mine) == len(STORY) - 1, f"{len(mine)} packets at the collector"
        metrics = server.command("rpc", "stats.metrics")[1]
        assert int(float(re.search(r"(?m)^perdure_hep_packets_total (\S+)", metrics).group(1))) >= len(mine), metrics
        assert re.search(r"(?m)^perdure_hep_lost_bytes_total 0\b", metrics)
        assert [packet[15].decode() for packet in mine] == [one["text"] for one in messages if one["kind"] != "start"]
        assert struct.unpack(">H", mine[0][7])[0] == caller.port and struct.unpack(">H", mine[0][8])[0] == server.port
        assert struct.unpack(">I", mine[0][12])[0] == 42 and mine[0][19] == b"node" and mine[0][11] == b"\x01"
        assert abs(struct.unpack(">I", mine[0][9])[0] - time.time()) < 60
        # What has been kept outlives the server, and goes when nobody wants it any more.
        server.stop()
        server.start()
        check_messages(json.loads(server.command("call", call_id, "--json")[1]), caller, gateway)
        server.stop()
        server.config.write_text(server.config.read_text().split("[trace]")[0])
        server.start()
        code, _, err = server.command("call", call_id)
        assert code == 1 and "trace.bytes" in err, err
        assert not list(pathlib.Path(server.status()["live_directory"]).glob("trace*")), "messages are still there"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    chosen = parser.parse_args()
    for transport in ("udp", "tcp"):
        run(chosen.binary, transport)
    print("passed")
