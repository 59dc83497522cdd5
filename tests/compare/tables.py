"""Dialplan, prefixes and gateways that say the same in Kamailio's tables (db_text) and in Perdure's lists. {bob} is host:port, {bob.port} the port."""
import pathlib
import shutil

KAMAILIO = {
    "dialplan": [
        "id(int,auto) dpid(int) pr(int) match_op(int) match_exp(string) match_len(int) subst_exp(string,null) repl_exp(string,null) attrs(string)",
        r"1:1:1:1:^00[1-9]:0:^00(.*)$:+\\1:international",
        r"2:1:2:0:110:0:^(.*)$:112:emergency",
        r"3:1:3:2:0*:4:^0(.*)$:+49\\1:short",
        r"4:1:4:1:^x:0:^y(.*)$:\\1:never",
        r"6:2:1:1:^(.)(.)$:0:^(.)(.)$:\\2-\\1-\\0:swapped",
    ],
    "mtree": ["id(int,auto) tprefix(string) tvalue(string)", "1:49:germany", "2:4930:berlin", "3:1:america"],
    "lcr_gw": [
        "id(int,auto) lcr_id(int) gw_name(string,null) ip_addr(string,null) hostname(string,null) port(int,null) params(string,null) uri_scheme(int,null) "
        "transport(int,null) strip(int,null) prefix(string,null) tag(string,null) flags(int) defunct(int,null)",
        "1:1:a:{host}::{bob.port}::1:1:2:+:first:5:0",
        "2:1:b:{host}:carrier.example:{carol.port}::1:1:0::second:6:0",
        "3:1:c:{host}::{dave.port}::1:1:0:::0:0",
    ],
    "lcr_rule": [
        "id(int,auto) lcr_id(int) prefix(string,null) from_uri(string,null) request_uri(string,null) mt_tvalue(string,null) stopper(int) enabled(int)",
        "1:1:00::::0:1",
        "2:1:0049::::0:1",
        "3:1:0030::::1:1",
        "4:1:77:^sip\\:premium@:::0:1",
    ],
    "lcr_rule_target": [
        "id(int,auto) lcr_id(int) rule_id(int) gw_id(int) priority(int) weight(int)",
        "1:1:1:1:1:1", "2:1:1:2:2:1", "3:1:2:3:5:1", "4:1:3:2:1:1", "5:1:4:1:1:1",
    ],
}

PERDURE = {
    "dialplan.list": [
        r"1 1 regex ^00[1-9] 0 ^00(.*)$ +\1 international",
        r"1 2 equal 110 0 ^(.*)$ 112 emergency",
        r"1 3 wildcard 0* 4 ^0(.*)$ +49\1 short",
        r"1 4 regex ^x 0 ^y(.*)$ \1 never",
        r"2 1 regex ^(.)(.)$ 0 ^(.)(.)$ \2-\1-\0 swapped",
    ],
    "places.list": ["49 germany", "4930 berlin", "1 america"],
    "lcr.list": [
        "gateway 1 a sip:{bob};transport=udp strip=2 prefix=+ tag=first flags=5",
        "gateway 1 b sip:{carol};transport=udp host=carrier.example tag=second flags=6",
        "gateway 1 c sip:{dave};transport=udp",
        "rule 1 00 a/1,b/2",
        "rule 1 0049 c/5",
        "rule 1 0030 b/1 stop",
        "rule 1 77 a/1 from=^sip:premium@",
    ],
}

PERDURE_OPTIONS = """[htable.ipban]
[dialplan]
list = "dialplan.list"
attributes_avp = "attrs"
[mtree.places]
file = "places.list"
[lcr]
list = "lcr.list"
tag_avp = "lcr_tag"
flags_avp = "lcr_flags"
"""


def write_kamailio(folder, places):
    database = folder / "db"
    database.mkdir()
    shutil.copy(pathlib.Path("/usr/share/kamailio/dbtext/kamailio/version"), database)
    for name, lines in KAMAILIO.items():
        (database / name).write_text(places.fill("\n".join(lines) + "\n"))


def write_perdure(folder, places):
    for name, lines in PERDURE.items():
        (folder / name).write_text(places.fill("\n".join(lines) + "\n"))
