"""connect-sim: Connect's REST API and its webhook engine, over real sockets."""

import base64
import concurrent.futures
import copy
import hashlib
import hmac
import json
import subprocess
import threading
import time

import pytest

import calls
import http_server
import servers
from sims import ACTIVE, CHANGE, OTHER_PRODUCT, PENDING, SEEDED, TILE, changes, purchase, refused, request_of


# ------------------------------------------------------------------- who may call


@pytest.mark.parametrize("headers", [
    {}, {"Authorization": ""}, {"Authorization": "ApiKey"}, {"Authorization": "ApiKey "},
    {"Authorization": "ApiKey test-ke"}, {"Authorization": "ApiKey test-key1"},
    {"Authorization": "apikey test-key"}, {"Authorization": "Bearer test-key"},
    {"Authorization": "test-key"}, {"X-Authorization": "ApiKey test-key"}])
@pytest.mark.parametrize("method,path", [
    ("GET", "/requests"), ("POST", f"/requests/{PENDING}/approve"), ("GET", "/nothing"),
    ("POST", f"/notifications/webhooks/{calls.WEBHOOK}/trigger")])
def test_refuses_who_has_no_key(sim, api, method, path, headers):
    answer = calls.http(method, sim.url + path, json.dumps(TILE).encode() if method == "POST" else None,
                        headers)
    document = refused(answer, 401, "AUTH_001")
    assert document["errors"] == ["API request is unauthorized."]
    assert request_of(api, PENDING)["status"] == "pending" and changes(api) == []


@pytest.mark.parametrize("method,path,status", [
    ("GET", "", 404), ("GET", "/", 404), ("GET", "/nothing", 404), ("GET", "/requests/PR-0", 404),
    ("GET", f"/requests/{PENDING}/nothing", 404), ("POST", f"/requests/{PENDING}/nothing", 404),
    ("POST", "/requests/PR-0/approve", 404), ("PATCH", f"/requests/{PENDING}", 405),
    ("DELETE", "/requests", 405), ("GET", "/products/PRD-0/templates", 404),
    ("GET", "/conversations/CO-0", 404), ("GET", "/notifications/webhooks/WH-0", 404),
    ("POST", "/notifications/webhooks/WH-0/trigger", 404), ("GET", "/notifications", 404),
    ("PATCH", f"/notifications/webhooks/{calls.WEBHOOK}", 405),
    ("GET", f"/notifications/webhooks/{calls.WEBHOOK}/trigger", 405),
    ("GET", "/a/b/c/d/e/f/g/h/i/j", 404), ("GET", "/" + "x" * 600, 404)])
def test_says_what_is_not_there(api, method, path, status):
    refused(api.call(method, path), status)


def test_says_so_outside_the_api(sim):
    root = sim.url.replace("/public/v1", "")
    for path in ("/", "/public", "/_sim", "/_sim/", "/_sim/nothing"):
        refused(calls.http("GET", root + path), 404)
    for method, path in (("POST", "/_sim/calls"), ("PUT", "/_sim/faults")):
        refused(calls.http(method, root + path), 405)


@pytest.mark.parametrize("body", [b"{", b"{]", b"nothing", b'{"a":1,"a":2}', b"{'a':1}", b"\xff", b"{}x"])
@pytest.mark.parametrize("method,path", [
    ("POST", "/requests"), ("PUT", f"/requests/{PENDING}"), ("POST", f"/requests/{PENDING}/approve"),
    ("PUT", f"/notifications/webhooks/{calls.WEBHOOK}")])
def test_refuses_what_is_not_json(sim, api, method, path, body):
    answer = calls.http(method, sim.url + path, body, {"Authorization": "ApiKey test-key"})
    refused(answer, 400, "VAL_001", "JSON parse error")
    assert changes(api) == []


@pytest.mark.parametrize("body", [[], "text", 5, None])
@pytest.mark.parametrize("method,path", [
    ("POST", "/requests"), ("PUT", f"/requests/{PENDING}"), ("POST", f"/requests/{PENDING}/approve"),
    ("POST", f"/requests/{PENDING}/assign"), ("POST", "/notifications/webhooks"),
    ("PUT", f"/notifications/webhooks/{calls.WEBHOOK}"),
    ("POST", f"/conversations/{PENDING}/messages")])
def test_refuses_json_that_is_no_object(api, method, path, body):
    refused(api.call(method, path, body), 400, "VAL_001")
    assert changes(api) == []


def test_refuses_what_is_too_big_and_goes_on(sim, api):
    big = b'{"note":"' + b"x" * (1024 * 1024) + b'"}'
    key = {"Authorization": "ApiKey test-key"}
    refused(calls.http("PUT", f"{sim.url}/requests/{PENDING}", big, key), 413)
    refused(calls.http("GET", f"{sim.url}/requests?note={'x' * 17000}", headers=key), 414)
    refused(calls.http("GET", f"{sim.url}/requests?note={'x' * 16000}&(", headers=key), 400)
    assert request_of(api, PENDING)["note"] == "" and changes(api) == []


@pytest.mark.parametrize("arguments,text", [
    ((), "--listen is needed"), (("--listen", "127.0.0.1"), "ADDRESS:PORT"),
    (("--listen", "127.0.0.1:x"), "ADDRESS:PORT"), (("--listen", "127.0.0.1:70000"), "ADDRESS:PORT"),
    (("--listen", "here:0"), "an IPv4 address"), (("--listen", "0.0.0.0:0"), "--allow-remote"),
    (("--listen", "127.0.0.1:0", "x"), "takes no arguments"),
    (("--listen", "127.0.0.1:0", "--nothing"), "unknown option"),
    (("--listen", "127.0.0.1:0", "--auth-header", "X-Token"), "--auth-header"),
    (("--listen", "127.0.0.1:0", "--seed", "/nothing/there"), "/nothing/there")])
def test_refuses_wrong_options(build, arguments, text):
    ran = subprocess.run([build / "connect-sim", *arguments], capture_output=True, text=True, timeout=30)
    servers.check_log(ran.stderr)
    assert ran.returncode in (1, 2) and ran.stdout == "" and text in ran.stderr


@pytest.mark.parametrize("seed,text", [
    ("", "seed.json"), ("[]", "an object of collections"), ("null", ""),
    ('{"request":[]}', "request: there is no such collection"),
    ('{"requests":{}}', "requests: an array is needed"),
    ('{"requests":[{}]}', "requests[0]: an object with an id is needed"),
    ('{"requests":["PR-1"]}', "requests[0]: an object with an id is needed"),
    ('{"products":[{"id":"a"},{"id":"a"}]}', "products[1]: a: given twice")])
def test_refuses_a_wrong_seed(build, tmp, seed, text):
    path = tmp / "seed.json"
    path.write_text(seed)
    if seed == "null":  # nothing to begin with, which is no mistake
        with servers.Sim(build, tmp, "--seed", path) as sim:
            assert calls.Api(sim.url, sim.api_key).get("/requests") == []
        return
    ran = subprocess.run([build / "connect-sim", "--listen", "127.0.0.1:0", "--seed", path],
                         capture_output=True, text=True, timeout=30)
    servers.check_log(ran.stderr)
    assert ran.returncode == 1 and ran.stdout == "" and text in ran.stderr and str(path) in ran.stderr


# -------------------------------------------------------------------------- lists


@pytest.mark.parametrize("query", ["eq(status", "eq(,a)", "status=", "nothing(a,b)", "limit=x", "limit=-1",
                                   "offset=x", "limit=1&limit=2", "in(status,pending)", "%zz", "eq(a,b)x"])
def test_refuses_a_wrong_query(api, query):
    refused(api.call("GET", f"/requests?{query}"), 400, "VAL_001", "query: ")


def find(everything, holds):
    return [r["id"] for r in everything if holds(r)]


@pytest.mark.parametrize("query,holds", [
    ("", lambda r: True),
    ("status=pending", lambda r: r["status"] == "pending"),
    ("eq(status,pending)", lambda r: r["status"] == "pending"),
    ("status=eq=pending", lambda r: r["status"] == "pending"),
    ("%65q%28status%2Cpending%29", lambda r: r["status"] == "pending"),
    ("ne(status,pending)", lambda r: r["status"] != "pending"),
    ("in(status,(pending,revoking))", lambda r: r["status"] in ("pending", "revoking")),
    ("out(status,(pending,revoking))", lambda r: r["status"] not in ("pending", "revoking")),
    ("status=pending&product_id=" + calls.PRODUCT,
     lambda r: r["status"] == "pending" and r["asset"]["product"]["id"] == calls.PRODUCT),
    ("asset__product__id=" + OTHER_PRODUCT, lambda r: r["asset"]["product"]["id"] == OTHER_PRODUCT),
    (f"and(eq(asset.product.id,{calls.PRODUCT}),in(asset.connection.type,(test,preview)))",
     lambda r: r["asset"]["product"]["id"] == calls.PRODUCT
     and r["asset"]["connection"]["type"] in ("test", "preview")),
    ("or(eq(type,cancel),eq(type,suspend))", lambda r: r["type"] in ("cancel", "suspend")),
    ("not(eq(type,purchase))", lambda r: r["type"] != "purchase"),
    ("like(id,PR-7957*)", lambda r: r["id"].startswith("PR-7957")),
    ("ilike(type,PUR*)", lambda r: r["type"] == "purchase"),
    ("ge(created,2026-11-10T00:00:00%2B00:00)", lambda r: r["created"] >= "2026-11-10"),
    ("asset_id=" + ACTIVE, lambda r: r["asset"]["id"] == ACTIVE),
    ("asset.id=" + ACTIVE, lambda r: r["asset"]["id"] == ACTIVE),
    (f"asset.id={ACTIVE}&status=pending", lambda r: False),
    ("asset.params.id=admin_email&asset.params.value=empty()",
     lambda r: any(p["value"] == "" for p in r["asset"]["params"])),
    ("assignee.id=UR-100-200-300", lambda r: isinstance(r["assignee"], dict)),
    ("planned_date=null()", lambda r: r["planned_date"] is None),
    ("select(-asset.params)&type=change", lambda r: r["type"] == "change"),
    ("status=nothing", lambda r: False)])
def test_lists_what_a_query_finds(api, query, holds):
    everything = api.get("/requests?limit=1000")
    assert len(everything) == SEEDED
    answer = api.call("GET", f"/requests?{query}")
    assert answer.status == 200, answer
    found = [r["id"] for r in answer.json()]
    assert found == find(everything, holds)
    last = max(len(found) - 1, 0)
    assert answer.headers["Content-Range"] == f"items 0-{last}/{len(found)}"


@pytest.mark.parametrize("ordering,key,reverse", [
    ("created", lambda r: r["created"], False), ("-created", lambda r: r["created"], True),
    ("-id", lambda r: r["id"], True), ("type,-id", None, False)])
def test_orders(api, ordering, key, reverse):
    everything = api.get("/requests")
    if key is None:
        wanted = sorted(sorted(everything, key=lambda r: r["id"], reverse=True), key=lambda r: r["type"])
    else:
        wanted = sorted(everything, key=key, reverse=reverse)
    assert api.get(f"/requests?ordering({ordering})") == wanted


@pytest.mark.parametrize("limit,offset,first,last,count", [
    (5, 0, 0, 4, 5), (5, 5, 5, 9, 5), (5, 19, 19, 20, 2), (1, 20, 20, 20, 1), (5, 21, 21, 21, 0),
    (5, 99, 99, 99, 0), (0, 0, 0, 0, 0), (0, 3, 0, 0, 0), (100000, 0, 0, 20, SEEDED),
    (10**15, 10**15, 10**15, 10**15, 0)])
def test_pages(api, limit, offset, first, last, count):
    everything = api.get("/requests?ordering(-created)")
    answer = api.call("GET", f"/requests?ordering(-created)&limit={limit}&offset={offset}")
    assert answer.headers["Content-Range"] == f"items {first}-{last}/{SEEDED}"
    assert answer.json() == everything[offset:offset + count]


def test_an_empty_list_has_a_range_too(api):
    for query in ("status=nothing", "status=nothing&limit=0", "status=nothing&offset=7"):
        answer = api.call("GET", f"/requests?{query}")
        assert answer.json() == [] and answer.headers["Content-Range"] == "items 0-0/0"


def test_a_list_follows_every_change(api):
    """The same queries, again and again, while objects come, change and go."""
    def check():
        everything = api.get("/requests?limit=1000")
        by_time = sorted(everything, key=lambda r: r["updated"], reverse=True)
        for status in ("pending", "approved", "inquiring", "draft"):
            assert api.get(f"/requests?status={status}") == [r for r in everything if r["status"] == status]
            # Sorted by something that changes; in the order of their coming where it is equal.
            assert api.get(f"/requests?status={status}&ordering(-updated)") == \
                [r for r in by_time if r["status"] == status]

    check()
    for step in range(4):
        made = api.post("/requests", purchase(status="draft" if step % 2 else "pending"))
        check()
        api.put(f"/requests/{made['id']}", {"asset": {"params": [{"id": "subscription_id", "value": "S"}]}})
        check()
        api.post(f"/requests/{made['id']}/{'purchase' if step % 2 else 'inquire'}")
        check()
    api.post(f"/requests/{PENDING}/approve", TILE)
    check()


def test_a_slash_at_the_end_does_not_count(api):
    assert api.get("/requests/?status=pending") == api.get("/requests?status=pending")
    assert api.get(f"/requests/{PENDING}/") == api.get(f"/requests/{PENDING}")
    assert api.post(f"/requests/{PENDING}/approve/", TILE)["status"] == "approved"


def test_more_queries_than_are_kept(api):
    everything = api.get("/requests?limit=1000")
    for _ in range(2):
        for r in everything:
            for query in (f"id={r['id']}", f"eq(created,{r['created']})".replace("+", "%2B")):
                assert [x["id"] for x in api.get(f"/requests?{query}")] == [r["id"]]


def test_every_answer_says_the_version(api):
    assert api.call("GET", "/accounts").headers["Connect-Version"].split(".")[0].isdigit()
    assert [a["id"] for a in api.get("/accounts")] == [calls.ACCOUNT, "PA-425-033"]
    assert api.get(f"/accounts/{calls.ACCOUNT}")["type"] == "vendor"


# ------------------------------------------------------------------- one request


def test_put_refuses_a_parameter_that_is_not_there(api):
    before = request_of(api, PENDING)
    wrong = {"asset": {"params": [{"id": "admin_email", "value": "x"}, {"id": "nothing", "value": "y"}]}}
    refused(api.call("PUT", f"/requests/{PENDING}", wrong), 400, "VAL_001", "nothing")
    assert request_of(api, PENDING) == before and changes(api) == []


def test_put_changes_parameters_and_nothing_else(api):
    before = request_of(api, PENDING)
    api.put(f"/requests/{PENDING}", {
        "note": "see the mail", "status": "approved", "id": "PR-1",
        "asset": {"id": "AS-1", "status": "active", "params": [
            {"id": "admin_email", "value": "a@b.example", "value_error": "no such box", "title": "X",
             "structured_value": {"a": 1}, "structured_error": {"message": {"id": "1"}}}]}})
    after = request_of(api, PENDING)
    wanted = copy.deepcopy(before)
    wanted["note"] = "see the mail"
    wanted["updated"] = after["updated"]
    wanted["asset"]["params"][0].update(
        value="a@b.example", value_error="no such box", structured_value={"a": 1},
        structured_error={"message": {"id": "1"}})
    assert after == wanted and after["updated"] > before["updated"]


# ------------------------------------------------- products, templates, conversations


def test_templates_are_a_products_own(api):
    assert [p["id"] for p in api.get("/products")] == [calls.PRODUCT, OTHER_PRODUCT]
    assert api.get(f"/products/{calls.PRODUCT}")["id"] == calls.PRODUCT
    path = f"/products/{calls.PRODUCT}/templates"
    assert [(t["scope"], t["type"]) for t in api.get(path)] == [
        ("asset", "fulfillment"), ("asset", "inquire"), ("asset", "pending"), ("tier1", "fulfillment"),
        ("tier2", "fulfillment")]
    assert [t["id"] for t in api.get(path + "?scope=asset&type=inquire")] == ["TL-505-021-118"]
    assert [t["id"] for t in api.get(path + "?ordering(-id)&limit=1")] == ["TL-712-480-662"]
    assert api.call("GET", path + "?limit=1&offset=1").headers["Content-Range"] == "items 1-1/5"
    assert api.get(f"/products/{OTHER_PRODUCT}/templates") == []
    refused(api.call("GET", path + "?eq("), 400, "VAL_001", "query: ")


def test_conversations_take_messages(api):
    (conversation,) = api.get(f"/conversations?instance_id={PENDING}")
    assert conversation["instance_id"] == PENDING and conversation["status"] == "open"
    assert api.get(f"/conversations?instance_id={PENDING}&status=closed") == []
    assert api.get("/conversations?instance_id=PR-0") == []
    path = f"/conversations/{conversation['id']}/messages"
    for wrong in ({}, {"text": ""}, {"text": 5}):
        refused(api.call("POST", path, wrong), 400, "VAL_001", "text:")
    refused(api.call("DELETE", path), 405)
    assert api.get(path) == []
    answer = api.call("POST", path, {"text": "Welcome"})
    assert answer.status == 201
    api.post(f"/conversations/{PENDING}/messages", {"text": "Grüße \"ø\"\n"})
    other = api.get(f"/conversations?instance_id={CHANGE}")[0]["id"]
    api.post(f"/conversations/{other}/messages", {"text": "for another"})
    assert [m["text"] for m in api.get(path)] == ["Welcome", "Grüße \"ø\"\n"]
    assert [m["text"] for m in api.get(path + "?ordering(-id)&limit=1")] == ["Grüße \"ø\"\n"]


def test_a_closed_conversation_takes_none(start_sim, tmp):
    seed = tmp / "seed.json"
    seed.write_text(json.dumps({"conversations": [{"id": "CO-1", "instance_id": "PR-1", "status": "closed"}]}))
    sim = start_sim("--seed", seed)
    api = calls.Api(sim.url, sim.api_key)
    refused(api.call("POST", "/conversations/CO-1/messages", {"text": "x"}), 400, "CONV_001")
    assert api.get("/conversations/PR-1/messages") == []


# ---------------------------------------------------------------------- webhooks

HOOK = {"object_class": "fulfillment_request", "label": "New", "product_id": calls.PRODUCT,
        "external_url": "http://127.0.0.1:9/", "jwt_secret": "a secret of at least thirty-two bytes",
        "description": "", "active": True, "http_method": "POST"}
HOOKS = "/notifications/webhooks"


@pytest.mark.parametrize("change", [
    {"object_class": None}, {"label": ""}, {"label": 5}, {"product_id": None}, {"external_url": ""},
    {"jwt_secret": None}, {"object_class": "nothing"}, {"http_method": "PUT"}, {"type": "nothing"},
    {"type": "draft_tcr_t1_val"}, {"label": "x" * 101}, {"jwt_secret": "x" * 101},
    {"external_url": "http://127.0.0.1/" + "x" * 4096}])
def test_refuses_a_wrong_webhook(api, change):
    before = api.get(HOOKS)
    body = {k: v for k, v in {**HOOK, **change}.items() if v is not None}
    refused(api.call("POST", HOOKS, body), 400, "VAL_001", next(iter(change)) + ":")
    if None not in change.values() and "" not in change.values() and 5 not in change.values():
        refused(api.call("PUT", f"{HOOKS}/{calls.WEBHOOK}", change), 400, "VAL_001")
    assert api.get(HOOKS) == before and changes(api) == []


def test_webhooks_are_made_changed_and_deleted(api):
    answer = api.call("POST", HOOKS, {**HOOK, "data": {"a": 1}, "headers": {"X-A": "b"}})
    assert answer.status == 201
    hook = answer.json()
    assert hook["id"].startswith("WH-") and hook["type"] == "event" and hook["account"]["id"] == calls.ACCOUNT
    assert hook["product"]["id"] == calls.PRODUCT and hook["data"] == {"a": 1} and hook["headers"] == {"X-A": "b"}
    path = f"{HOOKS}/{hook['id']}"
    assert api.get(path) == hook
    listed = [h["id"] for h in api.get(HOOKS + "?product.id=" + calls.PRODUCT)]
    assert (listed[0], listed[-1]) == (calls.WEBHOOK, hook["id"])
    changed = api.put(path, {"active": False, "label": "Other", "data": {}})
    assert (changed["active"], changed["label"], changed["data"]) == (False, "Other", {})
    assert changed["headers"] == {"X-A": "b"} and changed["jwt_secret"] == HOOK["jwt_secret"]
    assert [h["id"] for h in api.get(HOOKS + "?active=false")] == [hook["id"]]
    gone = api.call("DELETE", path)
    assert gone.status == 204 and gone.body == b""
    for method in ("GET", "PUT", "DELETE"):
        refused(api.call(method, path, {} if method == "PUT" else None), 404)
    assert hook["id"] not in [h["id"] for h in api.get(HOOKS)]
    assert api.get(HOOKS + "?active=false") == []


class Receiver(http_server.Server):
    """A webhook's other end: remembers what came, answers what it was told to."""

    def __init__(self):
        super().__init__(ReceiverHandler, "/connect")
        self.got = []
        self.answer = (200, b'{"status":"done"}')
        self.arrived = threading.Event()
        self.release = threading.Event()
        self.release.set()

    def __exit__(self, *details):
        self.release.set()
        super().__exit__(*details)


class ReceiverHandler(http_server.Handler):
    def do_POST(self):
        self.server.got.append((self.command, self.path, self.headers, self.body()))
        self.server.arrived.set()
        self.server.release.wait(calls.TIMEOUT)
        self.reply(*self.server.answer)

    do_GET = do_POST


@pytest.fixture
def receiver():
    with Receiver() as server:
        yield server


def claims_in(header, secret):
    """Verify the token as a receiver must; its header and claims."""
    word, token = header.split(" ")
    assert word == "Bearer"
    head, claims, signature = token.split(".")
    wanted = hmac.new(secret.encode(), f"{head}.{claims}".encode(), hashlib.sha256).digest()
    assert signature == calls.b64url(wanted)
    return [json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in (head, claims)]


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("options,header,plural", [
    ((), "Authentication", ""), (("--auth-header", "Authorization", "--plural"), "Authorization", "s")])
def test_triggers_for_real(start_sim, receiver, options, header, plural, method):
    sim = start_sim(*options)
    api = calls.Api(sim.url, sim.api_key)
    api.put(f"{HOOKS}/{calls.WEBHOOK}", {"external_url": receiver.url, "http_method": method,
                                         "data": {"a": [1, "ü"]}, "headers": {"X-Own": "yes"}})
    hook = api.get(f"{HOOKS}/{calls.WEBHOOK}")
    before = int(time.time())
    assert api.call("POST", f"{HOOKS}/{calls.WEBHOOK}/trigger").status == 200
    ((got_method, path, headers, body),) = receiver.got
    assert (got_method, path, headers["X-Own"]) == (method, "/connect", "yes")
    assert {"Authentication", "Authorization"} & set(headers) == {header}
    token_header, claims = claims_in(headers[header], hook["jwt_secret"])
    assert token_header == {"typ": "JWT", "alg": "HS256"}
    assert before + 600 <= claims["exp"] <= int(time.time()) + 600
    event = {"webhook_id": calls.WEBHOOK, "webhook_name": hook["label"],
             "object_class": "fulfillment_request" + plural, "account_id": calls.ACCOUNT,
             "product_id": calls.PRODUCT, "api_url": sim.url, "triggered_at": claims["triggered_at"],
             "last_success_at": None, "last_failure_at": None, "processing_timeout": 600,
             "data": {"a": [1, "ü"]}}
    assert claims == {**event, "exp": claims["exp"]}
    if method == "GET":
        assert body == b""
    else:
        assert json.loads(body) == event


def test_counts_what_became_of_triggers(api, receiver):
    path = f"{HOOKS}/{calls.WEBHOOK}"
    api.put(path, {"external_url": receiver.url})
    for status, text in ((503, b"busy"), (500, b""), (200, b'{"a":1}'), (404, b"[]")):
        receiver.answer = (status, text)
        api.post(f"{path}/trigger")
    hook = api.get(path)
    assert hook["stats"] == {"events": 4, "triggers": 4, "success_triggers": 1, "failure_triggers": 3,
                             "failure_since_last_success": 1}
    assert (hook["last_success"]["status_code"], hook["last_success"]["response"]) == (200, {"a": 1})
    assert (hook["last_failure"]["status_code"], hook["last_failure"]["status"]) == (404, "failure")
    assert hook["last_event"] >= hook["last_success"]["time"]
    _, claims = claims_in(receiver.got[-1][2]["Authentication"], hook["jwt_secret"])
    assert claims["last_success_at"] == hook["last_success"]["time"] and claims["last_failure_at"]


def test_a_receiver_that_is_not_there_is_a_failure_without_a_code(api):
    path = f"{HOOKS}/{calls.WEBHOOK}"
    api.put(path, {"external_url": f"http://127.0.0.1:{servers.free_port()}/"})
    api.post(f"{path}/trigger")
    failure = api.get(path)["last_failure"]
    assert failure["status"] == "failure" and failure["status_code"] is None and failure["errors"]


@pytest.mark.parametrize("url", [
    "http://example.com/", "http://127.0.0.1.example.com/", "http://127.evil/", "http://localhost.example/",
    "http://127.0.0.1@example.com/", "http://[::2]/", "https://127.0.0.1/", "ftp://127.0.0.1/", "//127.0.0.1",
    "http://", "nothing", "http://128.0.0.1/"])
def test_calls_nobody_elsewhere(api, url):
    path = f"{HOOKS}/{calls.WEBHOOK}"
    api.put(path, {"external_url": url})
    refused(api.call("POST", f"{path}/trigger"), 400, "VAL_001", "--allow-remote")
    assert api.get(path)["stats"]["triggers"] == 0


def test_a_trigger_blocks_nobody_and_does_not_outlive_a_stop(start_sim, receiver):
    sim = start_sim()
    api = calls.Api(sim.url, sim.api_key)
    api.put(f"{HOOKS}/{calls.WEBHOOK}", {"external_url": receiver.url})
    receiver.release.clear()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api.call, "POST", f"{HOOKS}/{calls.WEBHOOK}/trigger")
        assert receiver.arrived.wait(calls.TIMEOUT)
        assert api.post(f"/requests/{PENDING}/approve", TILE)["status"] == "approved"
        assert api.call("DELETE", f"{HOOKS}/{calls.WEBHOOK}").status == 204
        assert not waiting.done()
        sim.stop()  # which fails if it has to be killed
        receiver.release.set()
        concurrent.futures.wait([waiting])


# ------------------------------------------------------------------- much, and at once


def many(count):
    return [{"id": f"PR-{n:09}-001", "type": "purchase", "status": "pending",
             "created": calls.timestamp(1700000000 + n), "updated": "",
             "asset": {"id": f"AS-{n:09}", "status": "processing", "product": {"id": calls.PRODUCT},
                       "params": []}} for n in range(count)]


@pytest.mark.time_limit(300)
def test_pages_of_many_are_read_while_they_change(start_sim, tmp):
    """What a sweep does: list what is pending page by page, and approve it. With a cost that grows
    with the square of the count this would take most of an hour."""
    count, page = 20000, 100
    seed = tmp / "seed.json"
    seed.write_text(json.dumps({"requests": many(count)}))
    sim = start_sim("--seed", seed)
    api = calls.Api(sim.url, sim.api_key)
    query = f"/requests?and(eq(asset.product.id,{calls.PRODUCT}),in(status,(pending,revoking)))&ordering(created)"
    seen = []
    for offset in range(0, count, page):
        answer = api.call("GET", f"{query}&limit={page}&offset={offset}")
        assert answer.headers["Content-Range"] == f"items {offset}-{offset + page - 1}/{count}"
        seen += [r["id"] for r in answer.json()]
    assert seen == sorted(seen) and len(set(seen)) == count
    for left in range(count, count - 200 * 5, -5):
        listed = api.call("GET", f"{query}&limit=5")
        assert listed.headers["Content-Range"] == f"items 0-4/{left}"
        for r in listed.json():
            api.post(f"/requests/{r['id']}/approve", TILE)
    assert api.call("GET", "/requests?status=approved&limit=0").headers["Content-Range"] == "items 0-0/1000"


@pytest.mark.time_limit(120)
def test_many_clients_at_once_disturb_nobody(api, receiver):
    """Each thread makes, changes, lists, triggers; in the end everything adds up."""
    threads, rounds = 8, 12
    api.put(f"{HOOKS}/{calls.WEBHOOK}", {"external_url": receiver.url})

    def work(me):
        for turn in range(rounds):
            made = api.post("/requests", purchase())
            api.get("/requests?status=pending&ordering(-created)&limit=5")
            api.put(f"/requests/{made['id']}",
                    {"note": f"{me}", "asset": {"params": [{"id": "subscription_id", "value": f"{me}-{turn}"}]}})
            api.post(f"/conversations/{made['id']}/messages", {"text": "hello"})
            api.post(f"/requests/{made['id']}/approve", TILE)
            refused(api.call("POST", f"/requests/{made['id']}/approve", TILE), 400)
            if turn % 4 == 0:
                api.post(f"{HOOKS}/{calls.WEBHOOK}/trigger")
                hook = api.post(HOOKS, HOOK)
                assert api.call("DELETE", f"{HOOKS}/{hook['id']}").status == 204
        return me

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        assert list(pool.map(work, range(threads))) == list(range(threads))
    approved = api.get("/requests?status=approved&limit=1000")
    assert len(approved) == 1 + threads * rounds
    values = [p["value"] for r in approved for p in r["asset"]["params"] if "-" in p["value"]]
    assert {f"{me}-{turn}" for me in range(threads) for turn in range(rounds)} <= set(values)
    stats = api.get(f"{HOOKS}/{calls.WEBHOOK}")["stats"]
    assert stats["triggers"] == stats["success_triggers"] == len(receiver.got) == threads * rounds // 4
    done = changes(api)
    assert len([c for c in done if c["path"].endswith("/approve")]) == threads * rounds
