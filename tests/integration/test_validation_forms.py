"""What a form comes back as, what is refused, and what slow and broken policies cost."""

import concurrent.futures
import json
import re
import sqlite3

import pytest

import calls
import fcgi_client
from forms import (  # noqa: F401
    BOMB, FIXTURES, FULFILLMENT, PAIRS, TIER_CONFIG, conf, hook_id, params_of, wrong_and_right)
import servers


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
