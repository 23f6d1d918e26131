"""What tests of the operator's commands share: an inbox in which something has happened, and the command."""

import json
import subprocess

import pytest

import servers

QUEUE = {"workers": 4, "poll_interval": 0, "backoff_min": "1s", "backoff_max": "1s", "max_attempts": 2}
RULES = """\
- when: eq(type,change)
  then: { action: skip, reason: by hand }
- when: eq(type,cancel)
  then: { action: approve, template_id: TL-9-9-9 }
- then: { action: fail, reason: not today }
"""
ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"


@pytest.fixture
def conf(small_connect, configuration):
    return configuration(api_url=small_connect.url, rules=RULES, mode="queue", processing=QUEUE,
                         inbox={"lock_timeout": "500ms"})


@pytest.fixture
def command(build, conf):
    """command(*words, status=0): what it prints; command.rows(...): its JSON lines."""
    def run(*words, status=0, stderr=None):
        ran = subprocess.run([build / "connect-webhook", *words, "-c", conf.path], stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, timeout=servers.TIMEOUT)
        assert ran.returncode == status, (words, ran.stdout, ran.stderr)
        assert (stderr or "") in ran.stderr and (stderr is not None or ran.stderr == ""), ran.stderr
        return ran.stdout

    def rows(*words):
        return [json.loads(line) for line in run(*words, "--json").splitlines()]

    run.rows = rows
    return run


@pytest.fixture
def worked(conf, small_connect, handler, nginx, call):
    """(handler, address, {type: object}) once a call has led to one done, one skipped, one dead."""
    runs = handler(conf)
    url = nginx(runs).url
    made = {type_: small_connect.add(type_) for type_ in ("purchase", "change", "cancel")}
    small_connect.status_of[f"POST /requests/{made['cancel']}/approve"] = 400
    call(url, conf)
    runs.wait_until(lambda: {s for s, _ in conf.tasks().values()} == {"done", "skipped", "dead"}
                    and len(conf.tasks()) == 3)
    return runs, url, made


def by_object(rows):
    return {row["object_id"]: row for row in rows}
