"""Record-Route, Route, Request-URI and destination."""
from cases import case, relaying

IN_DIALOG = """
function ksr_request_route()
  KSR.maxfwd.process_maxfwd(10)
  local loose = KSR.rr.loose_route()
  KSR.hdr.append("P-Loose: " .. loose .. " " .. KSR.pv.gete("$ru") .. " " .. KSR.pv.gete("$du") .. "\\r\\n")
  KSR.hdr.append("P-Direction: " .. KSR.rr.is_direction("downstream") .. KSR.rr.is_direction("upstream") .. "\\r\\n")
  KSR.hdr.append("P-Param: " .. KSR.rr.check_route_param("lb=yes") .. KSR.rr.check_route_param("lb=no") .. "\\r\\n")
  KSR.tm.t_relay()
end
"""

ROUTES = {
    "one_route": ("a Route of this server alone", ["<sip:{proxy};lr>"], "sip:bob@{bob}"),
    "route_and_next": ("a Route of this server, then another", ["<sip:{proxy};lr;ftag=alice-tag>", "<sip:{carol};lr>"], "sip:bob@{bob}"),
    "routes_in_one_line": ("two Routes in one line", ["<sip:{proxy};lr;lb=yes>, <sip:{carol};lr>"], "sip:bob@{bob}"),
    "foreign_route": ("a Route of another server only", ["<sip:{carol};lr>"], "sip:bob@{bob}"),
    "upstream": ("the tag of the other side in the Route", ["<sip:{proxy};lr;ftag=bob-tag>"], "sip:bob@{bob}"),
    "downstream": ("the tag of this side in the Route", ["<sip:{proxy};lr;ftag=alice-tag;lb=yes>"], "sip:bob@{bob}"),
    "double": ("both Routes of a double Record-Route", ["<sip:{proxy};lr;r2=on;ftag=x>", "<sip:{proxy};lr;r2=on;ftag=x>",
    "<sip:{carol};lr>"], "sip:bob@{bob}"),
    "strict_next": ("the next router is a strict one", ["<sip:{proxy};lr>", "<sip:{carol}>"], "sip:bob@{bob}"),
    "strict_before": ("the router before was a strict one", ["<sip:carol@{carol};lr>", "<sip:bob@{bob}>"], "sip:{proxy};lr"),
    "strict_before_last": ("the router before was a strict one, only the target is left", ["<sip:bob@{bob}>"], "sip:{proxy};lr"),
    "with_user": ("a Route with a user part of this server", ["<sip:x@{proxy};lr>"], "sip:bob@{bob}"),
    "with_name": ("a Route with display name and parameters", ['"Edge" <sip:{proxy};lr>;x=y'], "sip:bob@{bob}"),
    "alias": ("a Route with an alias of this server", ["<sip:proxy.example;lr>"], "sip:bob@{bob}"),
}

for name, (text, routes, uri) in ROUTES.items():

    def play(w, routes=routes, uri=uri):
        w.alice.request("BYE", uri, [f"Route: {value}" for value in routes], to_tag="bob-tag")
        for _ in range(20):
            w.settle()
            for peer in (w.bob, w.carol):
                for message in peer.inbox:
                    if message.method and not message.taken:
                        message.taken = True
                        peer.reply(message, 200)
            if w.alice.inbox:
                return

    play.__name__, play.__doc__ = name, f"{text}: what loose_route makes of it"
    case(IN_DIALOG)(play)


@case(relaying('KSR.rr.add_rr_param(";lb=yes") KSR.rr.record_route()'))
def add_rr_param(w):
    """a parameter of the script in Record-Route"""
    w.alice.invite(headers=["Record-Route: <sip:192.0.2.1;lr>"])
    w.bob.answer("INVITE", 200)
    w.alice.receive(200)


@case(relaying('KSR.rr.record_route() KSR.rr.add_rr_param(";lb=yes;x=1")'))
def add_rr_param_after(w):
    """add_rr_param after record_route"""
    w.alice.invite()
    w.bob.answer("INVITE", 200)
    w.alice.receive(200)


@case(relaying('KSR.rr.record_route_params(";a=b")'))
def record_route_params(w):
    """record_route_params"""
    w.alice.invite()
    w.bob.answer("INVITE", 200)
    w.alice.receive(200)


@case(relaying("KSR.rr.record_route() KSR.rr.record_route()"))
def record_route_twice(w):
    """record_route called twice"""
    w.alice.invite()
    w.bob.answer("INVITE", 200)
    w.alice.receive(200)


@case(relaying('KSR.tm.t_on_branch("each")', """
function each() KSR.rr.add_rr_param(";nat=yes") KSR.rr.record_route() end
"""))
def record_route_in_branch(w):
    """record_route in the branch route"""
    w.alice.invite()
    w.bob.answer("INVITE", 200)
    w.alice.receive(200)


URIS = {
    "user": 'KSR.setuser("robert")',
    "no_user": 'KSR.setuser("")',
    "host": 'KSR.sethost("example.org") KSR.setdsturi("sip:{carol}")',
    "uri": 'KSR.seturi("sip:carol@{carol};x=y")',
    "dst_uri": 'KSR.setdsturi("sip:{carol}")',
    "dst_uri_reset": 'KSR.setdsturi("sip:{carol}") KSR.resetdsturi()',
    "pv_ru": 'KSR.pv.sets("$ru", "sip:carol@{carol}")',
    "pv_rU": 'KSR.pv.sets("$rU", "+4930123")',
    "pv_rd": 'KSR.pv.sets("$rd", "{host}")',
    "pv_du": 'KSR.pv.sets("$du", "sip:{carol}")',
    "pv_du_unset": 'KSR.pv.sets("$du", "sip:{carol}") KSR.pv.unset("$du")',
    "uri_then_user": 'KSR.seturi("sip:x@{carol}") KSR.setuser("carol") KSR.hdr.append("P-Now: " .. KSR.pv.gete("$ru") .. " " .. KSR.pv.gete("$ou") .. "\\r\\n")',
}

for name, change in URIS.items():

    def play(w):
        w.alice.request("MESSAGE", "sip:bob:secret@{bob};user=phone;transport=udp" if "user" in w.case_name else "sip:bob@{bob};a=b",
            body="x")
        w.settle()
        for peer in (w.bob, w.carol):
            for message in peer.inbox:
                peer.reply(message, 200)

    play.__name__, play.__doc__ = f"set_{name}", f"`{change}`"
    case(relaying(change))(play)


@case(relaying())
def preloaded_route(w):
    """a Route of another server, and a script that does not call loose_route"""
    w.alice.request("MESSAGE", headers=["Route: <sip:{carol};lr>"], body="x")
    w.settle()
    for peer in (w.bob, w.carol):
        for message in peer.inbox:
            peer.reply(message, 200, tag="callee-tag")
    w.alice.receive(200)


@case(relaying("KSR.rr.loose_route()"))
def preloaded_own_route(w):
    """an initial request with Routes of this server and another"""
    w.alice.invite(headers=["Route: <sip:{proxy};lr>, <sip:{carol};lr>"])
    w.carol.answer("INVITE", 200)
    w.alice.receive(200)


@case(relaying('KSR.hdr.remove("Route")'))
def removed_route(w):
    """a Route that the script removes does not lead the request away"""
    w.alice.invite(headers=["Route: <sip:{carol};lr>"])
    w.bob.answer("INVITE", 200)
    w.alice.receive(200)


@case(relaying("KSR.rr.record_route()"))
def to_ipv6(w):
    """from IPv4 to IPv6: two Record-Route"""
    w.alice.invite("sip:bob@{bob6}")
    w.bob6.answer("INVITE", 200)
    ok = w.alice.receive(200)
    w.alice.within("ACK", ok, cseq=1)
    w.bob6.receive("ACK")
    w.alice.within("BYE", ok, cseq=2)
    w.bob6.answer("BYE", 200)
    w.alice.receive("200 BYE")


@case(relaying("KSR.rr.record_route()"))
def from_ipv6(w):
    """from IPv6 to IPv4"""
    w.alice6.invite()
    w.bob.answer("INVITE", 200)
    w.alice6.receive(200)


@case(relaying("KSR.rr.record_route()"))
def on_ipv6(w):
    """IPv6 on both sides"""
    w.alice6.invite("sip:bob@{bob6}")
    w.bob6.answer("INVITE", 404)
    w.alice6.receive(404)


@case(relaying())
def maddr(w):
    """maddr in the Request-URI stays"""
    w.alice.request("MESSAGE", "sip:bob@{bob};maddr={host}", body="x")
    w.bob.answer("MESSAGE", 200)
    w.alice.receive(200)


@case(relaying())
def request_uri_headers(w):
    """a Request-URI with headers"""
    w.alice.request("MESSAGE", "sip:bob@{bob}?subject=x", body="x")
    w.settle()
    for message in w.bob.inbox:
        w.bob.reply(message, 400, "Bad Request-URI", tag="callee-tag")
    w.settle()


@case(relaying('KSR.setdsturi("sip:{carol}")'))
def tel(w):
    """a tel URI to a destination of the script"""
    w.alice.invite("tel:+49-30-123;phone-context=example.com", to="<tel:+49-30-123>")
    w.carol.answer("INVITE", 200)
    w.alice.receive(200)


@case(relaying())
def escaped(w):
    """escaped characters and parameters in the Request-URI stay as they are"""
    w.alice.request("MESSAGE", "sip:b%6Fb%20x;day=tuesday@{bob};method=MESSAGE;q=%3b", body="x")
    w.bob.answer("MESSAGE", 200)
    w.alice.receive(200)
