"""connect-webhook send: a call like Connect's, received by a plain HTTP server."""

import base64
import json
import os
import pathlib
import subprocess

import pytest

import http_server

BUILD = pathlib.Path(os.environ.get("BUILDDIR", os.getcwd()))
PROGRAM = BUILD / "connect-webhook"
TIMEOUT = 30  # seconds
SECRET = "a secret for sending, which is long enough"


class Server(http_server.Server):
    """Keeps the last call, and answers as it was told."""

    def __init__(self):
        super().__init__(Handler, "/connect")
        self.answer = (202, {"Content-Type": "application/json"}, b'{"status":"accepted"}')
        self.call = None


class Handler(http_server.Handler):
    def do_POST(self):
        self.server.call = (self.command, self.path, self.headers, self.body())
        status, headers, content = self.server.answer
        self.reply(status, content, headers.items())

    do_GET = do_POST


@pytest.fixture
def server():
    with Server() as server:
        yield server


def send(*args):
    return subprocess.run([PROGRAM, "send", "--secret-env", "SECRET", "--webhook", "WH-1", *args],
                          capture_output=True, text=True, timeout=TIMEOUT, env={**os.environ, "SECRET": SECRET})


def claims_of(value):
    scheme, token = value.split(" ")
    assert scheme == "Bearer"
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


@pytest.mark.parametrize("args", [
    [], ["http://a/", "http://b/"], ["--method", "PUT", "http://a/"], ["--header-name", "X-Token", "http://a/"],
    ["--header", "no colon", "http://a/"], ["--data", "{", "http://a/"], ["--data", "@/nonexistent", "http://a/"],
    ["--timeout", "0", "http://a/"], ["--nonsense", "http://a/"], ["--header=a: b"] * 20 + ["http://a/"],
])
def test_refuses_command_lines_that_make_no_sense(args):
    ran = send(*args)
    assert ran.returncode == 2 and "send --help" in ran.stderr and ran.stdout == ""


def test_fails_where_nobody_answers(server):
    ran = send(server.url.replace("http:", "ftp:"))
    assert ran.returncode == 1 and ran.stderr != ""
    url = server.url
    server.shutdown()
    server.server_close()
    ran = send(url)
    assert ran.returncode == 1 and ran.stderr != "" and SECRET not in ran.stderr


def test_posts_the_event_in_claims_and_body(server):
    ran = send(server.url, "--data", '{"custom":[1]}')
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("202 in ") and '{"status":"accepted"}' in ran.stdout
    method, path, headers, body = server.call
    assert (method, path, headers["Content-Type"]) == ("POST", "/connect", "application/json")
    assert "Authorization" not in headers
    claims, event = claims_of(headers["Authentication"]), json.loads(body)
    assert claims.pop("exp") > 0
    assert event == claims
    assert event["webhook_id"] == "WH-1" and event["data"] == {"custom": [1]}


def test_gets_with_nothing_but_the_token(server):
    assert send(server.url, "--method", "get", "--header-name", "authorization", "--plural").returncode == 0
    method, _, headers, body = server.call
    assert (method, body, headers["Content-Type"]) == ("GET", b"", None)
    assert "Authentication" not in headers
    assert claims_of(headers["Authorization"])["object_class"] == "fulfillment_requests"


def test_sends_a_draft_and_headers_of_ones_own(server, tmp_path):
    draft = tmp_path / "draft"
    draft.write_bytes(b'{"id":"PR-1"}\0\xff')
    ran = send(server.url, "--body", draft, "--header", "content-type: text/plain", "--header", "X-Hub: 1")
    assert ran.returncode == 0
    _, _, headers, body = server.call
    assert body == draft.read_bytes()
    assert headers.get_all("Content-Type") == ["text/plain"] and headers["X-Hub"] == "1"


@pytest.mark.parametrize("status, code", [(200, 0), (204, 0), (302, 1), (401, 1), (503, 1)])
def test_ends_well_only_on_2xx(server, status, code):
    content = b"" if status == 204 else b'{"a":1.10}'
    server.answer = (status, {"Content-Type": "application/problem+json", "Retry-After": "7",
                              "Location": "http://127.0.0.1:1/"}, content)
    ran = send(server.url, "--json")
    got = json.loads(ran.stdout)
    assert (ran.returncode, got["status"]) == (code, status)
    assert got["content_type"] == "application/problem+json"
    assert got["body"] == ({"a": 1.1} if content else "")


def test_json_output_is_json_whatever_is_answered(server):
    server.answer = (200, {"Content-Type": "text/html; charset=latin-1"}, b"<p>caf\xe9 \0 \"q\"\n")
    got = json.loads(send(server.url, "--json").stdout)
    assert got["body"] == '<p>caf? ? "q"\n' and got["content_type"] == "text/html"
