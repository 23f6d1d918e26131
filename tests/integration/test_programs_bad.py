"""Programs that hang, crash, talk nonsense or are killed: each costs one answer, and leaves nothing."""

import json
import os
import pathlib
import signal
import time

import pytest

import calls
import programs
from programs import program, validate  # noqa: F401

FILLS_DISK = "f=$(mktemp); exec 3<>$f; rm $f; exec dd if=/dev/zero bs=1 count=1 seek=2G >&3"
BAD = {
    "sleeps": "#!/bin/sh\nsleep 1000\n",
    "crashes": "#!/bin/sh\nkill -SEGV $$\n",
    "garbage": "#!/bin/sh\necho garbage\n",
    "a gigabyte": "#!/bin/sh\nhead -c 1G /dev/zero\n",
    "never reads": "#!/bin/sh\nexec sleep 1000 <&-\n",
    "ignores SIGTERM": "#!/bin/sh\ntrap '' TERM\nsleep 1000; sleep 1000\n",
    "a daemon": "#!/bin/sh\nsetsid sleep 1000 &\nsetsid sh -c 'sleep 1000 & sleep 1000' &\nexit 1\n",
    "fills its disk": f"#!/bin/sh\n{FILLS_DISK}\n",
    "half a line": "#!/bin/sh\nprintf '{\"params\":'\n",
    "another id": "#!/bin/sh\necho '{\"id\":4711,\"params\":[]}'\n",
    "session: sleeps": programs.session("sleep 1000"),
    "session: crashes": programs.session("kill -SEGV $$"),
    "session: garbage": programs.session("echo garbage"),
    "session: a gigabyte": programs.session("head -c 1G /dev/zero"),
    "session: never reads": "#!/bin/sh\n# session\nexec sleep 1000 <&-\n",
    "session: ignores SIGTERM": "#!/bin/sh\n# session\ntrap '' TERM\nsleep 1000; sleep 1000\n",
    "session: a daemon": programs.session("setsid sleep 1000 & exit 1"),
    "session: fills its disk": programs.session(FILLS_DISK),
    "session: half a line": programs.session("printf '{\"id\":'"),
    "session: another id": programs.session("echo '{\"id\":4711,\"params\":[]}'"),
}


@pytest.mark.parametrize("how", BAD)
def test_a_bad_program_costs_one_answer_and_leaves_nothing(program, handler, nginx, how):
    """It is answered 503 within its time, the next call is served, and nothing of the program is left."""
    conf = program(BAD[how], timeout="1s")
    good = "WH-700-000-200"
    other = programs.write(conf, "good.sh", "#!/bin/sh\necho '{\"params\":[]}'\n")
    conf.add_webhook(good, {"exec": [other]}, "validator")
    conf.save()
    runs = handler(conf)
    server = nginx(conf.socket)
    body = json.dumps(programs.form()).encode()
    assert calls.connect(server.url, conf, good, body=body).status == 200  # so that the spawner runs
    before = programs.descriptors(runs.pid)
    for _ in range(2):
        start = time.monotonic()
        answer, _ = validate(conf, server.url)
        assert answer.status == 503, answer.body
        assert time.monotonic() - start < 5
        assert calls.connect(server.url, conf, good, body=body).status == 200
    runs.wait_until(lambda: len(programs.below(runs.pid)) == 1)  # the spawner
    runs.wait_until(lambda: programs.descriptors(runs.pid) == before)
    assert runs.stop() == 0
    if before is None:
        pytest.skip("all was right, as far as others than root can see: not what the handler has open")


def test_no_program_is_near_a_secret(sim, program, handler, nginx, sees_files):
    """Neither in variables, nor arguments, nor descriptors of any process below the handler."""
    conf = program(programs.session(programs.says('"params":[]')))
    runs = handler(conf, env={"OURS": "a secret that is in our environment"})
    server = nginx(conf.socket)
    assert validate(conf, server.url)[0].status == 200
    children = programs.below(runs.pid)
    assert len(children) == 3  # the spawner, who looks after the program, and the program
    secrets = [sim.api_key, calls.SECRET, conf.secrets[calls.WEBHOOK], "a secret that is in our environment"]
    for pid, line in children.items():
        variables = pathlib.Path(f"/proc/{pid}/environ").read_text()
        assert not any(s in line or s in variables for s in secrets)
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        assert all(link.startswith(("pipe:", "socket:", "/dev/null")) or link == str(conf.folder / "program.sh")
                   for link in links), links
    program_pid = max(children)
    assert {"0", "1", "2"} <= set(os.listdir(f"/proc/{program_pid}/fd"))
    if os.geteuid() == 0:
        status = pathlib.Path(f"/proc/{program_pid}/status").read_text()
        assert "Uid:\t0" not in status


def test_a_reload_takes_other_sessions(program, handler, nginx):
    conf = program(programs.session(programs.says(""""params":[{"id":"admin_email","value":"'$$'"}]""")))
    runs = handler(conf)
    server = nginx(conf.socket)
    first = validate(conf, server.url)[1]["admin_email"]["value"]
    assert validate(conf, server.url)[1]["admin_email"]["value"] == first
    runs.signal(signal.SIGHUP)
    runs.wait_until(lambda: "reloaded" in runs.log)
    assert validate(conf, server.url)[1]["admin_email"]["value"] != first
    runs.wait_until(lambda: int(first) not in programs.below(runs.pid))


def test_what_is_killed_from_outside_is_run_again(program, handler, nginx):
    """The spawner with all that it has forked, and the handler: no process stays, the next call is answered."""
    conf = program(programs.session("setsid sleep 1000 &\n" + programs.says('"params":[]')))
    runs = handler(conf)
    server = nginx(conf.socket)
    assert validate(conf, server.url)[0].status == 200
    kinds = programs.kinds_below(runs.pid)
    for pid in kinds["spawner"] + kinds["keeper"]:
        programs.kill(pid)
    assert validate(conf, server.url)[0].status == 200
    assert "connect-webhook-spawner has died" in runs.log
    children = programs.below(runs.pid)
    runs.kill()
    runs.expect = -signal.SIGKILL
    server.wait_until(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in children))
