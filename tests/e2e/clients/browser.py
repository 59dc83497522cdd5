"""JsSIP and sip.js by WebSocket and secure WebSocket: browser_client.mjs in Node.js."""
import pathlib

import client

HERE = pathlib.Path(__file__).resolve().parent


class Browser(client.Client):
    def __init__(self, kind, *arguments, packages):
        super().__init__(kind, *arguments)
        self.packages = packages

    async def start(self):
        await self.spawn("node", HERE / "browser_client.mjs", self.kind, self.packages, f"{self.transport}://{self.proxy}", self.user, on_line=self.happened,
                         NODE_EXTRA_CA_CERTS=str(self.server.folder / "certificate.pem"))
        await self.expect("registered")

    def hears_ringing(self, callee):
        """sip.js drops a 180 without Contact, and Linphone's has none."""
        return (self.kind, callee.kind) != ("sipjs", "linphone")

    def call(self, callee):
        self.tell("call", callee)

    def message(self, callee):
        self.tell("message", callee)

    def answer(self):
        self.tell("answer")

    def again(self):
        self.tell("again")

    def cancel(self):
        self.tell("cancel")

    def bye(self):
        self.tell("bye")
