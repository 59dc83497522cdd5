#!/usr/bin/env python3
"""Fails if the dashboard for Grafana asks for a metric or a label that the server does not have. dashboard_test.py BINARY"""
import json
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
page = subprocess.run([sys.argv[1], "metrics"], capture_output=True, text=True, check=True).stdout
# {name: (type, labels)}, from the lines `| name | type | labels | meaning |`.
known = {name: (kind, set(labels.replace(",", " ").split()))
         for name, kind, labels in re.findall(r"^\| `(perdure_\w+)` \| (\w+) \| ([^|]*) \|", page, re.MULTILINE)}
OF_PROMETHEUS = {"instance", "job", "le"}


def faults(expression):
    """What is wrong with a query: names and labels that are not there."""
    found = []
    labels = set(OF_PROMETHEUS)
    for name in re.findall(r"perdure_\w+", expression):
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        kind, its_labels = known.get(name) or known.get(family) or ("", set())
        # A histogram has these series, and only these.
        if not kind or (kind == "histogram") != (family != name):
            found.append(f"there is no {name}")
        labels |= its_labels
    selectors = re.findall(r"\{([^}]*)\}", expression)
    asked = re.findall(r'(\w+)\s*[=!]~?\s*"', ",".join(selectors))
    for group in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression):
        asked += re.findall(r"\w+", group)
    return found + [f"no metric here has the label {label}" for label in asked if label not in labels]


# A canary: the check itself must notice what is not there.
assert faults("rate(perdure_nothing_total[1m])") and faults('perdure_up{nothing="1"}') and faults("sum by (nothing) (perdure_up)"), "the check is blind"
assert faults("perdure_script_seconds") and not faults("sum by (le) (perdure_script_seconds_bucket)"), "the check does not know histograms"

dashboard = json.loads((root / "packaging/grafana/perdure.json").read_text())
bad, queries = [], 0
for panel in dashboard["panels"]:
    for target in panel.get("targets", []):
        queries += 1
        for word in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
            if not re.search(rf"by \([^)]*\b{word}\b", target["expr"]):
                bad.append(f"{panel['title']}: {{{{{word}}}}} is not in the answer")
        bad += [f"{panel['title']}: {fault}" for fault in faults(target["expr"])]
for annotation in dashboard["annotations"]["list"]:
    bad += [f"{annotation['name']}: {fault}" for fault in faults(annotation["expr"])]
ids = [panel["id"] for panel in dashboard["panels"]]
if len(set(ids)) != len(ids):
    bad.append("two panels have one id")
print("\n".join(bad) or f"{queries} queries, all of metrics that are there")
sys.exit(1 if bad or queries == 0 else 0)
