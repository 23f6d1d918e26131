"""Queue mode: calls are stored, and workers do what they ask for: in the handler, or beside it."""

import collections
import json
import signal
import sqlite3
import subprocess
import time

import pytest

import calls
import servers

FAIL = "- then: { action: fail, reason: not today }\n"
SKIP_OLD = """\
- when: eq(type,change)
  then: { action: skip, reason: not yet }
""" + FAIL
QUEUE = {"workers": 4, "poll_interval": 0}
FAST = {"backoff_min": "1s", "backoff_max": "2s"}
KILLED = -signal.SIGKILL


@pytest.fixture
def configure(small_connect, configuration):
    """configure(rules, **processing): a configuration in queue mode."""
    def make(rules=FAIL, rate_limit=0, **processing):
        return configuration(api_url=small_connect.url, rules=rules, mode="queue", rate_limit=rate_limit,
                             processing={**QUEUE, **processing})
    return make


@pytest.fixture
def queue(configure, handler, nginx):
    """queue(rules, **processing): (configuration, running handler, address)."""
    def start(rules=FAIL, **processing):
        conf = configure(rules, **processing)
        runs = handler(conf)
        return conf, runs, nginx(runs).url
    return start


def run_once(build, conf, *options, status=0):
    ran = subprocess.run([build / "connect-webhook", "worker", "--once", "-c", conf.path, *options],
                         capture_output=True, text=True, timeout=servers.TIMEOUT)
    servers.check_log(ran.stderr)
    assert ran.returncode == status, ran.stderr
    return ran.stderr


# --------------------------------------------------------------------------- the calls

def test_a_call_is_answered_when_it_is_stored(queue, small_connect, call):
    conf, runs, url = queue()
    wanted = small_connect.add("purchase")
    small_connect.hanging.add("GET /requests/" + wanted)
    assert call(url, conf) == {"status": "accepted", "delivery": 1}
    runs.wait_until(small_connect.is_hanging)
    token = calls.sign(calls.claims_of(conf), calls.SECRET)
    assert calls.connect(url, conf, token=token).json() == {"status": "accepted", "delivery": 2}
    again = calls.connect(url, conf, token=token)
    assert (again.status, again.json()) == (202, {"status": "duplicate", "delivery": 2})
    assert small_connect.done == []
    small_connect.over.set()


def test_what_is_ignored_wakes_nobody(queue, small_connect, call, connect):
    conf, runs, url = queue()
    small_connect.add("purchase")
    answer = connect(url, conf, claims={"product_id": "PRD-1-2-3"})
    assert (answer.status, answer.json()["status"]) == (200, "ignored")
    assert call(url, conf)["status"] == "accepted"
    runs.wait_until(lambda: small_connect.done)
    assert conf.rows("SELECT count(*) FROM sweep") == [(1,)]


def test_the_claims_of_the_call_reach_the_policy(queue, small_connect, call):
    conf, runs, url = queue(rules="- when: eq($event.data.call,1)\n  then: { action: approve }\n" + FAIL)
    first = small_connect.add("purchase")
    call(url, conf)
    runs.wait_until(lambda: small_connect.status(first) == "approved")
    second = small_connect.add("purchase")
    call(url, conf)
    runs.wait_until(lambda: small_connect.status(second) == "failed")


@pytest.mark.parametrize("mode", ["queue", "inline"])
def test_as_cgi_the_mode_says_who_works(build, configure, small_connect, mode):
    conf = configure(mode=mode)
    small_connect.add("purchase")
    token = calls.sign(calls.claims_of(conf), calls.SECRET)
    env = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "/connect", "SERVER_PROTOCOL": "HTTP/1.1",
           "GATEWAY_INTERFACE": "CGI/1.1", "HTTP_AUTHENTICATION": f"Bearer {token}",
           "CONNECT_WEBHOOK_CONFIG": str(conf.path)}
    ran = subprocess.run([build / "connect-webhook.fcgi"], env=env, stdin=subprocess.DEVNULL, capture_output=True,
                         timeout=servers.TIMEOUT)
    document = json.loads(ran.stdout.partition(b"\r\n\r\n")[2])
    assert document["status"] == {"queue": "accepted", "inline": "done"}[mode]
    assert len(small_connect.done) == (mode == "inline")
    assert "1 done" in run_once(build, conf) or mode == "inline"
    assert len(small_connect.done) == 1


def test_in_inline_mode_workers_leave_a_calls_objects_to_it(queue, small_connect, connect):
    """And do what is due later."""
    conf, runs, url = queue(mode="inline", workers=4, poll_interval="1h", **FAST)
    wanted = [small_connect.add("purchase") for _ in range(50)]
    small_connect.status_of[f"GET /requests/{wanted[7]}"] = 404
    later = small_connect.add("purchase")
    small_connect.status_of[f"POST /requests/{later}/fail"] = 429
    answer = connect(url, conf)
    results = {o["object_id"]: o["result"] for o in answer.json()["objects"]}
    assert answer.status == 503 and results.pop(later) == "retry"
    assert results.pop(wanted[7]) == "skip" and set(results.values()) == {"done"} and len(results) == 49
    small_connect.status_of.clear()
    runs.wait_until(lambda: small_connect.status(later) == "failed")
    assert len(small_connect.done) == 50


# ------------------------------------------------------------------------- the worker

def test_a_handler_without_workers_needs_no_key(build, configure, handler, nginx, small_connect, call):
    conf = configure(workers=0)
    (conf.folder / "api.key").unlink()
    url = nginx(handler(conf)).url
    small_connect.add("purchase")
    call(url, conf)
    assert small_connect.done == [] and small_connect.reads == []
    ran = subprocess.run([build / "connect-webhook", "worker", "--once", "-c", conf.path], capture_output=True,
                         text=True)
    assert ran.returncode == 1 and "api.key" in ran.stderr
    conf.write("api.key", "test-key\n")
    assert "1 object: 1 done" in run_once(build, conf)
    assert run_once(build, conf).endswith("nothing to do\n")


def test_workers_of_their_own_need_no_webhooks_secret(build, queue, small_connect, call):
    conf, _, url = queue(workers=0)
    wanted = small_connect.add("purchase")
    call(url, conf)
    (conf.folder / f"{calls.WEBHOOK}.secret").unlink()
    assert "1 object: 1 done" in run_once(build, conf)
    assert small_connect.status(wanted) == "failed"


def test_once_tells_by_its_status_what_was_left(build, queue, small_connect, call):
    conf, runs, url = queue(workers=0)
    odd = small_connect.add("purchase")
    small_connect.status_of[f"POST /requests/{odd}/fail"] = 400
    call(url, conf)
    assert "1 dead" in run_once(build, conf, "--workers", "2", status=1)
    small_connect.status_of = {"GET /requests": 400}
    assert call(url, conf)["status"] == "accepted"
    assert "GET /requests: 400" in run_once(build, conf, status=1)


@pytest.mark.parametrize("options, problem", [
    (["--workers", "0"], "--workers is"), (["--workers", "257"], "--workers is"), (["--workers", "x"], "--workers is"),
    (["--often"], "--often"), (["more"], "more")])
def test_a_command_line_that_makes_no_sense(build, options, problem):
    ran = subprocess.run([build / "connect-webhook", "worker", *options], capture_output=True, text=True)
    assert ran.returncode == 2 and problem in ran.stderr


def test_several_programs_work_on_one_inbox(queue, worker, small_connect, call):
    conf, runs, url = queue(workers=2)
    beside = [worker(conf, "--workers", "3", name=f"worker{n}") for n in range(2)]
    wanted = [small_connect.add("purchase") for _ in range(200)]
    call(url, conf)
    runs.wait_until(lambda: len(small_connect.done) >= 200)
    runs.wait_until(lambda: conf.rows("SELECT count(*) FROM task WHERE state = 'done'") == [(200,)])
    assert sorted(small_connect.done) == sorted((i, "fail") for i in wanted)
    assert all("fail: done" in program.log for program in [runs, *beside])


def test_all_programs_share_the_rate(configure, worker, handler, nginx, small_connect, call):
    conf = configure(rate_limit=10, workers=4)
    runs = handler(conf)
    url = nginx(runs).url
    worker(conf)
    for _ in range(30):
        small_connect.add("purchase")
    times = small_connect.times = []
    call(url, conf)
    runs.wait_until(lambda: len(small_connect.done) == 30)
    seconds = collections.Counter(int(t) for t in times)
    assert len(times) > 60 and max(seconds.values()) <= 20  # of two seconds of the inbox's at most
    assert 6 < len(times) / (times[-1] - times[0]) < 13


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
    runs = handler(conf)
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
