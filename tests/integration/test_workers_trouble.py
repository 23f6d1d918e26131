"""What workers do when the disk is full, the inbox is locked or damaged, or they were stopped for too long."""

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

FAIL = "- then: { action: fail, reason: not today }\n"
QUEUE = {"workers": 4, "poll_interval": 0, "backoff_min": "1s", "backoff_max": "2s"}


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
                         inbox={"lock_timeout": "500ms"})
    runs = handler(conf)
    url = nginx(runs).url
    call(url, conf)
    wanted = small_connect.add("purchase")
    with open(conf.state / "inbox.db.lock") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        began = time.monotonic()
        while time.monotonic() - began < 2.5:
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
    slow.wait_until(lambda: f"{wanted}: fail: busy" in slow.log)
    assert small_connect.done == [(wanted, "fail")]
    assert "the lease is no longer ours" in slow.log
    other.wait_until(lambda: conf.rows("SELECT state, result FROM task") == [("done", "done")])
