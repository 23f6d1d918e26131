"""What is over is forgotten in time, beside the calls that come; what is needed is not."""

import os
import sqlite3
import subprocess

import pytest

import calls
import inbox_rows
import servers

MANY = 50000  # deliveries
BIG = b"x" * 40000  # a body: so that what is free is worth having back
BIG_COUNT = 2500


@pytest.fixture
def conf(small_connect, configuration):
    return configuration(api_url=small_connect.url, mode="queue", processing={"workers": 0})


def one(conf, sql):
    return conf.rows(sql)[0][0]


def old_deliveries(conf):
    return one(conf, f"SELECT count(*) FROM delivery WHERE stored_us = {inbox_rows.OLD_US}")


@pytest.fixture
def old(conf, handler):
    """old(fill): a handler that begins with what fill() has put into its inbox."""
    def start(fill):
        handler(conf).stop()
        fill()
        return handler(conf)
    return start


def test_forgets_many_while_calls_come(conf, old, nginx, call, no_sanitizer):
    def fill():
        inbox_rows.add_deliveries(conf, MANY)
        inbox_rows.add_tasks(conf, 1000, "done")
        inbox_rows.change(conf, ("INSERT INTO attempt (task_id, started_us, ended_us, result, reason, calls)"
                                 " SELECT id, 1, 1, 'done', '', '[]' FROM task", ()))
    runs = old(fill)
    url = nginx(runs).url
    before, asked = old_deliveries(conf), 0
    while old_deliveries(conf) > 0:
        call(url, conf)
        asked += 1
        assert asked < MANY
    assert before > MANY // 2 and asked > 10  # so it was done in steps, between which others had their turn
    runs.wait_until(lambda: "deliveries and tasks are forgotten" in runs.log)
    assert one(conf, "SELECT count(*) FROM delivery") == asked
    assert one(conf, "SELECT count(*) FROM task") == one(conf, "SELECT count(*) FROM attempt") == 0
    assert one(conf, "SELECT count(*) FROM token") <= asked


def test_keeps_what_is_needed(conf, old, nginx, call):
    def fill():
        inbox_rows.add_tasks(conf, 3)
        inbox_rows.add_deliveries(conf, 4, state="stored")  # nobody has listed their queue yet
        inbox_rows.add_deliveries(conf, 5)
        inbox_rows.change(
            conf, ("INSERT INTO tally VALUES (?, 7, 0, 0, 1, 0)", (calls.WEBHOOK,)),
            ("INSERT INTO mark VALUES (?, ?, 'billing_request', 1, 1, 1)", inbox_rows.QUEUE),
            ("INSERT INTO mark_seen VALUES (?, ?, 'billing_request', 'BRP-1', 1)", inbox_rows.QUEUE))
    runs = old(fill)
    runs.wait_until(lambda: old_deliveries(conf) == 4 + 1)  # the newest of all stays, so that ids go on growing
    call(nginx(runs).url, conf)
    assert one(conf, "SELECT count(*) FROM task WHERE state = 'ready'") == 3
    runs.stop()
    assert conf.rows("SELECT success FROM tally") == [(8,)]
    assert conf.rows("SELECT object_id FROM mark_seen") == [("BRP-1",)]


def test_the_time_is_the_configurations(conf, old, handler):
    """Of what happened an hour and a half ago, and of what did just now."""
    def fill():
        inbox_rows.add_deliveries(conf, 4)
        inbox_rows.change(conf, ("UPDATE delivery SET stored_us = (SELECT at_boot_us FROM clock) + ? WHERE id > 1",
                                 (inbox_rows.uptime_us() - 5400 * 10**6,)))
        inbox_rows.add_deliveries(conf, 1)  # the newest stays
    conf.document["inbox"]["retention"] = "2h"
    conf.save()
    runs = old(fill)
    runs.wait_until(lambda: "retention: 1 deliveries" in runs.log)
    runs.stop()
    assert one(conf, "SELECT count(*) FROM delivery") == 4
    conf.document["inbox"]["retention"] = "1h"
    conf.save()
    runs = handler(conf)
    runs.wait_until(lambda: one(conf, "SELECT count(*) FROM delivery") == 1)


def test_the_file_can_be_made_smaller_as_the_log_says(conf, old, handler, nginx, call, no_sanitizer):
    runs = old(lambda: inbox_rows.add_deliveries(conf, BIG_COUNT, BIG))
    url = nginx(runs).url
    call(url, conf)
    runs.wait_until(lambda: "are free for what is to come" in runs.log)
    database = conf.state / "inbox.db"
    command = f"`sqlite3 {database} VACUUM`"
    assert command in runs.log
    runs.stop()
    before = os.stat(database).st_size
    db = sqlite3.connect(database)  # what that command does
    db.execute("VACUUM")
    db.close()
    assert os.stat(database).st_size < before / 10
    handler(conf)
    assert call(url, conf)["status"] == "accepted"


def test_as_cgi_some_calls_pay_for_all(build, conf, handler):
    handler(conf).stop()
    inbox_rows.add_deliveries(conf, 10)
    env = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "/connect", "SERVER_PROTOCOL": "HTTP/1.1",
           "GATEWAY_INTERFACE": "CGI/1.1", "CONNECT_WEBHOOK_CONFIG": str(conf.path)}
    caller = calls.Caller()
    for _ in range(1000):
        if old_deliveries(conf) == 0:
            return
        token = calls.sign(calls.claims_of(conf, jti=str(caller)), calls.SECRET)
        ran = subprocess.run([build / "connect-webhook.fcgi"], env={**env, "HTTP_AUTHENTICATION": f"Bearer {token}"},
                             stdin=subprocess.DEVNULL, capture_output=True, timeout=servers.TIMEOUT)
        assert b'"accepted"' in ran.stdout or b'"duplicate"' in ran.stdout
    raise AssertionError("nothing was ever forgotten")
