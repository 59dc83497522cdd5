#!/usr/bin/env python3
"""A trunk dials in from any port and is called at its own: KSR.add_tcp_alias leads these calls down its connection, also after the engine has died.

tcp_alias.py BINARY
"""
import argparse
import pathlib
import socket

from connections import ConnectionServer
from server import free_ports
from sip_peers import header, reply_to

def request(method, uri, number, via, extra=""):
    return (f"{method} {uri} SIP/2.0\r\nVia: {via};branch=z9hG4bKalias{number};rport\r\nMax-Forwards: 70\r\nFrom: <sip:a@example.org>;tag=a\r\n"
            f"To: <{uri}>\r\nCall-ID: alias-{number}\r\nCSeq: 1 {method}\r\n{extra}Content-Length: 0\r\n\r\n").encode()


class Trunk:
    def __init__(self, port, own_port):
        self.stream = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.lines = self.stream.makefile("rb")
        self.via = f"SIP/2.0/TCP 127.0.0.1:{own_port}"

    def hear(self):
        """The next message; all of them are without body."""
        text = b""
        while not text.endswith(b"\r\n\r\n"):
            text += self.lines.readline()
        return text.decode()

    def ask(self, number, extra=""):
        self.stream.sendall(request("OPTIONS", "sip:proxy@example.org", number, self.via, extra))
        assert self.hear().startswith("SIP/2.0 200")


class Phone:
    def __init__(self, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.connect(("127.0.0.1", port))
        self.socket.settimeout(10)
        self.via = f"SIP/2.0/UDP 127.0.0.1:{self.socket.getsockname()[1]}"

    def write(self, number, port):
        self.socket.send(request("MESSAGE", f"sip:trunk@127.0.0.1:{port};transport=tcp", number, self.via))

    def status(self):
        while (text := self.socket.recv(65535).decode()).startswith("SIP/2.0 100"):
            pass
        return int(text.split()[1])


def reaches(phone, trunk, number, port):
    phone.write(number, port)
    text = trunk.hear()
    assert text.startswith("MESSAGE ") and header(text, "Call-ID") == f"alias-{number}", text
    trunk.stream.sendall(reply_to(text, 200).encode())
    assert phone.status() == 200


def run(binary):
    own, other, third = free_ports(3)
    with ConnectionServer(binary, ["tcp"], script=pathlib.Path(__file__).with_name("tcp_alias.lua")) as server:
        trunk, phone = Trunk(server.ports["tcp"], own), Phone(server.port)
        phone.write(1, own)
        assert (status := phone.status()) == 500, f"{status}, but nobody listens at that port"
        trunk.ask(2)
        reaches(phone, trunk, 3, own)
        phone.write(4, other)
        assert (status := phone.status()) == 500, f"{status}, but nobody has named that port"
        trunk.ask(5, f"X-Port: {third}\r\n")
        reaches(phone, trunk, 6, third)
        server.kill_engine()
        server.settled_status()
        for number, port in ((7, own), (8, third)):
            reaches(phone, trunk, number, port)
        trunk.stream.close()
        server.stop()
    print("a trunk was reached by two ports of its own, before and after the death of the engine")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", type=pathlib.Path)
    run(parser.parse_args().binary)
