"""What the operator sees and does from the terminal: deliveries, tasks, stats, each beside a running handler and
without one."""

import concurrent.futures
import fcntl
import grp
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

import calls
import inbox_rows
import servers

QUEUE = {"workers": 4, "poll_interval": 0, "backoff_min": "1s", "backoff_max": "1s", "max_attempts": 2}
RULES = """\
- when: eq(type,change)
  then: { action: skip, reason: by hand }
- when: eq(type,cancel)
  then: { action: approve, template_id: TL-9-9-9 }
- then: { action: fail, reason: not today }
"""
MANY = 100000  # tasks
NOBODY = 65534
SCREEN = 1     # seconds until the first one is shown
ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"


@pytest.fixture
def conf(small_connect, configuration):
    return configuration(api_url=small_connect.url, rules=RULES, mode="queue", processing=QUEUE,
                         inbox={"lock_timeout": "500ms"})


@pytest.fixture
def command(build, conf):
    """command(*words, status=0): what it prints; command.rows(...): its JSON lines."""
    def run(*words, status=0, stderr=None):
        ran = subprocess.run([build / "connect-webhook", *words, "-c", conf.path], stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, timeout=servers.TIMEOUT)
        assert ran.returncode == status, (words, ran.stdout, ran.stderr)
        assert (stderr or "") in ran.stderr and (stderr is not None or ran.stderr == ""), ran.stderr
        return ran.stdout

    def rows(*words):
        return [json.loads(line) for line in run(*words, "--json").splitlines()]

    run.rows = rows
    return run


@pytest.fixture
def worked(conf, small_connect, handler, nginx, call):
    """(handler, address, {type: object}) once a call has led to one done, one skipped, one dead."""
    runs = handler(conf)
    url = nginx(runs).url
    made = {type_: small_connect.add(type_) for type_ in ("purchase", "change", "cancel")}
    small_connect.status_of[f"POST /requests/{made['cancel']}/approve"] = 400
    call(url, conf)
    runs.wait_until(lambda: {s for s, _ in conf.tasks().values()} == {"done", "skipped", "dead"}
                    and len(conf.tasks()) == 3)
    return runs, url, made


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

def by_object(rows):
    return {row["object_id"]: row for row in rows}


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


# ------------------------------------------------------------------------ what is repaired

@pytest.mark.parametrize("stopped", [False, True])
def test_a_dead_task_is_tried_again(conf, small_connect, worked, command, handler, stopped):
    runs, _, made = worked
    small_connect.status_of.clear()
    if stopped:
        runs.stop()
    assert command("tasks", "retry", "--state", "dead") == "1 task ready to be worked on\n"
    if stopped:
        assert by_object(command.rows("tasks", "list"))[made["cancel"]]["state"] == "ready"
        runs = handler(conf)
    runs.wait_until(lambda: small_connect.status(made["cancel"]) == "approved")


def test_what_was_left_alone_is_asked_about_again(conf, worked, command):
    runs, _, made = worked
    was = by_object(command.rows("tasks", "list"))[made["change"]]["attempts"]
    assert command("tasks", "retry", made["change"]) == "1 task ready to be worked on\n"
    runs.wait_until(lambda: conf.rows(f"SELECT asked FROM task WHERE object_id = '{made['change']}'"
                                      f" AND state = 'skipped'") == [(was + 1,)])


def test_a_task_is_discarded(conf, worked, command):
    _, _, made = worked
    dead = by_object(command.rows("tasks", "list"))[made["cancel"]]["id"]
    assert command("tasks", "discard", str(dead)) == "1 task discarded\n"
    row = by_object(command.rows("tasks", "list"))[made["cancel"]]
    assert (row["state"], row["result"], row["last_error"]) == ("done", "discarded", None)
    assert command.rows("stats")[0]["dead"] == 0


def test_a_call_is_replayed(conf, small_connect, worked, command, connect):
    """Even one that was ignored, once its webhook is configured for it."""
    runs, url, _ = worked
    connect(url, conf, claims={"product_id": "PRD-1-2-3"})
    late = small_connect.add("purchase")
    assert command("deliveries", "replay", "2") == "delivery 2 is to be worked on again\n"
    runs.wait_until(lambda: small_connect.status(late) == "failed")
    assert command.rows("deliveries", "list", "--state", "ignored") == []


# -------------------------------------------------------------------------------- counts

def test_counts_answers_and_outlives_a_restart(conf, worked, command, connect, handler):
    runs, url, _ = worked
    connect(url, conf, claims={"product_id": "PRD-1-2-3"})  # 200
    connect(url, conf, token=calls.sign(calls.claims_of(conf), "x" * 32))  # 401: nobody's
    with open(conf.state / "inbox.db.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert connect(url, conf).status == 503
    runs.stop()
    handler(conf).stop()
    stats, = command.rows("stats")
    assert (stats["events"], stats["success"], stats["failure"]) == (3, 2, 1)
    assert stats["failure_since_last_success"] == 1 and re.fullmatch(ISO, stats["last_failure"])


def test_counts_what_no_call_told_of(conf, small_connect, handler, command):
    conf.document["processing"]["poll_interval"] = "1h"
    conf.save()
    found = small_connect.add("purchase")
    runs = handler(conf)
    runs.wait_until(lambda: small_connect.status(found) == "failed")
    stats, = command.rows("stats")
    assert stats["found_by_polling"] == 1 and re.fullmatch(ISO, stats["next_attempt"])
    assert command.rows("tasks", "list")[0]["found_by"] == "polling"
    assert "no call has told of it" in command("tasks", "show", found)


# --------------------------------------------------------------------- many, and a terminal

def fill(conf):
    """Ready tasks, the oldest one dead."""
    inbox_rows.add_tasks(conf, MANY)
    inbox_rows.change(conf, ("UPDATE task SET state = 'dead' WHERE object_id = 'PR-1'", ()))


@pytest.mark.parametrize("stopped", [False, True])
def test_shows_the_first_screen_of_many_at_once(conf, command, handler, nginx, call, no_sanitizer, stopped):
    """Under load, and without a handler; also what is hardest to find."""
    runs = handler(conf)
    url = nginx(runs).url
    fill(conf)
    if stopped:
        runs.stop()
    for words in (["tasks", "list"], ["tasks", "list", "--state", "dead"], ["tasks", "show", "PR-1"], ["stats"],
                  ["deliveries", "list"]):
        if not stopped:
            for _ in range(20):
                call(url, conf)
        began = time.monotonic()
        shown = command(*words, stderr="newest" if words == ["tasks", "list"] else "")
        assert time.monotonic() - began < SCREEN, words
        assert shown != ""
    assert len(command("tasks", "list", stderr="These are the newest tasks").splitlines()) == 51
    assert len(command.rows("tasks", "list")) == MANY
    assert command.rows("stats")[0]["backlog"] == MANY - 1


@pytest.mark.parametrize("stopped", [False, True])
def test_many_are_repaired_at_once(conf, command, handler, nginx, call, stopped):
    """Beside calls that come in, none of which is refused."""
    runs = handler(conf)
    url = nginx(runs).url
    inbox_rows.add_tasks(conf, MANY // 4, state="dead")
    if stopped:
        runs.stop()
    with concurrent.futures.ThreadPoolExecutor() as threads:
        order = threads.submit(command, "tasks", "discard", "--state", "dead")
        while not stopped and not order.done():
            call(url, conf)
        assert order.result() == f"{MANY // 4} tasks discarded\n"
    assert command.rows("stats")[0]["dead"] == 0


def test_a_reader_who_is_slow_keeps_nobody_waiting(build, conf, handler, nginx, call):
    """Its output is full; what is stored is taken over into the database all the same."""
    runs = handler(conf)
    url = nginx(runs).url
    fill(conf)
    with subprocess.Popen([build / "connect-webhook", "tasks", "list", "--json", "-c", conf.path],
                          stdout=subprocess.PIPE) as slow:
        try:
            slow.stdout.readline()
            for _ in range(5):
                call(url, conf)
            db = sqlite3.connect(conf.state / "inbox.db", timeout=calls.TIMEOUT)
            busy, pages, taken = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            db.close()
            assert (busy, pages) == (0, taken)
        finally:
            slow.kill()


def on_a_terminal(build, conf, *words):
    """(process, its terminal)"""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([build / "connect-webhook", *words, "-c", conf.path], stdin=theirs, stdout=theirs,
                               stderr=subprocess.PIPE)
    os.close(theirs)
    return process, ours


def test_a_table_is_shown_again_and_again(conf, build, worked):
    _, _, made = worked
    process, terminal = on_a_terminal(build, conf, "tasks", "list", "--watch")
    try:
        shown = b""
        while shown.count(b"\033[2J") < 2 or shown.count(made["cancel"].encode()) < 2:
            shown += os.read(terminal, 65536)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=servers.TIMEOUT) == -signal.SIGINT
        os.close(terminal)
        process.stderr.close()
    assert b"\033[1m" in shown


@pytest.mark.parametrize("stopped", [False, True])
def test_a_user_of_the_group_may_look_and_repair(build, conf, tmp, small_connect, handler, nginx, call, stopped):
    """Who is neither root nor the handler's user, and cannot read a secret; an outsider may not."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    group = grp.getgrnam(calls.web_group()).gr_gid
    os.chown(conf.state, 0, group)
    conf.state.chmod(0o2770)
    conf.folder.chmod(0o755)
    for path in (conf.path, conf.folder / "test.rules.yaml"):
        path.chmod(0o644)
    program = shutil.copy(build / "connect-webhook", tmp / "connect-webhook")
    runs = handler(conf)
    dead = small_connect.add("cancel")
    small_connect.status_of[f"POST /requests/{dead}/approve"] = 400
    call(nginx(runs).url, conf)
    runs.wait_until(lambda: conf.tasks().get(dead, ("", ""))[0] == "dead")
    if stopped:
        runs.stop()

    def by(groups, *words):
        return subprocess.run([program, *words, "-c", conf.path], user=NOBODY, group=NOBODY, extra_groups=groups,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=servers.TIMEOUT)

    shown = by([group], "tasks", "show", dead)
    assert shown.returncode == 0 and "it is for you" in shown.stdout, shown.stderr
    assert by([group], "tasks", "retry", dead).stdout == "1 task ready to be worked on\n"
    refused = by([], "tasks", "list")
    assert refused.returncode == 1 and "Permission denied" in refused.stderr
    if stopped:
        runs = handler(conf)  # with files that the other may have made
    small_connect.status_of.clear()
    command = subprocess.run([program, "tasks", "retry", dead, "-c", conf.path], capture_output=True,
                             timeout=servers.TIMEOUT)
    assert command.returncode in (0, 1)  # it may be at it
    runs.wait_until(lambda: small_connect.status(dead) == "approved")


# ------------------------------------------------------------------------------ the manual

def chapter(name):
    """The commands that a chapter of the manual shows."""
    manual = (pathlib.Path(__file__).parents[2] / "doc/connect-webhook.1").read_text().replace("\\", "")
    text = re.search(rf"^\.SH {name}$(.*?)^\.SH ", manual, re.MULTILINE | re.DOTALL).group(1)
    shown = [line for block in re.findall(r"^\.nf$(.*?)^\.fi$", text, re.MULTILINE | re.DOTALL)
             for line in block.split("\n") if line]
    assert all(line.startswith("connect-webhook ") for line in shown)
    return [line.split()[1:] for line in shown]


def test_the_chapter_on_a_stuck_order_leads_to_its_end(conf, small_connect, worked, command, connect):
    """Each of its commands, in their order, with our object and delivery in place of its."""
    runs, url, made = worked
    stuck = made["cancel"]
    connect(url, conf, claims={"product_id": "PRD-1-2-3"})
    shown = []
    for words in chapter("AN ORDER IS STUCK"):
        if words[:2] == ["tasks", "retry"]:  # what it was refused for has been mended
            small_connect.status_of.clear()
        if words[:3] == ["tasks", "retry", "--state"]:
            runs.wait_until(lambda: small_connect.status(stuck) == "approved")
            command(*words, status=1, stderr="no such task")  # no other died of it
            continue
        shown.append(command(*(stuck if w.startswith("PR-") else "2" if w == "42" else w for w in words)))
    story, retried, deliveries, stats, replayed = shown
    assert "it is for you" in story and f"POST /requests/{stuck}/approve  400" in story
    assert "1 task ready" in retried and "ignored" in deliveries and calls.WEBHOOK in stats
    assert "delivery 2" in replayed
