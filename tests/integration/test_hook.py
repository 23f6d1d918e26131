"""The handler behind nginx: what it refuses, what it stores, and whom it never contacts."""

import concurrent.futures
import json
import socket
import sqlite3
import threading
import time

import pytest

import calls
import servers
from gate import Gate

RULES = servers.SOURCE / "contrib/rules/fulfillment.rules.yaml"
ONE_RULE = "- then: { action: skip, reason: looked at }\n"
# An end for every request that is pending, so that none is looked at twice.
END_RULES = """\
- when: eq(status,revoking)
  then: { action: confirm }
- then: { action: fail, reason: not today }
"""
INLINE_DEADLINE = 3  # seconds


def deliveries(conf):
    with sqlite3.connect(f"file:{conf.state}/inbox.db?mode=ro", uri=True) as db:
        return db.execute("SELECT state, seen, webhook_id FROM delivery ORDER BY id").fetchall()


@pytest.fixture
def hook(sim, configuration, handler, nginx):
    """hook(**sections): (configuration, address of the running handler)."""
    def start(rules=ONE_RULE, **sections):
        conf = configuration(sim, rules=rules, **sections)
        return conf, nginx(handler(conf)).url
    return start


def tampered(token):
    head, payload, signature = token.split(".")
    return f"{head}.{payload}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def test_every_refusal_is_the_same_and_stores_nothing(hook, connect, http):
    conf, url = hook()
    secret = conf.secrets[calls.WEBHOOK]
    claims = calls.claims_of(conf)
    good = calls.sign(claims, secret)
    text = json.dumps(claims)
    now = int(time.time())
    tokens = {
        "wrong secret": calls.sign(claims, "another secret of more than 32 bytes"),
        "tampered": tampered(good),
        "no signature": good.rsplit(".", 1)[0] + ".",
        "two parts": good.rsplit(".", 1)[0],
        "expired": calls.sign({**claims, "exp": now - 120}, secret),
        "exp missing": calls.sign({k: v for k, v in claims.items() if k != "exp"}, secret),
        "exp a text": calls.sign({**claims, "exp": str(now + 600)}, secret),
        "exp a fraction": calls.sign({**claims, "exp": now + 600.5}, secret),
        "claims twice": calls.sign((text[:-1] + ', "webhook_id": "WH-1-1-1"}').encode(), secret),
        "unknown webhook": calls.sign({**claims, "webhook_id": "WH-000-000-001"}, secret),
        "garbage": "x",
    }
    for alg in ("none", "None", "HS512", "RS256", "hs256", ""):
        tokens[f"alg {alg!r}"] = calls.sign(claims, secret, {"typ": "JWT", "alg": alg})
    answers = {name: connect(url, conf, token=token) for name, token in tokens.items()}
    headers = {
        "none": [],
        "Bearer:": [("Authentication", f"Bearer: {good}")],
        "Basic": [("Authentication", f"Basic {good}")],
        "no space": [("Authentication", f"Bearer{good}")],
        "two": [("Authentication", f"Bearer {good}"), ("Authorization", f"Bearer {tokens['expired']}")],
        "joined": [("Authentication", f"Bearer {good}, Bearer {good}")],
    }
    for name, pairs in headers.items():
        answers[name] = http("POST", url, b"{}", pairs)
    for name, answer in answers.items():
        assert answer.status == 401, (name, answer)
        assert answer.headers["WWW-Authenticate"] == "Bearer", name
        assert answer.body == answers["expired"].body, name
    assert deliveries(conf) == []


def test_refuses_what_is_no_call_of_connect(hook, http):
    conf, url = hook(web={"max_body": 2048})
    answer = http("PUT", url, b"{}")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")
    assert http("POST", url, b"x" * 4096).status == 413
    assert http("POST", url, b"x", {"Content-Encoding": "gzip"}).status == 415
    assert deliveries(conf) == []


ORDER = {"type": "purchase", "marketplace": {"id": "MP-78031"},
         "asset": {"external_id": "same second", "product": {"id": calls.PRODUCT},
                   "connection": {"id": "CT-2840-1977-0412"},
                   "items": [{"id": "PRD_578_226_824_0001", "quantity": "5"}], "params": []}}


def test_a_repeated_token_sweeps_again(hook, connect, api):
    """Tokens have whole seconds and no id: a repeat may be a new order of the same second."""
    conf, url = hook(rules=END_RULES)
    token = calls.sign(calls.claims_of(conf), conf.secrets[calls.WEBHOOK])
    first = connect(url, conf, token=token)
    assert (first.status, first.json()["status"]) == (200, "done")
    assert deliveries(conf) == [("done", 1, calls.WEBHOOK)]
    order = api.post("/requests", ORDER)
    again = connect(url, conf, token=token)
    assert (again.status, again.json()["status"]) == (200, "duplicate")
    assert again.json()["delivery"] == first.json()["delivery"]
    assert [(e["object_id"], e["result"]) for e in again.json()["objects"]] == [(order["id"], "done")]
    assert api.get(f"/requests/{order['id']}")["status"] == "failed"
    assert deliveries(conf) == [("done", 2, calls.WEBHOOK)]


def test_a_message_reaches_the_conversation_of_the_request(hook, connect, api):
    conf, url = hook(rules="- then: { action: skip, reason: later, message: 'We look at ${id}.' }\n")
    for _ in range(2):  # and is not said twice
        answer = connect(url, conf)
        assert answer.status == 200
        assert {(e["result"], e["reason"]) for e in answer.json()["objects"]} == {("skip", "later")}
    for entry in answer.json()["objects"]:
        request = entry["object_id"]
        talk, = api.get(f"/conversations?instance_id={request}")
        assert talk["type"] == "conversation"
        said = [m["text"] for m in api.get(f"/conversations/{talk['id']}/messages")]
        assert said == [f"We look at {request}."]


def test_a_message_that_is_not_posted_is_told(hook, connect, api, tmp):
    conf, url = hook(rules="- then: { action: fail, reason: 'no', message: bye }\n")
    api.plan({"path": "/conversations/*/messages", "method": "POST", "status": 403})
    answer = connect(url, conf)
    assert answer.status == 200
    told = [e for e in answer.json()["objects"] if "the message was not posted: " in e["reason"]]
    assert [e["result"] for e in told] == ["done"]
    line = next(n for n in (tmp / "handler.log").read_text().splitlines() if "was not posted" in n)
    assert "level=warn" in line and told[0]["object_id"] in line


def test_takes_numbers_that_fit_no_machine_and_a_moment_with_a_fraction_of_zeros(hook, connect):
    conf, url = hook()
    answer = connect(url, conf, claims={"data": {"external_id": 1234567890123456789012345},
                                        "exp": float(int(time.time()) + 600)})
    assert (answer.status, answer.json()["status"]) == (200, "done")
    with sqlite3.connect(f"file:{conf.state}/inbox.db?mode=ro", uri=True) as db:
        (claims,), = db.execute("SELECT claims FROM delivery")
    assert '"external_id": 1234567890123456789012345' in claims  # as it was signed


@pytest.mark.parametrize("claim", [{"product_id": "PRD-000-000-001"}, {"account_id": "VA-000-001"},
                                   {"object_class": "usage_file"}])
def test_stores_what_is_not_its_business_as_ignored(hook, connect, api, claim):
    conf, url = hook(rules=RULES.read_text())
    before = api.get("/requests?limit=1000")
    answer = connect(url, conf, claims=claim)
    assert (answer.status, answer.json()["status"]) == (200, "ignored")
    assert [row[0] for row in deliveries(conf)] == ["ignored"]
    assert api.get("/requests?limit=1000") == before


def test_a_claimed_api_url_is_never_contacted(hook, connect):
    conf, url = hook()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        elsewhere = f"http://127.0.0.1:{listener.getsockname()[1]}/public/v1"
        answer = connect(url, conf, claims={"api_url": elsewhere})
        assert (answer.status, answer.json()["status"]) == (200, "done")
        assert len(answer.json()["objects"]) > 5  # from the configured endpoint
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_dry_run_decides_and_changes_nothing(hook, connect, api):
    conf, url = hook(rules=RULES.read_text(), processing={"dry_run": True})
    before = api.get("/requests?limit=1000")
    answer = connect(url, conf)
    assert answer.status == 200
    assert "approve" in {e["action"] for e in answer.json()["objects"]}
    assert api.get("/requests?limit=1000") == before


def test_asks_connect_to_call_again_when_the_api_is_away(configuration, handler, nginx, connect):
    conf = configuration(rules=ONE_RULE)  # nothing listens at its api_url
    url = nginx(handler(conf)).url
    answer = connect(url, conf)
    assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0
    assert [row[0] for row in deliveries(conf)] == ["failed"]


def is_one_request(method, path):
    return method == "GET" and path.startswith("/public/v1/requests/")


def through_gate(configuration, gate, secret, **sections):
    """A configuration whose API is behind the gate, without pauses between calls to it."""
    conf = configuration(api_url=gate.url, secret=secret, **sections)
    conf.save()
    return conf


def test_goes_on_with_the_next_call_when_the_time_of_one_is_over(
        sim, api, running, configuration, handler, nginx, connect):
    gate = running.enter_context(Gate(sim)).listen()
    secret = api.get(f"/notifications/webhooks/{calls.WEBHOOK}")["jwt_secret"]
    conf = through_gate(configuration, gate, secret, rules=END_RULES,
                        processing={"inline_deadline": f"{INLINE_DEADLINE}s"})
    url = nginx(handler(conf)).url
    listed = api.get(f"/requests?asset.product.id={calls.PRODUCT}&limit=1000")
    pending = {r["id"] for r in listed if r["status"] in ("pending", "revoking")}
    gate.hold = is_one_request
    # Opened when the call's time is surely over: the call had begun when the gate was reached.
    timer = threading.Timer(INLINE_DEADLINE, gate.open)
    with concurrent.futures.ThreadPoolExecutor() as threads:
        call = threads.submit(connect, url, conf)
        assert gate.reached.wait(calls.TIMEOUT)
        timer.start()
        answer = call.result()
    timer.join()
    problem = answer.json()
    assert answer.status == problem["status"] == 503 and int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["detail"] == "the time for one call is over: the next call goes on"
    # Each object had its share of the time; what was begun then was ended.
    assert {e["result"] for e in problem["objects"]} <= {"retry", "done"}
    assert 0 < len(problem["objects"]) < len(pending)
    assert deliveries(conf) == [("failed", 1, calls.WEBHOOK)]
    objects = problem["objects"]
    while answer.status == 503:  # once, unless the machine is very busy
        answer = connect(url, conf, claims={"data": {"after": len(objects)}})
        objects += answer.json()["objects"]
    assert answer.json()["status"] == "done"
    assert sorted(e["object_id"] for e in objects if e["result"] == "done") == sorted(pending)


def test_a_token_that_failed_for_want_of_the_api_is_done_when_it_comes_again(
        sim, api, running, configuration, handler, nginx, connect):
    gate = running.enter_context(Gate(sim))  # its port refuses connections
    secret = api.get(f"/notifications/webhooks/{calls.WEBHOOK}")["jwt_secret"]
    conf = through_gate(configuration, gate, secret, rules=END_RULES)
    url = nginx(handler(conf)).url
    token = calls.sign(calls.claims_of(conf), secret)
    for seen in 1, 2:
        answer = connect(url, conf, token=token)
        assert (answer.status, answer.json()["objects"]) == (503, [])
        assert deliveries(conf) == [("failed", seen, calls.WEBHOOK)]
    gate.listen()
    answer = connect(url, conf, token=token)
    assert (answer.status, answer.json()["status"]) == (200, "duplicate")
    assert {e["result"] for e in answer.json()["objects"]} == {"done"}
    assert deliveries(conf) == [("done", 3, calls.WEBHOOK)]


INBOX_FILES = ["", "-wal", ".lock"]


@pytest.mark.parametrize("suffix", INBOX_FILES)
@pytest.mark.parametrize("replaced", [False, True])
def test_acknowledges_nothing_in_an_inbox_that_is_gone(hook, connect, tmp, suffix, replaced):
    conf, url = hook()
    assert connect(url, conf).status == 200
    path = conf.state / f"inbox.db{suffix}"
    path.rename(tmp / "aside")
    if replaced:
        path.write_bytes((tmp / "aside").read_bytes())
    answer = connect(url, conf, claims={"data": {"call": 2}})
    assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0
    assert f"inbox.db{suffix}: was deleted or replaced" in (tmp / "handler.log").read_text()
    assert answer.json()["detail"] == "storage failed"  # where, is the operator's to know
    (tmp / "aside").rename(path)
    assert connect(url, conf, claims={"data": {"call": 3}}).status == 200


def test_every_answer_is_utf_8_wherever_a_text_is_cut(small_connect, configuration, handler, nginx, connect):
    small_connect.complaint = "ä€😀" * 200
    conf = configuration(api_url=small_connect.url, rules="- then: { action: fail, reason: 'x' }\n")
    url = nginx(handler(conf)).url
    for shift in range(4):
        request = small_connect.add("purchase" + "ä" * 20)
        small_connect.status_of[f"POST /requests/{request}/fail"] = 400
        small_connect.complaint = "x" + small_connect.complaint
        answer = connect(url, conf, claims={"data": {"call": shift}})
        entry = next(e for e in json.loads(answer.body.decode())["objects"] if e["object_id"] == request)
        assert "ä€😀" in entry["reason"] and entry["type"].startswith("purchaseä")


def test_what_no_repeat_would_better_is_200(small_connect, configuration, handler, nginx, connect):
    """A refusal for good, a policy that is wrong and what cannot be read are for a person; a 503 for
    ever would make Connect give the webhook up."""
    rules = """\
- when: eq(type,change)
  then: { action: reschedule, after: 2m, reason: not yet }
- when: eq(type,cancel)
  then: { action: confirm }
- then: { action: approve, template_id: TL-1-2-3 }
"""
    small_connect.odd = [b'{"id":"PR-901","status":"pending","note":"\xff"}']
    later, wrong, refused, sound = (small_connect.add(t) for t in ("change", "cancel", "renew", "renew"))
    small_connect.status_of[f"POST /requests/{refused}/approve"] = 400
    conf = configuration(api_url=small_connect.url, rules=rules)
    url = nginx(handler(conf)).url
    answer = connect(url, conf)
    assert answer.status == 200, answer
    objects = {e["object_id"]: e for e in answer.json()["objects"]}
    assert {k: e["result"] for k, e in objects.items()} == {
        "PR-901": "dead", later: "reschedule", wrong: "dead", refused: "dead", sound: "done"}
    assert objects[later]["retry_after"] == 120
    assert "may not confirm" in objects[wrong]["reason"] and "SIM_1" in objects[refused]["reason"]
    assert set(objects[sound]) == {"webhook_id", "object_class", "object_id", "type", "before", "after",
                                   "action", "result", "rule", "reason", "retry_after"}
    assert deliveries(conf) == [("done", 1, calls.WEBHOOK)]
    # One that a repeat may better makes it a 503, with the shortest wait that anybody asked for.
    hurt = small_connect.add("renew")
    small_connect.status_of[f"GET /requests/{hurt}"] = 500
    answer = connect(url, conf)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "120")
    results = {e["object_id"]: e["result"] for e in answer.json()["objects"]}
    assert results == {"PR-901": "dead", later: "reschedule", wrong: "dead", refused: "dead", hurt: "retry"}


def test_a_verb_that_hangs_costs_its_own_objects_time(small_connect, configuration, handler, nginx, connect):
    hanging, sound = small_connect.add("renew"), small_connect.add("renew")
    small_connect.hanging.add(f"POST /requests/{hanging}/approve")
    conf = configuration(api_url=small_connect.url,
                         rules="- then: { action: approve, template_id: TL-1-2-3 }\n",
                         processing={"inline_deadline": "8s"})
    url = nginx(handler(conf)).url
    answer = connect(url, conf)
    assert answer.status == 503
    assert {e["object_id"]: e["result"] for e in answer.json()["objects"]} == {hanging: "retry", sound: "done"}


def test_no_secret_is_written_anywhere(hook, connect, tmp):
    conf, url = hook(rules=RULES.read_text())
    token = calls.sign(calls.claims_of(conf), conf.secrets[calls.WEBHOOK])
    answer = connect(url, conf, token=token)
    bad = connect(url, conf, token=tampered(token))
    secrets = [conf.secrets[calls.WEBHOOK].encode(), b"test-key", token.encode()]
    written = [(tmp / "handler.log").read_bytes(), answer.body, bad.body,
               *(p.read_bytes() for p in conf.state.iterdir() if p.is_file())]
    for secret in secrets:
        assert not any(secret in text for text in written)
