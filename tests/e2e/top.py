#!/usr/bin/env python3
"""`perdure top` in a real terminal: tmux, at 80x24 and at 200x50.

top.py BINARY LOAD
"""
import shlex
import subprocess
import sys
import time

from server import Load, Server


class Terminal:
    """A tmux server of its own with one window that runs a command."""

    def __init__(self, folder, width, height, command):
        self.socket = str(folder / f"tmux-{width}")
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height), command)

    def tmux(self, *arguments):
        return subprocess.run(["tmux", "-S", self.socket, *arguments], capture_output=True, text=True, timeout=10).stdout

    def keys(self, *names):
        self.tmux("send-keys", *names)

    def text(self):
        return self.tmux("capture-pane", "-p")

    def wait_for(self, wanted, timeout=15):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            text = self.text()
            if wanted(text):
                return text
            time.sleep(0.1)
        raise AssertionError(f"not on the screen:\n{self.text()}")

    def close(self):
        self.tmux("kill-server")


def look(server, binary, width, height):
    terminal = Terminal(server.folder, width, height, f"{shlex.quote(binary)} top --interval 0.5 -c {shlex.quote(str(server.config))}; sleep 60")
    try:
        text = terminal.wait_for(lambda shown: "requests" in shown and "Proceeding" in shown and "INVITE" in shown)
        lines = text.split("\n")
        assert lines[0].startswith("perdure "), text
        assert lines[height - 1].startswith("Tab table"), (lines[height - 1], text)
        assert all(len(line) <= width for line in lines) and len(lines) <= height + 1, text
        print(text)
        terminal.keys("/")
        terminal.keys("nothing-has-this")
        terminal.wait_for(lambda shown: "filter: nothing-has-this_" in shown and " 0 rows" in shown)
        terminal.keys("Escape")
        terminal.wait_for(lambda shown: "filter: none" in shown and " 0 rows" not in shown)
        terminal.keys("s")
        terminal.wait_for(lambda shown: "sorted by METHOD" in shown)
        terminal.keys("Enter")
        terminal.wait_for(lambda shown: "\ncall " in shown and "Esc back" in shown)
        terminal.keys("Escape")
        terminal.wait_for(lambda shown: "[calls]" in shown)
        terminal.keys("Tab")
        terminal.wait_for(lambda shown: "[gateways]" in shown and f"sip:127.0.0.1:{server.gateways[0]}" in shown)
        terminal.keys("Tab")
        terminal.wait_for(lambda shown: "[responses]" in shown)
        server.kill_engine()
        terminal.wait_for(lambda shown: "last one after killed" in shown)
        terminal.keys("q")
        terminal.wait_for(lambda shown: "perdure 0" not in shown)
    finally:
        terminal.close()


def main():
    binary, load_binary = sys.argv[1:]
    with Server(binary).start() as server:
        load = Load(load_binary, server, "--calls", 4000, "--rate", 50, "--ring-least", 2000, "--ring-most", 4000)
        for width, height in ((80, 24), (200, 50)):
            look(server, binary, width, height)
        load.process.kill()
        load.process.wait()


main()
