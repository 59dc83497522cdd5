"""docs/compare.md: what is compared and what differs, from the cases and differences.toml."""
import pathlib

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/compare.md"
BEGIN = "<!-- compare: begin -->\n"


def _cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


def _code(lines):
    return "<br>".join(f"`{_cell(line) or ' '}`" for line in lines) or "nothing"


def _sides(difference):
    if difference.moved:
        return f"`{_cell(difference.moved)}` | the same at another place of the message"
    where = "" if difference.message == "…" else f"in `{difference.message}`: "
    return f"{where}{_code(difference.kamailio)} | {_code(difference.perdure)}"


def body(all_cases, differences):
    lines = [f"## Cases\n\n{len(all_cases)} cases.\n"]
    for theme in sorted({case.theme for case in all_cases}):
        lines += [f"### {theme}\n", "| case | what happens |", "| --- | --- |"]
        lines += [f"| `{case.name}` | {_cell(' '.join(case.text.split()))} |" for case in all_cases if case.theme == theme]
        lines.append("")
    for title, bug in (("Differences that stay", False), ("Known faults of Perdure", True)):
        some = [difference for difference in differences if difference.bug == bug]
        if some:
            lines += [f"## {title}\n", "| cases | Kamailio | Perdure | reason |", "| --- | --- | --- | --- |"]
            lines += [f"| {', '.join(f'`{name}`' for name in one.cases)} | {_sides(one)} | {_cell(one.reason)} |" for one in some]
            lines.append("")
    return "\n".join(lines)


def write(all_cases, differences):
    head = PAGE.read_text().split(BEGIN)[0]
    PAGE.write_text(head + BEGIN + body(all_cases, differences))


def is_current(all_cases, differences):
    return PAGE.exists() and PAGE.read_text().split(BEGIN)[-1] == body(all_cases, differences)
