"""Queue mode: calls are stored, and workers do what they ask for: in the handler, or beside it."""

import collections
import json
import subprocess

import pytest

import calls
import servers
from working import FAIL, FAST, configure, queue  # noqa: F401


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
