"""A gate in front of connect-sim's API: passes calls on, and holds the ones that a test names."""

import threading
import urllib.parse

import calls
import http_server


class Gate(http_server.Server):
    """`url` is the API's address behind the gate.

    hold = lambda method, path: ...   which calls have to wait; the first of them sets `reached`
    open()                            lets the ones that wait go on, and all later ones

    Until listen() its port is taken, and a connection to it is refused.
    """

    def __init__(self, sim):
        self.sim = urllib.parse.urlsplit(sim.url)
        super().__init__(Handler, self.sim.path, bind_and_activate=False)
        self.server_bind()
        self.hold = lambda method, path: False
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __enter__(self):
        return self

    def listen(self):
        self.server_activate()
        return super().__enter__()

    def open(self):
        self.opened.set()

    def __exit__(self, *details):
        self.open()
        super().__exit__(*details)


class Handler(http_server.Handler):
    def pass_on(self):
        gate = self.server
        body = self.body()
        if gate.hold(self.command, self.path):
            gate.reached.set()
            gate.opened.wait(calls.TIMEOUT)
        # Its own length goes with the body: calls.http() adds it.
        headers = [(n, v) for n, v in self.headers.items()
                   if n.lower() not in ("connection", "content-length")]
        answer = calls.http(self.command, f"http://{gate.sim.netloc}{self.path}",
                            body if self.command != "GET" else None, headers)
        self.reply(answer.status, answer.body,
                   [(n, v) for n, v in answer.headers.items()
                    if n.lower() not in ("connection", "content-length", "date")])

    do_GET = do_POST = do_PUT = pass_on
