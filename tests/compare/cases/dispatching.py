"""KSR.dispatcher with algorithms that always choose the same."""
from cases import case, relaying

NEXT = """
function next()
  if KSR.tm.t_check_status("408|5[0-9][0-9]") > 0 and KSR.dispatcher.ds_next_dst() > 0 then
    KSR.tm.t_on_failure("next")
    KSR.tm.t_relay()
  end
end
"""


def call(w, *, status, uri="sip:bob@example.org", ending=None, **options):
    """One INVITE; whoever gets it answers. Who that was."""
    answered = []
    w.alice.invite(uri, call=ending, **options)
    for _ in range(4):
        w.settle()
        waiting = [(peer, message) for peer in w.peers for message in peer.inbox if message.method == "INVITE" and not message.taken]
        for peer, message in waiting:
            message.taken = True
            answered.append(peer.name)
            peer.reply(message, status, tag="callee-tag", contact=False)
        if not waiting:
            return answered


@case(relaying("if KSR.dispatcher.ds_select_dst(1, 4) < 0 then KSR.sl.send_reply(503, 'None') KSR.x.exit() end"), anyone=True)
def round_robin(w):
    """six calls in turn to three destinations; which is first does not matter"""
    order = [call(w, status=200, ending=str(number)) for number in range(6)]
    assert order[:3] == order[3:] and len({name for [name] in order}) == 3, order


@case(relaying("KSR.dispatcher.ds_select_dst(2, 8) KSR.tm.t_on_failure('next')", NEXT))
def priority_with_failover(w):
    """first by priority, then the others as they fail with 503, until none is left"""
    call(w, status=503)


@case(relaying("KSR.dispatcher.ds_select_dst(2, 8) KSR.tm.t_on_failure('next')", NEXT))
def priority_busy(w):
    """486 is no failure of the destination"""
    call(w, status=486)


for algorithm, text in ((0, "Call-ID"), (1, "From URI"), (2, "To URI"), (3, "Request-URI")):

    def play(w, algorithm=algorithm):
        chosen = {}
        for number in range(16):
            user = number % 8
            [name] = call(w, status=404, ending=str(user), uri=f"sip:user{user}@example.org", from_uri=f"<sip:caller{user}@example.com>",
                to=f"<sip:called{user}@example.com>")
            assert chosen.setdefault(user, name) == name, f"{user}: {chosen[user]}, then {name}"
        assert len(set(chosen.values())) > 1, chosen

    play.__name__, play.__doc__ = f"hash_{algorithm}", f"calls by the hash of the {text}: each key keeps its destination; which one that is does not matter"
    case(relaying(f"KSR.dispatcher.ds_select_dst(3, {algorithm})"), anyone=True)(play)


@case(relaying("KSR.dispatcher.ds_select_domain(4, 4)"))
def domain(w):
    """ds_select_domain puts the destination into the Request-URI"""
    call(w, status=200)


@case(relaying("""
  local d = KSR.dispatcher
  KSR.hdr.append("P-Result: " .. d.ds_select_dst(99, 4) .. " " .. d.ds_list_exists(1) .. " " .. d.ds_list_exists(99) .. "\\r\\n")
  KSR.hdr.append("P-Dst: " .. d.ds_select_dst(2, 8) .. " " .. KSR.pv.gete("$du") .. "\\r\\n")
  KSR.hdr.append("P-Next: " .. d.ds_next_dst() .. " " .. KSR.pv.gete("$du") .. "\\r\\n")
  KSR.hdr.append("P-Next: " .. d.ds_next_dst() .. " " .. KSR.pv.gete("$du") .. "\\r\\n")
  KSR.hdr.append("P-Next: " .. d.ds_next_dst() .. " " .. KSR.pv.gete("$du") .. "\\r\\n")
"""))
def results(w):
    """return values, and the destination after each"""
    call(w, status=200)


@case(relaying("""
  KSR.hdr.append("P-From: " .. KSR.dispatcher.ds_is_from_list(5) .. KSR.dispatcher.ds_is_from_list(4) .. KSR.dispatcher.ds_is_from_lists() .. "\\r\\n")
  KSR.setdsturi("sip:{dave}")
"""))
def from_list(w):
    """ds_is_from_list for a caller, and for a destination that calls"""
    w.alice.request("MESSAGE", call="a", body="x")
    w.dave.answer("MESSAGE", 200)
    w.bob.request("MESSAGE", call="b", body="x")
    w.dave.answer("MESSAGE", 200)


@case(relaying("KSR.dispatcher.ds_select_dst(6, 8) KSR.tm.t_on_failure('next')", """
function next()
  if KSR.tm.t_branch_timeout() > 0 then
    KSR.dispatcher.ds_mark_dst_state("i")
    if KSR.dispatcher.ds_next_dst() > 0 then KSR.tm.t_relay() end
  end
end
"""), fr_timer="short")
def silent_destination(w):
    """a destination that does not answer is marked, the next gets the call, the one after it comes first to the second"""
    w.alice.invite("sip:a@example.org", call="one")
    w.bob.receive("INVITE")
    w.carol.answer("INVITE", 200)
    w.alice.receive(200)
    w.alice.invite("sip:b@example.org", call="two")
    w.carol.answer("INVITE", 200)
    w.alice.receive(200)
