"""The sixteen validation webhooks: connect-sim calls them while a form is filled in, nginx passes the call on,
rules answer, and the document goes back as it came but for what they say."""

import concurrent.futures
import json
import re
import sqlite3
import subprocess

import pytest

import calls
import fcgi_client
import servers

FIXTURES = servers.SOURCE / "contrib/fixtures"
FULFILLMENT, TIER_CONFIG = "fulfillment_request", "tier_config_request"
ACTIVE, TIERS = "AS-6990-1715-4170", {1: "TC-448-719-877", 2: "TC-908-022-156"}

# Type of webhook: class, type of request, its state, tier; and its name in Connect's user interface, if the
# article lists it.
PAIRS = {
    "validator": (FULFILLMENT, "purchase", "draft", None),
    "inquiring_validator": (FULFILLMENT, "purchase", "inquiring", None),
    "change_validator": (FULFILLMENT, "change", "draft", None),
    "change_inquiring_validator": (FULFILLMENT, "change", "inquiring", None),
    "renew_validator": (FULFILLMENT, "renew", "draft", None),
    "renew_inquiring_validator": (FULFILLMENT, "renew", "inquiring", None),
    "transfer_validator": (FULFILLMENT, "transfer", "draft", None),
    "transfer_inquiring_validator": (FULFILLMENT, "transfer", "inquiring", None),
    "draft_tcr_t1_val": (TIER_CONFIG, "setup", "draft", 1),
    "draft_tcr_t2_val": (TIER_CONFIG, "setup", "draft", 2),
    "tcr_setup_t1_inq_val": (TIER_CONFIG, "setup", "inquiring", 1),
    "tcr_setup_t2_inq_val": (TIER_CONFIG, "setup", "inquiring", 2),
    "tcr_update_t1_validator": (TIER_CONFIG, "update", "draft", 1),
    "tcr_update_t2_validator": (TIER_CONFIG, "update", "draft", 2),
    "tcr_update_t1_inq_val": (TIER_CONFIG, "update", "inquiring", 1),
    "tcr_update_t2_inq_val": (TIER_CONFIG, "update", "inquiring", 2),
}
ARTICLE = {
    "Subscription Purchase Request Draft Validation": "validator",
    "Subscription Purchase Request Inquiring Validation": "inquiring_validator",
    "Subscription Change Request Draft Validation": "change_validator",
    "Subscription Change Request Inquiring Validation": "change_inquiring_validator",
    "Tier 1 Config Setup Request Draft validation": "draft_tcr_t1_val",
    "Tier 2 Config Setup Request Draft validation": "draft_tcr_t2_val",
    "Tier 1 Config Setup Request Inquiring Validation": "tcr_setup_t1_inq_val",
    "Tier 2 Config Setup Request Inquiring Validation": "tcr_setup_t2_inq_val",
    "Tier 1 Config Update Request Draft Validation": "tcr_update_t1_validator",
    "Tier 2 Config Update Request Draft Validation": "tcr_update_t2_validator",
    "Tier 1 Config Update Request Inquiring Validation": "tcr_update_t1_inq_val",
    "Tier 2 Config Update Request Inquiring Validation": "tcr_update_t2_inq_val",
}


def hook_id(type_):
    return f"WH-700-000-{100 + [*PAIRS].index(type_)}"


def add_validator(conf, type_, rules=None):
    """None: the rules of contrib/."""
    object_class = PAIRS[type_][0]
    shipped = "form" if object_class == FULFILLMENT else "tier-form"
    policy = {"rules": str(rules)} if rules else conf.shipped_rules(shipped)
    conf.add_webhook(hook_id(type_), policy, type_, object_class, f"{calls.SECRET} {type_}")


@pytest.fixture
def conf(configuration):
    """conf(sim, types, rules): a configuration with these validators beside the usual webhook."""
    def make(sim=None, types=PAIRS, rules=None, **sections):
        made = configuration(sim, **sections)
        path = made.write("form.rules.yaml", rules) if rules else None
        for type_ in types:
            add_validator(made, type_, path)
        made.save()
        return made
    return make


def make_webhook(api, conf, type_, url, **changes):
    """Make the webhook in Connect, and have the configuration know it by the id that it got there."""
    made = api.make_webhook(PAIRS[type_][0], type_, conf.secrets[hook_id(type_)], url, **changes)
    conf.webhook(hook_id(type_))["id"] = made
    conf.secrets[made] = conf.secrets[hook_id(type_)]
    return made


def path_of(type_):
    return "/requests" if PAIRS[type_][0] == FULFILLMENT else "/tier/config-requests"


def make_object(api, type_):
    """An object in the situation that the type is for; its id."""
    object_class, request_type, state, tier = PAIRS[type_]
    path, wanted = path_of(type_), {"type": request_type, "status": "draft" if state == "draft" else "pending"}
    if object_class == TIER_CONFIG:
        wanted["configuration"] = {"id": TIERS[tier]}
    elif request_type == "purchase":
        asset = json.loads((FIXTURES / "validator.json").read_text())["asset"]
        wanted["asset"] = {k: asset[k] for k in ("product", "connection", "items", "params", "tiers")}
    else:
        items = api.get(f"/assets/{ACTIVE}")["items"]
        wanted["asset"] = {"id": ACTIVE, "items": [{"id": i["id"], "quantity": "77"} for i in items]}
    made = api.post(path, wanted)
    if state == "inquiring":
        api.post(f"{path}/{made['id']}/inquire", {} if object_class == FULFILLMENT else None)
    return made["id"]


def params_of(type_, document):
    return {p["id"]: p for p in (document["asset"] if PAIRS[type_][0] == FULFILLMENT else document)["params"]}


def form_of(type_, **values):
    """What who fills the form in sends."""
    params = [{"id": k, "value": v} for k, v in values.items()]
    return {"asset": {"params": params}} if PAIRS[type_][0] == FULFILLMENT else {"params": params}


def wrong_and_right(type_):
    """The field, a value that the rules refuse, one that they take, and what they make of it."""
    if PAIRS[type_][0] == TIER_CONFIG:
        return "reseller_code", "four", " nord-77 ", "NORD-77"
    if PAIRS[type_][1] == "change":
        return "admin_email", "nobody", "Boss@Harbour.example", "Boss@Harbour.example"
    return "admin_email", "nobody", " Boss@Harbour.example", "boss@harbour.example"


def check_row(api, conf, handler, nginx, type_):
    server = nginx(conf.socket)
    webhook = make_webhook(api, conf, type_, server.url)
    conf.save()
    handler(conf)
    object_id = make_object(api, type_)
    before = api.get(f"{path_of(type_)}/{object_id}")
    field, wrong, right, mended = wrong_and_right(type_)

    after = api.post(f"{path_of(type_)}/{object_id}/validate", form_of(type_, **{field: wrong}))
    param = params_of(type_, after)[field]
    assert param["value"].lower() == wrong and param["value_error"] != ""
    assert after["status"] == before["status"] and after["id"] == object_id

    after = api.post(f"{path_of(type_)}/{object_id}/validate", form_of(type_, **{field: right}))
    param = params_of(type_, after)[field]
    assert (param["value"], param["value_error"]) == (mended, "")
    assert after == api.get(f"{path_of(type_)}/{object_id}")  # kept, as what is shown
    assert after["status"] == before["status"]
    for name, other in params_of(type_, before).items():
        if name not in (field, "domain", "seats", "region"):
            assert params_of(type_, after)[name] == other

    stats = api.webhook(webhook)["stats"]
    assert (stats["triggers"], stats["success_triggers"], stats["failure_triggers"]) == (2, 2, 0)


@pytest.mark.parametrize("type_", PAIRS)
def test_every_type_is_answered_in_its_situation(sim, api, conf, handler, nginx, type_):
    check_row(api, conf(sim, [type_]), handler, nginx, type_)


@pytest.mark.parametrize("name", ARTICLE)
def test_every_row_of_the_article_works(sim, api, conf, handler, nginx, name):
    check_row(api, conf(sim, [ARTICLE[name]]), handler, nginx, ARTICLE[name])


def test_each_webhook_is_asked_about_its_own_situation_alone(sim, api, conf, handler, nginx):
    """All sixteen at once."""
    made = conf(sim)
    server = nginx(made.socket)
    hooks = {type_: make_webhook(api, made, type_, server.url) for type_ in PAIRS}
    made.save()
    program = handler(made)
    for type_ in PAIRS:
        object_id = make_object(api, type_)
        api.post(f"{path_of(type_)}/{object_id}/validate", form_of(type_))
        if PAIRS[type_][0] == FULFILLMENT:  # the asset has one open request at a time
            end_request(api, object_id)
    assert {t: api.webhook(h)["stats"]["success_triggers"] for t, h in hooks.items()} == dict.fromkeys(PAIRS, 1)
    assert "but the document is another" not in program.log


def end_request(api, request_id):
    status = api.get(f"/requests/{request_id}")["status"]
    if status == "draft":
        api.post(f"/requests/{request_id}/submit")
    if status == "inquiring":
        api.post(f"/requests/{request_id}/pend")
    api.post(f"/requests/{request_id}/fail", {"reason": "the test is over"})


# ------------------------------------------------------------------------ byte for byte

NEW = "the new error"
ERROR_RULES = f"- then: {{ params: [ {{ id: PARAM, value_error: {NEW} }} ] }}\n"
OLD = "@@OLD@@"
SPELLINGS = [
    lambda d: json.dumps(d, indent=2, ensure_ascii=False),
    lambda d: json.dumps(d, separators=(",", ":"), ensure_ascii=True),
    lambda d: "\r\n\t" + json.dumps(d, indent="\t", separators=(" ,", " : "), sort_keys=True) + " \n",
]
# <<what is there|what becomes of it>>
BY_HAND = [
    '{"asset":{"params":[{"id":"admin_email"<<|,"value_error":"the new error">>}]}}',
    '{ "asset" : { "params" : [ { "id" : "admin_email"<<|,"value_error":"the new error">> } ] } }',
    '{"asset":{"params":[{"value_error":<<null|"the new error">>,"id":"admin_email"}]},"n":1.10e+02,"m":-0.0}',
    '{"asset":{"params":[{"value_error":<<""|"the new error">>,"id":"admin_email",'
    '"value":"\\u00e9\\/\\ud83d\\ude00"}]}}',
    '{"\\u0061sset":{"p\\u0061rams":[{"value\\u005ferror":<<"x"|"the new error">>,"id":"admin\\u005femail"}]}}',
    '{"asset":{"params":[null,1,[],{"id":"other","value_error":"stays"},{"id":"admin_email",'
    '"value_error":<<"x"|"the new error">>}]},"big":123456789012345678901234567890,"tiny":1e-400}',
    '{"asset":{"params":[{"id":"admin_email","value_error":"the new error"}]}}',  # said already
    '{"asset":{"params":[{"id":"subscription_id"}]}}',  # has no such parameter
    '{"asset":{"params":[]}}',
    '{"asset":{"params":{}}}',
    '{"asset":{"params":null}}',
    '{"asset":{}}',
    '\n{"asset"\n:{}}\n',
    '{"id":"PR-1","unknown":{"deep":[[[[{"x":[1,2.50,true,null]}]]]]},"asset":{"id":"AS-1",'
    '"params":[{"id":"admin_email",'
    '"title":"Gro\u00dfe \u4f8b\u3048 \U0001f600","value_error":<<"x"|"the new error">>}],"tiers":{}}}',
]


def shapes(type_):
    """Documents, each as (what is sent, what must come back)."""
    field = wrong_and_right(type_)[0]
    for name in PAIRS:
        if PAIRS[name][0] != PAIRS[type_][0]:
            continue
        document = json.loads((FIXTURES / f"{name}.json").read_text())
        document.update(note="caf\u00e9 \U0001f600", price=1.10, big=2**70, unknown={"a": [1, {"b": None}]})
        params_of(name, document)[field]["value_error"] = OLD
        for spelling in SPELLINGS:
            text = spelling(document).replace("1.1,", "1.10,").replace("1.1 ,", "1.10 ,")
            assert OLD in text
            yield text, text.replace(OLD, NEW)
    if PAIRS[type_][0] == FULFILLMENT:
        for text in BY_HAND:
            yield re.sub(r"<<(.*?)\|.*?>>", r"\1", text), re.sub(r"<<.*?\|(.*?)>>", r"\1", text)


def test_the_document_comes_back_byte_for_byte(conf, handler, nginx, connect):
    compared = 0
    for type_ in "validator", "draft_tcr_t1_val":
        compared += len([*shapes(type_)])
    assert compared >= 50
    made = conf(types=["validator", "draft_tcr_t1_val"])
    for type_ in "validator", "draft_tcr_t1_val":
        rules = made.write(f"{type_}.rules.yaml", ERROR_RULES.replace("PARAM", wrong_and_right(type_)[0]))
        made.webhook(hook_id(type_))["policy"] = {"rules": str(rules)}
    made.save()
    url = nginx(handler(made)).url
    for type_ in "validator", "draft_tcr_t1_val":
        for sent, wanted in shapes(type_):
            answer = connect(url, made, hook_id(type_), body=sent.encode())
            assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
            assert answer.body.decode() == wanted


def test_a_large_document_comes_back_where_it_is_allowed(conf, handler, connect):
    made = conf(types=["validator"], web={"max_body": "8MiB"})
    program = handler(made)
    item = json.dumps({"id": "PRD_1", "quantity": "1", "note": "\u00e9" * 50})
    body = '{"asset":{"items":[%s],"params":[{"id":"seats","value":"0"}]}}' % ",".join([item] * 15000)
    assert 5e6 < len(body) < 6e6
    with fcgi_client.Connection(f"unix:{program.socket}") as connection:
        answer = connection.ask(body.encode(), HTTP_AUTHENTICATION=bearer(made, "validator"))
    assert answer.status == 200
    assert answer.body.decode() == body.replace('"value":"0"', '"value":"0","value_error":"from 1 to 100"')


def bearer(conf, type_, **claims):
    webhook = hook_id(type_)
    return "Bearer " + calls.sign(calls.claims_of(conf, webhook, **claims), conf.secrets[webhook])


# ------------------------------------------------------------------------- what is refused

def tallies(conf):
    """What is counted of each webhook, once the handler has ended."""
    with sqlite3.connect(f"file:{conf.state}/inbox.db?mode=ro", uri=True) as db:
        assert db.execute("SELECT count(*) FROM delivery").fetchone() == (0,)  # forms hold people's data
        return {row[0]: row[1:] for row in db.execute("SELECT webhook_id, success, failure FROM tally")}


BAD = {
    "empty": (b"", 400), "no JSON": (b"seats=0", 400), "half": (b'{"asset":{', 400), "an array": (b"[]", 400),
    "null": (b"null", 400), "a text": (b'"asset"', 400), "an event": (b'{"webhook_id":"WH-1"}', 400),
    "another class": (b'{"configuration":{},"params":[]}', 400), "asset is a list": (b'{"asset":[]}', 400),
    "a key twice": (b'{"asset":{"params":[{"id":"a","id":"b"}]}}', 400), "two documents": (b'{"asset":{}}{}', 400),
    "not UTF-8": (b'{"asset":{"id":"\xff"}}', 400), "half a surrogate": (b'{"asset":{"id":"\\ud800"}}', 400),
    "a byte order mark": (b'\xef\xbb\xbf{"asset":{}}', 400), "NaN": (b'{"asset":{"n":NaN}}', 400),
    "deep": (b'{"asset":' + b"[" * 500000 + b"]" * 500000 + b"}", 400),
    "too large": (b'{"asset":' + b"[" * 1000000 + b"]" * 1000000 + b"}", 413),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_body_is_refused_and_the_next_call_served(conf, handler, nginx, connect, name):
    made = conf(types=["validator"])
    program = handler(made)
    url = nginx(program).url
    body, status = BAD[name]
    answer = connect(url, made, hook_id("validator"), body=body)
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json" and answer.json()["detail"]
    assert connect(url, made, hook_id("validator"), body=b'{"asset":{}}').status == 200
    program.stop()
    # What is too large is refused before anybody has asked whose it is.
    assert tallies(made) == {hook_id("validator"): (1, int(status == 400))}


def test_a_get_is_refused_and_told_what_to_set(sim, api, conf, handler, nginx, connect):
    made = conf(sim, types=["validator"])
    url = nginx(handler(made)).url
    answer = connect(url, made, hook_id("validator"), method="GET")
    assert answer.status == 400
    assert answer.json()["detail"] == (f"webhook {hook_id('validator')} is a validator, and a GET brings no form: "
                                       "set its HTTP method in Connect to POST")


@pytest.mark.parametrize("claims", [{"product_id": "PRD-111-222-333"}, {"object_class": TIER_CONFIG},
                                    {"account_id": "VA-111-222"}])
def test_a_call_that_is_another_s_is_refused_and_counted(conf, handler, nginx, connect, claims):
    made = conf(types=["validator"])
    program = handler(made)
    answer = connect(nginx(program).url, made, hook_id("validator"), claims=claims, body=b'{"asset":{}}')
    assert answer.status == 400 and "is configured for another" in answer.json()["detail"]
    program.stop()
    assert tallies(made) == {hook_id("validator"): (0, 1)}
    assert f"webhook {hook_id('validator')}: the webhook is configured for another" in program.log


def test_what_the_document_says_of_itself_decides_nothing(conf, handler, nginx, connect):
    """The claims say who asks; the body is data, of which one that does not fit is answered all the same."""
    made = conf(types=["validator"])
    program = handler(made)
    body = json.dumps({"type": "cancel", "status": "approved", "asset": {
        "product": {"id": "PRD-9"}, "params": [{"id": "seats", "value": "0"}]}}).encode()
    answer = connect(nginx(program).url, made, hook_id("validator"), body=body)
    assert answer.status == 200 and answer.json()["asset"]["params"][0]["value_error"] == "from 1 to 100"
    program.wait_until(lambda: "its type is cancel, not purchase; it is answered all the same" in program.log)


def test_without_a_policy_the_form_comes_back_as_it_came(conf, handler, nginx, connect):
    made = conf(types=["validator"])
    made.webhook(hook_id("validator"))["policy"] = "none"
    made.save()
    body = (FIXTURES / "validator.json").read_bytes()
    assert connect(nginx(handler(made)).url, made, hook_id("validator"), body=body).body == body


# --------------------------------------------------------------- policies that are slow or broken

BOMB = "- then: { params: [ { id: seats, check: { pattern: \"(g+)+$\" }, message: no } ] }\n"


def test_a_pattern_that_explodes_ends_and_is_told(conf, handler, nginx, connect):
    made = conf(types=["validator"], rules=BOMB)
    program = handler(made)
    url = nginx(program).url
    form = {"asset": {"params": [{"id": "seats", "value": "g" * 50 + "!"}]}}
    answer = connect(url, made, hook_id("validator"), body=json.dumps(form).encode())
    assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0
    assert "form.rules.yaml:1: params[seats]: pattern: gave up on a value of 51 bytes" in answer.json()["detail"]
    assert "form.rules.yaml:1: params[seats]: pattern: gave up" in program.log and "ggg" not in program.log
    form["asset"]["params"][0]["value"] = "ggg"
    assert connect(url, made, hook_id("validator"), body=json.dumps(form).encode()).status == 200
    program.stop()
    assert tallies(made) == {hook_id("validator"): (1, 1)}


SLOW_PARAMS = 1000  # each takes about as long as a pattern may
SLOW = "- then:\n    params:\n" + "".join(
    f"      - {{ id: p{i}, check: {{ pattern: \"(a+)+b|a*!\" }}, message: no }}\n" for i in range(SLOW_PARAMS))
SLOW_FORM = json.dumps({"asset": {"params": [{"id": f"p{i}", "value": "a" * 15 + "!"} for i in range(SLOW_PARAMS)]}})


def test_a_slow_policy_keeps_to_its_deadline_and_delays_no_other(sim, conf, handler, nginx, connect):
    made = conf(sim, types=["validator", "change_validator"],
                web={"validation_threads": 2, "validation_deadline": "1s"})
    made.webhook(hook_id("validator"))["policy"] = {"rules": str(made.write("slow.rules.yaml", SLOW))}
    made.save()
    program = handler(made)
    url = nginx(program).url
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        slow = [pool.submit(connect, url, made, hook_id("validator"), body=SLOW_FORM.encode()) for _ in range(8)]
        quick = 0
        while not all(s.done() for s in slow):
            assert connect(url, made, hook_id("change_validator"), body=b'{"asset":{}}').status == 200
            assert connect(url, made).status == 200  # an event
            quick += 1
        answers = [s.result() for s in slow]
    assert quick > 0
    assert 503 in {a.status for a in answers} <= {200, 503}
    for answer in answers:
        if answer.status == 503:
            assert re.search(r"no time is left|waited too long", answer.json()["detail"])


def test_nothing_of_a_form_is_logged_or_stored(conf, handler, nginx, connect):
    made = conf(types=["validator"], rules=(
        "- when: eq(type,purchase)\n"
        "  then: { params: [ { id: seats, value: \"${asset.params}\" } ] }\n"
        "- then: { params: [ { id: seats, check: { max: 1 }, message:\n"
        "          \"${asset.params[seats].value} is too much for ${asset.params[pw].value}\" } ] }\n"))
    program = handler(made)
    url = nginx(program).url
    for type_, status in ("purchase", 503), ("change", 200):
        body = json.dumps({"type": type_, "asset": {"params": [
            {"id": "seats", "value": "9876543"}, {"id": "pw", "type": "password", "value": "canary"}]}})
        answer = connect(url, made, hook_id("validator"), body=body.encode())
        assert answer.status == status
        assert (b"9876543 is too much for ********\"" in answer.body) == (status == 200)
    program.stop()
    for text in program.log.encode(), *(f.read_bytes() for f in made.state.iterdir()):
        assert b"9876543" not in text and b"canary" not in text


def test_a_stop_answers_what_has_begun(conf, handler, nginx, connect):
    made = conf(types=["validator"], web={"validation_deadline": "2s"})
    made.webhook(hook_id("validator"))["policy"] = {"rules": str(made.write("slow.rules.yaml", SLOW))}
    made.save()
    program = handler(made)
    url = nginx(program).url
    before = servers.cpu_seconds(program.pid)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(connect, url, made, hook_id("validator"), body=SLOW_FORM.encode())
        program.wait_until(lambda: slow.done() or servers.cpu_seconds(program.pid) > before + 0.2)
        program.stop()
        assert slow.result().status in (200, 503)


# ------------------------------------------------------------------------------ connect-sim

def test_a_validator_that_fails_lets_the_order_through_and_is_counted(sim, api, conf, handler, nginx):
    made = conf(sim, types=["validator"], rules=BOMB)
    server = nginx(made.socket)
    webhook = make_webhook(api, made, "validator", server.url)
    made.save()
    object_id = make_object(api, "validator")
    for seats, running in ("5", False), ("g" * 40 + "!", True):  # nobody answers; then, a policy that cannot
        if running:
            handler(made)
        answer = api.call("POST", f"/requests/{object_id}/validate", form_of("validator", seats=seats))
        assert answer.status == 400 and "Validation can't be performed" in answer.json()["errors"][0]
        stats = api.webhook(webhook)["stats"]
        assert stats["failure_triggers"] == stats["failure_since_last_success"] == 1 + running
        assert params_of("validator", api.get(f"/requests/{object_id}"))["seats"]["value"] == seats
    assert api.webhook(webhook)["last_failure"]["status_code"] == 503
    assert api.post(f"/requests/{object_id}/purchase")["status"] == "pending"


def test_without_an_active_validator_a_form_is_taken_as_it_is(sim, api, conf, handler, nginx):
    made = conf(sim, types=["validator"])
    server = nginx(made.socket)
    object_id = make_object(api, "validator")
    assert params_of("validator", api.post(f"/requests/{object_id}/validate",
                                           form_of("validator", seats="0")))["seats"]["value_error"] == ""
    webhook = make_webhook(api, made, "validator", server.url, active=False)
    made.save()
    handler(made)
    api.post(f"/requests/{object_id}/validate", form_of("validator", seats="0"))
    assert api.webhook(webhook)["stats"]["triggers"] == 0
    api.put(f"/notifications/webhooks/{webhook}", {"active": True})
    assert params_of("validator", api.post(f"/requests/{object_id}/validate"))["seats"]["value_error"] != ""
    assert api.webhook(webhook)["stats"]["success_triggers"] == 1


def test_what_cannot_be_validated_is_refused(api):
    assert api.call("POST", "/requests/PR-7957-9623-8221-001/validate", {}).status == 400  # is pending
    assert api.call("POST", "/requests/PR-0-0/validate", {}).status == 404
    assert api.call("POST", "/usage/files/UF-2026-11-0001-0007/validate", {}).status == 404
    answer = api.call("POST", "/requests/PR-7957-9623-8231-001/validate", form_of("validator", nothing="1"))
    assert answer.status == 400 and "nothing: there is none" in answer.json()["errors"][0]
    assert api.call("GET", "/requests/PR-7957-9623-8231-001/validate").status == 404


def test_change_drafts_need_the_capability(api, start_sim, tmp):
    seed = json.loads((servers.SOURCE / "src/sim/seed.json").read_text())
    for product in seed["products"]:
        product.pop("capabilities", None)
    (tmp / "seed.json").write_text(json.dumps(seed))
    plain = start_sim("--seed", tmp / "seed.json")
    bare = calls.Api(plain.url, plain.api_key)
    draft = {"type": "change", "status": "draft", "asset": {"id": ACTIVE, "items": [
        {"id": i["id"], "quantity": "77"} for i in api.get(f"/assets/{ACTIVE}")["items"]]}}
    answer = bare.call("POST", "/requests", draft)
    assert answer.status == 400 and "no Dynamic Validation of change requests" in answer.json()["errors"][0]
    assert api.post("/requests", draft)["status"] == "draft"
    assert bare.post("/requests", {**draft, "status": "pending"})["status"] == "pending"


def test_validators_of_a_distributor_are_refused(api):
    for hook in calls.DISTRIBUTORS_HOOKS:
        answer = api.call("PUT", f"/notifications/webhooks/{hook.id}",
                          {"object_class": FULFILLMENT, "type": "validator"})
        assert answer.status == 400 and "only vendors have validators" in answer.json()["errors"][0]


# ------------------------------------------------------------------------- the commands

@pytest.mark.parametrize("type_", PAIRS)
def test_send_plays_connect_with_the_fixture_of_each_type(build, conf, handler, nginx, type_):
    made = conf(types=PAIRS)
    url = nginx(handler(made)).url
    fixture = FIXTURES / f"{type_}.json"
    ran = subprocess.run([build / "connect-webhook", "send", "-c", made.path, "--type", type_, "--body", fixture,
                          "--json", url], capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert answer["status"] == 200
    before, after = json.loads(fixture.read_text()), answer["body"]
    assert [*after] == [*before] and [*params_of(type_, after)] == [*params_of(type_, before)]
    # The same as the policy says without a handler.
    ran = subprocess.run([build / "connect-webhook", "policy", "test", "-c", made.path, "--webhook", hook_id(type_),
                          "--object", fixture, "--json"], capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert said["type"] == type_
    for change in said["changes"]:
        name, member = re.fullmatch(r"(?:asset\.)?params\[(\w+)\]\.(\w+)", change["path"]).groups()
        assert params_of(type_, after)[name][member] == change["after"]
        assert params_of(type_, before)[name].get(member) == change["before"]
    assert said["errors"] == sum(p.get("value_error", "") not in ("", None) for p in params_of(type_, after).values())
    assert (after == before) == (said["changes"] == [])
