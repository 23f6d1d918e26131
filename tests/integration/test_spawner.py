"""What is left behind: by a spawner that dies, and, where the handler is process 1, by anybody."""

import signal
import subprocess

import pytest

import programs
from programs import program, validate  # noqa: F401
import servers

LEAVES = programs.session(programs.says('"params":[]'), first="setsid sleep 1000 </dev/null >/dev/null 2>&1 &")


@pytest.mark.parametrize("killed", [["spawner"], ["spawner", "keeper"], ["keeper", "spawner"]], ids="-".join)
def test_what_a_dead_spawner_ran_is_buried_at_once(program, handler, nginx, killed):
    """Nobody asks anything any more."""
    conf = program(LEAVES)
    runs = handler(conf)
    url = nginx(runs).url
    assert validate(conf, url)[0].status == 200
    kinds = programs.kinds_below(runs.pid)
    assert [len(kinds[k]) for k in ("spawner", "keeper")] == [1, 1] and len(kinds["program"]) >= 2
    for kind in killed:
        programs.kill(kinds[kind][0])
    runs.wait_until(lambda: programs.below(runs.pid) == {})
    assert validate(conf, url)[0].status == 200


def test_process_1_reaps_orphans(configuration, build, tmp):
    conf = configuration()
    if subprocess.run([*servers.CONTAINER, "true"], capture_output=True).returncode != 0:
        pytest.skip("no PID namespace can be made here")
    with servers.Server([*servers.CONTAINER, build / "connect-webhook.fcgi", "-c", conf.path], tmp / "handler.log",
                        ready=conf.socket, stop=signal.SIGKILL) as runs:
        (one,) = programs.below(runs.pid)
        enter = ["nsenter", "--target", str(one), "--pid", "--mount"]
        subprocess.run([*enter, "sh", "-c", "sleep 0.1 & sleep 0.1 & exit"], check=True, stdout=subprocess.DEVNULL)
        runs.wait_until(lambda: programs.below(one) == {})
        servers.check_log(runs.log)
