"""A small Connect that counts what is done to it, and can be as odd as a test needs it."""

import json
import threading
import time
import urllib.parse

import calls
import http_server

VERBS = {"approve": "approved", "fail": "failed", "inquire": "inquiring", "confirm": "revoked"}


class Connect(http_server.Server):
    """Requests that are listed, read, changed and acted upon; `done` has all that changed any."""

    def __init__(self):
        super().__init__(Handler, "/public/v1")
        self.requests = {}
        self.messages = []
        self.done = []
        self.reads = []  # ids of requests that were read by themselves
        self.lists = 0  # how often the requests were listed
        self.times = []  # of all calls, by the machine's clock
        self.lost = set()  # verbs that take effect and then answer 500
        self.status_of = {}  # "GET /requests/PR-1": the status instead of an answer
        self.complaint = "no"  # what such an answer says
        self.hanging = set()  # "POST /requests/PR-1/fail": nothing is done and nothing answered
        self.odd = []  # elements (bytes) that the list of requests begins with
        self.cut = None  # objects a page, however many are asked for; then Content-Range is missing
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.hung = threading.Event()
        self.stuck = []  # calls that hang, or hung

    def __exit__(self, *details):
        self.over.set()
        super().__exit__(*details)

    def add(self, request_type, status="pending", product=calls.PRODUCT):
        request_id = f"PR-{len(self.requests) + 1}"
        self.requests[request_id] = {
            "id": request_id, "type": request_type, "status": status,
            "asset": {"product": {"id": product},
                      "params": [{"id": "pin", "type": "password", "value": ""}]}}
        return request_id

    def is_hanging(self):
        return self.hung.is_set()

    def status(self, request_id):
        return self.requests[request_id]["status"]

    def change(self, method, path, body):
        """One change; gives (status, answer)."""
        if path.startswith("/conversations/"):
            self.messages.append(body["text"])
            return 200, {"id": "ME-1", **body}
        request_id, _, verb = path.removeprefix("/requests/").partition("/")
        request = self.requests[request_id]
        self.done.append((request_id, verb or "put"))
        if method == "PUT":
            request["asset"]["params"] = body["asset"]["params"]
        elif request["status"] not in ("pending", "revoking"):
            return 400, {"error_code": "REQ_003", "errors": [f"{verb}: not in this state"]}
        else:
            request["status"] = VERBS[verb]
        return (500, {}) if verb in self.lost else (200, request)


class Handler(http_server.Handler):
    def page(self, items):
        """One page of elements that are bytes, or are made so."""
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        offset, limit = (int(query.get(key, [n])[0]) for key, n in (("offset", 0), ("limit", 100)))
        cut = self.server.cut
        elements = [i if isinstance(i, bytes) else json.dumps(i).encode() for i in items]
        shown = elements[offset:offset + min(limit, cut or limit)]
        last = offset + max(len(shown) - 1, 0)
        headers = [("Content-Type", "application/json")]
        if not cut:
            headers.append(("Content-Range", f"items {offset}-{last}/{len(elements)}"))
        self.reply(200, b"[" + b",".join(shown) + b"]", headers)

    def meets_trouble(self):
        """Is this call not to be served like any other?"""
        self.server.times.append(time.time())
        what = f"{self.command} {self.path.removeprefix('/public/v1').partition('?')[0]}"
        if what in self.server.hanging:
            self.server.stuck.append(what)
            self.server.hung.set()
            self.server.over.wait()
            self.close_connection = True
        elif what in self.server.status_of:
            self.reply_json(self.server.status_of[what],
                            {"error_code": "SIM_1", "errors": [self.server.complaint]})
        else:
            return False
        return True

    def do_GET(self):
        path = urllib.parse.urlsplit(self.path).path.removeprefix("/public/v1")
        connect = self.server
        if self.meets_trouble():
            return
        with connect.lock:
            if self.headers["Authorization"] != "ApiKey test-key":
                self.reply_json(401, {"error_code": "AUTH_001", "errors": ["unauthorized"]})
            elif path == "/requests":
                connect.lists += 1
                self.page([*connect.odd, *(r for r in connect.requests.values()
                                           if r["status"] in ("pending", "revoking"))])
            elif path.endswith("/templates"):
                self.page([{"id": "TL-1-2-3", "name": "The only one"}])
            elif path == "/conversations":
                self.page([{"id": "CO-1-2"}])
            elif path.startswith("/conversations/"):
                self.page([{"id": f"ME-{i}", "text": text}
                           for i, text in enumerate(connect.messages)])
            else:
                connect.reads.append(path.removeprefix("/requests/"))
                self.reply_json(200, connect.requests[connect.reads[-1]])

    def do_POST(self):
        body = json.loads(self.body() or "null")
        if self.meets_trouble():
            return
        with self.server.lock:
            path = self.path.removeprefix("/public/v1")
            self.reply_json(*self.server.change(self.command, path, body))

    do_PUT = do_POST
