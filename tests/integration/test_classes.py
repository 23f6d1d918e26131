"""Every class of objects with a queue: from "Trigger Now" through nginx to the objects' last states, and
the same by polling. Rules are those of contrib/."""

import json
import re
import subprocess

import pytest

from classes import (  # noqa: F401
    FIRST, HOOKS, PATHS, PURCHASE, QUEUE, RULES, SECOND, TIMEOUT, UPDATE, changes, conf, decided, poll, states,
    trigger)

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
