"""Every verb of every class: what leaves for Connect, and what is taken for success."""

import pytest

import calls
import openapi
from verbs import (  # noqa: F401
    CLASSES, JSON, LISTED, NAMES, SOME, SOME_NAMES, VERBS, changes, connect, poll, polled, run, run_form)


# What the description of the API lacks, and its clients send all the same.
UNDESCRIBED = {("/tier/config-requests/{id}/approve", "template.representation")}
SUCCESSES = {
    "empty 200": (200, (), b""), "204": (204, (), b""), "206": (206, JSON, b'{"id":"x"}'), "201": (201, JSON, b"{}"),
    "only a template": (200, JSON, b'{"template":{"id":"TL-1","representation":"# Hi"},"effective_date":null}'),
    "unknown keys": (200, JSON, b'{"id":7,"what":[null,{"deep":1e400}],"status":null,"state":null}'),
}


@pytest.mark.parametrize("verb", VERBS, ids=NAMES)
def test_the_request_is_right(run, verb):
    name, _, state, decision, method, below, body, after = verb
    path, query, _, thing_id = CLASSES[name]
    report, sent = run(verb)
    assert (report["result"], report["action"], report["before"], report["after"]) == (
        "done", decision["action"], state, after)
    listed = sent[0]
    assert listed[:2] == ("GET", path)
    states = {"VA": {"fulfillment_request": "pending,revoking", "usage_file": "ready,uploaded"},
              "PA": {"listing_request": "reviewing,deploying", "usage_file": "pending,accepted"}}[verb[1]]
    swept = state if state in ("inquiring", "scheduled") else states.get(name, "pending")
    assert listed[2] == query.format(p=calls.PRODUCT, s=swept) + "&" + LISTED
    (sent_method, sent_path, sent_query, headers, sent_body), = changes(sent)
    assert (sent_method, sent_path, sent_query) == (method, f"{path}/{thing_id}/{below}", "")
    assert sent_body == body
    assert headers["Authorization"] == "ApiKey test-key"
    assert headers.get("Content-Type") == ("application/json" if body is not None else None)


@pytest.mark.parametrize("verb", VERBS, ids=NAMES)
def test_the_request_is_as_described(run, verb):
    description = openapi.described()
    _, sent = run(verb)
    faults = {fault for method, path, query, _, body in sent
              for fault in description.faults_of_request(method, path, query, body)}
    assert faults <= UNDESCRIBED


def test_parameters_go_where_the_class_has_them(run, connect):
    """The two classes that have parameters; `structured_error` and the others, too."""
    params = [{"id": "p", "value": "1", "value_error": "no", "structured_value": {"a": 1}}]
    for verb in VERBS[0], VERBS[10]:
        connect.sent.clear()
        connect.things.clear()
        _, sent = run((verb[0], verb[1], verb[2], {**verb[3], "params": params}, *verb[4:]))
        path, _, _, thing_id = CLASSES[verb[0]]
        put = changes(sent)[0]
        assert put[:2] == ("PUT", f"{path}/{thing_id}")
        assert put[4] == ({"params": params} if verb[0] == "tier_config_request" else {"asset": {"params": params}})


@pytest.mark.parametrize("form", SUCCESSES)
@pytest.mark.parametrize("verb", SOME, ids=SOME_NAMES)
def test_each_form_of_success_is_one(run_form, verb, form):
    report, sent = run_form(verb, form, SUCCESSES)
    assert (report["result"], report["after"]) == ("done", verb[7])
    assert len(changes(sent)) == 1
