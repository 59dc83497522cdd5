"""Flows that SIPp plays on both sides, from the scenarios in sipp/."""
import pathlib
import re
import subprocess

from cases import case, relaying
from world import Nothing

SCENARIOS = pathlib.Path(__file__).resolve().parents[1] / "sipp"


def received(path):
    """What SIPp has logged as received, in order."""
    parts = re.split(r"^-{20,} .*\n", path.read_text(errors="surrogateescape"), flags=re.MULTILINE)
    for part in parts:
        head, _, message = part.partition(":\n\n")
        if "message received" in head:
            size = int(re.search(r"\[(\d+)\]", head)[1])
            yield message.replace("\r\n", "\n").replace("\n", "\r\n")[:size]


def play(w, name):
    folder = w.server.folder
    logs = {peer.name: folder / f"{w.case_name}-{peer.name}.log" for peer in (w.alice, w.bob)}

    def start(peer, role, *more):
        host, port = w.places.place[peer.name]
        peer.socket.close()
        return subprocess.Popen(
            ["sipp", "-sf", SCENARIOS / f"{name}_{role}.xml", "-i", host, "-p", str(port), "-m", "1", "-nostdin", "-timeout", "30",
                "-trace_msg",
             "-message_file", logs[peer.name], "-cid_str", f"{w.case_name}@compare", *more],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)

    processes = [start(w.bob, "uas"), start(w.alice, "uac", w.places.text("proxy"))]
    codes = [process.wait(60) for process in processes]
    for peer in (w.alice, w.bob):
        peer.open()
        for text in received(logs[peer.name]):
            w.came(peer, text)
    if any(codes):
        raise Nothing(f"SIPp ended with {codes}")


SCRIPT = relaying('if KSR.is_INVITE() then KSR.seturi("sip:bob@{bob}") KSR.rr.record_route() end')


@case("""
function ksr_request_route()
  KSR.maxfwd.process_maxfwd(10)
  if KSR.is_CANCEL() then
    if KSR.tm.t_check_trans() > 0 then KSR.tm.t_relay() end
    return 1
  end
  if KSR.siputils.has_totag() > 0 then
    if KSR.rr.loose_route() > 0 or KSR.tm.t_check_trans() > 0 then KSR.tm.t_relay() end
    return 1
  end
  KSR.rr.record_route()
  KSR.seturi("sip:bob@{bob}")
  KSR.tm.t_relay()
end
""")
def call(w):
    """INVITE, 180, 200, ACK, BYE"""
    play(w, "call")


@case(SCRIPT)
def busy(w):
    """INVITE, 486, ACK"""
    play(w, "busy")


@case(SCRIPT)
def cancel(w):
    """INVITE, 180, CANCEL, 487, ACK"""
    play(w, "cancel")
