"""connect-webhook poll --once, against a small Connect that counts what is done to it."""

import http.server
import json
import subprocess
import threading
import urllib.parse

import pytest

import calls

TIMEOUT = 30  # seconds
PASSWORD = "correct horse battery"
VERBS = {"approve": "approved", "fail": "failed", "inquire": "inquiring", "confirm": "revoked"}

RULES = [
    {"when": "eq(status,revoking)", "then": {"action": "confirm"}},
    {"when": "eq(type,cancel)", "then": {"action": "fail", "reason": "not yet"}},
    {"when": "eq(type,purchase)",
     "then": {"action": "approve", "template_id": "TL-1-2-3",
              "params": [{"id": "pin", "value": PASSWORD}], "message": "Welcome!"}},
    {"when": "eq(type,change)", "then": {"action": "skip", "reason": "by hand"}},
    {"then": {"action": "approve", "template_id": "TL-1-2-3"}},
]


class Connect(http.server.ThreadingHTTPServer):
    """Requests that are listed, read, changed and acted upon; `done` has all that changed any."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = {}
        self.messages = []
        self.done = []
        self.lost = set()  # verbs that take effect and then answer 500
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/public/v1"

    def add(self, request_type, status="pending", product=calls.PRODUCT):
        request_id = f"PR-{len(self.requests) + 1}"
        self.requests[request_id] = {
            "id": request_id, "type": request_type, "status": status,
            "asset": {"product": {"id": product},
                      "params": [{"id": "pin", "type": "password", "value": ""}]}}
        return request_id

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


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body, headers=()):
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"),
                            ("Content-Length", str(len(content))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def page(self, items):
        self.answer(200, items,
                    [("Content-Range", f"items 0-{max(len(items) - 1, 0)}/{len(items)}")])

    def do_GET(self):
        path = urllib.parse.urlsplit(self.path).path.removeprefix("/public/v1")
        connect = self.server
        with connect.lock:
            if self.headers["Authorization"] != "ApiKey test-key":
                self.answer(401, {"error_code": "AUTH_001", "errors": ["unauthorized"]})
            elif path == "/requests":
                self.page([r for r in connect.requests.values()
                           if r["status"] in ("pending", "revoking")])
            elif path == "/conversations":
                self.page([{"id": "CO-1-2"}])
            elif path.startswith("/conversations/"):
                self.page([{"id": f"ME-{i}", "text": text}
                           for i, text in enumerate(connect.messages)])
            else:
                self.answer(200, connect.requests[path.removeprefix("/requests/")])

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "null")
        with self.server.lock:
            path = self.path.removeprefix("/public/v1")
            self.answer(*self.server.change(self.command, path, body))

    do_PUT = do_POST


@pytest.fixture
def small_connect():
    with Connect() as connect:
        thread = threading.Thread(target=connect.serve_forever)
        thread.start()
        yield connect
        connect.shutdown()
        thread.join(TIMEOUT)


@pytest.fixture
def conf(small_connect, configuration):
    return configuration(api_url=small_connect.url, rules=json.dumps(RULES),
                         log={"level": "info"})


@pytest.fixture
def poll(build, conf):
    """poll(*options): run it to its end. poll.start(*options): and do not wait."""
    def start(*options):
        return subprocess.Popen([build / "connect-webhook", "poll", "-c", conf.path, *options],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def end(process):
        out, err = process.communicate(timeout=TIMEOUT)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def run(*options):
        return end(start(*options))

    run.start, run.end = start, end
    return run


def rows(result):
    return {row["object"]: row for row in map(json.loads, result.stdout.splitlines())}


@pytest.mark.parametrize("options", [[], ["--once", "more"], ["--once", "--bogus"]])
def test_refuses_a_command_line_it_does_not_understand(poll, small_connect, options):
    small_connect.add("purchase")
    result = poll(*options)
    assert (result.returncode, result.stdout) == (2, "")
    assert "--help" in result.stderr
    assert small_connect.done == []


def test_refuses_webhooks_it_cannot_poll(poll, conf, small_connect):
    small_connect.add("purchase")
    conf.document["webhooks"].append({
        **conf.webhook(calls.WEBHOOK), "id": "WH-2", "type": "validator", "policy": "none",
        "secrets": [conf.add_secret("WH-2", calls.SECRET)]})
    conf.save()
    for webhook, words in ("WH-9", "no webhook WH-9"), ("WH-2", "validator"):
        result = poll("--once", "--webhook", webhook)
        assert result.returncode == 1
        assert words in result.stderr
    assert small_connect.done == []


def test_says_that_there_is_nothing_to_do(poll, small_connect):
    result = poll("--once")
    assert (result.returncode, result.stdout) == (0, "")
    assert "nothing to do" in result.stderr


def test_does_what_the_rules_say_once(poll, small_connect):
    bought = small_connect.add("purchase")
    cancelled = small_connect.add("cancel")
    changed = small_connect.add("change")
    revoked = small_connect.add("purchase", "revoking")
    foreign = small_connect.add("purchase", product="PRD-9-9-9")
    result = poll("--once", "--json")
    assert result.returncode == 0, result.stderr
    got = {k: (r["before"], r["after"], r["action"], r["outcome"]) for k, r in rows(result).items()}
    assert got == {bought: ("pending", "approved", "approve", "done"),
                   cancelled: ("pending", "failed", "fail", "done"),
                   changed: ("pending", "pending", "skip", "skip"),
                   revoked: ("revoking", "revoked", "confirm", "done")}
    assert small_connect.done == [(bought, "put"), (bought, "approve"), (cancelled, "fail"),
                                  (revoked, "confirm")]
    assert small_connect.messages == ["Welcome!"]
    assert small_connect.status(foreign) == "pending"
    assert "4 objects: 3 done, 1 skipped" in result.stderr
    again = poll("--once", "--json")
    assert again.returncode == 0
    assert list(rows(again)) == [changed]
    assert len(small_connect.done) == 4


@pytest.mark.parametrize("kind", ["purchase", "change", "cancel", "suspend", "resume",
                                  "adjustment", "renew", "transfer"])
def test_knows_every_type_of_request(poll, small_connect, kind):
    request = small_connect.add(kind)
    result = poll("--once")
    assert result.returncode == 0, result.stderr
    want = {"cancel": "failed", "change": "pending"}.get(kind, "approved")
    assert small_connect.status(request) == want
    cells = result.stdout.splitlines()[1].split()
    assert cells[:5] == [calls.WEBHOOK, request, kind, "pending", want]


def test_changes_nothing_in_a_dry_run(poll, conf, small_connect):
    request = small_connect.add("purchase")
    for again in range(2):
        result = poll("--once", "--json", *([] if again else ["--dry-run"]))
        assert result.returncode == 0
        assert rows(result)[request]["outcome"] == "skip"
        assert rows(result)[request]["reason"] == "dry run: would change 1 parameter and approve"
        assert small_connect.done == []
        conf.document["processing"] = {"dry_run": True}
        conf.save()


def test_does_not_repeat_what_took_effect_without_an_answer(poll, small_connect):
    request = small_connect.add("renew")
    small_connect.lost.add("approve")
    result = poll("--once", "--json")
    assert result.returncode == 0, result.stderr
    assert rows(result)[request]["outcome"] == "done"
    assert small_connect.done == [(request, "approve")]


def test_two_at_once_do_everything_once(poll, small_connect):
    requests = [small_connect.add("renew") for _ in range(20)]
    runs = [poll.start("--once", "--json") for _ in range(3)]
    results = [poll.end(run) for run in runs]
    assert [r.returncode for r in results] == [0, 0, 0], [r.stderr for r in results]
    assert sorted(small_connect.done) == sorted((r, "approve") for r in requests)


def test_sweeps_a_queue_once_however_many_webhooks_watch_it(poll, conf, small_connect):
    request = small_connect.add("change")
    first = conf.webhook(calls.WEBHOOK)
    conf.document["webhooks"].append({**first, "id": "WH-2",
                                      "secrets": [conf.add_secret("WH-2", calls.SECRET)]})
    conf.save()
    for options, webhook in ([], calls.WEBHOOK), (["--webhook", "WH-2"], "WH-2"):
        result = poll("--once", "--json", *options)
        assert len(result.stdout.splitlines()) == 1
        assert rows(result)[request]["webhook"] == webhook


def test_ends_with_1_when_something_is_left_to_do(poll, conf, small_connect):
    small_connect.add("renew")
    conf.write("api.key", "another-key\n")
    result = poll("--once")
    assert (result.returncode, result.stdout) == (1, "")
    assert "AUTH_001" in result.stderr
    assert small_connect.done == []


def test_tells_no_secret(poll, small_connect):
    small_connect.add("purchase")
    result = poll("--once", "--json")
    for secret in PASSWORD, "test-key", calls.SECRET:
        assert secret not in result.stdout + result.stderr
