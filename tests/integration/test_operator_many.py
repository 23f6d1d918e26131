"""A hundred thousand tasks, and who looks at them."""

import concurrent.futures
import contextlib
import os
import pty
import signal
import sqlite3
import subprocess
import time

import pytest

import calls
import inbox_rows
from operating import conf, command, worked  # noqa: F401
import servers

MANY = 100000  # tasks
SCREEN = 1  # seconds until the first one is shown


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


def is_taken_over(conf):
    """Does a checkpoint leave nothing in the WAL?"""
    with contextlib.closing(sqlite3.connect(conf.state / "inbox.db", timeout=calls.TIMEOUT)) as db:
        busy, pages, taken = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return (busy, pages) == (0, taken)


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
            servers.wait_for(lambda: is_taken_over(conf))  # the handler may write, too: for a moment
        finally:
            slow.kill()


def on_a_terminal(build, conf, *words):
    """(process, its terminal)"""
    try:
        ours, theirs = pty.openpty()
    except OSError as e:
        pytest.skip(f"no terminal can be had here: {e}")
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
