"""The secrets of a running program: out of core files, and out of other programs' reach."""

import os
import pathlib
import shutil
import subprocess

import pytest

import servers
from small_connect import Connect


@pytest.fixture
def user():
    """Whom programs run as, so that their files in /proc tell whether they may be traced: those of
    one that may are the user's, those of one that may not are root's."""
    return servers.as_nobody()


@pytest.fixture
def program(build, tmp):
    """program(name): its path, where the user can reach it."""
    about = subprocess.run([build / "connect-webhook", "version"], capture_output=True, text=True, timeout=30)
    if "sanitizer:    no\n" not in about.stdout:
        pytest.skip("a sanitizer has to trace the program")
    return lambda name: servers.share(shutil.copy(build / name, tmp / name))


def assert_guarded(pid):
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
    core, = (line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core == ["0", "0"]
    assert os.stat(f"/proc/{pid}/environ").st_uid == 0


def test_a_program_may_be_traced_unless_it_says_otherwise(user, tmp):
    """What the others are told apart from."""
    with servers.Server(["sleep", "60"], tmp / "log", **user) as sleeper:
        assert os.stat(f"/proc/{sleeper.pid}/environ").st_uid == user.get("user", os.geteuid())


def test_the_handler_is_guarded(program, tmp, running, configuration, user):
    conf = configuration(web={"group": "nogroup"} if user else {})
    path = program("connect-webhook.fcgi")
    servers.own(tmp, servers.NOBODY)
    handler = running.enter_context(servers.Server([path, "-c", conf.path], tmp / "handler.log",
                                                   ready=conf.socket, **user))
    assert_guarded(handler.pid)


def test_the_command_is_guarded(program, tmp, running, configuration, user):
    with Connect() as connect:
        conf = configuration(api_url=connect.url, rules="- then: { action: fail, reason: x }\n")
        connect.hanging = {f"POST /requests/{connect.add('purchase')}/fail"}
        path = program("connect-webhook")
        servers.own(tmp, servers.NOBODY)
        poll = running.enter_context(servers.Server([path, "poll", "--once", "-c", conf.path],
                                                    tmp / "poll.log", **user))
        poll.wait_until(connect.is_hanging)
        assert_guarded(poll.pid)


def test_connect_sim_is_guarded(program, tmp, user):
    path = program("connect-sim")
    servers.own(tmp, servers.NOBODY)
    with servers.Server([path, "--listen", "127.0.0.1:0"], tmp / "sim.log", stdout=subprocess.PIPE,
                        **user) as sim:
        assert b"ready" in sim.process.stdout.readline()
        assert_guarded(sim.pid)
        sim.process.stdout.close()
