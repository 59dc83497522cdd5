"""From and To that are replaced on the callee's side (uac)."""
from cases import RELAY, case


def replacing(calls):
    return "local function prepare()\n  if KSR.siputils.has_totag() > 0 then return end\n  KSR.rr.record_route()\n" + calls + "\nend\n" + RELAY


def whole_dialog(w):
    w.alice.invite()
    invite = w.bob.answer("INVITE", 180)
    w.alice.receive(180)
    w.bob.reply(invite, 200)
    ok = w.alice.receive(200)
    w.alice.within("ACK", ok, cseq=1)
    w.bob.receive("ACK")
    w.alice.within("UPDATE", ok, cseq=2)
    w.bob.answer("UPDATE", 200)
    w.alice.receive("200 UPDATE")
    w.bob.within_as_callee("BYE", invite, tag="bob-tag", cseq=1)
    w.alice.answer("BYE", 200)
    w.bob.receive("200 BYE")


@case(replacing('KSR.uac.uac_replace_from_uri("sip:anonymous@anonymous.invalid")'))
def from_uri(w):
    """another From URI, through the whole dialog"""
    whole_dialog(w)


@case(replacing('KSR.uac.uac_replace_to_uri("sip:robert@example.net")'))
def to_uri(w):
    """another To URI, through the whole dialog"""
    whole_dialog(w)


@case(replacing('KSR.uac.uac_replace_from("\\"Anonymous\\"", "sip:anonymous@anonymous.invalid") KSR.uac.uac_replace_to_uri("sip:robert@example.net")'))
def both_and_failure(w):
    """both, and the callee is busy: reply and ACK"""
    invite = w.alice.invite()
    w.bob.answer("INVITE", 486)
    w.alice.ack_failure(invite, w.alice.receive(486))
    w.bob.receive("ACK")


@case(replacing('KSR.uac.uac_replace_from_uri("sip:anonymous@anonymous.invalid")'))
def cancelled(w):
    """a CANCEL has the From that the INVITE left with"""
    invite = w.alice.invite()
    received = w.bob.answer("INVITE", 180)
    w.alice.receive(180)
    w.alice.cancel(invite)
    w.alice.receive("200 CANCEL")
    w.bob.answer("CANCEL", 200)
    w.bob.reply(received, 487)
    w.alice.ack_failure(invite, w.alice.receive(487))


@case("""
function ksr_request_route()
  KSR.pv.sets("$uac_req(method)", "MESSAGE")
  KSR.pv.sets("$uac_req(ruri)", "sip:bob@{bob}")
  KSR.pv.sets("$uac_req(furi)", "sip:us@example.org")
  KSR.pv.sets("$uac_req(turi)", "sip:bob@example.org")
  KSR.pv.sets("$uac_req(hdrs)", "Content-Type: text/plain\\r\\nP-Sent: 1\\r\\n")
  KSR.pv.sets("$uac_req(body)", "Hello")
  KSR.pv.sets("$uac_req(callid)", KSR.kx.get_callid() .. "-ours@compare")
  KSR.uac.uac_req_send()
  KSR.sl.sl_send_reply(200, "Sent")
end
function ksr_tm_event(event)
  KSR.hdr.append("P-Event: " .. event .. "\\r\\n")
end
""")
def own_request(w):
    """uac_req_send, and the event route for requests of our own"""
    w.alice.request("OPTIONS", call="first")
    w.alice.receive(200)
    w.bob.answer("MESSAGE", 200)
    w.settle()
