"""What nobody should send to a server."""
import random

from server import ROOT

LARGEST = 65507  # bytes of payload that fit into one UDP datagram over IPv4


def mutations(seed, count):
    """Garbage, and valid and torture messages with random damage; the seed makes a run repeatable."""
    chance = random.Random(seed)
    valid = (
        "{method} sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKm{n}\r\nMax-Forwards: 70\r\nFrom: <sip:m@127.0.0.1>;tag={n}\r\n"
        "To: <sip:bob@127.0.0.1>\r\nCall-ID: m{n}@hostile\r\nCSeq: {n} {method}\r\nContact: <sip:m@127.0.0.1:9>\r\nContent-Length: 0\r\n\r\n"
    )
    files = [path.read_bytes() for path in sorted((ROOT / "tests/fixtures").glob("rfc*/*"))]
    for number in range(count):
        kind = chance.random()
        if kind < 0.02:
            yield chance.randbytes(chance.choice([1, 4, 40, 400, 1500, LARGEST]))
            continue
        if kind < 0.5:
            method = chance.choice(["OPTIONS", "MESSAGE", "REGISTER", "BYE", "ACK", "CANCEL", "SUBSCRIBE"])
            message = bytearray(valid.format(method=method, n=number + 1).encode())
        else:
            message = bytearray(chance.choice(files))
        for _ in range(chance.choice([1, 1, 1, 2, 3, 5])):
            at = chance.randrange(len(message)) if message else 0
            what = chance.randrange(6)
            if what == 0 and message:
                message[at] = chance.randrange(256)
            elif what == 1:
                del message[at : at + chance.randrange(1, 40)]
            elif what == 2:
                message[at:at] = message[at : at + chance.randrange(1, 60)] * chance.randrange(1, 4)
            elif what == 3:
                message[at:at] = bytes(chance.choices(b"\r\n :;,<>\"\\%@=\0\xff", k=chance.randrange(1, 9)))
            elif what == 4:
                del message[at:]
            else:
                message[at:at] = str(chance.randrange(1 << chance.choice([8, 31, 32, 63, 64, 80]))).encode()
        if chance.random() < 0.001:
            message += b"x" * (LARGEST - len(message))
        yield bytes(message[:LARGEST])
