"""What every front refuses, answers and stores alike."""

import concurrent.futures
import os
import shutil

import pytest

import calls
from fronts import FRONTS, RULES, deliver, front, statuses  # noqa: F401
import servers


@pytest.mark.parametrize("name", FRONTS)
def test_refuses_a_wrong_secret_and_changes_nothing(sim, api, configuration, front, name):
    conf = configuration(sim, rules=RULES.read_text())
    before = statuses(api)
    answer = deliver(front(name, conf), conf, secret="not the secret, but long enough for one")
    assert answer.status == 401 and answer.headers["WWW-Authenticate"] == "Bearer"
    assert statuses(api) == before


@pytest.mark.parametrize("query", ["?-c+/x", "?--help", "?--version", "?-c/x"])
def test_what_apache_makes_arguments_of_changes_nothing(sim, configuration, apache, connect, query):
    conf = configuration(sim, rules=RULES.read_text(), processing={"dry_run": True})
    server = apache("cgi", conf)
    answer = connect(server.url + query, conf)
    assert answer.status == 200 and answer.json()["status"] == "done"


@pytest.mark.parametrize("name", FRONTS)
def test_answers_a_form(sim, configuration, front, name):
    """A validator is answered with the document whatever carries the call, in whatever size."""
    conf = configuration(sim)
    conf.webhook(calls.WEBHOOK).update(
        type="validator", policy=conf.shipped_rules("form"))
    conf.save()
    server = front(name, conf)
    body = (servers.SOURCE / "contrib/fixtures/validator.json").read_text()
    body = body.replace('"note": ""', f'"note": "{"n" * 100000}"')
    token = calls.sign(calls.claims_of(conf), conf.secrets[calls.WEBHOOK])
    answer = server.call("POST", [("Authentication", f"Bearer {token}")], body.encode())
    assert answer.status == 200
    assert {p["id"]: p["value_error"] for p in answer.json()["asset"]["params"] if p["value_error"]} == {
        "domain": "must be a domain name, like example.com", "seats": "from 1 to 100"}
    assert answer.body[:100000] == body.encode()[:100000]
    assert server.call("GET", [("Authentication", f"Bearer {token}")], None).status == 400


@pytest.mark.parametrize("name", ["nginx", "mod_fcgid"])
def test_what_is_stored_ends_as_what_is_worked_on_at_once(start_sim, tmp, build, configuration, front, running, name):
    """Behind mod_fcgid several processes store, and one of another program works."""
    first, second = start_sim(), start_sim()
    conf = configuration(first, rules=RULES.read_text(), mode="auto")
    assert deliver(front("program", conf), conf).status == 200
    wanted = statuses(calls.Api(first.url, first.api_key))
    conf = configuration(second, rules=RULES.read_text(), mode="auto",
                         processing={"workers": 4 if name == "nginx" else 0, "poll_interval": 0})
    for file in conf.state.iterdir():
        file.unlink()
    server = front(name, conf)
    with concurrent.futures.ThreadPoolExecutor(8) as callers:
        answers = [*callers.map(lambda n: deliver(server, conf, data={"call": n}), range(32))]
    assert {a.status for a in answers} == {202} and len({a.json()["delivery"] for a in answers}) == 32
    if name == "mod_fcgid":
        (tmp / "bin").mkdir()
        servers.share(shutil.copy(build / "connect-webhook", tmp / "bin"))
        user = {"user": servers.APACHE_USER, "group": servers.APACHE_USER} if os.geteuid() == 0 else {}
        running.enter_context(servers.Worker(tmp / "bin", tmp, conf, **user))
    api = calls.Api(second.url, second.api_key)
    servers.wait_for(lambda: statuses(api) == wanted)
    changed = [c["path"] for c in api.received() if c["effect"]]
    assert len(changed) == len(set(changed)) > 5
