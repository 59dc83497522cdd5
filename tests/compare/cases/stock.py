"""A script with the structure of Kamailio's own example, stock.lua."""
import pathlib

from cases import case

SCRIPT = (pathlib.Path(__file__).resolve().parents[1] / "stock.lua").read_text()
HOME = "sip:alice@{proxy}"


def call(w, **options):
    return w.alice.invite("sip:bob@{proxy}", from_uri=f"<{HOME}>", to="<sip:bob@{proxy}>", **options)


@case(SCRIPT)
def whole_call(w):
    """a call to a local user with re-INVITE, and BYE from the callee"""
    call(w, headers=["User-Agent: Phone"])
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
    w.bob.within_as_callee("BYE", invite, tag="bob-tag", cseq=1)
    w.alice.answer("BYE", 200)
    w.bob.receive("200 BYE")


@case(SCRIPT, count_all=True)
def retransmitted(w):
    """INVITE twice, a failure, its ACK"""
    invite = call(w)
    w.alice.send(invite.text)
    w.bob.answer("INVITE", 486)
    w.alice.ack_failure(invite, w.alice.receive(486))


@case(SCRIPT)
def cancelled(w):
    """CANCEL while it rings"""
    invite = call(w)
    received = w.bob.answer("INVITE", 180)
    w.alice.receive(180)
    w.alice.cancel(invite)
    w.alice.receive("200 CANCEL")
    w.bob.answer("CANCEL", 200)
    w.bob.reply(received, 487)
    w.alice.ack_failure(invite, w.alice.receive(487))


@case(SCRIPT)
def outbound(w):
    """a local user calls a foreign domain, with a Route that is removed"""
    w.alice.invite("sip:carol@{carol}", headers=["Route: <sip:{dave};lr>"], from_uri=f"<{HOME}>", to="<sip:carol@{carol}>")
    w.carol.answer("INVITE", 200)
    w.alice.receive(200)


@case(SCRIPT)
def not_relaying(w):
    """foreign to foreign: 403"""
    w.alice.request("MESSAGE", "sip:carol@{carol}", body="x")
    w.alice.receive(403)


@case(SCRIPT)
def unknown_user(w):
    """404 in a transaction"""
    invite = w.alice.request("INVITE", "sip:nobody@{proxy}", from_uri=f"<{HOME}>")
    w.alice.ack_failure(invite, w.alice.receive(404))


@case(SCRIPT)
def no_user(w):
    """484 without a user"""
    w.alice.request("MESSAGE", "sip:{proxy}", from_uri=f"<{HOME}>", body="x")
    w.alice.receive(484)


@case(SCRIPT)
def keepalive(w):
    """OPTIONS to the server"""
    w.alice.request("OPTIONS", "sip:{proxy}", via_params=";rport")
    w.alice.receive(200)


@case(SCRIPT)
def scanner(w):
    """a scanner is told that all is well"""
    w.alice.request("REGISTER", "sip:{proxy}", ["User-Agent: friendly-scanner"])
    w.alice.receive(200)


@case(SCRIPT)
def too_many_hops(w):
    """Max-Forwards 0"""
    w.alice.request("MESSAGE", "sip:bob@{proxy}", from_uri=f"<{HOME}>", max_forwards="0", body="x")
    w.alice.receive(483)


@case(SCRIPT)
def not_here(w):
    """a request within a dialog without Route"""
    w.alice.request("BYE", "sip:bob@{proxy}", to_tag="bob-tag")
    w.alice.receive(404)


@case(SCRIPT, silent=True)
def lost_ack(w):
    """an ACK that belongs to nothing"""
    w.alice.request("ACK", "sip:bob@{proxy}", to_tag="bob-tag")


@case(SCRIPT)
def register(w):
    """REGISTER without a registrar"""
    w.alice.request("REGISTER", "sip:{proxy}", from_uri=f"<{HOME}>", contact="<sip:alice@{alice}>")
    w.alice.receive(501)


@case(SCRIPT)
def subscription(w):
    """SUBSCRIBE and a NOTIFY within its dialog, which is record-routed"""
    w.alice.request("SUBSCRIBE", "sip:bob@{proxy}", ["Event: presence", "Expires: 60"], from_uri=f"<{HOME}>", to="<sip:bob@{proxy}>")
    subscribe = w.bob.answer("SUBSCRIBE", 200, headers=["Contact: <sip:bob@{bob}>", "Expires: 60"])
    w.alice.receive(200)
    w.bob.within_as_callee("NOTIFY", subscribe, tag="bob-tag", cseq=1, headers=["Event: presence", "Subscription-State: active",
        "Contact: <sip:bob@{bob}>"])
    w.alice.answer("NOTIFY", 200)
    w.bob.receive(200)


@case(SCRIPT)
def malformed(w):
    """sanity_check finds a fault"""
    w.alice.request("MESSAGE", "sip:bob@{proxy}", ["Expires: soon"], from_uri=f"<{HOME}>", body="x")
    w.alice.receive(400)


@case(SCRIPT)
def unanswered(w):
    """the callee fails: ksr_failure_manage leaves it"""
    invite = call(w)
    w.bob.answer("INVITE", 480)
    w.alice.ack_failure(invite, w.alice.receive(480))


# The functions that Kamailio's example script calls.
FUNCTIONS = """
dbg err info is_ACK is_BYE is_CANCEL is_INVITE is_NOTIFY is_OPTIONS is_REGISTER is_method_in is_myself_furi is_myself_ruri is_myself_srcip isbflagset isdsturiset isflagset
setbflag setflag force_rport set_reply_no_connect
auth.auth_challenge auth.consume_credentials auth_db.auth_check corex.has_ruri_user hdr.append hdr.remove htable.sht_match_name htable.sht_seti kx.get_method kx.get_ruri
kx.get_srcip kx.get_srcport kx.get_status kx.gete_fhost kx.gete_ua kx.get_furi maxfwd.process_maxfwd nathelper.fix_nated_register nathelper.handle_ruri_alias
nathelper.nat_uac_test nathelper.set_contact_alias permissions.allow_source_address pike.pike_check_req pv.get registrar.lookup registrar.save rr.add_rr_param
rr.check_route_param rr.loose_route rr.record_route rtpproxy.rtpproxy_manage sanity.sanity_check siputils.has_totag siputils.is_first_hop siputils.is_reply siputils.is_request
sl.send_reply sl.sl_reply_error sl.sl_send_reply tm.t_check_trans tm.t_is_canceled tm.t_is_set tm.t_newtran tm.t_on_branch tm.t_on_failure tm.t_on_reply tm.t_relay
tmx.t_is_branch_route tmx.t_precheck_trans x.drop x.exit
""".split()


@case(f"""
function ksr_request_route()
  local missing = ""
  for name in string.gmatch("{' '.join(FUNCTIONS)}", "%S+") do
    local module, short = string.match(name, "^(%w+[_%w]*)%.(.*)$")
    local where = KSR
    if module then where = KSR[module] end
    if where and not where[short or name] then missing = missing .. " " .. name end
  end
  KSR.sl.send_reply(200, "Missing:" .. missing)
end
""")
def functions(w):
    """the functions that Kamailio's example script calls are there, as far as their modules are"""
    w.alice.request("OPTIONS", "sip:{proxy}")
    w.alice.receive(200)
