"""The handler without a web server: what it starts with, and raw FastCGI on its socket."""

import concurrent.futures
import os
import sqlite3
import subprocess

import pytest

import calls
from fcgi_client import Connection, begin, request

ONE_RULE = "- then: { action: skip, reason: looked at }\n"
THREADS = 4
IDLE = 200  # connections
CLIENTS, CALLS = 8, 50
TIMEOUT = 30  # seconds


# Configurations that do not load.

def unknown_key(conf):
    conf.path.write_text(conf.path.read_text().replace('"listen"', '"lissten"'))
    return conf.path, '"lissten"'


def wrong_value(conf):
    conf.document["web"]["threads"] = "4x"
    conf.save()
    return conf.path, '"threads"'


def wrong_rules(conf):
    rules = conf.folder / "test.rules.yaml"
    rules.write_text("- then: { action: skip }\n- when: eq(type\n  then: { action: approve }\n")
    return rules, "eq(type"


@pytest.fixture(params=[unknown_key, wrong_value, wrong_rules])
def broken(request, configuration):
    """(configuration, "file:line" of what is wrong with it)."""
    conf = configuration(rules=ONE_RULE)
    path, culprit = request.param(conf)
    lines = path.read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if culprit in text)
    return conf, f"{path}:{line}"


def run(build, arguments=(), **env):
    return subprocess.run([build / "connect-webhook.fcgi", *arguments], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=TIMEOUT, env={**os.environ, **env})


def test_does_not_start_with_a_broken_configuration(build, broken):
    conf, place = broken
    ran = run(build, ["-c", conf.path])
    assert (ran.returncode, ran.stdout) == (1, "")
    assert place in ran.stderr
    assert not conf.socket.exists()


def test_answers_503_as_cgi_when_its_configuration_is_broken(build, broken):
    conf, place = broken
    token = calls.sign(calls.claims_of(conf), conf.secrets[calls.WEBHOOK])
    ran = run(build, REQUEST_METHOD="POST", SCRIPT_NAME="/connect", CONTENT_LENGTH="0",
              HTTP_AUTHENTICATION=f"Bearer {token}", CONNECT_WEBHOOK_CONFIG=str(conf.path))
    assert ran.stdout.startswith("Status: 503 ") and "\nRetry-After: " in ran.stdout
    assert place in ran.stderr and token not in ran.stderr
    assert str(conf.folder) not in ran.stdout  # the log is for the operator, the answer for anybody


# Raw FastCGI.

def deliveries(conf):
    with sqlite3.connect(f"file:{conf.state}/inbox.db?mode=ro", uri=True) as db:
        return db.execute("SELECT state, seen FROM delivery ORDER BY id").fetchall()


@pytest.fixture
def conf(sim, configuration, handler):
    conf = configuration(sim, rules=ONE_RULE, web={"threads": THREADS, "max_body": 65536})
    conf.save()
    handler(conf)
    return conf


def connection(conf):
    return Connection(f"unix:{conf.socket}")


def good_request(conf, **variables):
    token = calls.sign(calls.claims_of(conf), conf.secrets[calls.WEBHOOK])
    return request(b"{}", HTTP_AUTHENTICATION=f"Bearer {token}", **variables)


def test_the_request_that_others_hide_is_a_good_one(conf):
    with connection(conf) as c:
        assert c.send(good_request(conf)).answer().status == 200
    assert deliveries(conf) == [("done", 1)]


@pytest.mark.parametrize("status, variables, filler", [
    (401, {}, 0),
    (401, {"HTTP_AUTHENTICATION": "Bearer x.y.z"}, 0),
    (405, {"REQUEST_METHOD": "PUT"}, 0),
    (415, {"HTTP_CONTENT_ENCODING": "gzip"}, 0),
    (404, {"SCRIPT_NAME": "/-/healthz"}, 0),
    (400, {"CONTENT_LENGTH": "1"}, 0),
    (400, {"CONTENT_LENGTH": "9999"}, 0),
    (400, {"CONTENT_LENGTH": "x"}, 0),
    (413, {}, 65536),
], ids=str)
def test_records_hidden_in_a_refused_body_never_become_a_request(conf, status, variables, filler):
    hidden = good_request(conf)
    body = hidden + b"x" * filler + hidden
    with connection(conf) as c:
        assert c.send(request(body, **variables)).answer().status == status
        # What answers next, if anything, answers what is asked next, and not what was hidden.
        try:
            answer = c.send(request(REQUEST_METHOD="DELETE")).answer()
            assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")
            assert status in (401, 404, 405, 415)  # the body was read to its end: kept
        except (EOFError, ConnectionError):
            assert status in (400, 413)
    assert deliveries(conf) == []


def test_what_follows_a_refused_request_unasked_is_not_served(conf):
    with connection(conf) as c:
        assert c.send(request(b"{}") + good_request(conf)).answer().status == 401
        assert c.is_closed()
    assert deliveries(conf) == []


def test_idle_connections_cost_no_thread(conf):
    idle = [connection(conf) for _ in range(IDLE)]
    try:
        for i, c in enumerate(idle):
            if i % 2:
                assert c.ask(b"{}").status == 401  # served once, and kept
            else:
                c.send(begin())  # half a request, and nothing more
        for n in range(2 * THREADS):
            with connection(conf) as c:
                assert c.send(good_request(conf, QUERY_STRING=str(n))).answer().status == 200
        for c in idle[1::2]:
            assert c.ask(b"{}").status == 401  # still there
    finally:
        for c in idle:
            c.close()


def test_the_log_has_a_call_before_its_answer_is_out(configuration, handler):
    """Also of calls that come at once, whose records are written together."""
    conf = configuration(rules=ONE_RULE)
    running = handler(conf)

    def call(client):
        with Connection(f"unix:{conf.socket}") as connection:
            for n in range(CALLS):
                path = f"/client-{client}-call-{n}"
                assert connection.ask(SCRIPT_NAME=path).status == 401
                assert f" path={path} " in running.log, path

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
        assert [*clients.map(call, range(CLIENTS))]
