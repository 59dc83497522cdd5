"""Several branches, together or one after the other."""
from cases import case, relaying

PARALLEL = relaying('KSR.corex.append_branch_uri("sip:carol@{carol}")')
THREE = relaying('KSR.corex.append_branch_uri("sip:carol@{carol}") KSR.corex.append_branch_uri("sip:dave@{dave}")')


@case(PARALLEL)
def one_answers(w):
    """both ring, one answers: the other is cancelled"""
    w.alice.invite()
    bob, carol = w.bob.answer("INVITE", 180), w.carol.answer("INVITE", 180)
    w.carol.reply(carol, 200)
    w.alice.receive(200)
    w.bob.answer("CANCEL", 200)
    w.bob.reply(bob, 487)
    w.bob.receive("ACK")


@case(PARALLEL)
def cancelled_before_provisional(w):
    """the other branch has given no response: its CANCEL waits for one"""
    w.alice.invite()
    bob = w.bob.receive("INVITE")
    w.carol.answer("INVITE", 200)
    w.alice.receive(200)
    w.settle()
    w.bob.reply(bob, 180)
    w.bob.answer("CANCEL", 200)
    w.bob.reply(bob, 487)
    w.bob.receive("ACK")


for first, second in ((404, 486), (486, 404), (503, 486), (302, 404), (408, 480), (500, 503), (603, 404), (404, 600), (401, 486), (407,
    404), (415, 486), (484, 404),
                      (420, 480), (400, 503), (301, 302)):

    def play(w, first=first, second=second):
        invite = w.alice.invite()
        bob, carol = w.bob.answer("INVITE", 180), w.carol.answer("INVITE", 180)
        w.bob.reply(bob, first, f"Answer {first}", ["WWW-Authenticate: Digest realm=\"b\", nonce=\"1\"", "Contact: <sip:b@{bob}>"])
        w.bob.receive("ACK")
        if first >= 600:
            w.carol.answer("CANCEL", 200)
            w.carol.reply(carol, 487)
        else:
            w.carol.reply(carol, second, f"Answer {second}", ["WWW-Authenticate: Digest realm=\"c\", nonce=\"2\"",
                "Contact: <sip:c@{carol}>"])
        w.carol.receive("ACK")
        best = next(w.alice.receive(status) for status in [message.status for message in wait_final(w)])
        w.alice.ack_failure(invite, best)

    def wait_final(w):
        while not any(message.status >= 300 for message in w.alice.inbox):
            w.settle()
        return [message for message in w.alice.inbox if message.status >= 300]

    play.__name__, play.__doc__ = f"best_of_{first}_and_{second}", f"two branches fail, with {first} and {second}: one of them goes to the caller"
    case(PARALLEL)(play)


@case(THREE)
def all_cancelled(w):
    """CANCEL goes to three branches that ring"""
    invite = w.alice.invite()
    rings = [(peer, peer.answer("INVITE", 180)) for peer in (w.bob, w.carol, w.dave)]
    for _ in rings:
        w.alice.receive(180)
    w.alice.cancel(invite)
    w.alice.receive("200 CANCEL")
    for peer, received in rings:
        peer.answer("CANCEL", 200)
        peer.reply(received, 487)
        peer.receive("ACK")
    w.alice.ack_failure(invite, w.alice.receive(487))


@case(THREE)
def two_answer(w):
    """a second 200 of another branch passes, too"""
    w.alice.invite()
    received = [(peer, peer.answer("INVITE", 180)) for peer in (w.bob, w.carol, w.dave)]
    for peer, invite in received[:2]:
        peer.reply(invite, 200)
        w.alice.receive(200)
    w.dave.answer("CANCEL", 200)
    w.dave.reply(received[2][1], 487)
    w.dave.receive("ACK")


@case(relaying('KSR.tm.t_on_failure("next")', """
function next()
  if KSR.tm.t_check_status("486|404") > 0 then
    KSR.seturi("sip:carol@{carol}")
    KSR.tm.t_relay()
  end
end
"""))
def serial(w):
    """the failure route sends a second branch, whose 200 ends the call"""
    w.alice.invite()
    w.bob.answer("INVITE", 486)
    w.carol.answer("INVITE", 180)
    w.alice.receive(180)
    w.carol.reply(w.carol.inbox[0], 200)
    w.alice.receive(200)


@case(relaying('KSR.tm.t_on_failure("next")', """
function next()
  if KSR.tm.t_check_status("486|404") > 0 then
    KSR.seturi("sip:carol@{carol}")
    KSR.tm.t_relay()
  end
end
"""))
def serial_fails_twice(w):
    """both fail, the failure route is not armed any more: the best goes to the caller"""
    invite = w.alice.invite()
    w.bob.answer("INVITE", 404)
    w.carol.answer("INVITE", 486)
    w.carol.receive("ACK")
    w.settle()
    best = next(message for message in w.alice.inbox if message.status >= 300)
    w.alice.ack_failure(invite, best)


@case(relaying('KSR.tm.t_on_failure("first")', """
function first()
  KSR.tm.t_on_failure("second")
  KSR.seturi("sip:carol@{carol}")
  KSR.hdr.append("P-Attempt: 2\\r\\n")
  KSR.tm.t_relay()
end
function second()
  KSR.seturi("sip:dave@{dave}")
  KSR.hdr.append("P-Attempt: 3\\r\\n")
  KSR.tm.t_relay()
end
"""))
def serial_three(w):
    """three attempts by failure routes that arm the next, with headers added in each"""
    w.alice.invite()
    w.bob.answer("INVITE", 500)
    w.carol.answer("INVITE", 503)
    w.dave.answer("INVITE", 200)
    w.alice.receive(200)


@case(relaying('KSR.tm.t_on_failure("other")', """
function other()
  if KSR.tm.t_is_canceled() > 0 then return 1 end
  KSR.tm.t_reply(480, "Nobody here")
end
"""))
def failure_route_answers(w):
    """t_reply in a failure route answers with another code"""
    invite = w.alice.invite()
    w.bob.answer("INVITE", 404)
    w.alice.ack_failure(invite, w.alice.receive(480))


@case(relaying('KSR.tm.t_on_failure("other")', """
function other()
  KSR.hdr.append_to_reply("P-Failed: yes\\r\\n")
  KSR.tm.t_reply(503, "Later")
end
"""))
def failure_route_answers_with_header(w):
    """append_to_reply in a failure route"""
    w.alice.invite()
    w.bob.answer("INVITE", 404)
    w.alice.receive(503)


@case(relaying('KSR.tm.t_on_failure("both")', """
function both()
  KSR.seturi("sip:carol@{carol}")
  KSR.corex.append_branch_uri("sip:dave@{dave}")
  KSR.tm.t_relay()
end
"""))
def serial_then_parallel(w):
    """the failure route forks to two"""
    w.alice.invite()
    w.bob.answer("INVITE", 480)
    carol, _ = w.carol.answer("INVITE", 180), w.dave.answer("INVITE", 486)
    w.carol.reply(carol, 200)
    w.alice.receive(200)


@case(relaying('KSR.tm.t_on_failure("next")', """
function next()
  if KSR.tm.t_branch_timeout() > 0 and KSR.tm.t_branch_replied() < 0 then
    KSR.seturi("sip:carol@{carol}")
    KSR.hdr.append("P-Why: timeout\\r\\n")
    KSR.tm.t_relay()
  end
end
"""), fr_timer="short")
def serial_by_timeout(w):
    """the first callee does not answer at all: the second gets the call"""
    w.alice.invite()
    w.bob.receive("INVITE")
    w.carol.answer("INVITE", 200)
    w.alice.receive(200)


@case(relaying(), fr_timer="short")
def timeout(w):
    """nobody answers: 408"""
    invite = w.alice.invite()
    w.bob.receive("INVITE")
    w.alice.ack_failure(invite, w.alice.receive(408))


@case(PARALLEL, fr_timer="short")
def timeout_and_busy(w):
    """one branch is busy, the other silent"""
    w.alice.invite()
    w.bob.answer("INVITE", 486)
    w.carol.receive("INVITE")
    while not any(message.status >= 300 for message in w.alice.inbox):
        w.settle()


@case(relaying('if KSR.is_INVITE() then KSR.tm.t_on_failure("failed") end', """
function failed() KSR.tm.t_reply(480, "Silence") end
"""), fr_timer="short")
def non_invite_timeout(w):
    """nobody answers a MESSAGE"""
    w.alice.request("MESSAGE", body="hello")
    w.bob.receive("MESSAGE")
    # An INVITE that times out after it shows that time has passed.
    w.alice.invite("sip:carol@{carol}", call="after")
    w.alice.receive(480)


@case(relaying('KSR.corex.append_branch_uri("sip:carol@{carol}") KSR.setbflag(1) KSR.tm.t_on_branch("each")', """
function each()
  KSR.hdr.append("P-Branch: " .. KSR.pv.gete("$T_branch_idx") .. " " .. KSR.pv.gete("$ru") .. "\\r\\n")
  if KSR.pv.get("$T_branch_idx") == 1 then
    KSR.setuser("caroline")
    KSR.hdr.remove("Subject")
  end
end
"""))
def branch_route(w):
    """a branch route changes each branch by itself"""
    w.alice.invite(headers=["Subject: tea"])
    w.bob.answer("INVITE", 486)
    w.carol.answer("INVITE", 200)
    w.alice.receive(200)


@case(relaying('KSR.corex.append_branch_uri("sip:carol@{carol}") KSR.tm.t_on_branch("each")', """
function each()
  if KSR.pv.get("$rU") == "bob" then KSR.x.drop() end
end
"""))
def branch_dropped(w):
    """drop in a branch route: that branch is not sent"""
    w.alice.invite()
    w.carol.answer("INVITE", 200)
    w.alice.receive(200)


@case(relaying('KSR.corex.append_branch_uri("sip:carol@{carol}") KSR.tm.t_on_branch("each")', """
function each()
  KSR.x.drop()
end
"""))
def all_branches_dropped(w):
    """drop in the branch route of every branch"""
    w.alice.invite()
    w.settle()


@case(relaying('KSR.corex.append_branch_uri("sip:carol@{carol}")'))
def message_forked(w):
    """MESSAGE to two: the first 200 ends it"""
    w.alice.request("MESSAGE", body="hello")
    w.bob.receive("MESSAGE")
    w.carol.answer("MESSAGE", 200)
    w.alice.receive(200)


@case(relaying('KSR.setdsturi("sip:{carol}")\nKSR.corex.append_branch()\nKSR.setdsturi("sip:{bob}")'))
def append_branch_of_now(w):
    """append_branch copies URI and destination as they are"""
    w.alice.invite("sip:someone@example.org")
    w.bob.answer("INVITE", 404)
    w.carol.answer("INVITE", 200)
    w.alice.receive(200)
