"""CANCEL in all its moments."""
from cases import case, relaying


@case(relaying())
def ringing(w):
    """CANCEL while it rings: 200, CANCEL onwards, 487, ACK"""
    invite = w.alice.invite()
    received = w.bob.answer("INVITE", 180)
    w.alice.receive(180)
    w.alice.cancel(invite)
    w.alice.receive("200 CANCEL")
    w.bob.answer("CANCEL", 200)
    w.bob.reply(received, 487)
    w.bob.receive("ACK")
    w.alice.ack_failure(invite, w.alice.receive(487))


@case(relaying())
def before_provisional(w):
    """CANCEL before any response: it goes on when one comes"""
    invite = w.alice.invite()
    received = w.bob.receive("INVITE")
    w.alice.receive(100)
    w.alice.cancel(invite)
    w.alice.receive("200 CANCEL")
    w.settle()
    w.bob.reply(received, 180)
    w.bob.answer("CANCEL", 200)
    w.bob.reply(received, 487)
    w.bob.receive("ACK")
    w.settle()


@case(relaying())
def after_failure(w):
    """a late CANCEL, after the final failure: 200, nothing onwards"""
    invite = w.alice.invite()
    w.bob.answer("INVITE", 486)
    w.alice.receive(486)
    w.alice.cancel(invite)
    w.settle()


@case(relaying())
def after_success(w):
    """a late CANCEL, after 200"""
    invite = w.alice.invite()
    w.bob.answer("INVITE", 200)
    w.alice.receive(200)
    w.alice.cancel(invite)
    w.settle()


@case(relaying())
def crossing(w):
    """CANCEL and 200 cross: the 200 passes"""
    invite = w.alice.invite()
    received = w.bob.answer("INVITE", 180)
    w.alice.receive(180)
    w.alice.cancel(invite)
    w.alice.receive("200 CANCEL")
    w.bob.receive("CANCEL")
    w.bob.reply(received, 200)
    w.alice.receive(200)


@case(relaying(), count_all=True)
def retransmitted(w):
    """a CANCEL that comes twice goes on once"""
    invite = w.alice.invite()
    w.bob.answer("INVITE", 180)
    w.alice.receive(180)
    w.alice.cancel(invite)
    w.alice.receive("200 CANCEL")
    w.alice.cancel(invite)
    w.alice.receive("200 CANCEL")
    w.bob.receive("CANCEL")


@case(relaying())
def with_reason(w):
    """the Reason of a CANCEL goes on with it"""
    invite = w.alice.invite()
    w.bob.answer("INVITE", 180)
    w.alice.receive(180)
    w.alice.cancel(invite, headers=["Reason: SIP;cause=200;text=\"Call completed elsewhere\""])
    w.bob.receive("CANCEL")


@case(relaying('KSR.tm.t_on_failure("failed")', """
function failed()
  if KSR.tm.t_is_canceled() > 0 then return 1 end
  KSR.seturi("sip:carol@{carol}")
  KSR.tm.t_relay()
end
"""))
def no_next_attempt(w):
    """t_is_canceled in the failure route: nobody else is called"""
    invite = w.alice.invite()
    received = w.bob.answer("INVITE", 180)
    w.alice.receive(180)
    w.alice.cancel(invite)
    w.bob.answer("CANCEL", 200)
    w.bob.reply(received, 487)
    w.alice.ack_failure(invite, w.alice.receive(487))


@case("""
function ksr_request_route()
  if KSR.is_CANCEL() then
    if KSR.tm.t_check_trans() > 0 then KSR.tm.t_relay() else KSR.sl.sl_send_reply(481, "No such call") end
    return 1
  end
end
""")
def unknown(w):
    """CANCEL of no INVITE, answered by the script"""
    w.alice.request("CANCEL")
    w.alice.receive(481)


@case(relaying())
def unknown_relayed(w):
    """CANCEL of no INVITE, relayed by the script"""
    w.alice.request("CANCEL")
    w.settle()
