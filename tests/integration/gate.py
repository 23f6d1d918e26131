"""A gate in front of connect-sim's API: passes calls on, and holds the ones that a test names."""

import http.server
import threading
import urllib.parse

import calls


class Gate(http.server.ThreadingHTTPServer):
    """`url` is the API's address behind the gate.

    hold = lambda method, path: ...   which calls have to wait; the first of them sets `reached`
    open()                            lets the ones that wait go on, and all later ones

    Until listen() its port is taken, and a connection to it is refused.
    """

    daemon_threads = True

    def __init__(self, sim):
        super().__init__(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.server_bind()
        self.sim = urllib.parse.urlsplit(sim.url)
        self.hold = lambda method, path: False
        self.reached = threading.Event()
        self.opened = threading.Event()
        self.thread = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}{self.sim.path}"

    def listen(self):
        self.server_activate()
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()
        return self

    def open(self):
        self.opened.set()

    def __exit__(self, *_):
        self.open()
        if self.thread is not None:
            self.shutdown()
            self.thread.join()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            pass  # the caller did not wait

    def pass_on(self):
        gate = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if gate.hold(self.command, self.path):
            gate.reached.set()
            gate.opened.wait(calls.TIMEOUT)
        # Its own length goes with the body: calls.http() adds it.
        headers = [(n, v) for n, v in self.headers.items()
                   if n.lower() not in ("connection", "content-length")]
        answer = calls.http(self.command, f"http://{gate.sim.netloc}{self.path}",
                            body if self.command != "GET" else None, headers)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("connection", "content-length", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = pass_on
