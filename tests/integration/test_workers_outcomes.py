"""What workers make of outcomes, in which order, how they poll, and how they stop."""

import signal
import sqlite3
import time

import pytest

import servers
from working import FAIL, FAST, configure, queue  # noqa: F401

SKIP_OLD = """\
- when: eq(type,change)
  then: { action: skip, reason: not yet }
""" + FAIL


# ----------------------------------------------------------------------- outcomes, order

def test_a_new_purchase_behind_500_skipped_objects_is_decided_first(queue, small_connect, call):
    conf, runs, url = queue(SKIP_OLD)
    old = [small_connect.add("change") for _ in range(500)]
    call(url, conf)
    runs.wait_until(lambda: conf.rows("SELECT count(*) FROM task WHERE state = 'skipped'") == [(500,)])
    reads = small_connect.reads = []
    new = small_connect.add("purchase")
    call(url, conf)
    runs.wait_until(lambda: small_connect.status(new) == "failed")
    assert reads == [new] and len(old) == 500


@pytest.mark.parametrize("lasting, end", [("once", "done"), ("always", "dead")])
def test_what_fails_is_tried_again_and_then_left_for_a_person(queue, small_connect, call, lasting, end):
    conf, runs, url = queue(max_attempts=3, **FAST)
    wanted = small_connect.add("purchase")
    path = f"GET /requests/{wanted}"
    small_connect.status_of[path] = 500
    call(url, conf)
    if lasting == "once":
        runs.wait_until(lambda: f"{wanted}: not decided: retry" in runs.log)
        small_connect.status_of.clear()
    runs.wait_until(lambda: conf.tasks().get(wanted, ("",))[0] == end)
    assert len(small_connect.done) == (lasting == "once")
    if lasting == "always":
        assert "given up after 3 attempts" in conf.tasks()[wanted][1]
        assert conf.rows("SELECT count(*), min(result), max(result) FROM attempt") == [(3, "dead", "retry")]


def test_dead_ones_come_back_with_other_rules(queue, small_connect, call):
    conf, runs, url = queue(poll_interval="1h")
    wanted = small_connect.add("purchase")
    small_connect.status_of[f"POST /requests/{wanted}/fail"] = 400
    call(url, conf)
    runs.wait_until(lambda: conf.tasks().get(wanted, ("",))[0] == "dead")
    conf.write("test.rules.yaml", "- then: { action: approve }\n")
    runs.reload()  # it polls, too
    runs.wait_until(lambda: small_connect.status(wanted) == "approved")


def test_a_dry_run_changes_nothing(queue, small_connect, call):
    conf, runs, url = queue(dry_run=True)
    wanted = small_connect.add("purchase")
    call(url, conf)
    runs.wait_until(lambda: conf.tasks().get(wanted) == ("skipped", "dry run: would fail"))
    assert small_connect.done == []
    conf.document["processing"]["dry_run"] = False
    conf.save()
    runs.reload()
    call(url, conf)
    runs.wait_until(lambda: small_connect.status(wanted) == "failed")


def test_a_full_backlog_holds_sweeps_back_and_never_calls(configure, handler, nginx, small_connect, call):
    conf = configure(max_attempts=1000, backoff_min="1h", backoff_max="1h")
    conf.document["inbox"]["max_backlog"] = 3
    conf.save()
    runs = handler(conf, env=servers.waits(missed_tell="500ms"))
    url = nginx(runs).url
    waiting = [small_connect.add("purchase") for _ in range(3)]
    for i in waiting:
        small_connect.status_of[f"GET /requests/{i}"] = 500
    call(url, conf)
    runs.wait_until(lambda: conf.rows("SELECT count(*) FROM attempt") == [(3,)])
    new = small_connect.add("purchase")
    lists = small_connect.lists
    for _ in range(3):
        call(url, conf)
    runs.signal(signal.SIGHUP)  # nor does a reload
    runs.wait_until(lambda: " reloaded" in runs.log)
    assert new not in conf.tasks() and small_connect.lists == lists
    with sqlite3.connect(conf.state / "inbox.db", timeout=30) as db:
        db.execute("UPDATE task SET state = 'done' WHERE object_id = ?", (waiting[0],))
    db.close()
    runs.wait_until(lambda: small_connect.status(new) == "failed")


# ------------------------------------------------------------------------------ polling

def test_what_no_call_told_of_is_found_by_polling(queue, small_connect, call):
    conf, runs, url = queue(poll_interval="1s")
    first = small_connect.add("purchase")
    runs.wait_until(lambda: small_connect.status(first) == "failed")  # at the start
    second = small_connect.add("purchase")
    runs.wait_until(lambda: small_connect.status(second) == "failed")
    assert "found by polling" in runs.log
    assert conf.rows("SELECT called, count(*) FROM task GROUP BY called") == [(0, 2)]


def test_without_an_interval_nothing_is_polled(queue, small_connect, call):
    conf, runs, url = queue()
    told = small_connect.add("purchase")
    call(url, conf)
    runs.wait_until(lambda: small_connect.status(told) == "failed")
    assert conf.rows("SELECT poll_us FROM sweep") == [(2**63 - 1,)] and small_connect.lists == 1
    assert conf.rows("SELECT called, count(*) FROM task GROUP BY called") == [(1, 1)]


# ----------------------------------------------------------------------- stop and reload

def test_a_stop_gives_back_what_was_begun_and_the_next_start_goes_on(queue, small_connect, handler, call):
    conf, runs, url = queue()
    conf.document["web"]["stop_timeout"] = "4s"
    conf.save()
    runs.reload()
    wanted = [small_connect.add("purchase") for _ in range(8)]
    for i in wanted:
        small_connect.hanging.add(f"GET /requests/{i}")
    call(url, conf)
    runs.wait_until(lambda: len(small_connect.stuck) == 4)
    began = time.monotonic()
    assert runs.stop() == 0
    assert time.monotonic() - began > 2  # and in time, for it has ended well
    assert conf.rows("SELECT DISTINCT state, failures, lease_until_us, asked FROM task") == [("ready", 0, 0, 0)]
    small_connect.hanging.clear()
    again = handler(conf)
    again.wait_until(lambda: len(small_connect.done) == 8)


def test_a_stop_is_quick_when_nothing_is_under_way(queue, worker):
    conf, runs, _ = queue()
    beside = worker(conf)
    beside.wait_until(lambda: len([*conf.state.glob("inbox.db.wake.*")]) == 2)
    began = time.monotonic()
    assert runs.stop() == 0 and beside.stop() == 0
    assert time.monotonic() - began < 2


def test_workers_take_the_new_configuration_with_the_next_object(queue, small_connect, worker, call):
    conf, runs, url = queue(workers=0)
    beside = worker(conf, "--workers", "1")
    first = small_connect.add("purchase")
    small_connect.hanging.add(f"GET /requests/{first}")
    call(url, conf)
    beside.wait_until(small_connect.is_hanging)
    second = small_connect.add("purchase")
    call(url, conf)
    conf.write("test.rules.yaml", "- then: { action: approve }\n")
    beside.reload()
    small_connect.over.set()  # the call ends without an answer, and is made again later
    small_connect.hanging.clear()
    beside.wait_until(lambda: small_connect.status(second) == "approved")
    conf.write("test.rules.yaml", "- then: { action: no such thing }\n")
    beside.reload("the old configuration stays")
    third = small_connect.add("purchase")
    call(url, conf)
    beside.wait_until(lambda: small_connect.status(third) == "approved")


def test_a_reload_changes_the_number_of_workers(queue, small_connect, call):
    conf, runs, url = queue(workers=0)
    wanted = small_connect.add("purchase")
    call(url, conf)
    conf.document["processing"]["workers"] = 2
    conf.save()
    runs.reload()
    runs.wait_until(lambda: small_connect.status(wanted) == "failed")
    conf.document["processing"]["workers"] = 0
    conf.save()
    runs.reload()
    left = small_connect.add("purchase")
    for _ in range(3):
        call(url, conf)
    assert small_connect.status(left) == "pending"


@pytest.mark.parametrize("program", ["handler", "worker"])
def test_the_service_manager_is_told(configure, tmp, program, request):
    manager = servers.Manager(tmp / "notify.sock")
    conf = configure()
    runs = request.getfixturevalue(program)(conf, env={**manager.env, "WATCHDOG_USEC": "200000"})
    assert manager.told() == ["READY=1"]
    assert [manager.told() for _ in range(3)] == [["WATCHDOG=1"]] * 3
    runs.signal(signal.SIGHUP)
    heard = []
    while heard[-1:] != [["READY=1"]]:
        heard.append(manager.told())
    assert any(h[0] == "RELOADING=1" and h[1].startswith("MONOTONIC_USEC=") for h in heard)
    runs.signal(signal.SIGTERM)
    while manager.told() != ["STOPPING=1"]:
        continue
    manager.socket.close()
