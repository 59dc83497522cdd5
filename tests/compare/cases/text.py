"""Functions that change or examine text: textops, textopsx, siputils and sdpops, with what they return."""
from cases import case, relaying

HEADERS = ["Subject: first", "P-List: one, two;x=y", "P-Empty:", "P-List: three", "P-Auth: Digest username=\"al\", realm=\"r\"", "User-Agent: Test 1.0"]

SDP = (
    "v=0\r\no=alice 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=X-session:1\r\n"
    "m=audio 49170 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=X-audio:1\r\n"
    "m=video 5000 RTP/SAVPF 96 97\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 H264/90000\r\na=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\n"
)
BODY = "alpha beta\r\nbeta gamma\r\n\r\nlast beta\r\n"


def returns(*expressions):
    """Lua that writes what each expression gives into a header."""
    return "\n".join(f'KSR.hdr.append("P-Result-{number}: " .. tostring({text}) .. "\\r\\n")' for number, text in enumerate(expressions))


def add(name, script, body=BODY, content_type="text/plain", text=None):
    def play(w):
        w.alice.request("MESSAGE", headers=HEADERS, body=body, content_type=content_type)
        w.bob.answer("MESSAGE", 200)
        w.alice.receive(200)

    play.__name__, play.__doc__ = name, text or f"`{' '.join(script.split())}`"
    case(relaying(script))(play)


# Text of headers and body.
for name, expression in {
    "replace": 'KSR.textops.replace("P-List: o", "P-List: O")',
    "replace_none": 'KSR.textops.replace("nowhere", "x")',
    "replace_all": 'KSR.textops.replace_all("t(wo|hree)", "T")',
    "replace_hdrs": 'KSR.textops.replace_hdrs("(one|three)", "N")',
    "replace_body": 'KSR.textops.replace_body("beta", "B")',
    "replace_body_all": 'KSR.textops.replace_body_all("beta", "B")',
    "replace_body_all_of_lines": 'KSR.textops.replace_body_all("^beta", "B")',
    "replace_body_atonce": 'KSR.textops.replace_body_atonce("^alpha.*gamma", "B")',
    "replace_str": 'KSR.textops.replace_str("beta", "B", "f")',
    "replace_str_all": 'KSR.textops.replace_str("beta", "B", "a")',
    "replace_body_str": 'KSR.textops.replace_body_str("beta", "B", "a")',
    "replace_hdrs_str": 'KSR.textops.replace_hdrs_str("P-List", "P-Row", "a")',
    "search_append": 'KSR.textops.search_append("User-Agent: Test", "er")',
    "search_append_body": 'KSR.textops.search_append_body("alpha", "bet")',
    "subst": 'KSR.textops.subst("/one, (two)/\\\\1/")',
    "subst_all": 'KSR.textops.subst("/beta/B/g")',
    "remove_hf_match": 'KSR.textops.remove_hf_match("P-List", "eq", "three")',
    "remove_hf_match_ne": 'KSR.textops.remove_hf_match("P-List", "ne", "three")',
    "remove_hf_match_in": 'KSR.textops.remove_hf_match("P-List", "in", "two")',
    "remove_hf_match_re": 'KSR.textops.remove_hf_match("P-List", "re", "^t")',
    "keep_hf": "KSR.textopsx.keep_hf()",
    "keep_hf_re": 'KSR.textopsx.keep_hf_re("^P-L")',
    "append_hf_value": 'KSR.textopsx.append_hf_value("P-List", "new")',
    "append_hf_value_at": 'KSR.textopsx.append_hf_value("P-List[1]", "new")',
    "append_hf_value_missing": 'KSR.textopsx.append_hf_value("P-None", "new")',
    "insert_hf_value": 'KSR.textopsx.insert_hf_value("P-List", "new")',
    "insert_hf_value_at": 'KSR.textopsx.insert_hf_value("P-List[-1]", "new")',
    "insert_hf_value_missing": 'KSR.textopsx.insert_hf_value("P-None", "new")',
    "assign_hf_value": 'KSR.textopsx.assign_hf_value("P-List", "new")',
    "assign_hf_value_parameter": 'KSR.textopsx.assign_hf_value("P-List[2].x", "z")',
    "assign_hf_value_new_parameter": 'KSR.textopsx.assign_hf_value("P-List[*].q", "1")',
    "assign_hf_value2": 'KSR.textopsx.assign_hf_value2("P-Auth.realm", "\\"s\\"")',
    "remove_hf_value": 'KSR.textopsx.remove_hf_value("P-List")',
    "remove_hf_value_at": 'KSR.textopsx.remove_hf_value("P-List[2]")',
    "remove_hf_value_last": 'KSR.textopsx.remove_hf_value("P-List[-1]")',
    "remove_hf_value_parameter": 'KSR.textopsx.remove_hf_value("P-List[2].x")',
    "remove_hf_value_all": 'KSR.textopsx.remove_hf_value("P-List[*]")',
    "include_hf_value": 'KSR.textopsx.include_hf_value("P-List", "four")',
    "include_hf_value_there": 'KSR.textopsx.include_hf_value("P-List", "three")',
    "include_hf_value_missing": 'KSR.textopsx.include_hf_value("P-None", "four")',
    "exclude_hf_value": 'KSR.textopsx.exclude_hf_value("P-List", "three")',
}.items():
    add(name, returns(expression))

add("regex_substring", returns('KSR.textops.regex_substring("a=b;c=d", "(.)=(.);", 2, 3, "$var(x)")', 'KSR.pv.get("$var(x)")'))
add("body_lines", """
  local lines = 0
  KSR.textopsx.bl_iterator_start("b")
  while KSR.textopsx.bl_iterator_next("b") > 0 do
    lines = lines + 1
    if lines == 1 then KSR.textopsx.bl_iterator_rm("b") end
    if lines == 2 then KSR.textopsx.bl_iterator_append("b", "after\\r\\n") KSR.textopsx.bl_iterator_insert("b", "before\\r\\n") end
  end
  KSR.textopsx.bl_iterator_end("b")
  KSR.hdr.append("P-Lines: " .. lines .. "\\r\\n")""")
add("header_lines", """
  KSR.textopsx.hf_iterator_start("h")
  while KSR.textopsx.hf_iterator_next("h") > 0 do
    local name = KSR.textopsx.hf_iterator_hname("h")
    if name == "Subject" then KSR.textopsx.hf_iterator_append("h", "P-After: " .. KSR.textopsx.hf_iterator_hbody("h") .. "\\r\\n") end
    if name == "P-Empty" then KSR.textopsx.hf_iterator_insert("h", "P-Before: 1\\r\\n") end
    if name == "User-Agent" then KSR.textopsx.hf_iterator_rm("h") end
  end
  KSR.textopsx.hf_iterator_end("h")""")
add("applied_changes", """
  KSR.hdr.append("P-New: 1\\r\\n")
  KSR.hdr.remove("P-Empty")
  KSR.textops.set_body("new body", "text/html")
  KSR.hdr.append("P-Before: " .. tostring(KSR.hdr.get("P-New")) .. "\\r\\n")
  local done = KSR.textopsx.msg_apply_changes()
  KSR.hdr.append("P-After: " .. done .. tostring(KSR.hdr.get("P-New")) .. KSR.pv.get("$rb") .. KSR.hdr.is_present("P-Empty") .. "\\r\\n")""")

# Bodies of several parts.
PARTS = "--x\r\nContent-Type: text/html\r\n\r\n<b>hello</b>\r\n--x\r\nContent-Type: application/sdp\r\n\r\n" + SDP + "\r\n--x--\r\n"
add("filter_body", returns('KSR.textops.filter_body("application/sdp")'), PARTS, "multipart/mixed;boundary=x")
for name, expressions in {
    "append_body_part": ['KSR.textops.append_body_part("one", "text/plain")'],
    "append_body_part_twice": ['KSR.textops.append_body_part("one", "text/plain")', 'KSR.textops.append_body_part("two", "text/plain")'],
    "append_body_part_cd": ['KSR.textops.append_body_part_cd("one", "text/plain", "signal;handling=required")'],
    "append_body_part_hex": ['KSR.textops.append_body_part_hex("6b 61 6d", "application/x")'],
    "append_body_part_hex_odd": ['KSR.textops.append_body_part_hex("6b 6", "application/x")'],
    "append_body_part_hex_cd": ['KSR.textops.append_body_part_hex_cd("6b", "application/x", "signal")'],
    "remove_body_part": ['KSR.textops.remove_body_part("application/sdp")'],
    "remove_body_part_first": ['KSR.textops.remove_body_part("text/html")'],
    "remove_body_part_none": ['KSR.textops.remove_body_part("text/plain")'],
    "get_body_part": ['KSR.textops.get_body_part("text/html", "$var(p)")', 'string.format("%q", KSR.pv.gete("$var(p)")):gsub("[\\r\\n]", "_")'],
    "get_body_part_none": ['KSR.textops.get_body_part("text/plain", "$var(p)")'],
    "set_body_multipart_mode_twice": ["KSR.textops.set_body_multipart_mode()"],
}.items():
    add(name, returns(*expressions), PARTS, "multipart/mixed;boundary=x")
for name, expression in {
    "set_body_multipart_mode": "KSR.textops.set_body_multipart_mode()",
    "set_body_multipart_boundary": 'KSR.textops.set_body_multipart_boundary("bb")',
    "set_body_multipart_content": 'KSR.textops.set_body_multipart_content("one", "text/html")',
    "set_body_multipart": 'KSR.textops.set_body_multipart("one", "text/html", "bb")',
    "append_body_part_to_none": 'KSR.textops.append_body_part("one", "text/plain")',
    "remove_body_part_of_none": 'KSR.textops.remove_body_part("text/plain")',
}.items():
    add(name, returns(expression))
add("multipart_in_steps", returns("KSR.textops.set_body_multipart_mode()", "KSR.textopsx.msg_apply_changes()",
                                  'KSR.textops.append_body_part("one", "text/plain")'))
add("filter_body_none", returns('KSR.textops.filter_body("text/plain")'), PARTS, "multipart/mixed;boundary=x")

# Offers.
for name, expression in {
    "remove_codecs_by_id": 'KSR.sdpops.remove_codecs_by_id("0,101", "")',
    "remove_codecs_by_name": 'KSR.sdpops.remove_codecs_by_name("PCMA,VP8", "")',
    "remove_codecs_of_audio": 'KSR.sdpops.remove_codecs_by_id("0,96", "audio")',
    "remove_codecs_not_there": 'KSR.sdpops.remove_codecs_by_id("3", "")',
    "remove_all_codecs": 'KSR.sdpops.remove_codecs_by_id("96,97", "")',
    "keep_codecs_by_id": 'KSR.sdpops.keep_codecs_by_id("8,97", "")',
    "keep_codecs_by_name": 'KSR.sdpops.keep_codecs_by_name("PCMU,telephone-event", "audio")',
    "remove_line_by_prefix": 'KSR.sdpops.remove_line_by_prefix("a=X-", "")',
    "remove_line_of_audio": 'KSR.sdpops.remove_line_by_prefix("a=rtpmap", "audio")',
    "remove_media": 'KSR.sdpops.remove_media("video")',
    "remove_media_not_there": 'KSR.sdpops.remove_media("image")',
}.items():
    add(f"sdp_{name}", returns(expression), SDP, "application/sdp")

QUESTIONS = [
    "KSR.sdpops.sdp_content()",
    'KSR.sdpops.sdp_with_media("audio")',
    'KSR.sdpops.sdp_with_media("image")',
    'KSR.sdpops.sdp_with_active_media("video")',
    'KSR.sdpops.sdp_with_transport("RTP/AVP")',
    'KSR.sdpops.sdp_with_transport("RTP")',
    'KSR.sdpops.sdp_with_transport_like("SAVP")',
    'KSR.sdpops.sdp_with_codecs_by_id("3,8")',
    'KSR.sdpops.sdp_with_codecs_by_id("3")',
    'KSR.sdpops.sdp_with_codecs_by_name("GSM,PCMA")',
    'KSR.sdpops.sdp_with_codecs_by_name("GSM")',
    "KSR.sdpops.sdp_with_ice()",
    'KSR.sdpops.sdp_get("$avp(sdp)")',
    'string.len(KSR.pv.gete("$avp(sdp)"))',
    'KSR.sdpops.sdp_get_line_startswith("$avp(line)", "m=")',
    'KSR.pv.gete("$avp(line)")',
    'KSR.sdpops.sdp_get_line_startswith("$avp(line)", "b=")',
    'KSR.sdpops.sdp_transport("$avp(transport)")',
    "KSR.textops.is_audio_on_hold()",
]
add("sdp_questions", returns(*QUESTIONS), SDP, "application/sdp", "what sdpops says about an offer")
add("sdp_questions_in_a_part", returns(*QUESTIONS), PARTS, "multipart/mixed;boundary=x", "the same in a multipart body")
add("sdp_questions_without", returns(*QUESTIONS[:12], QUESTIONS[12]), BODY, "text/plain", "the same of a body that is none")
for name, lines in {"sendonly": "a=sendonly", "inactive": "a=inactive", "recvonly": "a=recvonly", "null_address": "c=IN IP4 0.0.0.0"}.items():
    add(f"sdp_hold_{name}", returns("KSR.textops.is_audio_on_hold()"), SDP.replace("a=X-audio:1", lines), "application/sdp")


def answered(name, script, method="OPTIONS", code=200, uri="sip:{proxy}", text=None):
    def play(w):
        w.alice.request(method, uri)
        w.alice.receive(code)

    play.__name__, play.__doc__ = name, text or f"`{' '.join(script.split())}`"
    case(f"function ksr_request_route()\n{script}\nend")(play)


answered("options_reply", "KSR.siputils.options_reply()")
answered("options_reply_for_a_user", 'if KSR.siputils.options_reply() < 0 then KSR.sl.send_reply(404, "No") end', code=404, uri="sip:bob@{proxy}")
answered("set_reply_body", 'KSR.textops.set_reply_body("hello", "text/plain") KSR.sl.send_reply(200, "OK")')


@case(relaying('KSR.tm.t_on_reply("replied")', """
function replied()
  local code = KSR.kx.get_status()
  if code == 180 then KSR.hdr.append("P-Result: " .. KSR.textopsx.change_reply_status(183, "Progress") .. "\\r\\n") end
  if code == 603 then KSR.hdr.append("P-Result: " .. KSR.textopsx.change_reply_status(404, "Not Here") .. KSR.pv.get("$rs") .. "\\r\\n") end
end
"""))
def change_reply_status(w):
    """change_reply_status makes 183 of 180 and 404 of 603"""
    w.alice.invite()
    invite = w.bob.answer("INVITE", 180)
    w.alice.receive(183)
    w.bob.reply(invite, 603)
    w.alice.receive(404)
