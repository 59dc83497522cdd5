"""What all clients have in common: events that are waited for, and a process that must not stay behind."""
import asyncio
import os

PATIENCE = 15  # Seconds: many tests may run at once.


class Failure(Exception):
    pass


class Client:
    """A user agent of another project, in a process of its own.

    What happens to it comes as events of a few words: registered, incoming [URIs of Record-Route], ringing, established, reinvited (by the other end),
    renegotiated (by this one), ended, cancelled, message TEXT, delivered, refused REASON.
    """

    says_delivered = True

    def __init__(self, kind, transport, host, server, suffix):
        self.kind, self.transport, self.host, self.server = kind, transport, host, server
        self.user = f"{kind}-{transport}-{suffix}"
        self.side = (transport, host)
        self.folder = server.folder / self.user
        self.folder.mkdir()
        self.events = asyncio.Queue()
        self.process, self.tasks = None, []

    @property
    def proxy(self):
        """Address and port where this client finds the server."""
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.server.ports[self.side]}"

    def uri(self, user):
        return f"sip:{user}@example.org"

    async def spawn(self, *command, on_line=None, **environment):
        """What it writes goes to a file, and to `on_line`."""
        with open(self.folder / "output", "ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                *map(str, command), env={**os.environ, **environment}, cwd=self.folder, stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE if on_line else output, stderr=asyncio.subprocess.STDOUT)
        if on_line:
            self.tasks.append(asyncio.create_task(self.read(on_line)))

    async def read(self, on_line):
        with open(self.folder / "output", "ab", buffering=0) as output:
            async for line in self.process.stdout:
                output.write(line)
                on_line(line.decode(errors="replace").strip())

    def tell(self, *words):
        self.process.stdin.write((" ".join(words) + "\n").encode())

    def happened(self, *words):
        self.events.put_nowait(" ".join(words))

    async def expect(self, wanted):
        """The event of that word, without it. Any other one fails: nothing may happen that nobody asked for."""
        try:
            event = await asyncio.wait_for(self.events.get(), PATIENCE)
        except asyncio.TimeoutError:
            raise Failure(f"{self.user} saw nothing, not '{wanted}'") from None
        word, _, rest = event.partition(" ")
        if word != wanted:
            raise Failure(f"{self.user} saw '{event}', not '{wanted}'")
        return rest

    # What the calls of clients.py are made of. SIPp wants to know beforehand what its end of a call will do, the others need not.

    def hears_ringing(self, callee):
        return True

    async def prepare(self, what, reinvites=False, ends=False):
        """Before `answered`, `cancelled` or `written` comes to this client."""

    async def place(self, callee, what, reinvites=False, ends=False):
        """Begins it."""
        (self.message if what == "written" else self.call)(callee)

    async def finish(self):
        """After each of them."""

    async def give_up(self):
        """After one that failed: nothing of it may disturb the next."""
        self.bye()
        await asyncio.sleep(1)
        while not self.events.empty():
            self.events.get_nowait()

    async def stop(self):
        for task in self.tasks:
            task.cancel()
        if self.process and self.process.returncode is None:
            self.process.kill()
        if self.process:
            await self.process.wait()
