"""What the HTTP servers are made of that tests write themselves."""

import http.server
import json
import threading

import calls

HOST = "127.0.0.1"


class InThread:
    """A socketserver that serves in a thread for as long as its `with` lasts."""

    thread = None

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        return self

    def __exit__(self, *_):
        if self.thread is not None:
            self.shutdown()
            self.thread.join(calls.TIMEOUT)
        self.server_close()


class Server(InThread, http.server.ThreadingHTTPServer):
    """`url` is its address with `path`."""

    scheme = "http"

    def __init__(self, handler, path, **how):
        super().__init__((HOST, 0), handler, **how)
        self.path = path

    @property
    def url(self):
        return f"{self.scheme}://{HOST}:{self.server_address[1]}{self.path}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are written apart

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            pass  # the caller did not wait

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def reply(self, status, content=b"", headers=()):
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(content)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def reply_list(self, items):
        """One page with all of them."""
        self.reply_json(200, items, [("Content-Range", f"items 0-{max(len(items) - 1, 0)}/{len(items)}")])

    def reply_json(self, status, value, headers=()):
        self.reply(status, json.dumps(value).encode(),
                   (("Content-Type", "application/json"), *headers))
