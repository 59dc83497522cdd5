"""Stateful relaying without forking."""
from cases import case, relaying


@case(relaying("KSR.rr.record_route()"))
def answered(w):
    """INVITE, 100, 180, 200, ACK, re-INVITE from the callee, BYE, along Record-Route"""
    w.alice.invite(body="v=0\r\n", content_type="application/sdp")
    invite = w.bob.answer("INVITE", 100)
    w.bob.reply(invite, 180)
    w.alice.receive(180)
    w.bob.reply(invite, 200, body="v=0\r\n", headers=["Content-Type: application/sdp"])
    ok = w.alice.receive(200)
    w.alice.within("ACK", ok, cseq=1)
    w.bob.receive("ACK")
    w.bob.within_as_callee("INVITE", invite, tag="bob-tag", cseq=7)
    w.alice.answer("INVITE", 200)
    w.bob.receive(200)
    w.alice.within("BYE", ok, cseq=2)
    w.bob.answer("BYE", 200)
    w.alice.receive("200 BYE")


@case(relaying())
def without_record_route(w):
    """a call that does not record the route: the ACK does not come this way"""
    w.alice.invite()
    w.bob.answer("INVITE", 200)
    w.alice.receive(200)


@case(relaying())
def busy(w):
    """486 to the caller, ACK of the hop to the callee"""
    invite = w.alice.invite()
    w.bob.answer("INVITE", 486)
    busy = w.alice.receive(486)
    w.bob.receive("ACK")
    w.alice.ack_failure(invite, busy)


@case(relaying())
def many_provisional(w):
    """several different provisional responses pass in order"""
    w.alice.invite()
    invite = w.bob.receive("INVITE")
    for status in (180, 183, 180):
        w.bob.reply(invite, status, headers=[f"P-Number: {status}"])
        w.alice.receive(status)
    w.bob.reply(invite, 182, "Queued, 5 callers ahead")
    w.bob.reply(invite, 480)
    w.alice.receive(480)


for method in ("OPTIONS", "MESSAGE", "REGISTER", "INFO", "SUBSCRIBE", "NOTIFY", "PUBLISH", "REFER", "UPDATE", "PRACK", "FROBNICATE"):

    def play(w, method=method):
        w.alice.request(method, headers=["Event: presence", "Refer-To: <sip:carol@{carol}>", "RAck: 1 1 INVITE"], body="text")
        w.bob.answer(method, 200)
        w.alice.receive(200)

    play.__name__, play.__doc__ = method.lower(), f"{method} and its 200"
    case(relaying())(play)


@case(relaying())
def non_invite_provisional(w):
    """a provisional response to OPTIONS, and a failure after it"""
    w.alice.request("OPTIONS")
    request = w.bob.receive("OPTIONS")
    w.bob.reply(request, 183)
    w.bob.reply(request, 404)
    w.alice.receive(404)


@case(relaying(), count_all=True)
def retransmissions(w):
    """retransmissions of INVITE are answered with the last response, those of a failure are acknowledged again"""
    invite = w.alice.invite()
    w.alice.send(invite.text)
    received = w.bob.receive("INVITE")
    w.bob.reply(received, 180)
    w.alice.receive(180)
    w.alice.send(invite.text)
    w.alice.receive(180)
    w.bob.reply(received, 486)
    busy = w.alice.receive(486)
    w.bob.reply(received, 486)
    w.bob.receive("ACK")
    w.bob.receive("ACK")
    w.alice.send(invite.text)
    w.alice.receive(486)
    w.alice.ack_failure(invite, busy)


@case(relaying("KSR.rr.record_route()"), count_all=True)
def retransmitted_2xx(w):
    """a 200 that comes again passes again, and so does its ACK"""
    w.alice.invite()
    invite = w.bob.answer("INVITE", 200)
    ok = w.alice.receive(200)
    w.alice.within("ACK", ok, cseq=1)
    w.bob.receive("ACK")
    w.bob.reply(invite, 200)
    w.alice.receive(200)
    w.alice.within("ACK", ok, cseq=1)
    w.bob.receive("ACK")


@case(relaying(), count_all=True)
def retransmitted_request(w):
    """a retransmitted MESSAGE is absorbed before the answer, answered from memory after it"""
    message = w.alice.request("MESSAGE", body="hello")
    w.alice.send(message.text)
    w.bob.answer("MESSAGE", 200)
    w.alice.receive(200)
    w.alice.send(message.text)
    w.alice.receive(200)


@case(relaying(), silent=True)
def stray_ack(w):
    """an ACK of no transaction goes nowhere"""
    w.alice.request("ACK", to_tag="bob-tag", uri="sip:bob@{proxy}")


@case(relaying())
def stray_response(w):
    """a response of no transaction goes where its second Via says"""
    request = w.alice.request("OPTIONS")
    w.bob.answer("OPTIONS", 200)
    w.alice.receive(200)
    w.bob.reply(request, 200, via=["SIP/2.0/UDP {proxy};branch=z9hG4bK-unknown", "SIP/2.0/UDP {carol};branch=z9hG4bK-other"])
    w.carol.receive(200)


@case(relaying())
def response_with_many_vias(w):
    """Vias of hops before this one stay in the response, in one line or several"""
    w.alice.invite(via=["SIP/2.0/UDP {alice};branch=z9hG4bK-1",
        "SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK-2, SIP/2.0/TCP 192.0.2.8;branch=z9hG4bK-3"])
    w.bob.answer("INVITE", 404)
    w.alice.receive(404)


@case(relaying("KSR.rr.record_route()"))
def two_2xx(w):
    """both 200 of a callee that forks further on pass, with their tags"""
    w.alice.invite()
    invite = w.bob.receive("INVITE")
    w.bob.reply(invite, 200, tag="bob-tag-one")
    w.alice.receive(200)
    w.bob.reply(invite, 200, tag="bob-tag-two")
    w.alice.receive(200)


@case(relaying())
def large_body(w):
    """a body of 4000 bytes stays as it is"""
    w.alice.request("MESSAGE", body="0123456789" * 400)
    w.bob.answer("MESSAGE", 200)
    w.alice.receive(200)
