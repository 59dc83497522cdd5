"""From messages to lines that can be compared. What is made equal here is all that may differ without being listed in differences.toml:

- addresses and ports of the peers and the server become their names;
- branches and tags that the server makes become branch-1, tag-1 and so on, in the order in which they appear;
- compact names of headers become the long ones, names are written with RFC 3261's capitals, space around the colon becomes `: ` (7.3.1);
- Via has no space around its separators (20.42), and its parameters are sorted, as are those of the URI in Record-Route (their order means
  nothing);
- Date and Server headers are left out;
- retransmissions of the server: a message that is identical to one that the peer got before, unless the case asks to count them."""
import re

COMPACT = {"a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "e": "Content-Encoding", "f": "From", "i": "Call-ID",
    "k": "Supported", "l": "Content-Length",
           "m": "Contact", "o": "Event", "r": "Refer-To", "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via",
           "x": "Session-Expires"}
CAPITALS = {"call-id": "Call-ID", "cseq": "CSeq", "www-authenticate": "WWW-Authenticate", "mime-version": "MIME-Version"}


def header_name(name):
    name = COMPACT.get(name.lower(), name)
    return CAPITALS.get(name.lower(), "-".join(word.capitalize() for word in name.split("-")))


def sorted_parameters(text):
    first, *parameters = text.split(";")
    return ";".join([first, *sorted(parameters)])


class Names:
    """Of one server in one case."""

    def __init__(self, places):
        self.places = places
        self.branches, self.tags = {}, {}

    def text(self, text):
        for name in self.places.place:
            text = text.replace(self.places.text(name), name)
        for name, (_, port) in self.places.place.items():
            text = re.sub(rf"(?<!\d){port}(?!\d)", f"({name}'s port)", text)
        return text.replace(self.places.place["proxy"][0], "(address)")

    def value(self, value):
        value = re.sub(r"(?<=branch=)(?!z9hG4bK-)[^;,\s]+", lambda found: self.branches.setdefault(found[0],
            f"branch-{len(self.branches) + 1}"), value)
        # A tag of a peer is its name and "-tag" with whatever a case adds.
        return re.sub(r"(?<=;tag=)(?![a-z0-9]+-tag)[^;,\s]+", lambda found: self.tags.setdefault(found[0], f"tag-{len(self.tags) + 1}"),
            value)

    def lines(self, message):
        result = [self.text(message.first)]
        for name, value in message.headers:
            name = header_name(name)
            if name in ("Date", "Server"):
                continue
            value = self.value(re.sub(r"\s+", " ", value) if name != "Subject" else value)
            if name == "Via":
                value = ", ".join(sorted_parameters(one) for one in re.sub(r"\s*([;=,/])\s*", r"\1", value).split(","))
            elif name == "Record-Route":
                value = re.sub(r"(?<=<)[^<>]*", lambda found: sorted_parameters(found[0]), value)
            result.append(self.text(f"{name}: {value}"))
        if message.body:
            result += ["", *self.text(message.body.replace("\r\n", "\n")).split("\n")]
        return result


def transcript(world, *, count_all, anyone, note=""):
    """Lines of all that the peers received, peer by peer; `anyone`: all but the caller are one."""
    names = Names(world.places)
    result = []
    inboxes = {peer.name: peer.inbox for peer in world.peers}
    if anyone:
        callees = sorted((message for peer in world.peers[1:] for message in peer.inbox), key=lambda message: message.number)
        inboxes = {"alice": world.alice.inbox, "callee": callees}
    for peer, inbox in inboxes.items():
        seen = set()
        for message in inbox:
            if message.text in seen and not count_all:
                continue
            seen.add(message.text)
            lines = names.lines(message)
            if anyone:
                lines = [re.sub(r"\b(bob|carol|dave|erin)\b(?!@)", "callee", line) for line in lines]
            result += [f"--- {peer}", *lines]
    if note:
        result.append(f"!!! {note}")
    return result
