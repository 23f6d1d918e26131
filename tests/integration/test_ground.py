"""The ground the other tests stand on: servers of contrib/ as shipped, in front of the responder."""

import os
import pathlib
import pwd
import re
import subprocess
import sys

import pytest

import calls
import servers
from responder import Responder


@pytest.fixture
def responder(tmp, running):
    return running.enter_context(Responder("--listen", f"unix:{tmp}/fcgi.sock", "--group", calls.web_group()))


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("header", ["Authentication", "Authorization"])
def test_nginx_as_shipped_passes_a_call_on(tmp, responder, nginx, http, method, header):
    server = nginx(tmp / "fcgi.sock")
    answer = http(method, server.url + "/a?b=c", b"body" if method == "POST" else None,
                  {header: "Bearer t", "Proxy": "http://127.0.0.1:9/"})
    assert answer.status == 200
    got = answer.json()
    assert (got["method"], got["path"], got["query"]) == (method, "/connect/a", "b=c")
    assert got[header.lower()] == "Bearer t"


def users_of_workers(pid):
    """Whom the children of a process run as."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    uids = (re.search(r"^Uid:\s+(\d+)", pathlib.Path(f"/proc/{p}/status").read_text(), re.M) for p in children)
    return {pwd.getpwuid(int(uid[1])).pw_name for uid in uids}


def test_nginx_started_by_root_has_workers_that_are_not_root(tmp, responder, nginx):
    if os.geteuid() != 0:
        pytest.skip("only root can start others' workers")
    server = nginx(tmp / "fcgi.sock")
    server.wait_until(lambda: users_of_workers(server.pid) == {"www-data"})


@pytest.mark.parametrize("flavour", ["mod_fcgid", "mod_proxy_fcgi", "cgi"])
def test_apache_as_shipped_passes_a_call_on(running, configuration, apache, http, flavour):
    conf = configuration()
    if flavour == "mod_proxy_fcgi":
        running.enter_context(Responder("--listen", f"unix:{conf.socket}", "--group", calls.web_group()))
    server = apache(flavour, conf, "tests/integration/responder")
    for method in "GET", "POST":
        for header in "Authentication", "Authorization":
            answer = http(method, server.url + "/a?b=c", b"body" if method == "POST" else None,
                          {header: "Bearer t", "Proxy": "http://127.0.0.1:9/"})
            assert answer.status == 200, server.errors()
            got = answer.json()
            assert (got["method"], got["path"], got["query"]) == (method, "/connect/a", "b=c")
            assert got[header.lower()] == "Bearer t"
            assert got["body_len"] == (4 if method == "POST" else 0)
    token = "Bearer " + "x" * (12000 if flavour == "mod_proxy_fcgi" else 32000)
    assert http("GET", server.url, None, {"Authentication": token}).json()["authentication"] == token


def test_nginx_passes_a_long_token_on_and_refuses_what_is_too_big(tmp, responder, nginx, http):
    server = nginx(tmp / "fcgi.sock")
    token = "Bearer " + "x" * 32000
    assert http("GET", server.url, None, {"Authentication": token}).json()["authentication"] == token
    assert http("POST", server.url, b"x" * (1 << 20)).json()["body_len"] == 1 << 20
    assert http("POST", server.url, b"x" * (2 << 20 | 1)).status == 413


def test_signs_as_rfc_7515_does():
    key = calls.base64.urlsafe_b64decode(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow==")
    token = calls.sign(b'{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}', key,
                       b'{"typ":"JWT",\r\n "alg":"HS256"}')
    assert token.endswith(".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")


def test_signs_connects_own_vector():
    token = calls.sign(b'{"webhook_id":"WH-632-725-169","exp":4723057471}',
                       "Test-token-key-for-webhook-based-authentication", b'{"typ":"JWT","alg":"HS256"}')
    assert token.endswith(".4agSUe4nQtU957sK_YDoBn8HRVUlboFlOV4zcNmKWGg")


def test_a_server_that_does_not_start_says_why(tmp):
    with pytest.raises(RuntimeError, match="no socket here"):
        servers.Server(["sh", "-c", "echo no socket here"], tmp / "log", ready=tmp / "socket")


@pytest.mark.parametrize("line", [
    "==1==ERROR: AddressSanitizer: heap-use-after-free", "a.c:3:1: runtime error: shift",
    "==1==ERROR: LeakSanitizer: detected memory leaks"])
def test_a_sanitizers_report_in_a_log_fails(line):
    with pytest.raises(AssertionError):
        servers.check_log(f"level=info\n{line}\n")
    servers.check_log("level=info msg=\"all is well\"\n")


INNER = """
import pytest, signal
import conftest

@pytest.mark.time_limit(1)
def test_hangs():
    signal.pause()

def test_misses():
    conftest.missing("no such server")
"""


@pytest.mark.parametrize("ci, skipped, failed", [("true", 0, 2), ("", 1, 1)])
def test_time_limit_and_missing_servers(tmp, ci, skipped, failed):
    here = pathlib.Path(__file__).parent
    (tmp / "conftest.py").write_text(f"import sys\nsys.path.insert(0, {str(here)!r})\n"
                                     f"exec(open({str(here / 'conftest.py')!r}).read())\n")
    (tmp / "test_inner.py").write_text(INNER)
    ran = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp],
                         capture_output=True, text=True, env={**os.environ, "CI": ci})
    assert ran.returncode == 1
    counts = dict((word, int(n)) for n, word in re.findall(r"(\d+) (failed|skipped)", ran.stdout))
    assert (counts.get("skipped", 0), counts["failed"]) == (skipped, failed), ran.stdout
    assert "the test's time is over" in ran.stdout
