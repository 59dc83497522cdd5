"""Kamailio's own example script, as its package has it. Neither side has auth, registrar and a media proxy."""
import pathlib

from cases import case

SCRIPT = pathlib.Path("/usr/share/doc/kamailio/examples/kemi/kamailio-basic-kemi-lua.lua").read_text()


@case(SCRIPT)
def whole_call(w):
    """a call to a foreign domain with re-INVITE, and BYE from the callee"""
    w.alice.invite(headers=["User-Agent: Phone"], contact="<sip:alice@10.0.0.1:5070>")
    invite = w.bob.answer("INVITE", 180)
    w.alice.receive(180)
    w.bob.reply(invite, 200)
    ok = w.alice.receive(200)
    w.alice.within("ACK", ok, cseq=1)
    w.bob.receive("ACK")
    w.alice.within("INVITE", ok, cseq=2)
    w.bob.answer("INVITE", 200)
    w.alice.receive(200)
    w.alice.within("ACK", ok, cseq=2)
    w.bob.receive("ACK")


@case(SCRIPT)
def called_back(w):
    """a request within the dialog reaches the caller, whose Contact is private, by its alias"""
    w.alice.invite(contact="<sip:alice@10.0.0.1:5070>")
    invite = w.bob.answer("INVITE", 200)
    ok = w.alice.receive(200)
    w.alice.within("ACK", ok, cseq=1)
    w.bob.receive("ACK")
    w.bob.within_as_callee("BYE", invite, tag="bob-tag", cseq=1)
    w.alice.answer("BYE", 200)
    w.bob.receive("200 BYE")


@case(SCRIPT)
def cancelled(w):
    """CANCEL while it rings"""
    invite = w.alice.invite()
    received = w.bob.answer("INVITE", 180)
    w.alice.receive(180)
    w.alice.cancel(invite)
    w.alice.receive("200 CANCEL")
    w.bob.answer("CANCEL", 200)
    w.bob.reply(received, 487)
    w.alice.ack_failure(invite, w.alice.receive(487))


@case(SCRIPT, count_all=True)
def retransmitted(w):
    """INVITE twice, a failure, its ACK"""
    invite = w.alice.invite()
    w.alice.send(invite.text)
    w.bob.answer("INVITE", 486)
    w.alice.ack_failure(invite, w.alice.receive(486))


@case(SCRIPT)
def keepalive(w):
    """OPTIONS to the server"""
    w.alice.request("OPTIONS", "sip:{proxy}")
    w.alice.receive(200)


@case(SCRIPT)
def scanner(w):
    """a scanner is told that all is well"""
    w.alice.request("REGISTER", "sip:{proxy}", ["User-Agent: friendly-scanner"])
    w.alice.receive(200)


@case(SCRIPT)
def too_many_hops(w):
    """Max-Forwards 0"""
    w.alice.request("MESSAGE", max_forwards="0", body="x")
    w.alice.receive(483)


@case(SCRIPT)
def not_here(w):
    """a request within a dialog without Route"""
    w.alice.request("BYE", "sip:bob@{proxy}", to_tag="bob-tag")
    w.alice.receive(404)


@case(SCRIPT)
def no_user(w):
    """484 without a user"""
    w.alice.request("MESSAGE", "sip:{proxy}", body="x")
    w.alice.receive(484)


@case(SCRIPT)
def malformed(w):
    """sanity_check finds a fault"""
    w.alice.request("MESSAGE", headers=["Expires: soon"], body="x")
    w.alice.receive(400)
