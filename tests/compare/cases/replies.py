"""Answers of the script and of the server itself."""
from cases import case, relaying


def script(body):
    return f"function ksr_request_route()\n  if KSR.is_ACK() then return 1 end\n{body}\nend\n"


ANSWERS = {
    "sl_send_reply": 'KSR.sl.sl_send_reply(404, "Not here")',
    "sl_send_reply_text": 'KSR.sl.sl_send_reply("404", "Not here")',
    "send_reply": 'KSR.sl.send_reply(480, "Nobody here")',
    "t_reply": 'KSR.tm.t_newtran() KSR.tm.t_reply(486, "Busy")',
    "send_reply_in_transaction": 'KSR.tm.t_newtran() KSR.sl.send_reply(486, "Busy")',
    "t_reply_without_newtran": 'KSR.tm.t_reply(486, "Busy")',
    "append_to_reply": 'KSR.hdr.append_to_reply("Retry-After: 5\\r\\n") KSR.hdr.append_to_reply("P-More: 1\\r\\n") KSR.sl.sl_send_reply(503, "Later")',
    "append_to_reply_in_transaction": 'KSR.tm.t_newtran() KSR.hdr.append_to_reply("Contact: <sip:x@{carol}>\\r\\n") KSR.tm.t_reply(302, "Moved")',
    "success": 'KSR.sl.send_reply(200, "OK")',
    "sl_reply_error": "KSR.sl.sl_reply_error()",
    "provisional_then_final": 'KSR.tm.t_newtran() KSR.tm.t_reply(180, "Ringing") KSR.tm.t_reply(480, "No")',
    "redirect": 'KSR.hdr.append_to_reply("Contact: <sip:carol@{carol}>;q=0.5\\r\\n") KSR.sl.send_reply(302, "Moved")',
    "exit": 'KSR.x.exit() KSR.sl.send_reply(500, "not reached")',
}

for name, change in ANSWERS.items():
    for method in ("INVITE", "MESSAGE"):

        def play(w, method=method):
            request = w.alice.request(method, headers=["Record-Route: <sip:192.0.2.1;lr>", "Timestamp: 54"], body="x")
            w.settle()
            for message in list(w.alice.inbox):
                if message.status >= 300 and method == "INVITE":
                    w.alice.ack_failure(request, message)

        play.__name__, play.__doc__ = f"{name}_to_{method.lower()}", f"`{change}` for {method}"
        case(script(change), silent=name in ("exit", "t_reply_without_newtran"))(play)


@case(script('KSR.tm.t_newtran() KSR.tm.t_reply(486, "Busy")'), count_all=True)
def retransmission(w):
    """a retransmitted INVITE gets the answer of the script again"""
    invite = w.alice.invite()
    w.alice.receive(486)
    w.alice.send(invite.text)
    w.alice.receive(486)


@case(script('KSR.sl.sl_send_reply(200, "Here")'))
def options(w):
    """OPTIONS to the server, with rport and a To tag"""
    w.alice.request("OPTIONS", "sip:{proxy}", via_params=";rport")
    w.alice.receive(200)
    w.alice.request("OPTIONS", "sip:{proxy}", to_tag="x-tag")
    w.alice.receive(200)


@case(relaying())
def max_forwards_zero(w):
    """Max-Forwards 0"""
    w.alice.invite(max_forwards="0")
    w.alice.receive(483)


@case(relaying())
def max_forwards_one(w):
    """Max-Forwards 1 goes on with 0"""
    w.alice.invite(max_forwards="1")
    w.bob.answer("INVITE", 404)


@case(relaying())
def max_forwards_missing(w):
    """no Max-Forwards: one is added"""
    w.alice.invite(max_forwards=None)
    w.bob.answer("INVITE", 404)


@case(relaying())
def max_forwards_large(w):
    """Max-Forwards 200 is counted down"""
    w.alice.invite(max_forwards="200")
    w.bob.answer("INVITE", 404)


@case(script("KSR.tm.t_relay()"))
def max_forwards_not_processed(w):
    """a script that does not call process_maxfwd"""
    w.alice.request("MESSAGE", body="x")
    w.bob.answer("MESSAGE", 200)
    w.alice.receive(200)


for code in (302, 401, 404, 407, 480, 500, 503, 600, 603, 699, 410, 488, 513):

    def play(w, code=code):
        w.alice.invite()
        w.bob.answer("INVITE", code, f"Answer {code}", ["Retry-After: 10", "Contact: <sip:else@{carol}>",
            'WWW-Authenticate: Digest realm="b", nonce="1"', "Warning: 399 b \"x\""])
        w.settle()

    play.__name__, play.__doc__ = f"passed_{code}", f"a lone {code} of the callee goes to the caller"
    case(relaying())(play)


@case(script('if KSR.sanity.sanity_check(17895, 7) < 0 then return 1 end\nKSR.sl.send_reply(200, "Sane")'))
def sane(w):
    """a request without fault passes sanity_check"""
    w.alice.request("MESSAGE", body="x")
    w.alice.receive(200)


FAULTS = {
    "proxy_require": ("Proxy-Require of something unknown", {"headers": ["Proxy-Require: foo, bar"]}),
    "bad_expires": ("an Expires that is no number", {"headers": ["Expires: soon"]}),
    "cseq_method": ("CSeq has another method", {"cseq": "1 INVITE\r\nX-Was:"}),
    "scheme": ("a URI of an unknown scheme", {"uri": "gopher:bob@example.com"}),
    "to_twice": ("two From tags", {"from_uri": "<sip:alice@example.com>;tag=a-tag"}),
    "content_length_twice": ("two Content-Length, one greater than the body", {"headers": ["Content-Length: 900"], "body": "x"}),
    "from_uri": ("From is no URI", {"from_uri": "<alice>"}),
}

for name, (text, options) in FAULTS.items():

    def play(w, options=options):
        w.alice.request("MESSAGE", **options)
        w.settle()

    play.__name__, play.__doc__ = f"sanity_{name}", text
    case(script('if KSR.sanity.sanity_check(17895, 7) < 0 then return 1 end\nKSR.sl.send_reply(200, "Sane")'), silent=True)(play)


@case(script("KSR.forward()"))
def stateless(w):
    """KSR.forward: a request and its answer without a transaction"""
    w.alice.request("MESSAGE", body="x")
    w.bob.answer("MESSAGE", 200)
    w.alice.receive(200)


@case(script("KSR.forward()"), count_all=True)
def stateless_invite(w):
    """KSR.forward of an INVITE: no 100, retransmissions pass"""
    invite = w.alice.invite()
    w.alice.send(invite.text)
    w.bob.receive("INVITE")
    received = w.bob.receive("INVITE")
    w.bob.reply(received, 180)
    w.alice.receive(180)
    w.bob.reply(received, 486)
    w.alice.receive(486)


@case(script("KSR.forward()"))
def stateless_to_route(w):
    """KSR.forward, a Route of another server, and a script that does not call loose_route"""
    w.alice.request("MESSAGE", headers=["Route: <sip:{carol};lr>"], body="x")
    w.settle()
    for peer in (w.bob, w.carol):
        for message in peer.inbox:
            peer.reply(message, 200, tag="callee-tag")
    w.alice.receive(200)


@case(script("local x = nil\n  x.y = 1"), script_errors=True, silent=True)
def script_error(w):
    """an error in the script"""
    w.alice.request("MESSAGE", body="x")
    w.settle()
