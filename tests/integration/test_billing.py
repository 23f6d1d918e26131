"""Billing requests have no state: what has been seen of them is remembered."""

from classes import ACTIVE, PATHS, changes, conf, decided, poll, trigger  # noqa: F401
import servers

BILLING = PATHS["billing_request"]


def bill(api, **more):
    return api.post(BILLING, {"type": "provider", "asset": {"id": ACTIVE}, "items": [], **more})["id"]


def attributes(api):
    return {o["id"]: o["attributes"] for o in api.get(BILLING)}


def test_the_request_that_caused_the_first_event_is_annotated_once(api, conf, handler, nginx, trigger, poll):
    own = conf("WH-850-127-604")
    server = nginx(handler(own))
    old = attributes(api)
    first = bill(api)
    answer = trigger(server.url, "WH-850-127-604")
    assert decided(answer["objects"]) == {first: ("annotate", "")}
    assert attributes(api) == {**old, first: {"provider": {"order": f"ORD-{first}", "until": "unknown"}}}
    assert trigger(server.url, "WH-850-127-604")["objects"] == []
    assert poll(own) == []
    second = bill(api, period={"to": "2027-01-01"})
    third = bill(api, items=[{"quantity": "unlimited"}])
    assert decided(poll(own)) == {second: ("annotate", ""), third: ("skip", "")}
    assert trigger(server.url, "WH-850-127-604")["objects"] == []
    assert [c for c in changes(api) if c.endswith("/attributes")] == \
        [f"{BILLING}/{i}/attributes" for i in (first, second)]


def test_polling_begins_with_what_is_made_from_then_on(api, conf, poll):
    own = conf("WH-850-127-604")
    assert poll(own) == []
    made = bill(api)
    assert decided(poll(own)) == {made: ("annotate", "")}
    assert poll(own) == []


def test_since_says_where_it_begins_and_another_begins_anew(api, conf, poll):
    own = conf("WH-850-127-604", since="2026-11-01T00:04:00Z")
    assert list(decided(poll(own))) == ["BRP-6990-1715-4170-0002"]
    assert poll(own) == []
    own.document["webhooks"][0]["since"] = "2026-10-01"
    own.save()
    assert list(decided(poll(own))) == ["BRV-6990-1715-4170-0001", "BRP-6990-1715-4170-0001", "BRV-6990-1715-4170-0002"]


def test_what_went_wrong_comes_again_and_the_others_do_not(api, conf, poll):
    own = conf("WH-850-127-604", since="2026-10-01")
    lost = "BRP-6990-1715-4170-0001"
    api.plan({"method": "PUT", "path": f"{BILLING}/{lost}/attributes", "status": 500})
    results = {o["object_id"]: o["result"] for o in poll(own, status=1)}
    assert results.pop(lost) == "retry" and len(results) == 3 and set(results.values()) <= {"done", "skip"}
    assert decided(poll(own)) == {lost: ("annotate", "")}
    assert poll(own) == []


def test_an_annotation_that_took_effect_without_an_answer_is_not_repeated(api, conf, poll):
    own = conf("WH-850-127-604")
    poll(own)
    made = bill(api)
    api.plan({"method": "PUT", "path": f"{BILLING}/{made}/attributes", "close": "after"})
    assert [o["result"] for o in poll(own)] == ["done"]
    assert len([c for c in changes(api) if c.endswith("/attributes")]) == 1


def test_a_kill_between_the_annotation_and_the_mark_repeats_nothing(build, api, conf, poll):
    own = conf("WH-850-127-604")
    poll(own)
    made = bill(api)
    api.plan({"method": "PUT", "path": f"{BILLING}/{made}/attributes", "delay_ms": 600000, "effect": True})
    killed = servers.Server([build / "connect-webhook", "poll", "--once", "-c", own.path], own.folder / "killed.log")
    killed.wait_until(lambda: f"{BILLING}/{made}/attributes" in changes(api))
    killed.kill()
    assert decided(poll(own)) == {made: ("annotate", "")}
    assert poll(own) == []
    assert len([c for c in changes(api) if c.endswith("/attributes")]) == 1
