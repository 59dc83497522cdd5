"""Devices behind NAT, and Contacts that carry where they lead: nathelper and siputils."""
from cases import case, relaying
from cases.text import SDP, returns

PRIVATE = "<sip:alice@10.0.0.1:5070;x=y>;expires=60"
PRIVATE_SDP = SDP.replace("c=IN IP4 192.0.2.1", "c=IN IP4 10.1.2.3")
TESTS = [f"KSR.nathelper.nat_uac_test({bits})" for bits in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 19)]


def add(name, script, contact=None, body="", uri="sip:bob@{bob}"):
    def play(w):
        w.alice.request("MESSAGE", uri, contact=contact, body=body, content_type="application/sdp" if body else None)
        w.bob.answer("MESSAGE", 200)
        w.alice.receive(200)

    play.__name__, play.__doc__ = name, f"`{' '.join(script.split())}`" + (f", Contact `{contact}`" if contact else "")
    case(relaying(script + '\nKSR.setdsturi("sip:{bob}")'))(play)


add("tests_without_contact", returns(*TESTS))
add("tests_of_a_private_contact", returns(*TESTS), PRIVATE)
add("tests_of_the_source", returns(*TESTS), "<sip:alice@{alice}>")
add("tests_of_a_star", returns(*TESTS), "*")
add("tests_of_a_session", returns(*TESTS), body=PRIVATE_SDP)
add("private_addresses", returns(*(f'KSR.nathelper.is_rfc1918("{address}")' for address in (
    "10.1.1.1", "172.16.0.1", "172.32.0.1", "192.168.1.1", "100.64.0.1", "100.128.0.1", "192.0.0.1", "169.254.1.1", "127.0.0.1", "192.0.2.1", "example"))))

CONTACTS = {"": PRIVATE, "_without_brackets": "sip:alice@10.0.0.1;expires=5", "_star": "*", "_of_the_source": "<sip:alice@{alice}>",
            "_with_alias": "<sip:alice@10.0.0.1;alias=1.2.3.4~5~1>", "_missing": None}
for name, expression in {
    "fix_nated_contact": "KSR.nathelper.fix_nated_contact()",
    "set_contact_alias": "KSR.nathelper.set_contact_alias()",
    "set_contact_alias_trim": "KSR.nathelper.set_contact_alias_trim()",
    "add_rcv_param": "KSR.nathelper.add_rcv_param(0)",
    "add_rcv_param_to_the_uri": "KSR.nathelper.add_rcv_param(1)",
    "encode_contact": 'KSR.siputils.encode_contact("enc", "192.0.2.1")',
    "contact_param_encode": 'KSR.siputils.contact_param_encode("ct", "sip:192.0.2.1:5060")',
    "contact_param_rm": 'KSR.siputils.contact_param_rm("alias")',
}.items():
    for ending, contact in CONTACTS.items():
        if name == "contact_param_encode" and "{" in str(contact):
            continue  # what is encoded are the addresses of two servers
        add(name + ending, returns(expression), contact)
add("fix_nated_contact_maddr", returns("KSR.nathelper.fix_nated_contact()"), "<sip:alice@10.0.0.1;maddr=192.0.2.1;x=y>")
add("encode_contact_whole", returns('KSR.siputils.encode_contact("enc", "192.0.2.1")'), "<sip:al:pw@10.0.0.1:5070;transport=tcp;x=y>;q=1, <sip:b@10.0.0.2>")
add("handle_alias", returns("KSR.nathelper.set_contact_alias()", "KSR.nathelper.handle_ruri_alias()", 'KSR.pv.get("$ru")', 'tostring(KSR.pv.get("$du"))'),
    PRIVATE, uri="sip:bob@10.0.0.9;alias=192.0.2.9~5066~2;x=y")

ENCODED = "c2lwOmFsaWNlQDEwLjAuMC4xOjUwNzA7dHJhbnNwb3J0PXRjcA"
for name, contact in {
    "whole": "sip:enc*alice*pw*10.0.0.1*5070*tcp@192.0.2.1;x=y", "short": "sip:enc*alice**10.0.0.1**@192.0.2.1", "plain": "sip:alice@10.0.0.1",
    "no_user": "sip:10.0.0.1", "no_name": "sip:enc**pw*10.0.0.1**@192.0.2.1",
}.items():
    add(f"decode_contact_{name}", returns("KSR.siputils.decode_contact()", 'KSR.pv.get("$ru")'), uri=contact)
    add(f"decode_contact_header_{name}", returns("KSR.siputils.decode_contact_header()"), f"<{contact}>")
for name, parameter in {"value": f";ct={ENCODED}", "upper_case": f";CT={ENCODED}", "nonsense": ";ct=!!", "empty": ";ct", "missing": ";x=y"}.items():
    add(f"contact_param_decode_{name}", returns('KSR.siputils.contact_param_decode("ct")'), f"<sip:192.0.2.1:5060{parameter}>")
    add(f"contact_param_decode_ruri_{name}", returns('KSR.siputils.contact_param_decode_ruri("ct")', 'KSR.pv.get("$ru")'), uri=f"sip:192.0.2.1{parameter}")

for name, expression in {
    "direction": "KSR.nathelper.fix_nated_sdp(1)", "media": "KSR.nathelper.fix_nated_sdp(2)", "no_proxy": "KSR.nathelper.fix_nated_sdp(4)",
    "origin": "KSR.nathelper.fix_nated_sdp(8)", "media_and_origin": "KSR.nathelper.fix_nated_sdp(10)",
    "address": 'KSR.nathelper.fix_nated_sdp_ip(2, "192.0.2.77")', "same_address": 'KSR.nathelper.fix_nated_sdp_ip(2, "10.1.2.3")',
}.items():
    add(f"fix_nated_sdp_{name}", returns(expression), body=PRIVATE_SDP)
add("fix_nated_sdp_missing", returns("KSR.nathelper.fix_nated_sdp(2)"))

for name, uri in {"none": "sip:bob@192.0.2.1", "sips": "sips:bob@192.0.2.1", "tcp": "sip:bob@h.example;transport=tcp", "udp": "sip:bob@[2001:db8::1];transport=udp",
                  "websocket": "sip:bob@h.example;transport=ws"}.items():
    add(f"transport_{name}", returns(*(f"KSR.to_{what}()" for what in ("UDP", "TCP", "TLS", "WS", "WSS", "WSX", "IPv4", "IPv6"))), uri=uri)
add("advertised", 'KSR.set_advertised_address("adv.example")\nKSR.set_advertised_port("5099")\nKSR.rr.record_route()')
add("flags_by_index", returns("KSR.setbiflag(3, 0)", "KSR.isbflagset(3)", "KSR.isbiflagset(3, 0)", "KSR.resetbiflag(3, 0)", "KSR.isbflagset(3)"))
