"""The same call, with the same result, whatever carries it: CGI, nginx, Apache's three ways."""

import pytest

from fronts import FRONTS, RULES, deliver, front, statuses  # noqa: F401


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
