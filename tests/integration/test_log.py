"""What the log says: one line a call and one an object, with fields to search for."""

import collections
import json
import re
import sqlite3
import subprocess

import pytest

import calls
import programs
import servers

FORMS = "WH-700-000-001"
RULES = """\
- when: eq(type,change)
  then: { action: skip, reason: by hand }
- then: { action: fail, reason: not today }
"""
NEW = "n" * 40  # the secret that takes another's place


@pytest.fixture
def conf(small_connect, configuration):
    conf = configuration(api_url=small_connect.url, rules=RULES, mode="queue",
                         log={"level": "info", "format": "json"}, processing={"poll_interval": 0})
    conf.add_webhook(FORMS, conf.shipped_rules("form"), "validator")
    conf.save()
    return conf


def records(log, **wanted):
    """Those that have these fields."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [r for r in lines if all(r.get(key) == value for key, value in wanted.items())]


def test_a_call_is_one_line(conf, handler, nginx, connect):
    runs = handler(conf)
    url = nginx(runs).url
    token = calls.sign(calls.claims_of(conf), calls.SECRET)
    for options, fields in (
            ({"token": token}, {"level": "info", "msg": "accepted", "webhook": calls.WEBHOOK, "secret": 1,
                                "delivery": 1, "seen": 1, "status": 202}),
            ({"token": token}, {"level": "info", "msg": "duplicate", "delivery": 1, "seen": 2, "status": 202}),
            ({"claims": {"product_id": "PRD-1-2-3"}},
             {"level": "warn", "msg": "ignored: the webhook is configured for another product", "delivery": 2,
              "status": 200}),
            ({"token": "x.y.z"}, {"level": "warn", "reason": "token-form", "status": 401, "method": "POST",
                                  "path": "/connect"}),
            ({"method": "PUT"}, {"level": "warn", "reason": "method", "status": 405, "method": "PUT"}),
            ({"webhook": FORMS, "body": json.dumps(programs.form(admin_email="nobody")).encode()},
             {"level": "info", "msg": "answered", "webhook": FORMS, "status": 200})):
        before = len(records(runs.log))
        answer = connect(url, conf, **options)
        runs.wait_until(lambda: len(records(runs.log)) > before)
        line = records(runs.log)[before]
        assert fields.items() <= line.items() and line["status"] == answer.status
        assert 0 <= line["ms"] < 60000 and re.fullmatch("[0-9a-f]{16}", line["request"])
    runs.stop()
    each = collections.Counter(r["request"] for r in records(runs.log) if "request" in r)
    assert set(each.values()) == {1} and len(each) == 6
    form, = records(runs.log, msg="answered")
    assert form["errors"] > 0 and form["rule"].startswith("form.rules.yaml:")


def test_an_object_is_one_line(conf, small_connect, handler, nginx, call):
    runs = handler(conf)
    done, skipped = small_connect.add("purchase"), small_connect.add("change")
    call(nginx(runs).url, conf)
    runs.wait_until(lambda: {state for state, _ in conf.tasks().values()} == {"done", "skipped"})
    runs.stop()
    for wanted, action, result in ((done, "fail", "done"), (skipped, "skip", "skip")):
        line, = records(runs.log, object=wanted)
        task = conf.rows(f"SELECT id FROM task WHERE object_id = '{wanted}'")[0][0]
        assert (line["webhook"], line["delivery"], line["task"]) == (calls.WEBHOOK, 1, task)
        assert (line["action"], line["result"]) == (action, result)
        assert "test.rules.yaml:" in line["rule"] and 0 <= line["ms"] < 60000


def test_a_rotation_ends_when_the_log_says_so(conf, small_connect, handler, nginx, connect):
    """The new secret stands first. Once all calls are signed with it, the old one goes."""
    webhook = conf.webhook(calls.WEBHOOK)
    webhook["secrets"].insert(0, {"file": str(conf.write("new.secret", NEW + "\n"))})
    conf.save()
    runs = handler(conf)
    url = nginx(runs).url

    def signed(secret, number):
        return connect(url, conf, token=calls.sign(calls.claims_of(conf, data={"call": number}), secret)).status

    def last():
        return [r["secret"] for r in records(runs.log, webhook=calls.WEBHOOK)]

    assert signed(calls.SECRET, 1) == 202
    runs.wait_until(lambda: last() == [2])  # Connect still has the old one
    assert signed(NEW, 2) == signed(NEW, 3) == 202
    runs.wait_until(lambda: last() == [2, 1, 1])
    del webhook["secrets"][1]
    conf.save()
    runs.reload()
    assert signed(NEW, 4) == 202
    assert signed(calls.SECRET, 5) == 401


@pytest.mark.parametrize("program", ["connect-webhook.fcgi", "connect-webhook"])
def test_a_failed_start_is_told_of_where_it_was_made(build, conf, program):
    """Also where the log is a file; there, too."""
    log = conf.folder / "its.log"
    conf.document["log"]["file"] = str(log)
    conf.save()
    db = sqlite3.connect(conf.state / "inbox.db")  # another program's
    db.execute("CREATE TABLE other (id)")
    db.commit()
    db.close()
    words = ["worker"] if program == "connect-webhook" else []
    ran = subprocess.run([build / program, *words, "-c", conf.path], stdin=subprocess.DEVNULL, capture_output=True,
                         text=True, timeout=servers.TIMEOUT)
    assert ran.returncode == 1
    assert len(ran.stderr.splitlines()) == 1 and ran.stderr.startswith(program) and "another program's" in ran.stderr
    told, = records(log.read_text(), level="error")
    assert "another program's" in told["msg"]
