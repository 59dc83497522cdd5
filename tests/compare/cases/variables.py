"""Pseudo-variables, written into headers, in every kind of callback."""
from cases import case, relaying

HEADERS = ["P-Asserted-Identity: <sip:asserted@example.net>", "Subject: one", "Subject: two", "User-Agent: Test 1.0",
    "Contact: <sip:alice@{alice};x=y>;expires=60",
           "Expires: 300", "Diversion: <sip:diverted@example.net>;reason=busy", "Allow: INVITE, ACK"]


def show(names):
    """Lua that writes each variable into a header of the message."""
    lines = [f'  KSR.hdr.append("P-Value-{number}: {name[1:]} [" .. KSR.pv.getw("{name}") .. "]\\r\\n")' for number,
        name in enumerate(names)]
    return "\n".join(lines)


GROUPS = {
    "request_uri": ["$ru", "$rU", "$rd", "$rp", "$rP", "$rz", "$ou", "$oU", "$od", "$op"],
    "destination": ["$du", "$dd", "$dp", "$dP"],
    "from_and_to": ["$fu", "$fU", "$fd", "$fn", "$ft", "$tu", "$tU", "$td", "$tn", "$tt"],
    "message": ["$ci", "$cs", "$rm", "$rs", "$rr", "$rv", "$mt", "$ml", "$rb", "$bs", "$ua", "$ct", "$cT", "$mf", "$bf"],
    "source": ["$si", "$sp", "$Ri", "$Rp", "$pr", "$proto"],
    "headers": ["$hdr(Subject)", "$(hdr(Subject)[1])", "$(hdr(Subject)[-1])", "$(hdr(Subject)[-2])", "$(hdr(Subject)[7])", "$hdr(s)",
    "$hdr(None)", "$hdrc(Subject)", "$hdrc(None)",
                "$hdr(From)", "$hdr(CSeq)", "$hdr(Via)", "$hdr(Contact)", "$hdr(Allow)"],
    "nothing_set": ["$avp(x)", "$var(y)", "$xavp(a=>b)", "$null", "$T_branch_idx", "$T_reply_code", "$du"],
}

URIS = {
    "plain": ("sip:bob@{bob}", "", ""),
    "parameters": ("sip:bob:secret@{bob};transport=udp;x=y", '"Alice A." <sip:alice:pw@example.com:5070;a=b>;tag=alice-tag;p=q',
    "Bob B. <sip:bob@[2001:db8::1]:5080;transport=tcp>"),
    "no_user": ("sip:{bob}", "sip:example.com;tag=alice-tag", "<sip:[::1]>"),
    "sips_and_tel": ("sip:b%20b@{bob}", "<tel:+49301234;phone-context=x>;tag=alice-tag", "<sips:bob@example.com>"),
}

for group, names in GROUPS.items():
    for form, (uri, from_uri, to) in URIS.items():
        if form != "plain" and group not in ("request_uri", "from_and_to"):
            continue

        def play(w, uri=uri, from_uri=from_uri, to=to):
            w.alice.request("MESSAGE", uri, HEADERS, "hello world", from_uri=from_uri or None, from_tag="" if from_uri else "alice-tag",
                to=to or None)
            w.bob.answer("MESSAGE", 200)
            w.alice.receive(200)

        play.__name__ = group if form == "plain" else f"{group}_{form}"
        play.__doc__ = f"`{' '.join(names)}`" + ("" if form == "plain" else f", URIs: {form.replace('_', ' ')}")
        case(relaying(show(names)))(play)


@case(relaying('KSR.seturi("sip:carol@{carol}") KSR.setdsturi("sip:{bob};transport=udp")\n' + show(GROUPS["request_uri"] + GROUPS["destination"])))
def changed_uri(w):
    """Request-URI and destination after the script has changed them"""
    w.alice.request("MESSAGE", "sip:someone@example.org", body="x")
    w.bob.answer("MESSAGE", 200)
    w.alice.receive(200)


REPLY = ["$rs", "$rr", "$rm", "$ru", "$fu", "$tU", "$tt", "$ft", "$cs", "$ci", "$si", "$sp", "$Ri", "$Rp", "$mt", "$ua", "$ct",
    "$T_reply_code", "$T_branch_idx", "$hdr(Allow)", "$bs"]


@case(relaying('KSR.tm.t_on_reply("reply")', f"""
function reply()
{show(REPLY)}
end
"""))
def in_reply_route(w):
    """variables in a reply route of the transaction"""
    w.alice.invite()
    invite = w.bob.answer("INVITE", 180, headers=["Allow: BYE", "User-Agent: Phone"])
    w.alice.receive(180)
    w.bob.reply(invite, 200, headers=["Allow: BYE", "User-Agent: Phone"])
    w.alice.receive(200)


@case(relaying(rest=f"""
function ksr_reply_route()
{show([name for name in REPLY if not name.startswith("$T_")])}
end
"""))
def in_core_reply_route(w):
    """variables in ksr_reply_route"""
    w.alice.request("MESSAGE", body="x")
    w.bob.answer("MESSAGE", 200, headers=["Allow: BYE", "User-Agent: Phone"])
    w.alice.receive(200)


BRANCH = ["$ru", "$rU", "$du", "$ou", "$T_branch_idx", "$fu", "$rm", "$mf", "$bf", "$si", "$avp(a)", "$rs"]


@case(relaying('KSR.corex.append_branch_uri("sip:carol@{carol};b=2") KSR.setdsturi("sip:{bob}") KSR.setflag(3) KSR.setbflag(2) KSR.pv.sets("$avp(a)", "kept") '
            'KSR.tm.t_on_branch("branch")', f"""
function branch()
{show(BRANCH)}
end
"""))
def in_branch_route(w):
    """variables in a branch route"""
    w.alice.invite()
    w.bob.answer("INVITE", 404)
    w.carol.answer("INVITE", 200)
    w.alice.receive(200)


@case(relaying('KSR.setflag(3) KSR.setbflag(2) KSR.pv.sets("$avp(a)", "kept") KSR.tm.t_on_failure("failure")', f"""
function failure()
  KSR.seturi("sip:carol@{{carol}}")
{show(["$rU", "$du", "$oU", "$T_reply_code", "$T_branch_idx", "$fu", "$rm", "$mf", "$bf", "$si", "$sp", "$avp(a)", "$ci", "$hdr(Contact)"])}
  KSR.tm.t_relay()
end
"""))
def in_failure_route(w):
    """variables in a failure route"""
    w.alice.invite()
    w.bob.answer("INVITE", 404)
    w.carol.answer("INVITE", 200)
    w.alice.receive(200)


AVPS = """
  KSR.pv.sets("$avp(a)", "one") KSR.pv.sets("$avp(a)", "two") KSR.pv.seti("$avp(n)", 42)
  KSR.pv.sets("$xavp(x=>name)", "value") KSR.pv.seti("$xavp(x=>number)", 7)
  KSR.pv.sets("$var(v)", "text") KSR.pv.seti("$var(w)", 9)
"""
AVP_NAMES = ["$avp(a)", "$(avp(a)[0])", "$(avp(a)[1])", "$(avp(a)[2])", "$avp(n)", "$xavp(x=>name)", "$xavp(x=>number)", "$xavp(x=>none)",
    "$xavp(x[0]=>name)", "$var(v)", "$var(w)"]


@case(relaying(AVPS + show(AVP_NAMES)))
def avps(w):
    """AVPs, XAVPs and script variables in one callback"""
    w.alice.request("MESSAGE", body="x")
    w.bob.answer("MESSAGE", 200)
    w.alice.receive(200)


@case(relaying(AVPS + 'KSR.tm.t_on_reply("reply") KSR.tm.t_on_failure("failure")', f"""
function reply()
{show(AVP_NAMES[:9])}
  KSR.pv.sets("$avp(b)", "from reply " .. KSR.kx.get_status())
end
function failure()
  KSR.seturi("sip:carol@{{carol}}")
{show(AVP_NAMES[:9] + ["$avp(b)"])}
  KSR.tm.t_relay()
end
"""))
def avps_kept(w):
    """AVPs and XAVPs from the request to the reply and failure routes"""
    w.alice.invite()
    w.bob.answer("INVITE", 180)
    w.alice.receive(180)
    w.bob.reply(w.bob.inbox[0], 404)
    w.carol.answer("INVITE", 200)
    w.alice.receive(200)


@case(relaying("""
  local pv = KSR.pv
  local function value(x) return type(x) .. " " .. tostring(x) end
  local function add(text) KSR.hdr.append("P-Value: " .. text .. "\\r\\n") end
  add(value(pv.get("$rU"))) add(value(pv.get("$du"))) add(value(pv.gete("$du"))) add(value(pv.getw("$du")))
  add(value(pv.getvs("$du", "other"))) add(value(pv.getvn("$du", 5))) add(value(pv.getvs("$rU", "other")))
  add(value(pv.is_null("$du"))) add(value(pv.is_null("$rU"))) add(value(pv.get("$sp") == KSR.kx.get_srcport()))
  pv.sets("$avp(a)", "x") add(value(pv.get("$avp(a)"))) pv.unset("$avp(a)") add(value(pv.get("$avp(a)")))
  pv.seti("$avp(a)", 3) add(value(pv.get("$avp(a)"))) pv.sets("$var(a)", "7") add(value(pv.get("$var(a)")))
  add(value(pv.get("$ml") > 100)) add(value(pv.get("$cs"))) add(value(pv.get("$rp"))) add(value(pv.get("$mt")))
"""))
def getters(w):
    """the functions of KSR.pv and the types that they return"""
    w.alice.request("MESSAGE", body="x")
    w.bob.answer("MESSAGE", 200)
    w.alice.receive(200)


@case(relaying("""
  local kx = KSR.kx
  local names = {"get_ruri", "get_ouri", "get_furi", "get_turi", "gete_duri", "get_ruser", "get_rhost", "get_fuser", "get_fhost", "get_tuser", "get_thost", "gete_ua", "gete_body",
    "get_method", "get_callid", "get_srcip", "get_srcport", "get_rcvip", "get_rcvport", "get_proto", "get_msglen"}
  for index, name in ipairs(names) do
    KSR.hdr.append("P-Value: " .. name .. " " .. type(kx[name]()) .. " " .. tostring(kx[name]()) .. "\\r\\n")
  end
"""))
def kx(w):
    """the functions of KSR.kx"""
    w.alice.request("MESSAGE", headers=HEADERS, body="hello")
    w.bob.answer("MESSAGE", 200)
    w.alice.receive(200)


TESTS = {
    "methods": ["KSR.is_INVITE()", "KSR.is_ACK()", "KSR.is_BYE()", "KSR.is_MESSAGE()", "KSR.is_OPTIONS()", 'KSR.is_method("MESSAGE")',
    'KSR.is_method_in("IM")', 'KSR.is_method_in("IB")'],
    "transport": ["KSR.is_UDP()", "KSR.is_TCP()", "KSR.is_TLS()", "KSR.is_WSX()", "KSR.is_IPv4()", "KSR.is_IPv6()", 'KSR.is_proto("U")',
    'KSR.is_proto("TE")', "KSR.is_src_port({alice.port})",
                  "KSR.is_dst_port({proxy.port})"],
    "myself": ["KSR.is_myself_ruri()", "KSR.is_myself_furi()", "KSR.is_myself_turi()", "KSR.is_myself_srcip()", "KSR.is_myself_suri()",
    'KSR.is_myself("sip:{proxy}")',
               'KSR.is_myself("sip:x@{proxy};a=b")', 'KSR.is_myself("sip:proxy.example")', 'KSR.is_myself("sip:proxy.example:5999")',
               'KSR.is_myself("sip:{bob}")',
               'KSR.is_myself("sip:example.com")'],
    "flags": ["KSR.isflagset(3)", "KSR.setflag(3)", "KSR.isflagset(3)", "KSR.resetflag(3)", "KSR.isflagset(3)", "KSR.setbflag(2)",
    "KSR.isbflagset(2)", "KSR.resetbflag(2)",
              "KSR.isbflagset(2)", "KSR.setsflag(1)", "KSR.issflagset(1)", "KSR.resetsflag(1)", "KSR.issflagset(1)"],
    "destination_set": ["KSR.isdsturiset()", 'KSR.setdsturi("sip:{bob}")', "KSR.isdsturiset()", "KSR.resetdsturi()", "KSR.isdsturiset()"],
    "siputils": ["KSR.siputils.has_totag()", "KSR.siputils.is_request()", "KSR.siputils.is_reply()", "KSR.siputils.is_first_hop()",
    'KSR.siputils.is_uri("sip:a@b")',
                 'KSR.siputils.is_uri("a b")', 'KSR.siputils.is_numeric("123")', 'KSR.siputils.is_numeric("+123")',
                 'KSR.siputils.is_tel_number("+123")',
                 'KSR.siputils.is_tel_number("12a")', 'KSR.siputils.is_tel_number("123")'],
    "textops": ["KSR.textops.has_body()", 'KSR.textops.has_body_type("text/plain")', 'KSR.textops.has_body_type("application/sdp")',
    'KSR.textops.search("Subj.*two")',
                'KSR.textops.search("nowhere")', 'KSR.textops.search_body("h.llo")', 'KSR.textops.search_body("Subject")',
                'KSR.textops.is_present_hf("Subject")',
                'KSR.textops.is_present_hf("None")'],
    "transactions": ["KSR.tm.t_check_trans()", 'KSR.tm.t_is_set("branch_route")', 'KSR.tm.t_is_set("failure_route")',
    'KSR.tm.t_is_set("onreply_route")', "KSR.tmx.t_precheck_trans()",
                     "KSR.tmx.t_is_request_route()", "KSR.tmx.t_is_reply_route()", "KSR.tmx.t_is_failure_route()",
                     "KSR.tmx.t_is_branch_route()"],
    "corex": ["KSR.corex.has_ruri_user()", "KSR.corex.has_user_agent()"],
    "route": ["KSR.rr.loose_route()", 'KSR.rr.check_route_param("x")', 'KSR.rr.is_direction("downstream")',
    'KSR.rr.is_direction("upstream")'],
}

for name, calls in TESTS.items():

    def play(w):
        w.alice.request("MESSAGE", headers=HEADERS, body="hello")
        w.bob.answer("MESSAGE", 200)
        w.alice.receive(200)

    play.__name__, play.__doc__ = f"tests_{name}", f"return values of {', '.join(f'`{one}`' for one in calls)}"
    case(relaying("\n".join(f'  KSR.hdr.append("P-Value-{number}: " .. tostring({one}) .. "\\r\\n")' for number,
        one in enumerate(calls))))(play)
