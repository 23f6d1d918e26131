"""The shims of tests/shims: that they do what the tests that use them rely on."""

import contextlib
import functools
import random
import shutil
import signal
import sqlite3
import subprocess
import sys

import pytest

import calls
import crash
import powerloss
from fcgi_client import Connection
from responder import Responder

pytestmark = pytest.mark.usefixtures("no_sanitizer")
KILLED = -signal.SIGKILL
# An end for every request that is pending, without a call that changes anything before it.
END_RULES = """\
- when: eq(status,revoking)
  then: { action: confirm }
- then: { action: fail, reason: not today }
"""
TABLES = ["CREATE TABLE delivery (n)", "CREATE TABLE task (state)", "CREATE TABLE attempt (n)",
          "INSERT INTO task VALUES ('ready')"]
# Statements by which the inbox makes these steps, as far as the shim looks at them.
STATEMENTS = {
    "insert": "INSERT INTO delivery VALUES (1)",
    "claim": "UPDATE task SET state = 'running'",
    "finish": "INSERT INTO attempt VALUES (1)",
}


@pytest.fixture
def dying(build):
    """dying("before:commit"): the environment that makes it so."""
    return functools.partial(crash.environment, build)


@pytest.fixture
def sql(build, tmp):
    """sql(statements, env): its status, and how many statements it has answered with ok."""
    def run(statements, env):
        ran = subprocess.run([build / "tests/shims/sql", tmp / "test.db"], env=env, text=True,
                             input="".join(s + "\n" for s in statements), capture_output=True)
        answers = ran.stdout.splitlines()
        assert set(answers) <= {"ok"}
        return ran.returncode, len(answers)
    return run


def rows(path, query):
    db = sqlite3.connect(path)
    try:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return db.execute(query).fetchall()
    finally:
        db.close()


# ------------------------------------------------------------------------- crash

@pytest.mark.parametrize("what", [
    "", "before", "before:", "during:commit", "before:lunch", "before:commits", "before:commit:",
    "before:commit:0", "before:commit:-1", "before:commit:x", "before:commit:1x", "after:insertion"])
def test_refuses_a_step_that_it_does_not_know(dying, what):
    ran = subprocess.run(["true"], env=dying(what), capture_output=True, text=True)
    assert ran.returncode == 2 and f"CW_CRASH={what} is not" in ran.stderr


@pytest.mark.parametrize("step", STATEMENTS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_dies_around_a_statement(dying, sql, tmp, when, step):
    seen = "SELECT count(*), (SELECT state FROM task), (SELECT count(*) FROM attempt) FROM delivery"
    assert sql(TABLES, None) == (0, 4)
    assert sql([STATEMENTS[step]], dying(f"{when}:{step}")) == (KILLED, 0)
    changed = {"insert": (1, "ready", 0), "claim": (0, "running", 0), "finish": (0, "ready", 1)}[step]
    assert rows(tmp / "test.db", seen) == [changed if when == "after" else (0, "ready", 0)]


@pytest.mark.parametrize("when, stored", [("before", 0), ("after", 1)])
def test_dies_around_a_commit(dying, sql, tmp, when, stored):
    statements = [*TABLES, "BEGIN", STATEMENTS["insert"], "COMMIT"]
    assert sql(statements, dying(f"{when}:commit")) == (KILLED, 6)
    assert rows(tmp / "test.db", "SELECT count(*) FROM delivery") == [(stored,)]


def test_counts_runs_of_a_statement_and_not_its_rows(dying, sql, tmp):
    three = "INSERT INTO delivery VALUES (1), (2), (3) RETURNING n"
    assert sql([*TABLES, three, three], dying("before:insert:2")) == (KILLED, 5)
    assert sql([three, three], dying("before:insert:3")) == (0, 2)
    assert rows(tmp / "test.db", "SELECT count(*) FROM delivery") == [(9,)]


def test_dies_once(dying, sql, tmp):
    once = tmp / "died"
    env = dying("before:insert", once=once)
    assert sql(TABLES, env) == (0, 4) and not once.exists()
    assert sql([STATEMENTS["insert"]], env) == (KILLED, 0) and once.exists()
    assert sql([STATEMENTS["insert"]], env) == (0, 1)


def test_the_handler_dies_at_a_commit(configuration, build, dying):
    """The first is made when the inbox is opened."""
    conf = configuration()
    ran = subprocess.run([build / "connect-webhook.fcgi", "-c", conf.path], env=dying("before:commit"),
                         stdin=subprocess.DEVNULL, capture_output=True)
    assert ran.returncode == KILLED
    assert rows(conf.state / "inbox.db", "SELECT count(*) FROM sqlite_schema") == [(0,)]


def ended(api):
    listed = api.get(f"/requests?asset.product.id={calls.PRODUCT}&limit=1000")
    return sum(r["status"] in ("failed", "revoked") for r in listed)


def ends_what_was_begun(api, answer):
    """Started again, it does all that is left, and nothing twice."""
    assert answer.status == 200 and {o["result"] for o in answer.json()["objects"]} <= {"done", "skip"}
    listed = api.get(f"/requests?asset.product.id={calls.PRODUCT}&limit=1000")
    assert {r["status"] for r in listed}.isdisjoint({"pending", "revoking"})
    acted = [c["path"] for c in api.received() if c["effect"] and "/requests/" in c["path"]]
    assert len(acted) == len(set(acted)) > 5


@pytest.mark.parametrize("step, status, stored, sent", [
    ("before:insert", 502, 0, 0),
    ("after:insert", 502, 0, 0),
    ("before:api", 502, 1, 0),
    ("after:api", 502, 1, 1),
    ("before:api:2", 502, 1, 1),
    ("before:claim", 502, 1, 0),
    ("after:claim", 502, 1, 0),
    ("before:finish", 502, 1, 1),
    ("after:finish", 502, 1, 1),
    ("before:answer", 502, 1, None),
    ("after:answer", 200, 1, None)])
def test_the_handler_dies(sim, api, configuration, handler, nginx, connect, dying,
                          step, status, stored, sent):
    """What its caller, its inbox and Connect then know."""
    conf = configuration(sim, rules=END_RULES, processing={"mode": "inline"})
    before = ended(api)
    running = handler(conf, expect=KILLED, env=dying(step))
    url = nginx(running).url
    assert connect(url, conf).status == status
    assert running.process.wait(30) == KILLED
    assert rows(conf.state / "inbox.db", "SELECT count(*) FROM delivery") == [(stored,)]
    now = ended(api) - before
    assert now == sent if sent is not None else now > 1
    handler(conf)
    ends_what_was_begun(api, connect(url, conf, claims={"data": {"call": 2}}))


@pytest.mark.parametrize("size", [100, 100_000])
def test_finds_an_answer_of_any_size(dying, size):
    """libfcgi sends the small ones, our loop the others."""
    with Responder(env=dying("before:answer:2"), expect=KILLED) as responder, \
            Connection(responder.address) as connection:
        assert len(connection.ask(QUERY_STRING=f"big={size}").body) == size
        with pytest.raises((EOFError, ConnectionError)):
            connection.ask(QUERY_STRING=f"big={size}")
        responder.wait()


def test_what_was_killed_is_started_again_and_keeps_its_promises(
        sim, configuration, build, tmp, nginx, dying):
    conf = configuration(sim)
    arguments = [build / "connect-webhook.fcgi", "-c", conf.path]
    env = dying("before:answer:3", once=tmp / "died")
    with crash.Restarted(arguments, tmp / "handler.log", env) as handler:
        ledger = crash.Ledger(nginx(conf).url, conf)
        for _ in range(5):
            ledger.call_until_accepted(ledger.token())
    assert handler.deaths == 1
    assert [*ledger.promised.values()] == [1] * 5 and ledger.broken() == {}


def test_a_broken_promise_is_found(sim, configuration, handler, nginx):
    conf = configuration(sim)
    with handler(conf) as running:
        ledger = crash.Ledger(nginx(running).url, conf)
        kept, lost, less = tokens = [ledger.token() for _ in range(3)]
        assert all(ledger.call(token) for token in [*tokens, less])
    forget = "UPDATE delivery SET seen = seen - 1 WHERE seen = 2", "DELETE FROM delivery WHERE id = 2"
    with sqlite3.connect(conf.state / "inbox.db") as db:
        for statement in forget:
            db.execute(statement)
    db.close()
    assert ledger.broken() == {lost: (1, 0), less: (2, 1)} and kept in ledger.promised


# --------------------------------------------------------------------- powerloss

WRITER = """
import os, signal, sys
def file(name):
    return os.open(os.path.join(sys.argv[1], name), os.O_RDWR | os.O_CREAT)
exec(sys.argv[2])
os.kill(os.getpid(), signal.SIGKILL)
"""


def write(build, folder, program):
    ran = subprocess.run([sys.executable, "-c", WRITER, folder, program], capture_output=True, text=True,
                         env=powerloss.environment(build, folder))
    assert ran.returncode == KILLED, ran.stderr


def test_what_was_not_synced_is_lost(build, tmp):
    f = tmp / "data" / "f"
    f.parent.mkdir()
    f.write_bytes(b"0123456789")
    # Overwrites, lengthens, leaves a hole, shortens; and another process after it.
    write(build, f.parent, "a = file('f'); os.pwrite(a, b'ab', 2); os.fsync(a); os.pwrite(a, b'XY', 3);"
                           "os.lseek(a, 0, 2); os.write(a, b'end'); os.pwrite(a, b'far', 5000);"
                           "os.ftruncate(a, 4)")
    write(build, f.parent, "b = os.open(sys.argv[1] + '/f', os.O_RDWR | os.O_APPEND);"
                           "os.write(b, b'more'); os.write(file('g'), b'new')")
    assert f.read_bytes() == b"01aXmore" and (f.parent / "g").read_bytes() == b"new"
    (f.parent / "f-shm").write_bytes(b"a map")
    assert powerloss.lose_power(f.parent) == 6
    assert f.read_bytes() == b"01ab456789" and (f.parent / "g").read_bytes() == b""
    assert sorted(p.name for p in f.parent.iterdir()) == ["f", "g"]


@pytest.mark.parametrize("sync", ["fsync", "fdatasync"])
def test_what_was_synced_stays(build, tmp, sync):
    write(build, tmp, f"a = file('f'); os.write(a, b'kept'); os.{sync}(a); os.write(file('g'), b'lost')")
    assert powerloss.lose_power(tmp) == 1
    assert ((tmp / "f").read_bytes(), (tmp / "g").read_bytes()) == (b"kept", b"")


def test_a_removed_file_takes_its_log_with_it(build, tmp):
    write(build, tmp, "os.write(file('f'), b'old'); os.unlink(sys.argv[1] + '/f');"
                      "a = file('f'); os.write(a, b'kept'); os.fsync(a)")
    assert powerloss.lose_power(tmp) == 0 and (tmp / "f").read_bytes() == b"kept"


def test_some_sectors_of_what_was_not_synced_may_survive(build, tmp):
    data = tmp / "data"
    data.mkdir()
    write(build, data, "a = file('f'); os.write(a, b'o' * 2048); os.fsync(a);"
                       "os.pwrite(a, b'n' * 1024, 512)")
    found = set()
    for seed in range(40):
        copy = shutil.copytree(data, tmp / str(seed))
        powerloss.lose_power(copy, keep=random.Random(seed))
        content = (copy / "f").read_bytes()
        assert len(content) == 2048
        sectors = [content[at:at + 512] for at in range(0, 2048, 512)]
        assert all(len(set(s)) == 1 for s in sectors) and content[:512] + content[1536:] == b"o" * 1024
        found.add(content[512:1536:512])
    assert found == {b"oo", b"on", b"no", b"nn"}


COMMITS = 40


def commit_and_die(build, folder, synchronous):
    """Commits, checkpoints among them, then a transaction too large for memory, and SIGKILL in it."""
    folder.mkdir()
    statements = ["PRAGMA journal_mode = WAL", f"PRAGMA synchronous = {synchronous}",
                  "PRAGMA wal_autocheckpoint = 20", "PRAGMA cache_size = 2",
                  "CREATE TABLE delivery (n INTEGER PRIMARY KEY, body)",
                  *(f"INSERT INTO delivery VALUES ({n}, randomblob(3000))" for n in range(COMMITS)),
                  "BEGIN", "UPDATE delivery SET body = randomblob(9000)"]
    process = subprocess.Popen([build / "tests/shims/sql", folder / "test.db"], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env=powerloss.environment(build, folder))
    try:
        for statement in statements:
            process.stdin.write(statement + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == "ok\n"
    finally:
        process.kill()
        process.communicate()


def kept(folder):
    return [n for n, in rows(folder / "test.db", "SELECT n FROM delivery ORDER BY n")]


def test_sqlite_with_full_synchronization_loses_no_commit(build, tmp):
    data = tmp / "data"
    commit_and_die(build, data, "FULL")
    for seed in range(20):
        copy = shutil.copytree(data, tmp / str(seed))
        assert powerloss.lose_power(copy, keep=random.Random(seed)) > 0
        assert kept(copy) == [*range(COMMITS)]
    assert powerloss.lose_power(data) > 0
    assert kept(data) == [*range(COMMITS)]


def test_sqlite_without_it_loses_commits(build, tmp):
    """The same as above can fail: NORMAL loses what came after the last checkpoint, OFF all."""
    commit_and_die(build, tmp / "normal", "NORMAL")
    powerloss.lose_power(tmp / "normal")
    survivors = kept(tmp / "normal")
    assert 0 < len(survivors) < COMMITS and survivors == [*range(len(survivors))]
    commit_and_die(build, tmp / "off", "OFF")
    powerloss.lose_power(tmp / "off")
    assert rows(tmp / "off/test.db", "SELECT * FROM sqlite_schema") == []


@pytest.mark.parametrize("step", ["before:answer:4", "after:insert:4", "after:commit:60"])
def test_the_handlers_promises_outlive_the_loss_of_power(
        sim, configuration, build, handler, nginx, dying, step):
    """Both shims at once: dead at a step, and nothing kept but what was synced."""
    conf = configuration(sim)
    env = crash.together(dying(step), powerloss.environment(build, conf.state))
    running = handler(conf, expect=KILLED, env=env)
    ledger = crash.Ledger(nginx(running).url, conf)
    while ledger.call(ledger.token()):
        continue
    assert running.process.wait(30) == KILLED
    powerloss.lose_power(conf.state)
    assert sum(ledger.promised.values()) > 0 and ledger.broken() == {}


@pytest.mark.parametrize("step", ["after:claim:3", "before:finish:3", "after:finish:3", "before:commit:9"])
def test_what_was_begun_outlives_the_loss_of_power(
        sim, api, configuration, build, handler, nginx, connect, dying, step):
    conf = configuration(sim, rules=END_RULES)
    env = crash.together(dying(step), powerloss.environment(build, conf.state))
    running = handler(conf, expect=KILLED, env=env)
    url = nginx(running).url
    assert connect(url, conf).status == 502
    assert running.process.wait(30) == KILLED
    powerloss.lose_power(conf.state)
    handler(conf)
    ends_what_was_begun(api, connect(url, conf, claims={"data": {"call": 2}}))


# As the first version of the inbox made it, with a call that is still to be worked on.
VERSION_1 = """
PRAGMA journal_mode = WAL;
CREATE TABLE delivery (id INTEGER PRIMARY KEY, token_sha256 BLOB NOT NULL, exp INTEGER NOT NULL,
 state TEXT NOT NULL, webhook_id TEXT NOT NULL, account_id TEXT NOT NULL, product_id TEXT NOT NULL,
 object_class TEXT NOT NULL, triggered_at TEXT, received_us INTEGER NOT NULL,
 last_received_us INTEGER NOT NULL, seen INTEGER NOT NULL DEFAULT 1, claims TEXT NOT NULL,
 body BLOB NOT NULL) STRICT;
CREATE UNIQUE INDEX delivery_token ON delivery (exp, token_sha256);
PRAGMA application_id = 1129801826;
PRAGMA user_version = 1;
INSERT INTO delivery VALUES (7, x'00', 1, 'stored', 'WH-1', 'VA-1', 'PRD-1', 'usage_file', NULL, 1, 1, 3,
 '{}', x'01');
"""


@pytest.mark.parametrize("step", ["before:commit", "after:commit"])
def test_an_upgrade_that_is_killed_is_made_whole_or_not_at_all(configuration, build, handler, dying, step):
    conf = configuration()
    path = conf.state / "inbox.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(VERSION_1)
    env = crash.together(dying(step), powerloss.environment(build, conf.state))
    ran = subprocess.run([build / "connect-webhook.fcgi", "-c", conf.path], env=env,
                         stdin=subprocess.DEVNULL, capture_output=True)
    assert ran.returncode == KILLED
    powerloss.lose_power(conf.state)
    (version,), = rows(path, "PRAGMA user_version")
    assert (version == 1) == (step == "before:commit")
    handler(conf).stop()
    assert rows(path, "SELECT id, state, seen, body FROM delivery") == [(7, "stored", 3, b"\1")]
    assert rows(path, "SELECT product_id, due_us, called FROM sweep") == [("PRD-1", 0, 1)]
