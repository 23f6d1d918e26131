"""Every class of objects with a queue: from "Trigger Now" through nginx to the objects' last states, and
the same by polling. Rules are those of contrib/."""

import json
import re
import subprocess
import time

import pytest

import calls
import servers

RULES = servers.SOURCE / "contrib/rules"
TIMEOUT = 60  # seconds

HOOKS = [*calls.VENDORS_HOOKS, *calls.DISTRIBUTORS_HOOKS]
PATHS = {hook.object_class: hook.path for hook in HOOKS}
TCR, PURCHASE, ACTIVE = PATHS["tier_config_request"], "PR-7957-9623-8230-001", "AS-6990-1715-4170"
SECOND, FIRST, UPDATE = "TCR-908-022-156-001", "TCR-331-277-401-001", "TCR-448-719-877-002"

# What becomes of what is pending, of one class, as its rules say.
WANTED = {
    "WH-415-806-227": {SECOND: ("approve", "approved"), FIRST: ("approve", "approved"), UPDATE: ("approve", "approved"),
                       PURCHASE: ("approve", "approved")},
    "WH-623-978-334": {
        **{f"PR-7957-9623-82{n}-001": ("approve", "approved") for n in (21, 22)},
        "PR-7957-9623-8223-001": ("inquire", "inquiring"), "PR-7957-9623-8224-001": ("fail", "failed"),
        "PR-7957-9623-8225-001": ("skip", "pending"), "PR-6990-1715-4162-001": ("skip", "pending"),
        **{f"PR-6990-1715-41{n}-001": ("approve", "approved") for n in range(63, 68)},
        "PR-6990-1715-4168-001": ("skip", "pending"), "PR-6990-1715-4169-001": ("confirm", "revoked")},
    "WH-632-725-169": {"TAR-6458-9737-0065-003-001": ("accept", "accepted"),
                       "TAR-4487-1987-3778-002-001": ("accept", "accepted"),
                       "TAR-5520-1184-0037-002-001": ("ignore", "ignored")},
    "WH-744-019-582": {"UF-2026-11-0001-0007": ("submit", "pending"), "UF-2026-11-0002-0014": ("submit", "pending"),
                       "UF-2026-11-0003-0021": ("skip", "ready")},
    "WH-833-608-476": {"LSTR-308-918-054-001": ("deploy", "deploying"), "LSTR-411-220-976-002": ("skip", "reviewing"),
                       "LSTR-520-774-313-001": ("complete", "completed")},
    "WH-867-330-915": {"UF-2026-11-0004-0028": ("accept", "accepted"), "UF-2026-11-0005-0035": ("reject", "rejected"),
                       "UF-2026-11-0006-0042": ("close", "closed")},
}


@pytest.fixture
def conf(sim, api, configuration):
    """conf(*webhooks): a configuration with these, or all, of the webhooks of the seed."""
    def make(*ids, processing=None, **more):
        made = configuration(sim, processing=processing or {})
        made.serve(api, [hook for hook in HOOKS if not ids or hook.id in ids],
                   lambda hook: made.shipped_rules(hook.rules), **more)
        return made
    return make


@pytest.fixture
def trigger(api):
    """trigger(url, webhook): point the webhook there, press Trigger Now, and return the answer."""
    def press(url, webhook):
        api.point_webhook(webhook, url)
        return api.trigger(webhook)
    return press


@pytest.fixture
def poll(build):
    def run(conf, *options, status=0):
        ran = subprocess.run([build / "connect-webhook", "poll", "--once", "--json", "-c", conf.path, *options],
                             capture_output=True, text=True, timeout=TIMEOUT)
        assert ran.returncode == status, ran.stderr
        return [json.loads(line) for line in ran.stdout.splitlines()]
    return run


def states(api):
    return {o["id"]: o.get("state", o.get("status")) for path in PATHS.values() for o in api.get(f"{path}?limit=1000")}


def changes(api):
    """What changed an object, in its order: "/requests/PR-1/approve"."""
    return [c["path"] for c in api.received() if c["effect"] and "/notifications/" not in c["path"]]


def decided(objects):
    return {o["object_id"]: (o["action"], o["after"]) for o in objects}


def is_as_wanted(api, wanted, objects):
    now = states(api)
    return decided(objects) == wanted and all(now[i] == after for i, (_, after) in wanted.items())


@pytest.mark.parametrize("webhook", WANTED)
def test_trigger_now_brings_each_class_to_its_end(api, conf, handler, nginx, trigger, webhook):
    own = [webhook, "WH-623-978-334"] if webhook == "WH-415-806-227" else [webhook]
    server = nginx(handler(conf(*own)))
    before = states(api)
    answer = trigger(server.url, webhook)
    if webhook == "WH-415-806-227":  # the fulfillment queue is worked off, too
        answer["objects"] = [o for o in answer["objects"] if o["object_id"] in WANTED[webhook]]
    else:
        changed = {i for i, state in states(api).items() if state != before[i]}
        assert changed <= set(WANTED[webhook])
    assert answer["status"] == "done"
    assert is_as_wanted(api, WANTED[webhook], answer["objects"])
    assert {o["webhook_id"] for o in answer["objects"]} == set(own)
    again = trigger(server.url, webhook)
    assert all(o["result"] == "skip" or o["action"] in ("complete", "close") for o in again["objects"])


QUEUE = {"mode": "queue", "workers": 4, "poll_interval": 0}


def have_ended(api, wanted):
    now = states(api)
    return all(now[i] == after for i, (_, after) in wanted.items())


@pytest.mark.parametrize("webhook", WANTED)
def test_a_stored_call_brings_each_class_to_its_end(api, conf, handler, nginx, trigger, webhook):
    own = [webhook, "WH-623-978-334"] if webhook == "WH-415-806-227" else [webhook]
    runs = handler(conf(*own, processing=QUEUE))
    server = nginx(runs)
    assert trigger(server.url, webhook)["status"] == "accepted"
    runs.wait_until(lambda: have_ended(api, WANTED[webhook]))
    assert api.webhook(webhook)["last_success"]["status_code"] == 202
    reported = {f"{i}: {action}: " for i, (action, _) in WANTED[webhook].items() if action != "skip"}
    runs.wait_until(lambda: all(report in runs.log for report in reported))
    sent = changes(api)
    assert len(sent) == len(set(sent))


def test_polling_brings_everything_to_its_end(api, conf, handler):
    """No call at all: what waits for others, and what others make of it, needs several rounds."""
    runs = handler(conf(processing={**QUEUE, "poll_interval": "2s"}))
    ends = {i: after for wanted in WANTED.values() for i, (_, after) in wanted.items()}
    ends.update({"UF-2026-11-0001-0007": "closed", "UF-2026-11-0002-0014": "closed",
                 "UF-2026-11-0004-0028": "closed", "LSTR-308-918-054-001": "completed"})
    runs.wait_until(lambda: {i: state for i, state in states(api).items() if i in ends} == ends)
    sent = changes(api)
    assert len(sent) == len(set(sent))


def test_one_poll_brings_everything_to_its_end(api, conf, poll):
    objects = poll(conf())
    for webhook, wanted in WANTED.items():
        got = [o for o in objects if o["object_id"] in wanted
               and (o["webhook_id"] == webhook or o["object_id"] == PURCHASE)]
        # What the vendor submits, the distributor decides in the same round.
        if webhook == "WH-744-019-582":
            assert decided(got) == wanted
        else:
            assert is_as_wanted(api, wanted, got)
    assert states(api)["UF-2026-11-0001-0007"] == "accepted"
    assert len({(o["webhook_id"], o["object_id"]) for o in objects}) == len(objects)
    classes = [o["object_class"] for o in objects]
    order = ["tier_config_request", "fulfillment_request", "tier_account_request", "listing_request", "usage_file"]
    assert [c for i, c in enumerate(classes) if c not in classes[:i]] == order


# ------------------------------------------------------------------ what waits for what

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


# ------------------------------------------------------------------------------ billing

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


# ---------------------------------------------------------------------------------- rules


@pytest.mark.parametrize("name, object_class", [*dict.fromkeys((h.rules, h.object_class) for h in HOOKS)])
def test_the_rules_decide_about_everything_in_the_seed(build, api, tmp, name, object_class):
    """Whatever the state: a decision that is allowed, or a skip."""
    for side in "vendor", "distributor":
        for thing in api.get(f"{PATHS[object_class]}?limit=1000"):
            path = tmp / "object.json"
            path.write_text(json.dumps(thing))
            ran = subprocess.run(
                [build / "connect-webhook", "policy", "test", "--rules", RULES / f"{name}.rules.yaml", "--class",
                 object_class, "--side", side, "--object", path, "--json"], capture_output=True, text=True,
                timeout=TIMEOUT)
            result = json.loads(ran.stdout)
            assert result["decision"]["action"], (thing, ran.stderr)
            assert result["allowed"] or "may not" in result["problem"]


def test_each_file_of_rules_is_tried_as_it_says_itself(build, tmp, api):
    """The command in the head of each file is run, with an object of its class."""
    for path in sorted(RULES.glob("*.rules.yaml")):
        head = path.read_text().split("\n- ")[0]
        command = re.search(r"#     (connect-webhook policy test .*?)\n#\n", head, re.S).group(1)
        words = re.sub(r"\\\n# +", "", command).split()
        name = words[words.index("--class") + 1]
        file = tmp / words[words.index("--object") + 1]
        file.write_text(json.dumps(api.get(PATHS[name])[0]))
        ran = subprocess.run([build / "connect-webhook", *words[1:-1], file], capture_output=True, text=True,
                             timeout=TIMEOUT, cwd=RULES)
        assert ran.returncode == 0, ran.stderr
