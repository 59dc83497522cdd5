"""Callers and gateways that speak just enough SIP, by UDP and TCP."""
import itertools
import queue
import re
import socket
import threading
import time

NUMBER = itertools.count(int(time.time() * 1000) % 1000000000)


def header(text, name):
    found = re.search(rf"^{name}: *(.*?)\r$", text, re.M | re.I)
    return found[1] if found else None


def headers(text, *names):
    return [line for line in text.split("\r\n") if line.split(":")[0] in names]


def reply_to(text, status, extra=""):
    lines = headers(text, "Via", "From", "Call-ID", "CSeq", "Record-Route")
    to = header(text, "To")
    tag = "" if ";tag=" in to or status == 100 else ";tag=gw"
    return f"SIP/2.0 {status} Whatever\r\n" + "\r\n".join(lines) + f"\r\nTo: {to}{tag}\r\nContact: <sip:gw@127.0.0.1>\r\n{extra}Content-Length: 0\r\n\r\n"


class Gateway:
    """Answers each request with `status`, a list of them one after the other; none: it is silent."""

    def __init__(self, status=200, port=0, extra="", kind=socket.SOCK_DGRAM, tls=None):
        self.statuses = [] if status is None else status if isinstance(status, list) else [status]
        self.extra, self.kind, self.tls = extra, kind, tls
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.bind(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        self.seen = []  # texts, in order
        self.over = threading.Event()
        self.socket.settimeout(0.05)
        if kind == socket.SOCK_STREAM:
            self.socket.listen()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        if self.kind == socket.SOCK_STREAM:
            return self._serve_connections()
        while not self.over.is_set():
            try:
                data, source = self.socket.recvfrom(65535)
            except socket.timeout:
                continue
            for answer in self.take(data.decode()):
                self.socket.sendto(answer.encode(), source)

    def _serve_connections(self):
        while not self.over.is_set():
            try:
                connection, _ = self.socket.accept()
            except socket.timeout:
                continue
            if self.tls:
                try:
                    connection.settimeout(5)
                    connection = self.tls.wrap_socket(connection, server_side=True)
                except OSError:  # the proxy does not believe this one
                    continue
            with connection:
                connection.settimeout(0.05)
                data = b""
                while not self.over.is_set():
                    try:
                        more = connection.recv(65535)
                    except socket.timeout:
                        continue
                    if not more:
                        break
                    data += more
                    while b"\r\n\r\n" in data:
                        head, _, data = data.partition(b"\r\n\r\n")
                        for answer in self.take(head.decode() + "\r\n\r\n"):
                            connection.sendall(answer.encode())

    def take(self, text):
        self.seen.append(text)
        if text.startswith("ACK "):
            return []
        if text.startswith(("BYE ", "CANCEL ")):
            return [reply_to(text, 200)]
        return [reply_to(text, status, self.extra) for status in self.statuses]

    def methods(self):
        return [text.split(" ")[0] for text in self.seen]

    def branches(self, method):
        return {re.search(r"branch=([^;\r]+)", header(text, "Via"))[1] for text in self.seen if text.startswith(method + " ")}

    def close(self):
        self.over.set()
        self.thread.join()
        self.socket.close()


class Caller:
    """Sends requests to the proxy and keeps what comes back, by Call-ID."""

    def __init__(self, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.connect(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        self.answers = {}
        self.over = threading.Event()
        self.socket.settimeout(0.05)
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        while not self.over.is_set():
            try:
                text = self.socket.recv(65535).decode()
            except (socket.timeout, ConnectionError):
                continue
            self.answers.setdefault(header(text, "Call-ID"), queue.Queue()).put(text)

    def request(self, method, uri, lines=()):
        number = next(NUMBER)
        extra = "".join(line + "\r\n" for line in lines)
        return (f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{number}\r\nFrom: <sip:a@example.org>;tag=a{number}\r\n"
                f"To: <{uri}>\r\nCall-ID: call-{number}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\nContact: <sip:a@127.0.0.1:{self.port}>\r\n{extra}"
                f"Content-Length: 0\r\n\r\n")

    def send(self, text):
        self.answers.setdefault(header(text, "Call-ID"), queue.Queue())
        self.socket.send(text.encode())
        return text

    def statuses(self, text, until_final=True, timeout=10):
        """All statuses of the call up to the final one, or those that are there by now. A final response is acknowledged."""
        seen = []
        deadline = time.monotonic() + timeout
        while True:
            try:
                answer = self.answers[header(text, "Call-ID")].get(timeout=max(0.0, deadline - time.monotonic()) if until_final else 0.0)
            except queue.Empty:
                if until_final:
                    raise AssertionError(f"no final response in {timeout} s, only {seen}") from None
                return seen
            if not header(answer, "CSeq").endswith(text.split(" ")[0]):
                continue
            seen.append(int(answer.split(" ")[1]))
            self.reason = answer.split("\r\n")[0].split(" ", 2)[2]
            if seen[-1] >= 200 and until_final:
                if text.startswith("INVITE "):
                    self.acknowledge(text, answer)
                return seen

    def acknowledge(self, text, answer):
        if answer.startswith("SIP/2.0 2"):
            return
        ack = text.replace("INVITE", "ACK").replace("To: " + header(text, "To"), "To: " + header(answer, "To"))
        self.socket.send(ack.encode())

    def call(self, method, uri, lines=(), timeout=10):
        return self.statuses(self.send(self.request(method, uri, lines)), timeout=timeout)

    def cancel(self, text):
        self.socket.send(text.replace("INVITE", "CANCEL").encode())

    def close(self):
        self.over.set()
        self.thread.join()
        self.socket.close()
