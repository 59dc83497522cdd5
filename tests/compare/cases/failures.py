"""Failures of branches: routes for a single one, and which replies the caller can get."""
from cases import case, relaying

FORKED = 'KSR.seturi("sip:bob@{bob}") KSR.corex.append_branch_uri("sip:carol@{carol}") KSR.tm.t_on_branch_failure("one")'


@case(relaying(FORKED, """
function one()
  if KSR.tm.t_check_status("503") < 0 then return 1 end
  KSR.hdr.append("P-Status: " .. KSR.tm.t_get_status_code() .. "\\r\\n")
  KSR.seturi("sip:dave@{dave}")
  KSR.tm.t_relay()
end
"""))
def branch_replaced(w):
    """a branch fails while the other rings: a third takes its place and answers"""
    w.alice.invite()
    carol = w.carol.answer("INVITE", 180)
    w.alice.receive(180)
    w.bob.answer("INVITE", 503)
    w.dave.answer("INVITE", 200)
    w.alice.receive(200)
    w.carol.answer("CANCEL", 200)
    w.carol.reply(carol, 487)
    w.carol.receive("ACK")


@case(relaying(FORKED, """
function one()
  KSR.info("failed\\n")
end
"""))
def branch_failures_seen(w):
    """both fail, the route does nothing: the best goes to the caller"""
    invite = w.alice.invite()
    w.bob.answer("INVITE", 503)
    w.carol.answer("INVITE", 404)
    w.alice.ack_failure(invite, w.alice.receive(404))


@case(relaying(FORKED, """
function one()
  if KSR.tm.t_check_status("430") < 0 then return 1 end
  KSR.tmx.t_reuse_branch()
  KSR.tm.t_relay()
end
"""))
def branch_tried_again(w):
    """t_reuse_branch: the same target once more"""
    w.alice.invite()
    w.carol.answer("INVITE", 180)
    w.alice.receive(180)
    w.bob.answer("INVITE", 430, "Flow Failed")
    w.bob.answer("INVITE", 200)
    w.alice.receive(200)


# Kamailio calls the callback of the branch whose reply wins, also when that is one of an earlier attempt: a script has to expect that.
def serial(drop):
    return relaying('KSR.tm.t_on_failure("first")', """
function first()
  if KSR.pv.get("$avp(tried)") then return 1 end
  KSR.pv.seti("$avp(tried)", 1)
  DROP
  KSR.seturi("sip:carol@{carol}")
  KSR.tm.t_relay()
end
""".replace("DROP", drop))


def fail_twice(w, status):
    invite = w.alice.invite()
    w.bob.answer("INVITE", 404)
    w.carol.answer("INVITE", 500)
    w.carol.receive("ACK")
    w.alice.ack_failure(invite, w.alice.receive(status))


@case(serial('KSR.tm.t_drop_replies("n")'))
def replies_kept(w):
    """two attempts fail with 404 and 500, and t_drop_replies keeps both"""
    fail_twice(w, 404)


@case(serial('KSR.tm.t_drop_replies("l")'))
def replies_of_the_last_dropped(w):
    """the same, and those of the attempt before are dropped"""
    fail_twice(w, 500)


@case(serial('KSR.tm.t_drop_replies_all()'))
def replies_dropped(w):
    """the same, and all before are dropped"""
    fail_twice(w, 500)


@case(serial(""))
def replies_as_configured(w):
    """the same without t_drop_replies"""
    fail_twice(w, 500)


@case(relaying('KSR.tm.t_on_failure("failed")', 'function failed() KSR.tm.t_drop_replies_all() end'))
def replies_dropped_without_another(w):
    """t_drop_replies in a failure route that relays nothing: 500"""
    invite = w.alice.invite()
    w.bob.answer("INVITE", 404)
    w.alice.ack_failure(invite, w.alice.receive(500))


@case(relaying('KSR.tm.t_on_reply("replied") KSR.tm.t_on_failure("failed")', """
function replied()
  KSR.hdr.append("P-Request: " .. KSR.pv.gete("$T_req($rm)") .. " " .. KSR.pv.gete("$T_req($tU)") .. " " .. KSR.pv.gete("$T_req($hdr(Subject))") .. "\\r\\n")
end
function failed()
  KSR.hdr.append_to_reply("P-Reply: " .. KSR.pv.gete("$T_rpl($rs)") .. " " .. KSR.pv.gete("$T_rpl($rr)") .. " " .. KSR.pv.gete("$T_rpl($hdr(P-Why))") .. "\\r\\n")
  KSR.tm.t_reply(480, "Nobody")
end
"""))
def other_messages(w):
    """$T_req in a reply route, $T_rpl in a failure route"""
    invite = w.alice.invite(headers=["Subject: call"])
    received = w.bob.answer("INVITE", 180)
    w.alice.receive(180)
    w.bob.reply(received, 486, headers=["P-Why: busy"])
    w.alice.ack_failure(invite, w.alice.receive(480))
