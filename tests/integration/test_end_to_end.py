"""The same call, with the same result, whatever carries it: CGI, nginx, Apache's three ways."""

import concurrent.futures
import os
import shutil
import subprocess

import pytest

import calls
import servers

RULES = servers.SOURCE / "contrib/rules/fulfillment.rules.yaml"
FRONTS = ["program", "nginx", "mod_fcgid", "mod_proxy_fcgi", "cgi"]


class Program:
    """No web server: the handler run as one would run it, a process a call."""

    def __init__(self, build, conf):
        self.program = build / "connect-webhook.fcgi"
        self.conf = conf

    def call(self, method, headers, body):
        env = {"PATH": os.environ["PATH"], "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1",
               "REQUEST_METHOD": method, "SCRIPT_NAME": "/connect", "REMOTE_ADDR": "127.0.0.1",
               "CONNECT_WEBHOOK_CONFIG": str(self.conf.path),
               **{"HTTP_" + n.upper().replace("-", "_"): v for n, v in headers}}
        if body is not None:
            env["CONTENT_LENGTH"] = str(len(body))
        ran = subprocess.run([self.program], env=env, input=body or b"", capture_output=True, timeout=30)
        servers.check_log(ran.stderr.decode(errors="replace"))
        head, _, document = ran.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        return calls.Answer(int(fields.get("Status", "200").split()[0]), fields, document)


class Front:
    """A running web server in front of the handler."""

    def __init__(self, server):
        self.url = server.url

    def call(self, method, headers, body):
        return calls.http(method, self.url, body, headers)


@pytest.fixture
def front(build, handler, nginx, apache):
    """front(name, configuration): something with call(method, headers, body)."""
    def start(name, conf):
        if name == "program":
            return Program(build, conf)
        if name == "nginx":
            return Front(nginx(handler(conf)))
        if name == "mod_proxy_fcgi":
            handler(conf)
        return Front(apache(name, conf))
    return start


def deliver(front, conf, method="POST", header="Authentication", secret=None, **changes):
    claims = calls.claims_of(conf, **changes)
    token = calls.sign(claims, secret or conf.secrets[calls.WEBHOOK])
    body = calls.json.dumps(claims).encode() if method == "POST" else None
    return front.call(method, [(header, f"Bearer {token}")], body)


def statuses(api):
    listed = api.get(f"/requests?asset.product.id={calls.PRODUCT}&limit=1000")
    return {r["id"]: r["status"] for r in listed}


# What the first call did; every other one must do the same.
reference = {}


@pytest.mark.parametrize("object_class", ["fulfillment_request", "fulfillment_requests"])
@pytest.mark.parametrize("header", ["Authentication", "Authorization"])
@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("name", FRONTS)
def test_decides_what_is_pending(sim, api, configuration, front, name, method, header, object_class):
    conf = configuration(sim, rules=RULES.read_text())
    before = statuses(api)
    answer = deliver(front(name, conf), conf, method, header, object_class=object_class)
    assert answer.status == 200, answer
    document = answer.json()
    assert document["status"] == "done"
    after = statuses(api)
    for entry in document["objects"]:
        assert (entry["before"], entry["after"]) == (before[entry["object_id"]], after[entry["object_id"]])
    pending = {i for i, status in before.items() if status in ("pending", "revoking")}
    assert {e["object_id"] for e in document["objects"]} == pending
    assert {i for i in after if after[i] != before[i]} <= pending
    assert {"approve", "fail", "inquire", "skip"} <= {e["action"] for e in document["objects"]}
    result = ({e["object_id"]: (e["action"], e["after"], e["rule"].split(":")[-1], e["result"])
               for e in document["objects"]}, after)
    assert reference.setdefault("result", result) == result


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


def test_a_second_call_finds_nothing_left_to_do(sim, api, configuration, handler, nginx, connect):
    conf = configuration(sim, rules=RULES.read_text())
    server = nginx(handler(conf))
    assert connect(server.url, conf).status == 200
    before = statuses(api)
    answer = connect(server.url, conf, claims={"data": {"a": "call of its own"}})
    assert answer.status == 200
    assert {e["result"] for e in answer.json()["objects"]} <= {"skip", "reschedule"}
    assert statuses(api) == before


INQUIRED = "PR-7957-9623-8221-001"


def approve_all(sim, configuration, front, then):
    conf = configuration(sim, rules=f"- when: id={INQUIRED}\n  then: {then}\n")
    document = deliver(front("program", conf), conf).json()
    return next(o for o in document["objects"] if o["object_id"] == INQUIRED)


@pytest.mark.parametrize("then, template", [
    ("{ action: approve }", "TL-471-184-949"),
    ('{ action: approve, template: "Default Activation Template" }', "TL-471-184-949"),
    ("{ action: approve, template_id: TL-505-021-118 }", "TL-505-021-118"),  # as given, unchecked
])
def test_approves_what_was_inquired_with_a_template_for_approving(sim, api, configuration, front, then,
                                                                  template):
    api.post(f"/requests/{INQUIRED}/inquire", {"template_id": "TL-505-021-118"})
    inquired = api.post(f"/requests/{INQUIRED}/pend")
    assert inquired["template"] == {"id": "TL-505-021-118", "name": "Default Inquiring Template"}
    assert approve_all(sim, configuration, front, then)["result"] == "done"
    assert api.get(f"/requests/{INQUIRED}")["template"]["id"] == template


def test_a_name_that_is_no_templates_is_a_policy_error(sim, api, configuration, front):
    entry = approve_all(sim, configuration, front, "{ action: approve, template: Default }")
    assert entry["result"] == "dead"
    assert 'no template is called "Default"' in entry["reason"]
    assert "TL-471-184-949 (Default Activation Template)" in entry["reason"]
    assert api.get(f"/requests/{INQUIRED}")["status"] == "pending"


def test_each_kind_of_templates_is_listed_once_a_sweep(sim, api, configuration, front):
    conf = configuration(sim, rules="- when: type=purchase\n  then: { action: approve }\n"
                                    "- when: type=change\n  then: { action: inquire }\n")
    document = deliver(front("program", conf), conf).json()
    assert [o["result"] for o in document["objects"]].count("done") > 2
    assert len([c for c in api.received() if c["path"].endswith("/templates")]) == 2


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


# ------------------------------------------------------------------------- queue mode

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
        shutil.copy(build / "connect-webhook", tmp / "bin")
        user = {"user": servers.APACHE_USER, "group": servers.APACHE_USER} if os.geteuid() == 0 else {}
        running.enter_context(servers.Worker(tmp / "bin", tmp, conf, **user))
    api = calls.Api(second.url, second.api_key)
    servers.wait_for(lambda: statuses(api) == wanted)
    changed = [c["path"] for c in api.received() if c["effect"]]
    assert len(changed) == len(set(changed)) > 5
