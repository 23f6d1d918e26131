"""Who is dead, and who only cannot be seen: programs that share an inbox across sandboxes, PID namespaces and boots, and
without a descriptor to spare."""

import resource
import signal
import subprocess
import time

import pytest

import calls
import programs
import servers

LEASE = "10m"  # far longer than any test waits: what is taken over before is known to be lost
QUEUE = {"workers": 0, "poll_interval": 0, "lease": LEASE}

# The first to be asked waits, whoever comes later answers at once.
FIRST_WAITS = """#!/bin/sh
mkdir first 2>/dev/null && first=yes
echo asked >> asked
if [ -n "$first" ]; then while [ ! -e goes ]; do sleep 0.05; done; fi
echo '{"action":"fail","reason":"not today"}'
"""

def proc(options):
    """A command's beginning: with another /proc, for a user who may not see all."""
    return ["unshare", "--mount", "sh", "-c", f"mount -t proc -o {options} proc /proc && exec \"$@\"", "-",
            "setpriv", "--regid=65534", "--clear-groups", "--bounding-set=-sys_ptrace"]


PLACES = {
    "here": [],
    "hidepid": proc("hidepid=2"),
    "sandbox": proc("hidepid=2,subset=pid"),  # as the units' ProtectProc=invisible and ProcSubset=pid make it
    "container": servers.CONTAINER,
}
PAIRS = [("here", "here"), ("here", "sandbox"), ("hidepid", "here"), ("sandbox", "sandbox"), ("container", "here"),
         ("container", "container")]


@pytest.fixture
def place():
    """place(name): what a command begins with, to be run there."""
    def find(name):
        wrapper = PLACES[name]
        if wrapper and subprocess.run([*wrapper, "true"], capture_output=True).returncode != 0:
            pytest.skip(f"no {name} can be made here")
        return wrapper
    return find


@pytest.fixture
def conf(configuration, small_connect):
    made = configuration(api_url=small_connect.url, mode="queue", processing=QUEUE)
    made.webhook(calls.WEBHOOK)["policy"] = {"exec": [programs.write(made, "first.sh", FIRST_WAITS)],
                                             "cwd": str(made.folder)}
    made.folder.chmod(0o777)
    made.save()
    return made


@pytest.fixture
def works(build, tmp, conf, running, place):
    """works(place, name): a worker there. It is killed in the end."""
    def start(where, name):
        command = [*place(where), build / "connect-webhook", "worker", "--workers", "1", "-c", conf.path]
        return running.enter_context(servers.Server(command, tmp / f"{name}.log", stop=signal.SIGKILL))
    return start


def asked(conf):
    """How often the policy has been."""
    file = conf.folder / "asked"
    return len(file.read_text().splitlines()) if file.exists() else 0


@pytest.mark.parametrize("here, there", PAIRS)
def test_who_is_killed_is_dead_at_once(small_connect, conf, handler, nginx, call, works, here, there):
    wanted = small_connect.add("purchase")
    call(nginx(handler(conf)).url, conf)
    first = works(there, "first")
    first.wait_until(lambda: asked(conf) == 1)
    first.kill()
    second = works(here, "second")
    second.wait_until(lambda: small_connect.status(wanted) == "failed")
    assert small_connect.done == [(wanted, "fail")] and asked(conf) == 2


@pytest.mark.parametrize("here, there", PAIRS)
def test_who_only_cannot_be_seen_is_alive(small_connect, conf, handler, nginx, call, works, here, there):
    wanted = small_connect.add("purchase")
    url = nginx(handler(conf)).url
    call(url, conf)
    first = works(there, "first")
    first.wait_until(lambda: asked(conf) == 1)
    second = works(here, "second")
    later = small_connect.add("purchase")
    call(url, conf)
    second.wait_until(lambda: small_connect.status(later) == "failed")
    assert asked(conf) == 2 and small_connect.done == [(later, "fail")]
    (conf.folder / "goes").touch()
    first.wait_until(lambda: small_connect.status(wanted) == "failed")
    first.wait_until(lambda: conf.rows("SELECT DISTINCT state, result FROM task") == [("done", "done")])
    assert asked(conf) == 2 and small_connect.done == [(later, "fail"), (wanted, "fail")]


def test_who_has_no_descriptor_to_spare_thinks_nobody_dead(small_connect, conf, handler, nginx, call, works):
    small_connect.add("purchase")
    url = nginx(handler(conf)).url
    call(url, conf)
    first = works("here", "first")
    first.wait_until(lambda: asked(conf) == 1)
    second = works("here", "second")
    second.wait_until(lambda: conf.rows("SELECT count(*) FROM worker") == [(2,)])
    most = resource.prlimit(second.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(second.pid, resource.RLIMIT_NOFILE, (3, most[1]))
    time.sleep(2.5)  # it looks once a second, and what is waited for is that nothing happens
    assert conf.rows("SELECT state FROM task") == [("running",)]
    resource.prlimit(second.pid, resource.RLIMIT_NOFILE, most)
    later = small_connect.add("purchase")
    call(url, conf)
    second.wait_until(lambda: small_connect.status(later) == "failed")
    assert asked(conf) == 2 and small_connect.done == [(later, "fail")]


@pytest.mark.parametrize("where", ["here", "sandbox"])
def test_what_is_stored_before_a_power_loss_is_done_after_it(small_connect, conf, nginx, call, build, tmp, works, place,
                                                             where):
    """The boot before it had lasted for a year; from the sandbox nobody can see that this is another one."""
    (conf.folder / "first").mkdir()  # nobody waits
    before = ["unshare", "--time", "--boottime", str(365 * 86400), "--fork", *place(where)]
    if subprocess.run([*before, "true"], capture_output=True).returncode != 0:
        pytest.skip("no other boot can be made here")
    wanted = small_connect.add("purchase")
    with servers.Server([*before, build / "connect-webhook.fcgi", "-c", conf.path], tmp / "before.log",
                        ready=conf.socket) as runs:
        call(nginx(conf.socket).url, conf)
        for pid in programs.below(runs.pid):
            programs.kill(pid)
    after = works(where, "after")
    after.wait_until(lambda: small_connect.status(wanted) == "failed")
    assert small_connect.done == [(wanted, "fail")]
