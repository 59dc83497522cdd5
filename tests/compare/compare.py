#!/usr/bin/env python3
"""Runs the same scripts and the same SIP traffic through Kamailio and through Perdure and compares what comes out, header by header.

compare.py PERDURE [CASE...] [-v] [--document]: a case is a theme (cases/forking.py: `forking`) or one of it (`forking.serial`).
docs/compare.md tells the rest."""
import argparse
import concurrent.futures
import importlib
import pathlib
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import cases  # noqa: E402
import document  # noqa: E402
import judge  # noqa: E402
import normalise  # noqa: E402
import servers  # noqa: E402
import world  # noqa: E402

DISPATCHER_LIST = "\n".join(
    ["1 sip:{bob}", "1 sip:{carol}", "1 sip:{dave}"]  # round robin
    + ["2 sip:{bob} 0 1", "2 sip:{carol} 0 9", "2 sip:{dave} 0 5"]  # by priority
    + ["3 sip:{bob}", "3 sip:{carol}", "3 sip:{dave}", "3 sip:{erin}"]  # hashes
    + ["4 sip:{erin}", "5 sip:{bob}", "5 sip:{carol}", "6 sip:{bob} 0 9", "6 sip:{carol} 0 1"]
) + "\n"

# Milliseconds that a branch may be without a response.
FR_TIMERS = {"long": 30000, "short": 300}


class Pair:
    """Both servers, each with its places."""

    def __init__(self, fr_timer_ms):
        names = 1 + len(servers.PEERS)
        ports4 = servers.free_ports(names, ["127.0.0.1", "127.0.0.2"])
        ports6 = servers.free_ports(6, ["::1"])
        self.servers = [
            servers.Kamailio(servers.Places("127.0.0.1", ports4, ports6[:3]), fr_timer_ms, DISPATCHER_LIST),
            servers.Perdure(servers.Places("127.0.0.2", ports4, ports6[3:]), fr_timer_ms, DISPATCHER_LIST),
        ]

    def __enter__(self):
        try:
            for server in self.servers:
                server.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.close()


def run_in(server, case):
    """Transcript and the errors that the script logged."""
    server.load(case.script)
    peers = world.World(server, case.name)
    note = ""
    try:
        case.play(peers)
        peers.settle()
    except world.Nothing as error:
        note = str(error)
        peers.drain()
    except Exception:
        # A message of another shape than the case expects is a difference, too.
        note = traceback.format_exc(limit=-2)
        peers.drain()
    finally:
        peers.close()
    return normalise.transcript(peers, count_all=case.count_all, anyone=case.anyone, note=note), server.new_errors()


def compare(pool, pair, case, differences, verbose):
    """Whether both agree."""
    (kamailio, errors_k), (perdure, errors_p) = pool.map(lambda server: run_in(server, case), pair.servers)
    accepted, is_open, resolved = judge.judge(case.name, kamailio, perdure, differences)
    problems = []
    if is_open:
        problems.append("they differ (- Kamailio, + Perdure)")
    if not kamailio and not case.silent:
        problems.append("nothing came out of Kamailio")
    if any("!!!" in line for line in kamailio):
        problems.append("the case does not fit Kamailio")
    if (errors_k or errors_p) and not case.script_errors:
        problems.append("script errors: " + "; ".join(errors_k + errors_p))
    print(f"{'FAILED' if problems else 'ok    '} {case.name}" + (f"  ({accepted} accepted differences)" if accepted else ""), flush=True)
    for problem in problems:
        print(f"       {problem}")
    if verbose and (is_open or accepted):
        print(judge.readable(kamailio, perdure, context=1000))
    elif is_open:
        print(judge.readable(resolved, perdure))
    elif verbose:
        print("\n".join(kamailio))
    return not problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("perdure", type=pathlib.Path, help="the binary")
    parser.add_argument("case", nargs="*")
    parser.add_argument("-v", "--verbose", action="store_true", help="all messages of each case")
    parser.add_argument("--document", action="store_true", help="writes docs/compare.md")
    options = parser.parse_intermixed_args()

    for path in sorted((HERE / "cases").glob("[a-z]*.py")):
        importlib.import_module(f"cases.{path.stem}")
    differences = judge.read_differences(HERE / "differences.toml")
    if options.document:
        document.write(cases.ALL, differences)
        return 0
    names = options.case
    wanted = [case for case in cases.ALL if not names or any(case.name == name or case.theme == name for name in names)]
    if not wanted:
        print(f"no case of that name; themes: {' '.join(sorted({case.theme for case in cases.ALL}))}", file=sys.stderr)
        return 2

    servers.Perdure.binary = options.perdure.resolve()
    failed, begin = [], time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for timer, milliseconds in FR_TIMERS.items():
            group = [case for case in wanted if case.fr_timer == timer]
            if group:
                with Pair(milliseconds) as pair:
                    failed += [case.name for case in group if not compare(pool, pair, case, differences, options.verbose)]
    if len(wanted) == len(cases.ALL):
        for difference in differences:
            if not difference.used:
                failed.append("differences.toml")
                print(f"FAILED differences.toml: no longer needed: {difference.cases}: {difference.kamailio} {difference.perdure}")
        if not document.is_current(cases.ALL, differences):
            failed.append("docs/compare.md")
            print("FAILED docs/compare.md is not that of the cases; write it anew: ./dev compare --document")
    print(f"{len(wanted)} cases in {time.monotonic() - begin:.1f} s, {len(failed)} failed{': ' + ' '.join(failed) if failed else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
