#!/usr/bin/env python3
"""./run demo: the engine is killed while the callee rings, the caller cancels, and the phone stops ringing.

Starts the server, two gateways and a caller (SIPp) on free ports of loopback, and prints the ladder of messages.
"""
import datetime
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from server import Server, free_ports  # noqa: E402

SCENARIOS = ROOT / "scripts/demo"
TIME = re.compile(r"^-+ (\d{4}-\d\d-\d\d)[T\t ](\d\d:\d\d:\d\d\.\d+)", re.MULTILINE)


def sipp(folder, name, *arguments):
    """A SIPp in the background; it writes each message with its time to NAME.log."""
    return subprocess.Popen(
        ["sipp", *map(str, arguments), "-i", "127.0.0.1", "-nostdin", "-trace_msg", "-message_file", str(folder / f"{name}.log"), "-message_overwrite", "true"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
    )


def messages(path):
    """(time, sent, first line, port of the peer) of each message in a SIPp log."""
    text = path.read_text(errors="replace") if path.exists() else ""
    marks = list(TIME.finditer(text))
    for mark, following in zip(marks, marks[1:] + [None]):
        part = text[mark.start(): following.start() if following else len(text)]
        lines = [line for line in part.splitlines()[1:] if line.strip()]
        if len(lines) < 2:
            continue
        at = datetime.datetime.fromisoformat(f"{mark[1]} {mark[2]}")
        cseq = next((line.split()[-1] for line in lines if line.lower().startswith("cseq:")), "")
        yield at, "sent" in lines[0], lines[1].strip(), cseq, part


def ladder(folder, kill_at, back_at, gateways):
    rows = []
    for at, sent, first, cseq, _ in messages(folder / "caller.log"):
        rows.append((at, "caller", sent, first, cseq))
    for name in gateways:
        for at, sent, first, cseq, _ in messages(folder / f"{name}.log"):
            rows.append((at, name, sent, first, cseq))
    if not rows:
        return []
    begin = min(row[0] for row in rows)
    lines = []
    for at, who, sent, first, cseq in rows:
        label = re.sub(r"sip:\S+ SIP/2.0$", "", first).replace("SIP/2.0 ", "").strip()
        if first.startswith("SIP/2.0"):
            label += f" ({cseq})"
        ms = (at - begin).total_seconds() * 1000
        if who == "caller" and sent and not first.startswith("ACK"):
            at -= datetime.timedelta(milliseconds=1.5)  # SIPp notes what it sends after sending it: what it leads to may be noted earlier
        if who == "caller":
            arrow = f"{'── ' + label + ' ':─<31}>" if sent else f"<{' ' + label + ' ──':─>31}"
            lines.append((at, f"{ms:8.0f} ms   caller {arrow} perdure"))
        else:
            arrow = f"<{' ' + label + ' ──':─>31}" if sent else f"{'── ' + label + ' ':─<31}>"
            lines.append((at, f"{ms:8.0f} ms   {'':40} perdure {arrow} {who}"))
    for at, text in ((kill_at, "kill -9 of the engine"), (back_at, "the next engine has taken over")):
        ms = (at - begin).total_seconds() * 1000
        lines.append((at, f"{ms:8.0f} ms   {f' {text} ':═^78}"))
    return [line for _, line in sorted(lines, key=lambda entry: entry[0])]


def main():
    binary = sys.argv[1]
    print("starting the server, two gateways and a caller on loopback")
    with Server(ROOT / binary, gateways=2) as server:
        server.start()
        folder = server.folder
        callees = [
            sipp(folder, f"gateway{i + 1}", "-sf", SCENARIOS / "gateway.xml", "-p", port) for i, port in enumerate(server.gateways)
        ]
        caller = None
        try:
            time.sleep(0.5)
            (port,) = free_ports(1)
            caller = sipp(folder, "caller", "-sf", SCENARIOS / "caller.xml", "-p", port, "-m", 1, f"127.0.0.1:{server.port}")
            deadline = time.monotonic() + 10
            while not any("180" in first for _, sent, first, _, _ in messages(folder / "caller.log") if not sent):
                if time.monotonic() > deadline:
                    raise RuntimeError("the callee did not ring")
                time.sleep(0.02)
            time.sleep(0.5)
            print("the callee rings; kill -9 of the engine")
            before = server.status()["pids"]["engine"]
            kill_at = datetime.datetime.now()
            server.kill_engine()
            while server.status()["pids"]["engine"] == before:
                time.sleep(0.01)
            status = server.status()
            pause_ms = status["last_start"]["pause_us"] / 1000
            back_at = kill_at + datetime.timedelta(milliseconds=pause_ms)
            code = caller.wait(timeout=20)
            time.sleep(0.3)
        finally:
            for process in [*callees, caller]:
                if process and process.poll() is None:
                    process.terminate()
                    process.wait()
        names = [f"gateway{i + 1}" for i in range(2)]
        print("the caller has cancelled; this is what went over the wire:\n")
        print("\n".join(ladder(folder, kill_at, back_at, names)))
        cancelled = [
            name for name in names if any(not sent and first.startswith("CANCEL") for _, sent, first, _, _ in messages(folder / f"{name}.log"))
        ]
        rang = [name for name in names if any(not sent and first.startswith("INVITE") for _, sent, first, _, _ in messages(folder / f"{name}.log"))]
        acknowledged = [
            name for name in names if any(not sent and first.startswith("ACK") for _, sent, first, _, _ in messages(folder / f"{name}.log"))
        ]
        right = code == 0 and rang == cancelled == acknowledged and len(rang) == 1
        print(f"\nThe engine was away for {pause_ms:.1f} ms; open transactions that came back: {status['last_start']['recovered']}.")
        if right:
            print(f"The CANCEL reached {cancelled[0]}, which had the INVITE, and the caller got its 487: nothing rings on.")
            return 0
        print(f"FAILED: caller {code}, INVITE at {rang}, CANCEL at {cancelled}, ACK at {acknowledged}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
