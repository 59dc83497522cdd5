"""What differs between two transcripts, and whether differences.toml accepts it."""
import difflib
import re
import tomllib


class Difference:
    """An entry: in these cases ("*" in a name stands for anything) these lines of Kamailio stand against those of Perdure, or a line stands
    elsewhere in its message. `message`: in messages with this first line only. "…" in a line stands for anything."""

    def __init__(self, entry):
        self.cases, self.reason = entry["cases"], entry["reason"]
        self.kamailio, self.perdure = entry.get("kamailio", []), entry.get("perdure", [])
        self.moved = entry.get("moved", "")
        self.message = entry.get("message", "…")
        self.bug = entry.get("bug", False)
        self.used = False
        unknown = set(entry) - {"cases", "reason", "kamailio", "perdure", "moved", "message", "bug"}
        if unknown or not (self.kamailio or self.perdure or self.moved):
            raise ValueError(f"differences.toml: entry of {self.cases}: {unknown or 'no lines'}")

    def is_for(self, case):
        return any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), case) for pattern in self.cases)

    @staticmethod
    def _is(pattern, line):
        return re.fullmatch(re.escape(pattern).replace("…", ".*"), line)

    def to_front(self, transcript):
        """The transcript with the moved lines of each message before its others."""
        result = []
        for line in transcript:
            if line.startswith("--- "):
                front = len(result) + 1
            if self._is(self.moved, line):
                result.insert(front, line)
                front += 1
            else:
                result.append(line)
        return result

    @staticmethod
    def _find(lines, patterns):
        """Where the patterns stand one after the other in the lines; None: nowhere."""
        for begin in range(len(lines) - len(patterns) + 1):
            if all(Difference._is(pattern, line) for pattern, line in zip(patterns, lines[begin:])):
                return begin
        return None

    def take_from(self, first_line, kamailio, perdure):
        """Takes its lines out of both lists if they are there."""
        if not self._is(self.message, first_line):
            return False
        left, right = self._find(kamailio, self.kamailio), self._find(perdure, self.perdure)
        if self.moved or left is None or right is None:
            return False
        del kamailio[left:left + len(self.kamailio)]
        del perdure[right:right + len(self.perdure)]
        self.used = True
        return True


def read_differences(path):
    return [Difference(entry) for entry in tomllib.loads(path.read_text()).get("difference", [])]


def count_hunks(kamailio, perdure):
    return sum(one[0] != "equal" for one in difflib.SequenceMatcher(None, kamailio, perdure, autojunk=False).get_opcodes())


def whole_message(lines, begin, end):
    """Of the places that mean the same insertion or removal, the one that begins with a message if there is one."""
    for step in (-1, 1):
        first, last = begin, end
        while True:
            if lines[first].startswith("--- "):
                return lines[first:last]
            if step < 0 and (first == 0 or lines[first - 1] != lines[last - 1]):
                break
            if step > 0 and (last == len(lines) or lines[first] != lines[last]):
                break
            first, last = first + step, last + step
    return lines[begin:end]


def first_line_of(lines, index):
    """Of the message that the line belongs to."""
    begin = next((i for i in range(min(index, len(lines) - 1), -1, -1) if lines[i].startswith("--- ")), 0)
    return next((line for line in lines[begin:] if "SIP/2.0" in line and not line.startswith("Via: ")), "")


def judge(case, kamailio, perdure, differences):
    """Number of accepted differences, whether others remain, and Kamailio's transcript with the accepted ones as in Perdure's."""
    mine = [difference for difference in differences if difference.is_for(case)]
    accepted, open_hunks = 0, False
    for difference in mine:
        if difference.moved:
            before = count_hunks(kamailio, perdure)
            moved = difference.to_front(kamailio), difference.to_front(perdure)
            if count_hunks(*moved) < before:
                accepted, difference.used = accepted + 1, True
                kamailio, perdure[:] = moved
    resolved = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, kamailio, perdure, autojunk=False).get_opcodes():
        left, right = kamailio[a:b], perdure[c:d]
        if kind == "equal":
            resolved += left
            continue
        if kind == "insert":
            right = whole_message(perdure, c, d)
        elif kind == "delete":
            left = whole_message(kamailio, a, b)
        first_line = first_line_of(kamailio, a)
        while (left or right) and any(difference.take_from(first_line, left, right) for difference in mine):
            accepted += 1
        open_hunks = open_hunks or bool(left or right)
        resolved += kamailio[a:b] if left or right else perdure[c:d]
    return accepted, open_hunks, resolved


def readable(kamailio, perdure, context=3):
    """The difference as a text: - Kamailio, + Perdure."""
    return "\n".join(list(difflib.unified_diff(kamailio, perdure, "kamailio", "perdure", n=context, lineterm=""))[2:])
