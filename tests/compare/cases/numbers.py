"""Dialplan, prefixes and least-cost routing; tables.py has what both know."""
from cases import case, relaying
from cases.text import returns


def ask(name, text, *expressions):
    def play(w):
        w.alice.request("MESSAGE", "sip:004930@{bob}", body="x")
        w.bob.answer("MESSAGE", 200)
        w.alice.receive(200)

    play.__name__, play.__doc__ = name, text
    case(relaying(returns(*expressions)))(play)


ask("dialplan", "rules by expression, text and wildcard, with what they make of it",
    *[f'KSR.dialplan.dp_replace({plan}, "{number}", "$var(x)") .. " " .. KSR.pv.gete("$var(x)") .. " " .. KSR.pv.gete("$avp(attrs)")'
      for plan, number in [(1, "0049301"), (1, "110"), (1, "0123"), (2, "ab")]],
    *[f'KSR.dialplan.dp_match({plan}, "{number}")' for plan, number in [(1, "0049301"), (1, "01234"), (1, "xa"), (3, "1")]])
ask("dialplan_of_variables", "dp_translate_vars", 'KSR.dialplan.dp_translate_vars(1, "$rU", "$avp(x)")', 'KSR.pv.gete("$avp(x)")')
ask("prefixes", "the longest prefix, and all of them",
    'KSR.mtree.mt_match("places", "493012", 0)', 'KSR.pv.gete("$avp(tvalue)")', 'KSR.mtree.mt_match("places", "49", 0)', 'KSR.pv.gete("$avp(tvalue)")',
    'KSR.mtree.mt_match("places", "33", 0)', 'KSR.mtree.mt_match("places", "493012", 2)', 'KSR.pv.gete("$avp(tvalues)")', 'KSR.pv.gete("$(avp(tvalues)[1])")')
ask("gateways_by_address", "from_gw and to_gw", 'KSR.lcr.from_gw(1)', 'KSR.lcr.from_gw_addr(1, "192.0.2.1", 0)', 'KSR.lcr.from_gw_addr(1, "{host}", 1)',
    'KSR.lcr.from_any_gw_addr("{host}", 0)', 'KSR.lcr.from_gw_addr_port(1, "{host}", 0, {bob.port})', 'KSR.lcr.from_gw_addr_port(1, "{host}", 0, 9)',
    'KSR.lcr.to_gw(1)', 'KSR.lcr.to_any_gw()', 'KSR.lcr.to_gw_addr(1, "192.0.2.1", 0)')

ROUTE = """
local function show(result)
  KSR.hdr.append("P-Gateway: " .. result .. " " .. KSR.pv.gete("$ru") .. " " .. KSR.pv.gete("$du") .. " " .. KSR.pv.gete("$avp(lcr_tag)") .. " "
    .. KSR.pv.getw("$avp(lcr_flags)") .. "\\r\\n")
end
"""


def walk(name, text, user, load):
    def play(w):
        w.alice.request("MESSAGE", f"sip:{user}@{{bob}}", body="x")
        w.bob.answer("MESSAGE", 200)
        w.alice.receive(200)

    play.__name__, play.__doc__ = name, text
    case(ROUTE + relaying(f"""
  KSR.hdr.append("P-Load: " .. {load} .. "\\r\\n")
  for attempt = 1, 4 do show(KSR.lcr.next_gw()) end
  KSR.seturi("sip:bob@{{bob}}")
  KSR.resetdsturi()"""))(play)


walk("gateways", "the gateways of a prefix one after the other, with strip, prefix, host, tag and flags", "0049301", "KSR.lcr.load_gws(1)")
walk("gateways_of_a_shorter_prefix", "the same of a shorter prefix", "00331", "KSR.lcr.load_gws(1)")
walk("gateways_up_to_a_stopper", "a stopper ends the search", "00301", "KSR.lcr.load_gws(1)")
walk("gateways_for_another_user", "load_gws_ruser", "bob", 'KSR.lcr.load_gws_ruser(1, "0049")')
walk("gateways_for_a_caller", "load_gws_furi: the rule is for that caller", "77", 'KSR.lcr.load_gws_furi(1, "77", "sip:premium@example.com")')
walk("gateways_for_another_caller", "load_gws_furi: the rule is for another caller", "77", 'KSR.lcr.load_gws_furi(1, "77", "sip:bob@example.com")')
walk("no_gateways", "no rule matches", "5", "KSR.lcr.load_gws(1)")


@case("""
function ksr_request_route()
  if KSR.is_ACK() then KSR.tm.t_relay() return end
  KSR.maxfwd.process_maxfwd(10)
  KSR.lcr.load_gws(1)
  KSR.lcr.next_gw()
  KSR.tm.t_on_failure("next_one")
  KSR.tm.t_relay()
end
function next_one()
  if KSR.lcr.next_gw() > 0 then
    KSR.tm.t_on_failure("next_one")
    KSR.tm.t_relay()
  end
end
""")
def failover(w):
    """a call goes from gateway to gateway as they fail"""
    w.alice.invite("sip:0033@{proxy}")
    w.bob.answer("INVITE", 503)
    w.carol.answer("INVITE", 500)
    w.alice.receive(500)


@case(ROUTE + relaying("""
  KSR.lcr.load_gws(1)
  show(KSR.lcr.next_gw())
  KSR.hdr.append("P-Defunct: " .. KSR.lcr.defunct_gw(1) .. "\\r\\n")
  KSR.hdr.append("P-Load: " .. KSR.lcr.load_gws(1) .. "\\r\\n")
  show(KSR.lcr.next_gw())
  KSR.seturi("sip:bob@{bob}")
  KSR.resetdsturi()"""))
def defunct(w):
    """a defunct gateway is left out"""
    w.alice.request("MESSAGE", "sip:0033@{bob}", body="x")
    w.bob.answer("MESSAGE", 200)
    w.alice.receive(200)
