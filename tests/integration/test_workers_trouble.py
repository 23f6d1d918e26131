"""What workers do when something goes wrong: at Connect, on the disk, with themselves."""

import contextlib
import fcntl
import os
import signal
import sqlite3
import subprocess
import time

import pytest

import calls
import programs
import servers
from small_connect import Connect

FAIL = "- then: { action: fail, reason: not today }\n"
APPROVE = """\
- when: in(status,(pending))
  then: { action: approve, template_id: TL-471-184-949 }
"""
QUEUE = {"workers": 4, "poll_interval": 0, "backoff_min": "1s", "backoff_max": "2s"}
PENDING = [f"PR-7957-9623-822{n}-001" for n in range(1, 6)] + [f"PR-6990-1715-416{n}-001" for n in range(2, 9)]


# ------------------------------------------------------------------- answers of Connect's

@pytest.fixture
def approving(sim, configuration, handler, nginx, call):
    """approving(**account): a handler that approves all that is pending in the seed, called: (configuration,
    handler)."""
    def start(**account):
        conf = configuration(sim, rules=APPROVE, mode="queue", processing=QUEUE)
        conf.document["accounts"][0].update(account)
        conf.save()
        runs = handler(conf)
        call(nginx(runs).url, conf)
        return conf, runs
    return start


def verb(request_id, **fault):
    return {"method": "POST", "path": f"/requests/{request_id}/approve", **fault}


def read(request_id, **fault):
    return {"method": "GET", "path": f"/requests/{request_id}", **fault}


def approvals(api):
    """How often each was approved with an effect."""
    done = [c["path"].split("/")[2] for c in api.received() if c["effect"] and c["path"].endswith("/approve")]
    return {i: done.count(i) for i in done}


PASSING = {
    "429": {"status": 429, "retry_after": 1}, "429 without a time": {"status": 429},
    "500": {"status": 500}, "500 after all": {"status": 500, "effect": True},
    "502": {"status": 502}, "502 after all": {"status": 502, "effect": True},
    "503": {"status": 503, "retry_after": 0}, "504": {"status": 504, "effect": True},
    "closed before": {"close": "before"}, "closed after": {"close": "after"},
    "half an answer": {"body": "truncated"}, "no JSON": {"body": "garbage"},
}


def test_each_failure_of_a_verb_that_passes_ends_in_one_approval(approving, api):
    api.plan(*(verb(i, **fault) for i, fault in zip(PENDING, PASSING.values(), strict=True)))
    conf, runs = approving()
    runs.wait_until(lambda: {conf.tasks().get(i, ("",))[0] for i in PENDING} == {"done"}, timeout=60)
    assert approvals(api) == dict.fromkeys(PENDING, 1)


def test_a_verb_that_hangs_is_not_sent_twice(approving, api):
    """It takes effect when nobody waits any more, or at once and is not answered."""
    late, early = PENDING[:2]
    api.plan(verb(late, delay_ms=2500), verb(early, delay_ms=600000, effect=True))
    conf, runs = approving(timeout="1s", connect_timeout="1s")
    # The late one may be found approved by the next attempt: then there is nothing left to do.
    runs.wait_until(lambda: {conf.tasks().get(i, ("",))[0] for i in PENDING} <= {"done", "skipped"})
    assert approvals(api) == dict.fromkeys(PENDING, 1)


REFUSALS = [400, 403, 405, 409, 413, 422]


def test_what_is_refused_for_good_is_left_for_a_person(approving, api):
    refused = dict(zip(PENDING, REFUSALS))
    api.plan(*(verb(i, status=status, count=0) for i, status in refused.items()))
    conf, runs = approving()
    rest = {*PENDING} - {*refused}
    runs.wait_until(lambda: all(conf.tasks().get(i, ("",))[0] == "dead" for i in refused))
    runs.wait_until(lambda: all(conf.tasks().get(i, ("",))[0] == "done" for i in rest))
    assert approvals(api) == dict.fromkeys(rest, 1)
    assert all(str(status) in conf.tasks()[i][1] for i, status in refused.items())
    sent = [c["path"] for c in api.received() if c["method"] == "POST"]
    assert len(sent) == len(set(sent))


READS = {
    "404": ({"status": 404}, "skipped"), "400": ({"status": 400}, "dead"), "403": ({"status": 403}, "dead"),
    "429": ({"status": 429, "retry_after": 1}, "done"), "500": ({"status": 500}, "done"),
    "502": ({"status": 502}, "done"), "503": ({"status": 503}, "done"), "closed": ({"close": "before"}, "done"),
    "half an answer": ({"body": "truncated"}, "done"), "no JSON": ({"body": "garbage"}, "done"),
}


def test_what_cannot_be_read_is_read_again_or_left(approving, api):
    api.plan(*(read(i, **fault) for i, (fault, _) in zip(PENDING, READS.values())))
    conf, runs = approving()
    ends = {i: end for i, (_, end) in zip(PENDING, READS.values())}
    runs.wait_until(lambda: {i: conf.tasks().get(i, ("",))[0] for i in ends} == ends)
    assert approvals(api) == {i: 1 for i in PENDING if ends.get(i, "done") == "done"}


@pytest.mark.parametrize("fault", [
    {"status": 400}, {"status": 403}, {"status": 404}, {"status": 500}, {"status": 502}, {"status": 429},
    {"close": "before"}, {"body": "truncated"}, {"body": "garbage"}], ids=str)
def test_a_list_that_fails_is_made_again(approving, api, fault):
    api.plan({"method": "GET", "path": "/requests", **fault})
    conf, runs = approving()
    runs.wait_until(lambda: {conf.tasks().get(i, ("",))[0] for i in PENDING} == {"done"})
    assert approvals(api) == dict.fromkeys(PENDING, 1)


def test_no_pause_is_longer_than_an_hour(approving, api):
    api.plan({"method": "GET", "path": "/requests", "status": 429, "retry_after": 86400, "count": 0})
    conf, runs = approving()
    runs.wait_until(lambda: conf.rows("SELECT count(*) FROM sweep WHERE ended_us > 0") == [(1,)])
    seconds, = conf.rows("SELECT (a.halted_until_us - s.ended_us) / 1e6 FROM account a, sweep s")[0]
    assert 3000 < seconds <= 3600
    assert conf.rows("SELECT (due_us - ended_us) / 1e6 <= 2 FROM sweep") == [(1,)]  # as backoff_max says


def test_a_key_that_is_not_accepted_halts_the_account_until_a_reload(approving, api, call):
    api.plan({"path": "/requests*", "status": 401, "count": 0})
    conf, runs = approving()
    runs.wait_until(lambda: "does not accept the API key (401)" in runs.log)
    time.sleep(2.5)  # longer than any back-off: nothing tells that nothing is done
    assert [c["status"] for c in api.received() if c["path"] == "/requests"] == [401]
    assert api.own("DELETE", "faults").status in (200, 204)
    runs.reload()
    runs.wait_until(lambda: {conf.tasks().get(i, ("",))[0] for i in PENDING} == {"done"})
    assert approvals(api) == dict.fromkeys(PENDING, 1)


# ------------------------------------------------------------------------- hanging accounts

class Accounts:
    """Several Connects, an account each: the first works, the others take calls and do not answer."""

    def __init__(self, stack, configuration, hanging):
        self.connects = [stack.enter_context(Connect()) for _ in range(1 + hanging)]
        self.conf = configuration(rules=FAIL, mode="queue", processing=QUEUE)
        template = self.conf.document["webhooks"].pop()
        key = self.conf.document["accounts"].pop()["api_key"]
        self.ids = []
        for n, connect in enumerate(self.connects):
            account, webhook = f"VA-{n}", f"WH-{n}-1"
            self.ids.append(webhook)
            self.conf.document["accounts"].append({"id": account, "api_url": connect.url, "api_key": key,
                                                   "timeout": "3s"})
            self.conf.document["webhooks"].append({**template, "id": webhook, "account": account, "secrets": [
                self.conf.add_secret(webhook, calls.SECRET)]})
            if n > 0:
                connect.hanging.add("GET /requests")
        self.conf.save()


def decide_twenty(build, tmp, configuration, hanging):
    """Seconds until the account that works has its orders decided, beside others that hang."""
    with contextlib.ExitStack() as stack:
        accounts = Accounts(stack, configuration, hanging)
        runs = stack.enter_context(servers.Handler(build, tmp, accounts.conf))
        url = stack.enter_context(servers.Nginx(tmp, runs.socket)).url
        for n in range(hanging):
            assert calls.connect(url, accounts.conf, accounts.ids[1 + n]).status == 202
            runs.wait_until(accounts.connects[1 + n].is_hanging)
        connect = accounts.connects[0]
        for _ in range(20):
            connect.add("purchase")
        began = time.monotonic()
        assert calls.connect(url, accounts.conf, accounts.ids[0]).status == 202
        runs.wait_until(lambda: len(connect.done) == 20)
        took = time.monotonic() - began
        if hanging:
            runs.wait_until(lambda: all(f"account VA-{n + 1}: " in runs.log for n in range(hanging)))
        for connect in accounts.connects:
            connect.over.set()
        return took


@pytest.mark.time_limit(120)
def test_accounts_that_hang_take_nothing_from_one_that_does_not(build, tmp, configuration):
    alone = decide_twenty(build, tmp / "alone", configuration_in(tmp / "alone"), 0)
    beside = decide_twenty(build, tmp / "beside", configuration_in(tmp / "beside"), 3)
    assert beside < 1.25 * alone + 0.5


def configuration_in(folder):
    folder.mkdir()
    folder.chmod(0o755)
    return lambda **options: calls.Configuration(folder, **options)


def test_others_stand_in_for_workers_that_are_held_up(build, tmp):
    """Two workers, and two accounts that hang for long: the third is worked for all the same."""
    make = configuration_in(tmp / "few")
    with contextlib.ExitStack() as stack:
        accounts = Accounts(stack, make, 2)
        accounts.conf.document["processing"]["workers"] = 2
        for account in accounts.conf.document["accounts"]:
            account["timeout"] = "300s"
        accounts.conf.save()
        runs = stack.enter_context(servers.Worker(build, tmp / "few", accounts.conf))
        handler = stack.enter_context(servers.Handler(build, tmp / "few", without_workers(accounts.conf)))
        url = stack.enter_context(servers.Nginx(tmp / "few", handler.socket)).url
        for n in (1, 2):
            assert calls.connect(url, accounts.conf, accounts.ids[n]).status == 202
            runs.wait_until(accounts.connects[n].is_hanging)
        connect = accounts.connects[0]
        wanted = connect.add("purchase")
        assert calls.connect(url, accounts.conf, accounts.ids[0]).status == 202
        runs.wait_until(lambda: connect.status(wanted) == "failed")
        for connect in accounts.connects:
            connect.over.set()


def without_workers(conf):
    """The same configuration in another file, for a handler that has none."""
    other = calls.Configuration.__new__(calls.Configuration)
    other.__dict__.update(conf.__dict__)
    other.document = {**conf.document, "processing": {**conf.document["processing"], "workers": 0}}
    other.path = conf.folder / "handler.yaml"
    other.save()
    return other


# ------------------------------------------------------------------------------- the disk

def test_a_full_disk_stops_what_has_to_be_stored_and_no_more(small_disk, small_connect, configuration, handler, nginx,
                                                             call):
    conf = configuration(api_url=small_connect.url, rules=FAIL, mode="queue", processing=QUEUE)
    filler = small_disk("1m") / "filler"
    runs = handler(conf)
    url = nginx(runs).url
    stored = 0
    body = b"x" * 100_000
    filler.write_bytes(b"x" * 300_000)
    while (answer := calls.connect(url, conf, claims={"data": {"n": stored}}, body=body)).status == 202:
        stored += 1
    assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0
    wanted = small_connect.add("purchase")
    filler.unlink()
    runs.wait_until(lambda: calls.connect(url, conf, claims={"data": {"after": stored}}).status == 202)
    runs.wait_until(lambda: small_connect.status(wanted) == "failed")
    assert small_connect.done == [(wanted, "fail")]
    assert conf.rows("SELECT count(*) FROM delivery") == [(stored + 1,)]
    assert conf.rows("PRAGMA integrity_check") == [("ok",)]


def test_a_lock_that_another_process_holds_is_waited_for(small_connect, configuration, handler, nginx, call):
    conf = configuration(api_url=small_connect.url, rules=FAIL, mode="queue", processing=QUEUE,
                         inbox={"lock_timeout": "2s"})
    runs = handler(conf)
    url = nginx(runs).url
    call(url, conf)
    wanted = small_connect.add("purchase")
    with open(conf.state / "inbox.db.lock") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        began = time.monotonic()
        while time.monotonic() - began < 10:
            call(url, conf, 503)
    call(url, conf)
    runs.wait_until(lambda: small_connect.status(wanted) == "failed")
    assert small_connect.done == [(wanted, "fail")]


@pytest.mark.parametrize("keeps", [16, 4096])  # bytes: the file's first words, its first page
@pytest.mark.parametrize("program", ["connect-webhook.fcgi", "connect-webhook worker"])
def test_a_file_that_is_damaged_is_refused_with_what_to_do(build, configuration, program, keeps):
    conf = configuration(mode="queue")
    name, *verb = program.split()
    command = [build / name, *verb, "-c", conf.path]
    file = conf.state / "inbox.db"
    subprocess.run([build / "connect-webhook", "worker", "--once", "-c", conf.path], check=True, capture_output=True)
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    file.write_bytes(file.read_bytes()[:keeps] + os.urandom(file.stat().st_size - keeps))
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=servers.TIMEOUT)
    assert ran.returncode == 1
    assert str(file) in ran.stderr and "move the file aside" in ran.stderr


# ------------------------------------------------------------------------------ themselves

LATE = """#!/bin/sh
touch asked
while [ ! -e goes ]; do sleep 0.05; done
echo '{"action":"fail","reason":"late"}'
"""


def test_a_worker_that_was_stopped_past_its_lease_changes_nothing(small_connect, configuration, handler, worker, nginx,
                                                                  call):
    """It is stopped while its policy thinks; another decides meanwhile, and its own decision comes too late."""
    conf = configuration(api_url=small_connect.url, mode="queue", processing={**QUEUE, "workers": 0, "lease": "10s"})
    asked, goes = conf.folder / "asked", conf.folder / "goes"
    conf.webhook(calls.WEBHOOK)["policy"] = {"exec": [programs.write(conf, "late.sh", LATE)], "cwd": str(conf.folder)}
    conf.folder.chmod(0o777)
    conf.save()
    url = nginx(handler(conf)).url
    slow = worker(conf, "--workers", "1")
    wanted = small_connect.add("purchase")
    call(url, conf)
    slow.wait_until(asked.exists)
    slow.signal(signal.SIGSTOP)
    goes.touch()
    other = worker(conf, "--workers", "1", name="other")
    other.wait_until(lambda: small_connect.status(wanted) == "failed")
    slow.signal(signal.SIGCONT)
    slow.wait_until(lambda: f"{wanted}: " in slow.log)
    assert small_connect.done == [(wanted, "fail")]
    assert f"{wanted}: fail: busy" in slow.log and "the lease is no longer ours" in slow.log
    other.wait_until(lambda: conf.rows("SELECT state, result FROM task") == [("done", "done")])
