"""What an operator sees with deliveries, tasks and stats."""

import re

import pytest

import calls
from operating import ISO, by_object, conf, command, worked  # noqa: F401


# ----------------------------------------------------------------------------- wrong inputs

REFUSED = [
    (["tasks"], "say 'list', 'show', 'retry' or 'discard'"),
    (["deliveries", "forget"], "say 'list', 'show' or 'replay'"),
    (["tasks", "list", "--state", "deed"], "ready, running, done, skipped or dead, not 'deed'"),
    (["deliveries", "list", "--state", "dead"], "stored, done, failed or ignored, not 'dead'"),
    (["tasks", "list", "--state", ""], "not ''"),
    (["tasks", "list", "--class", "orders"], "no class 'orders'"),
    (["tasks", "list", "--since", "yesterday"], "an age like"),
    (["tasks", "list", "--since", "2999-01-01T00:00:00Z"], "a time that has passed"),
    (["tasks", "list", "--since", "-3h"], "an age like"),
    (["tasks", "list", "--limit", "0"], "--limit is a number"),
    (["tasks", "list", "more"], "takes no arguments"),
    (["tasks", "list", "--watch"], "on a terminal"),
    (["stats", "--watch"], "on a terminal"),
    (["tasks", "show"], "which one?"),
    (["tasks", "show", "../x"], "neither a task's number nor an object's id"),
    (["tasks", "retry"], "which ones?"),
    (["tasks", "discard"], "which ones?"),
    (["deliveries", "show"], "which one?"),
    (["deliveries", "show", "PR-1"], "a number"),
    (["deliveries", "replay"], "which one?"),
]
NOT_THERE = [
    (["tasks", "show", "999"], "no such task"),
    (["tasks", "show", "PR-1-2-3"], "no such task"),
    (["tasks", "retry", "999"], "no such task"),
    (["tasks", "discard", "--state", "running"], "no such task"),
    (["tasks", "list", "--webhook", "WH-9"], "no webhook WH-9"),
    (["stats", "--webhook", "WH-9"], "no webhook WH-9"),
    (["deliveries", "show", "999"], "no delivery 999"),
    (["deliveries", "replay", "999"], "no delivery 999"),
]


def test_refuses_what_it_does_not_understand(worked, command):
    for words, says in REFUSED:
        assert command(*words, status=2, stderr=says) == ""


def test_says_what_is_not_there(worked, command):
    for words, says in NOT_THERE:
        assert command(*words, status=1, stderr=says) == ""


@pytest.mark.parametrize("words", [["tasks", "list"], ["deliveries", "list"], ["stats"], ["tasks", "show", "1"],
                                   ["tasks", "retry", "1"], ["deliveries", "replay", "1"]])
def test_makes_no_inbox(conf, command, words):
    command(*words, status=1, stderr="when it starts")
    assert list(conf.state.iterdir()) == []


# ------------------------------------------------------------------------- what is shown

@pytest.mark.parametrize("stopped", [False, True])
def test_shows_what_there_is(conf, worked, command, stopped):
    """Beside the handler, and without it; nor are the webhooks' secrets needed."""
    runs, _, made = worked
    if stopped:
        runs.stop()
        for secret in conf.folder.glob("*.secret"):
            secret.unlink()
        (conf.folder / "api.key").unlink()
    delivery, = command.rows("deliveries", "list")
    assert {k: delivery[k] for k in ("id", "webhook_id", "object_class", "product_id", "state", "seen")} == {
        "id": 1, "webhook_id": calls.WEBHOOK, "object_class": "fulfillment_request", "product_id": calls.PRODUCT,
        "state": "done", "seen": 1}
    assert re.fullmatch(ISO, delivery["received_at"]) and re.fullmatch("[0-9a-f]{64}", delivery["token_sha256"])
    assert "triggered_at" in delivery

    tasks = by_object(command.rows("tasks", "list"))
    for type_, state, decision, error in (("purchase", "done", "fail", None), ("change", "skipped", "skip", None),
                                          ("cancel", "dead", "approve", "400")):
        row = tasks[made[type_]]
        assert (row["state"], row["decision"], row["type"]) == (state, decision, type_)
        assert row["webhook_id"] == calls.WEBHOOK and row["attempts"] >= 1
        assert (row["last_error"] is None) if error is None else (error in row["last_error"])
        assert (row["due_at"] is not None) == (state == "skipped")
        assert re.fullmatch(ISO, row["created_at"]) and re.fullmatch(ISO, row["updated_at"])
    assert [t["id"] for t in command.rows("tasks", "list", "--limit", "2")] == [3, 2]

    table = command("tasks", "list")
    assert table.splitlines()[0].split()[:4] == ["ID", "OBJECT", "WEBHOOK", "STATE"]
    assert all(i in table for i in made.values()) and re.search(r" in (60|5\d)m ", table)  # an hour, less what has passed

    stats, = command.rows("stats")
    assert {k: stats[k] for k in ("webhook_id", "failure", "failure_since_last_success", "last_failure", "backlog",
                                  "oldest_s", "dead", "found_by_polling")} == {
        "webhook_id": calls.WEBHOOK, "failure": 0, "failure_since_last_success": 0, "last_failure": None,
        "backlog": 0, "oldest_s": 0, "dead": 1, "found_by_polling": 0}
    if stopped:  # while it runs, a count may be a second late
        assert (stats["events"], stats["success"]) == (1, 1)
        assert stats["last_event"] == stats["last_success"] is not None


FOUND = [
    (["--state", "dead"], ["cancel"]),
    (["--state", "done,skipped"], ["purchase", "change"]),
    (["--state", "done", "--state", "dead"], ["purchase", "cancel"]),
    (["--webhook", calls.WEBHOOK], ["purchase", "change", "cancel"]),
    (["--class", "fulfillment_request", "--since", "1h"], ["purchase", "change", "cancel"]),
    (["--class", "usage_file"], []),
    (["--since", "2000-01-01"], ["purchase", "change", "cancel"]),
    (["--state", "running"], []),
]


def test_finds_what_is_looked_for(worked, command):
    _, _, made = worked
    for options, found in FOUND:
        assert set(by_object(command.rows("tasks", "list", *options))) == {made[t] for t in found}, options


def test_finds_an_object_and_a_call(conf, worked, command, connect):
    _, url, made = worked
    assert set(by_object(command.rows("tasks", "list", "--object", made["change"]))) == {made["change"]}
    connect(url, conf, claims={"product_id": "PRD-1-2-3"})
    ignored, = command.rows("deliveries", "list", "--state", "ignored")
    assert ignored["id"] == 2
    assert [d["id"] for d in command.rows("deliveries", "list", "--state", "done,ignored")] == [2, 1]
    assert command.rows("deliveries", "list", "--webhook", "WH-9") == []
    assert len(command.rows("deliveries", "list", "--webhook", calls.WEBHOOK, "--since", "1h")) == 2


def test_tells_the_whole_story_of_a_task(worked, command):
    _, _, made = worked
    dead = made["cancel"]
    story, = command.rows("tasks", "show", dead)
    assert story["told_by"]["id"] == story["delivery"] == 1
    assert story["told_by"]["claims"]["webhook_id"] == calls.WEBHOOK
    assert story["sweep"]["state"] == "waiting" and re.fullmatch(ISO, story["sweep"]["ended_at"])
    assert story["rule"].endswith("test.rules.yaml:3")
    attempt, = story["attempts_made"]
    assert [(c["method"], c["path"], c["status"]) for c in attempt["calls"]] == [
        ("GET", f"/requests/{dead}", 200), ("POST", f"/requests/{dead}/approve", 400),
        ("GET", f"/requests/{dead}", 200)]  # what came of it?
    assert all(c["ms"] >= 0 for c in attempt["calls"])
    assert f"tasks retry {story['id']}`" in story["next"]

    text = command("tasks", "show", str(story["id"]))
    for part in (f"Task {story['id']}: {dead}", "Told of by", "delivery    1", "Listed", "Attempts",
                 f"POST /requests/{dead}/approve  400", "test.rules.yaml:3", "Next", "it is for you"):
        assert part in text, part
    assert "left alone for" in command("tasks", "show", made["change"])
    assert "until the object changes" in command("tasks", "show", made["purchase"])


def test_tells_the_whole_story_of_a_delivery(conf, worked, command, connect):
    _, url, made = worked
    story, = command.rows("deliveries", "show", "1")
    assert {t["object_id"] for t in story["tasks"]} == set(made.values())
    assert story["claims"]["product_id"] == calls.PRODUCT
    text = command("deliveries", "show", "1")
    assert all(i in text for i in made.values()) and "its queue has been listed" in text
    connect(url, conf, claims={"product_id": "PRD-1-2-3"})
    assert "deliveries replay" in command("deliveries", "show", "2")


def test_says_what_comes_next(conf, small_connect, handler, nginx, call, command):
    """Of what is worked on, of what waits to be tried again, and of what waits for an account that is halted."""
    runs = handler(conf)
    url = nginx(runs).url
    wanted = small_connect.add("purchase")
    small_connect.hanging.add("GET /requests/" + wanted)
    call(url, conf)
    runs.wait_until(small_connect.is_hanging)
    assert "it is being worked on" in command("tasks", "show", wanted)
    command("tasks", "retry", wanted, status=1, stderr="is being worked on")
    small_connect.status_of["GET /requests/" + wanted] = 401
    small_connect.over.set()
    small_connect.hanging.clear()
    runs.wait_until(lambda: "401" in conf.tasks()[wanted][1])
    text = command("tasks", "show", wanted)
    assert f"account {calls.ACCOUNT} is halted until" in text and "failure 0 of 2" in text
