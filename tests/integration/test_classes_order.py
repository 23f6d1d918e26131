"""What waits for another class is decided with it; nothing is, where nobody may decide."""

import time

from classes import (  # noqa: F401
    FIRST, HOOKS, PURCHASE, QUEUE, SECOND, TCR, UPDATE, changes, conf, decided, poll, states, trigger)

ORDER = [f"{TCR}/{SECOND}/approve", f"{TCR}/{FIRST}/approve", f"/requests/{PURCHASE}/approve"]


def test_one_call_decides_a_purchase_that_waits_for_both_tiers(api, conf, handler, nginx, trigger):
    server = nginx(handler(conf("WH-415-806-227", "WH-623-978-334")))
    trigger(server.url, "WH-415-806-227")
    assert [c for c in changes(api) if c in ORDER] == ORDER


def lists(api, path):
    return sum(c["method"] == "GET" and c["path"] == path for c in api.received())


def test_one_stored_call_decides_a_purchase_that_waits_for_both_tiers(api, conf, handler, nginx, trigger):
    """And looks again 5 seconds later, for Connect may take its time."""
    runs = handler(conf("WH-415-806-227", "WH-623-978-334", processing=QUEUE))
    server = nginx(runs)
    trigger(server.url, "WH-415-806-227")
    runs.wait_until(lambda: api.get(f"/requests/{PURCHASE}")["status"] == "approved")
    assert [c for c in changes(api) if c in ORDER] == ORDER
    before = [lists(api, path) for path in ("/requests", TCR)]
    began = time.monotonic()
    runs.wait_until(lambda: lists(api, "/requests") > before[0] and lists(api, TCR) > before[1])
    assert 2 < time.monotonic() - began < 20


def test_one_poll_decides_a_purchase_that_waits_for_both_tiers(api, conf, poll):
    poll(conf())
    assert [c for c in changes(api) if c in ORDER] == ORDER


def test_one_poll_of_the_tiers_alone_leaves_the_purchase_to_the_others(api, conf, poll):
    poll(conf(), "--webhook", "WH-415-806-227")
    assert [c for c in changes(api) if c in ORDER] == ORDER[:2]
    assert api.get(f"/requests/{PURCHASE}")["status"] == "pending"


def test_without_a_webhook_for_them_no_purchase_is_decided(api, conf, handler, nginx, trigger):
    server = nginx(handler(conf("WH-415-806-227")))
    answer = trigger(server.url, "WH-415-806-227")
    assert answer["status"] == "done" and [c for c in changes(api) if c in ORDER] == ORDER[:2]


def test_the_time_of_a_call_holds_for_all_its_queues(api, conf, handler, nginx, trigger):
    """The list of what was freed takes longer than the call may: the next one goes on."""
    api.plan({"method": "GET", "path": "/requests", "delay_ms": 2500})
    own = conf("WH-415-806-227", "WH-623-978-334")
    own.document["processing"].update({"inline_deadline": "2s"})
    own.save()
    server = nginx(handler(own))
    answer = trigger(server.url, "WH-415-806-227")
    assert api.webhook("WH-415-806-227")["last_failure"]["status_code"] == 503
    assert set(decided(answer["objects"])) == {SECOND, FIRST, UPDATE}
    assert api.get(f"/requests/{PURCHASE}")["status"] == "pending"
    assert PURCHASE in decided(trigger(server.url, "WH-623-978-334")["objects"])


def test_a_dry_run_goes_nowhere(api, conf, handler, nginx, trigger, poll):
    own = conf()
    before = states(api)
    assert {o["result"] for o in poll(own, "--dry-run")} == {"skip"}
    own.document["processing"].update({"dry_run": True})
    own.save()
    server = nginx(handler(own))
    for hook in HOOKS:
        assert {o["result"] for o in trigger(server.url, hook.id)["objects"]} <= {"skip", "reschedule"}
    assert states(api) == before and changes(api) == []
