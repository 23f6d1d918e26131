"""Policy programs under load, while the handler, its spawner, and what that runs are killed at random: the next calls
are answered, no object is decided twice, and no process stays.

It takes CW_SECONDS (10); `make crash SECONDS=60` takes longer.
"""

import collections
import http.client
import json
import os
import pathlib
import random
import threading
import time

import pytest

import calls
import crash
import programs
import servers

SECONDS = int(os.environ.get("CW_SECONDS", 10))
PAUSE_MAX = 0.05  # seconds from the last answer to the next death
KINDS = ["handler", "spawner", "keeper", "program"]
SESSION, ONCE = "WH-700-000-100", "WH-700-000-200"
DAEMON = "setsid sleep 1000 </dev/null >/dev/null 2>&1 &\n"
DECIDES = ("case $line in *'\"kind\":\"process\"'*) " + programs.says('"action":"approve"') + ";; *) " +
           programs.says('"params":[]') + ";; esac")



def configure(conf):
    """Every program starts a daemon, and has the configuration's folder as its own."""
    session = programs.write(conf, "session.sh", programs.session(DECIDES, first=DAEMON))
    once = programs.write(conf, "once.sh", "#!/bin/sh\n" + DAEMON + "echo '{\"params\":[]}'\n")
    asks = {"exec": [session], "session": True, "cwd": str(conf.folder)}
    conf.document["webhooks"][0]["policy"] = asks
    conf.add_webhook(SESSION, asks, "validator")
    conf.add_webhook(ONCE, {"exec": [once], "cwd": str(conf.folder)}, "validator")
    conf.save()
    return conf


# ------------------------------------------------------------------------------- load

def call_until_answered(*arguments, **options):
    """A webhook, with what calls.connect() takes, until it answers 200."""
    def accepted():
        try:
            answer = calls.connect(*arguments, **options)
        except (OSError, http.client.HTTPException):
            return False
        assert answer.status in (200, 502, 503), answer  # 502: nginx finds nobody
        return answer.status == 200
    servers.wait_for(accepted)


class Client(threading.Thread):
    """Does something again and again until it is stopped."""

    def __init__(self, do):
        super().__init__()
        self.do = do
        self.changed = threading.Condition()  # guards what follows
        self.done, self.stopping, self.failure = 0, False, None

    def run(self):
        try:
            while not self.stopping:
                self.do()
                self.note(1)
        except Exception as e:  # for the test to report
            self.failure = e
            self.note(0)

    def note(self, done):
        with self.changed:
            self.done += done
            self.changed.notify_all()

    def wait_for_next(self):
        """Until it has done once what it began after this moment, which is the second from now at the latest."""
        with self.changed:
            wanted = self.done + 2
            in_time = self.changed.wait_for(lambda: self.done >= wanted or self.failure, 2 * servers.TIMEOUT)
        assert self.failure is None, repr(self.failure)
        assert in_time, "nothing is done any more"


def asks_form(url, conf, webhook):
    body = json.dumps(programs.form()).encode()
    return Client(lambda: call_until_answered(url, conf, webhook, body=body))


def orders(url, conf, api):
    """A purchase each time, and the calls that it takes to have it decided."""
    def order():
        made = api.post("/requests", calls.ORDER)["id"]
        while api.get(f"/requests/{made}")["status"] == "pending":
            call_until_answered(url, conf)
    return Client(order)


# -------------------------------------------------------------------------- processes

def start_of(pid):
    """When it was started, by which it can be told from a later process of the same number; "" of one that is gone."""
    return "".join(programs.of_process(pid, "stat").rpartition(")")[2].split()[19:20])


def works_in(pid, folder):
    try:
        return os.readlink(f"/proc/{pid}/cwd") == str(folder)
    except OSError:
        return False


class Killer:
    """Kills one of each kind, then again, in any order."""

    def __init__(self, handler):
        self.handler = handler
        self.due, self.killed = [], collections.Counter()
        self.seen = set()  # (process id, start)

    def kill_one(self):
        kinds = {**programs.kinds_below(self.handler.server.pid), "handler": [self.handler.server.pid]}
        self.seen.update((pid, start_of(pid)) for pids in kinds.values() for pid in pids)
        self.due = self.due or random.sample(KINDS, len(KINDS))
        kind = self.due.pop()
        if kind in kinds:  # it may have died with another one
            programs.kill(random.choice(kinds[kind]))
            self.killed[kind] += 1

    def left(self, folder):
        """Those that were seen and still run, and whatever works in the folder."""
        return ([pid for pid, start in self.seen if start and start_of(pid) == start] +
                [p.name for p in pathlib.Path("/proc").glob("[0-9]*") if works_in(p.name, folder)])


@pytest.mark.time_limit(SECONDS + 120)
def test_whatever_is_killed_the_next_call_is_answered(build, tmp, running, sim, api, configuration, nginx):
    conf = configure(configuration(sim))
    handler = crash.Restarted([build / "connect-webhook.fcgi", "-c", conf.path], tmp / "handler.log",
                              deaths_max=SECONDS / PAUSE_MAX)
    running.enter_context(handler)
    server = nginx(conf.socket)
    clients = [asks_form(server.url, conf, SESSION), asks_form(server.url, conf, ONCE), orders(server.url, conf, api)]
    killer = Killer(handler)
    for client in clients:
        client.start()
    try:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline or len(killer.killed) < len(KINDS):
            for client in clients:
                client.wait_for_next()
            time.sleep(random.uniform(0, PAUSE_MAX))
            killer.kill_one()
        for client in clients:
            client.wait_for_next()
    finally:
        for client in clients:
            client.stopping = True
        for client in clients:
            client.join()
    print(f"killed: {dict(killer.killed)}; done: {[client.done for client in clients]}")
    assert handler.deaths == killer.killed["handler"]
    handler.stop()
    server.wait_until(lambda: not killer.left(conf.folder))

    approved = collections.Counter(c["path"] for c in api.received()
                                   if c["path"].endswith("/approve") and c["status"] == 200)
    assert len(approved) >= clients[-1].done and set(approved.values()) == {1}
