#!/usr/bin/env python3
"""Fails on an include that goes against the arrows, which are the USES of src/CMakeLists.txt."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[2]
cmake = (root / "src/CMakeLists.txt").read_text()
arrows = {}
for call in re.findall(r"perdure_library\(([^)]*)\)", cmake):
    words = call.split()
    uses = []
    if "USES" in words:
        for word in words[words.index("USES") + 1:]:
            if word == "LINKS":
                break
            uses.append(word)
    arrows[words[0]] = set(uses) | {words[0]}


def violations(folder, text):
    """The includes in `text`, a file of src/`folder`, for which the folder has no arrow."""
    found = []
    for target in re.findall(r'^\s*#\s*include\s+"([^"/]+)/[^"]*"', text, re.MULTILINE):
        if target not in arrows[folder]:
            found.append(target)
    return found


# A canary: the check itself must notice an include against the arrows.
assert violations("base", '#include "sip/message.hpp"\n') == ["sip"], "the check is blind"

bad = []
files = 0
for folder in sorted(p for p in (root / "src").iterdir() if p.is_dir()):
    if folder.name not in arrows:
        bad.append(f"src/{folder.name}: a folder without a library in src/CMakeLists.txt")
        continue
    for source in sorted([*folder.rglob("*.hpp"), *folder.rglob("*.cpp")]):
        files += 1
        for target in violations(folder.name, source.read_text()):
            bad.append(f"{source.relative_to(root)}: includes {target}/, no arrow {folder.name} -> {target}")
print("\n".join(bad) or f"{files} files, no include against the arrows")
sys.exit(1 if bad else 0)
