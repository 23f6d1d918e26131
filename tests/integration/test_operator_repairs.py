"""What an operator repairs with tasks and deliveries; what is counted; the manual's chapter on it."""

import fcntl
import grp
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import calls
from operating import ISO, by_object, conf, command, worked  # noqa: F401
import servers

NOBODY = 65534


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
    program = servers.share(shutil.copy(build / "connect-webhook", tmp))
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
