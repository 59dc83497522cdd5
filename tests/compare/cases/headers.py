"""Header edits, and headers of unusual shape."""
from cases import case, relaying

REQUEST = ["Subject: first", "P-One: 1", "Subject: second", "P-Two: a, b;x=y", "Supported: timer", "s: third", "User-Agent: Test 1.0"]

EDITS = {
    "append": 'KSR.hdr.append("P-New: 1\\r\\n") KSR.hdr.append("P-New: 2\\r\\n")',
    "append_two_lines": 'KSR.hdr.append("P-New: 1\\r\\nP-Other: 2\\r\\n")',
    "append_after": 'KSR.hdr.append_after("P-New: 1\\r\\n", "P-One")',
    "append_after_repeated": 'KSR.hdr.append_after("P-New: 1\\r\\n", "Subject")',
    "append_after_missing": 'KSR.hdr.append_after("P-New: 1\\r\\n", "P-None")',
    "insert": 'KSR.hdr.insert("P-New: 1\\r\\n") KSR.hdr.insert("P-New: 2\\r\\n")',
    "insert_before": 'KSR.hdr.insert_before("P-New: 1\\r\\n", "P-One")',
    "insert_before_missing": 'KSR.hdr.insert_before("P-New: 1\\r\\n", "P-None")',
    "remove": 'KSR.hdr.remove("P-One")',
    "remove_all_of_a_name": 'KSR.hdr.remove("Subject")',
    "remove_compact": 'KSR.hdr.remove("s")',
    "remove_missing": 'KSR.hdr.append("P-Return: " .. KSR.hdr.remove("P-None") .. "\\r\\n")',
    "rmappend": 'KSR.hdr.rmappend("Subject", "Subject: mine\\r\\n")',
    "remove_and_append": 'KSR.hdr.remove("P-Two") KSR.hdr.append("P-Two: c\\r\\n")',
    "append_and_remove": 'KSR.hdr.append("P-New: 1\\r\\n") KSR.hdr.remove("P-New")',
    "textops_remove": 'KSR.textops.remove_hf("P-One")',
    "insert_before_twice": 'KSR.hdr.insert_before("P-New: 1\\r\\n", "P-One") KSR.hdr.insert_before("P-New: 2\\r\\n", "P-One")',
    "append_after_twice": 'KSR.hdr.append_after("P-New: 1\\r\\n", "P-One") KSR.hdr.append_after("P-New: 2\\r\\n", "P-One")',
    "is_present": """
  local result = ""
  for _, name in ipairs({"Subject", "s", "P-One", "p-one", "P-None", "Via", "v", "Supported", "k"}) do
    result = result .. name .. "=" .. KSR.hdr.is_present(name) .. " "
  end
  KSR.hdr.append("P-Result: " .. result .. "\\r\\n")""",
    "get": """
  KSR.hdr.append("P-Get: [" .. KSR.hdr.gete("Subject") .. "] [" .. KSR.hdr.gete("P-Two") .. "] [" .. KSR.hdr.gete("P-None") .. "]\\r\\n")""",
    "get_idx": """
  for index = -4, 3 do
    KSR.hdr.append("P-Get" .. index + 4 .. ": [" .. tostring(KSR.hdr.gete_idx("Subject", index)) .. "]\\r\\n")
  end""",
    "flags_of_content": """
  local function test(...) return tostring(KSR.hdr.match_content(...)) .. " " end
  KSR.hdr.append("P-Match: " .. test("Subject", "eq", "first", "f") .. test("Subject", "eq", "FIRST", "f") .. test("Subject", "sw", "sec", "f")
    .. test("Subject", "sw", "sec", "o") .. test("Subject", "in", "ir", "a") .. test("Subject", "ne", "first", "l") .. test("P-None", "eq", "x", "f") .. "\\r\\n")""",
}

for name, change in EDITS.items():

    def play(w):
        w.alice.request("MESSAGE", headers=REQUEST, body="text")
        w.bob.answer("MESSAGE", 200)
        w.alice.receive(200)

    play.__name__, play.__doc__ = name, f"`{' '.join(change.split())}`"
    case(relaying(change))(play)


@case(relaying('KSR.tm.t_on_reply("changed")', """
function changed()
  KSR.hdr.append("P-Reply: " .. KSR.pv.gete("$rs") .. " " .. KSR.pv.gete("$rr") .. "\\r\\n")
  KSR.hdr.remove("P-Secret")
end
function ksr_reply_route()
  KSR.hdr.append("P-Core: " .. KSR.kx.get_status() .. "\\r\\n")
end
"""))
def in_replies(w):
    """ksr_reply_route and the transaction's reply route change provisional, failure and 2xx"""
    w.alice.invite(call="one")
    invite = w.bob.answer("INVITE", 180, headers=["P-Secret: yes"])
    w.alice.receive(180)
    w.bob.reply(invite, 200, headers=["P-Secret: yes"])
    w.alice.receive(200)
    w.alice.invite(call="two")
    w.bob.answer("INVITE", 404, headers=["P-Secret: yes"])
    w.alice.receive(404)


@case(relaying('KSR.tm.t_on_reply("drop")', """
function drop()
  if KSR.kx.get_status() == 183 then KSR.x.drop() end
end
"""))
def provisional_dropped(w):
    """a provisional response is dropped in the reply route, others pass"""
    w.alice.invite()
    invite = w.bob.answer("INVITE", 183)
    w.bob.reply(invite, 180)
    w.alice.receive(180)
    w.bob.reply(invite, 200)
    w.alice.receive(200)


@case(relaying(rest="""
function ksr_reply_route()
  if KSR.kx.get_status() == 183 then KSR.x.drop() end
end
"""))
def provisional_dropped_in_core(w):
    """the same in ksr_reply_route"""
    w.alice.invite()
    invite = w.bob.answer("INVITE", 183)
    w.bob.reply(invite, 180)
    w.alice.receive(180)
    w.bob.reply(invite, 200)
    w.alice.receive(200)


@case(relaying('KSR.hdr.append("P-Subject: " .. KSR.hdr.gete("Subject") .. "\\r\\n")'))
def folded(w):
    """folded header lines travel as they are"""
    w.alice.request("MESSAGE", headers=["Subject: I know you're there,\r\n pick up the phone\r\n\tand answer", "P-Two:  spaces  inside "],
        body="x")
    w.bob.answer("MESSAGE", 200)
    w.alice.receive(200)


@case(relaying())
def compact_and_odd_spacing(w):
    """compact names, tabs and spaces around the colon, names in odd case"""
    w.alice.send(
        "MESSAGE sip:bob@{bob} SIP/2.0\r\nv:SIP / 2.0 / UDP {alice} ;branch=z9hG4bK-headers.compact\r\nMAX-FORWARDS : 70\r\nf\t: Alice <sip:alice@example.com>;tag=alice-tag\r\n"
        "t: sip:bob@example.com\r\ni: headers.compact_and_odd_spacing@compare\r\ncSeQ: 0001  MESSAGE\r\nSUBJECT:no space\r\nl: 0\r\n\r\n"
    )
    w.bob.answer("MESSAGE", 200)
    w.alice.receive(200)


@case(relaying())
def no_content_length(w):
    """a datagram without Content-Length"""
    w.alice.send(
        "MESSAGE sip:bob@{bob} SIP/2.0\r\nVia: SIP/2.0/UDP {alice};branch=z9hG4bK-headers.no_length\r\nMax-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=alice-tag\r\n"
        "To: <sip:bob@example.com>\r\nCall-ID: headers.no_content_length@compare\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\n\r\nhello"
    )
    w.bob.answer("MESSAGE", 200)
    w.alice.receive(200)


@case(relaying('KSR.force_rport()'))
def force_rport(w):
    """force_rport: received and rport are added, the answer goes to the source"""
    w.alice.request("MESSAGE", via=["SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK-headers.force_rport"], body="x")
    w.bob.answer("MESSAGE", 200)
    w.alice.receive(200)


@case(relaying())
def rport_asked_for(w):
    """rport in the Via of the caller"""
    w.alice.request("MESSAGE", via_params=";rport", body="x")
    w.bob.answer("MESSAGE", 200)
    w.alice.receive(200)


@case(relaying())
def received_added(w):
    """the Via has another address than the source: received, and the answer goes to the port of the Via"""
    w.alice.request("MESSAGE", via=["SIP/2.0/UDP 192.0.2.9:{carol.port};branch=z9hG4bK-headers.received_added"], body="x")
    w.bob.answer("MESSAGE", 200)
    w.carol.receive(200)


@case(relaying("KSR.add_local_rport()"))
def add_local_rport(w):
    """the Via of the server asks for rport"""
    w.alice.request("MESSAGE", body="x")
    w.bob.answer("MESSAGE", 200)
    w.alice.receive(200)


@case(relaying())
def unknown_headers(w):
    """headers nobody knows, empty ones, and many of one name, stay in order"""
    w.alice.request("MESSAGE", headers=["X-Empty:", "X-A: 1", "X-B: 2", "X-A: 3", "Contact: <sip:a@{alice}>, <sip:b@{alice}>",
        "Accept-Language: da, en-gb;q=0.8"], body="x")
    w.bob.answer("MESSAGE", 200, headers=["X-A: 1", "X-B: 2", "X-A: 3", "Allow: INVITE", "Allow: ACK"])
    w.alice.receive(200)


@case(relaying())
def utf8(w):
    """UTF-8 in display names, Subject and body"""
    w.alice.request("MESSAGE", headers=["Subject: Grüße"], from_uri='"Jürgen" <sip:alice@example.com>', body="")
    w.bob.answer("MESSAGE", 200)
    w.alice.receive(200)
