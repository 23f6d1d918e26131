"""Connections that come and go without pause, while the spawner dies after each answer and is started again: between
fork and exec its process has copies of all connections, and what the handler closes meanwhile must be closed for it.

It takes CW_SECONDS (3); `make crash SECONDS=60` takes longer.
"""

import json
import os
import threading
import time

import pytest

import calls
import programs
import servers
from fcgi_client import Connection, request

SECONDS = int(os.environ.get("CW_SECONDS", 3))
AT_ONCE = 32  # connections of one caller that are open at a time
ANSWERS = "#!/bin/sh\necho '{\"params\":[]}'\n"


class Caller(threading.Thread):
    """Opens connections, asks, and drops them with or without the answer."""

    def __init__(self, address):
        super().__init__()
        self.address = address
        self.stopping = False
        self.dropped = 0

    def run(self):
        whole = request(b"{}")
        while not self.stopping:
            some = []
            try:
                for n in range(AT_ONCE):
                    some.append(Connection(self.address))
                    some[-1].send(whole[:len(whole) * (n % 4) // 3])
            except OSError:
                pass  # nobody accepts for a moment; that the program is gone is seen elsewhere
            for connection in some:
                connection.close()
            self.dropped += len(some)


def connect(address):
    """As soon as the callers leave room among those that wait to be accepted."""
    for in_time in servers.looks():
        try:
            return Connection(address)
        except BlockingIOError:
            assert in_time, "nobody is accepted any more"


@pytest.mark.time_limit(SECONDS + 120)
def test_a_closed_connection_is_gone_while_the_spawner_starts(configuration, handler):
    conf = configuration()
    conf.add_webhook(programs.VALIDATOR, {"exec": [programs.write(conf, "once.sh", ANSWERS)]}, "validator")
    conf.save()
    program = handler(conf)
    body = json.dumps(programs.form()).encode()
    callers = [Caller(f"unix:{conf.socket}") for _ in range(2)]
    for caller in callers:
        caller.start()
    try:
        deadline, killed = time.monotonic() + SECONDS, 0
        while time.monotonic() < deadline:
            claims = calls.claims_of(conf, programs.VALIDATOR, data={"call": killed})
            token = calls.sign(claims, conf.secrets[programs.VALIDATOR])
            with connect(f"unix:{conf.socket}") as connection:
                answer = connection.ask(body, HTTP_AUTHENTICATION=f"Bearer {token}")
            assert answer.status == 200, answer.body
            for pid in programs.kinds_below(program.pid)["spawner"]:
                programs.kill(pid)
                killed += 1
    finally:
        for caller in callers:
            caller.stopping = True
        for caller in callers:
            caller.join()
    print(f"killed: {killed}; connections: {sum(c.dropped for c in callers)}")
    assert killed > 1 and all(c.dropped > 0 for c in callers)
