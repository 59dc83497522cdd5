"""A PostgreSQL of its own in a temporary folder, on a free port of loopback."""
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile
import time


def programs():
    """The folder of the newest version that is installed."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise RuntimeError("PostgreSQL is not installed")
    return found[-1].parent


class Postgres:
    def __init__(self, connections=150):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="perdure-postgres-"))
        self.programs = programs()
        # It refuses to run as root.
        self.user = pwd.getpwnam("postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name)
        if os.getuid() == 0:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.connections = connections
        self.process = None

    def run(self, program, *arguments, start=subprocess.run, **options):
        ids = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
        return start([str(self.programs / program), *map(str, arguments)], cwd=self.folder, stdout=subprocess.DEVNULL, **ids, **options)

    @property
    def url(self):
        return f"postgres://tester@127.0.0.1:{self.port}/postgres"

    def start(self):
        data = self.folder / "data"
        if not data.exists():
            self.run("initdb", "-D", data, "-U", "tester", "-A", "trust", "-N", "-E", "UTF8", "--locale=C", check=True, stderr=subprocess.DEVNULL)
        self.process = self.run(
            "postgres", "-D", data, "-p", self.port, "-h", "127.0.0.1", "-k", self.folder, "-c", "fsync=off", "-c", f"max_connections={self.connections}",
            start=subprocess.Popen, stderr=open(self.folder / "log", "ab"),
        )
        for _ in range(300):
            if self.run("pg_isready", "-h", "127.0.0.1", "-p", self.port, stderr=subprocess.DEVNULL).returncode == 0:
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"PostgreSQL did not start: {(self.folder / 'log').read_text(errors='replace')[-2000:]}")

    def kill(self):
        """At once, without a word to its clients."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(3)  # SIGQUIT: the postmaster takes its children with it
            self.process.wait(20)

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
