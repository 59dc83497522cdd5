#!/usr/bin/env python3
"""The server under a stand-in for systemd: notifications, socket activation, descriptor store, watchdog, change of the main process.

systemd.py BINARY LOAD SERIES [--calls N] [--rate N]
"""
import argparse
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

from server import Load, Server


class Manager:
    """Listens at $NOTIFY_SOCKET as systemd does, keeps descriptors, and starts the server with them."""

    def __init__(self, server, watchdog_usec=0):
        self.server, self.watchdog_usec = server, watchdog_usec
        self.path = str(server.folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.messages, self.store = [], {}
        self.changed = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            data, descriptors, _, _ = socket.recv_fds(self.socket, 65536, 16)
            for one in descriptors:
                os.set_inheritable(one, False)  # the server gets only what start() gives it
            message = dict(line.split("=", 1) for line in data.decode().splitlines())
            with self.changed:
                if message.get("FDSTORE") == "1":
                    assert len(descriptors) == 1, f"{len(descriptors)} descriptors with {message}"
                    name = message["FDNAME"]
                    # As systemd does: what is the same file is there once.
                    same = name in self.store and os.fstat(self.store[name]).st_ino == os.fstat(descriptors[0]).st_ino
                    if same:
                        os.close(descriptors[0])
                    else:
                        assert name not in self.store, f"two descriptors of the name {name}"
                        self.store[name] = descriptors[0]
                if message.get("FDSTOREREMOVE") == "1" and message["FDNAME"] in self.store:
                    os.close(self.store.pop(message["FDNAME"]))
                self.messages.append((time.monotonic(), message))
                self.changed.notify_all()

    def wait_for(self, condition, what, timeout=10):
        with self.changed:
            assert self.changed.wait_for(lambda: condition([message for _, message in self.messages]), timeout), f"{what} did not come: {self.messages}"

    def wait_for_message(self, key, value=None):
        self.wait_for(lambda messages: any(key in m and value in (None, m[key]) for m in messages), f"{key}={value}")

    def forget_messages(self):
        with self.changed:
            self.messages.clear()

    def start(self, descriptors=None):
        """`descriptors`: name and number of each; without it those of the store."""
        passed = list((descriptors if descriptors is not None else self.store).items())
        out = open(self.server.folder / "out", "ab")
        environment = dict(os.environ, NOTIFY_SOCKET=self.path)
        if passed:
            environment |= {"LISTEN_FDS": str(len(passed)), "LISTEN_FDNAMES": ":".join(name for name, _ in passed)}
        if self.watchdog_usec:
            environment["WATCHDOG_USEC"] = str(self.watchdog_usec)

        def arrange():
            # Out of the way of each other first.
            copies = [os.dup2(number, 500 + i) for i, (_, number) in enumerate(passed)]
            for i, copy in enumerate(copies):
                os.dup2(copy, 3 + i, inheritable=True)
                os.close(copy)

        self.server.process = subprocess.Popen(
            ["/bin/sh", "-c", 'LISTEN_PID=$$ WATCHDOG_PID=$$ exec "$0" "$@"', self.server.binary, "run", "-c", str(self.server.config)],
            stdout=out, stderr=self.server.log, env=environment, close_fds=False, preexec_fn=arrange,
        )
        self.wait_for_message("READY", "1")


def inodes(pid):
    found = set()
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(os.stat(entry).st_ino)
        except OSError:
            pass
    return found


def notified(args):
    with Server(args.binary) as server:
        manager = Manager(server, watchdog_usec=400_000)
        manager.start()
        ready = next(m for _, m in manager.messages if "READY" in m)
        assert f"udp:127.0.0.1:{server.port}" in ready["STATUS"], ready
        manager.wait_for(lambda messages: sum("WATCHDOG" in m for m in messages) >= 4, "the watchdog's food")
        fed = [at for at, m in manager.messages if "WATCHDOG" in m]
        assert 0.15 < (fed[3] - fed[0]) / 3 < 0.4, fed
        # Two workers, and what they received.
        manager.wait_for(lambda messages: sum("FDSTORE" in m for m in messages) >= 3, "the descriptors")
        assert sorted(manager.store) == ["receive", "udp-0-0", "udp-0-1"], manager.store
        assert all(m["FDPOLL"] == "0" for _, m in manager.messages if "FDSTORE" in m)
        manager.forget_messages()
        server.process.send_signal(signal.SIGHUP)
        manager.wait_for_message("RELOADING", "1")
        reloading = next(m for _, m in manager.messages if "RELOADING" in m)
        assert abs(int(reloading["MONOTONIC_USEC"]) / 1e6 - time.monotonic()) < 10, reloading
        manager.wait_for_message("READY", "1")
        manager.forget_messages()
        server.stop()
        manager.wait_for_message("STOPPING", "1")
    return True


def edge_died(args):
    """kill -9 of the edge under calls: its successor gets the same sockets, and no datagram is lost meanwhile."""
    with Server(args.binary) as server:
        manager = Manager(server)
        manager.start()
        manager.wait_for(lambda messages: sum("FDSTORE" in m for m in messages) >= 3, "the descriptors")
        kept = {os.fstat(number).st_ino for number in manager.store.values()}
        load = Load(args.load, server, "--calls", args.calls, "--rate", args.rate)
        restarts = 0
        time.sleep(1)
        for _ in range(3):
            server.kill()
            manager.forget_messages()
            time.sleep(0.1)  # RestartSec
            manager.start()
            restarts += 1
            assert kept <= inodes(server.process.pid), "it has opened sockets of its own"
            assert server.settled_status()["last_start"]["recovered"] > 0
            time.sleep(1)
        assert load.running()
        report, out = load.result()
        print(out, end="")
        print(json.dumps({"restarts": restarts, "failures": {k: v for k, v in report["failures"].items() if v}}))
        server.stop()
        return report["failed_calls"] == 0


def activated(args):
    """A socket unit's socket is used; one that fits no address is closed; more than there are workers are given back."""
    with Server(args.binary) as server:
        manager = Manager(server)
        sockets = {}
        for name, address in {"sip": ("127.0.0.1", server.port), "strange": ("127.0.0.1", 0)}.items():
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.bind(address)
            sockets[name] = one
        number = {name: os.fstat(one.fileno()).st_ino for name, one in sockets.items()}
        manager.start({name: one.fileno() for name, one in sockets.items()})
        for one in sockets.values():
            one.close()
        have = inodes(server.process.pid)
        assert number["sip"] in have, "the socket that came with it is not used"
        assert number["strange"] not in have, "a socket that fits nothing is still open"
        assert "descriptor strange of the service manager fits no listen address" in server.log_text()
        manager.wait_for(lambda messages: any(m.get("FDSTOREREMOVE") == "1" and m["FDNAME"] == "strange" for m in messages), "FDSTOREREMOVE")
        load = Load(args.load, server, "--calls", 50, "--rate", 100, "--grace", 5000)
        report, _ = load.result()
        assert report["failed_calls"] == 0
        manager.wait_for(lambda messages: sum("FDSTORE" in m for m in messages) >= 3, "the descriptors")
        # The next start has one worker: the second one's socket must not go on taking datagrams that nobody reads.
        server.kill()
        server.config.write_text(server.config.read_text().replace("workers = 2", "workers = 1"))
        manager.forget_messages()
        manager.start()
        manager.wait_for(lambda messages: any(m.get("FDSTOREREMOVE") == "1" and m["FDNAME"].startswith("udp-0-") for m in messages), "FDSTOREREMOVE")
        load = Load(args.load, server, "--calls", 50, "--rate", 100, "--grace", 5000)
        report, _ = load.result()
        server.stop()
        return report["failed_calls"] == 0


def main_process(args):
    """An upgrade of the edge: systemd is told which process follows, and the files follow, too."""
    with Server(args.binary, extra='[engine]\nprobation = "300ms"') as server:
        manager = Manager(server, watchdog_usec=400_000)
        manager.start()
        first = server.edge_pid()
        manager.forget_messages()
        code, out, err = server.command("upgrade", "--edge")
        assert code == 0, f"{out} {err}"
        second = server.edge_pid()
        assert second != first
        manager.wait_for_message("MAINPID", str(second))
        assert server.process.wait(10) == 0
        assert not any("STOPPING" in m for _, m in manager.messages), "a change of the edge is no stop"
        manager.forget_messages()
        manager.wait_for(lambda messages: sum("WATCHDOG" in m for m in messages) >= 3, "the watchdog's food from the new edge")
        # One that dies in its probation gives the name back.
        manager.forget_messages()
        done = []
        command = threading.Thread(target=lambda: done.append(server.command("upgrade", "--edge")))
        command.start()
        manager.wait_for_message("MAINPID")
        third = int(next(m["MAINPID"] for _, m in manager.messages if "MAINPID" in m))
        os.kill(third, signal.SIGKILL)
        command.join(30)
        assert done[0][0] == 1 and "serves again" in done[0][2], done
        manager.wait_for_message("MAINPID", str(second))
        assert server.edge_pid() == second
        code, out, err = server.command("stop")
        assert code == 0, f"{out} {err}"
        manager.wait_for_message("STOPPING", "1")
    return True


SERIES = {"notified": notified, "edge_died": edge_died, "activated": activated, "main_process": main_process}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("load")
    parser.add_argument("series", choices=SERIES)
    parser.add_argument("--calls", type=int, default=1200)
    parser.add_argument("--rate", type=int, default=100)
    arguments = parser.parse_args()
    passed = SERIES[arguments.series](arguments)
    print("passed" if passed else "FAILED")
    sys.exit(0 if passed else 1)
