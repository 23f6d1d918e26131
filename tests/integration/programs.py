"""What tests of policies that are programs share: programs, forms, and what runs below a handler.

    text = programs.session(programs.says('"action":"approve"'))
    conf.document["webhooks"][0]["policy"] = {"exec": [programs.write(conf, "p.sh", text)], "session": True}
"""

import collections
import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

import calls
import servers

FIXTURES = servers.SOURCE / "contrib/fixtures"
POLICIES = servers.SOURCE / "contrib/policies"
VALIDATOR = "WH-700-000-100"
NEEDS = {"session.py": "python3", "session.js": "node", "once.sh": "jq", "provision.py": "python3"}


def session(does, first=""):
    """A session, in shell: what it does first, and for each question, which is $line and has the id $id."""
    return (f"#!/bin/sh\n# session\n{first}\n"
            f"while read -r line; do id=${{line#*\\\"id\\\":}}; id=${{id%%,*}}\n{does}\ndone\n")


def says(members):
    """Shell: answer the question with these members of a JSON object."""
    return f"""echo '{{"id":'$id',{members}}}'"""


def write(conf, name, text):
    """The program's path, beside the configuration."""
    path = conf.folder / name
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def form(**values):
    document = json.loads((FIXTURES / "validator.json").read_text())
    for param in document["asset"]["params"]:
        param["value"] = values.get(param["id"], param["value"])
    return document


def below(pid):
    """Every process below this one, at any depth: {pid: command line}."""
    lines = running()
    parents = {p: parent_of(p) for p in lines}
    found = {pid}
    while more := {p for p, parent in parents.items() if parent in found} - found:
        found |= more
    return {p: lines[p] for p in found - {pid}}


def parent_of(pid):
    """0 of one that is gone."""
    return int(re.search(r"^PPid:\s*(\d+)|\Z", of_process(pid, "status"), re.M).group(1) or 0)


def running():
    """Every process: {pid: command line}."""
    return {int(pid): of_process(pid, "cmdline").replace("\0", " ") for pid in filter(str.isdigit, os.listdir("/proc"))}


def of_process(pid, what):
    """A text of /proc; "" of one that is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/{what}").read_text(errors="replace")
    except OSError:
        return ""


def kinds_below(handler):
    """What runs for it: {kind: [process id]}."""
    found = collections.defaultdict(list)
    names = {"policy-keeper\n": "keeper", "connect-webhook\n": "spawner"}
    for pid in below(handler):
        found[names.get(of_process(pid, "comm"), "program")].append(pid)
    return found


def kill(pid):
    """One that may have died already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def descriptors(pid):
    """Those that come with a program: its pipes, and what wakes who waits for it. (Sockets come and go with the
    web server's connections.) None: a handler hides that from all but root."""
    if os.geteuid() != 0:
        return None
    links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    return sum(link.startswith(("pipe:", "anon_inode:[eventfd]")) for link in links)


@pytest.fixture
def program(configuration, sim, need):
    """program(example, **more): a configuration whose event webhook and validator both ask a copy of it; or a
    text that is a program."""
    def make(example, **more):
        made = configuration(sim)
        text = (POLICIES / example).read_text() if example in NEEDS else example
        path = write(made, example if example in NEEDS else "program.sh", text)
        if example in NEEDS:
            need(NEEDS[example])
        runs = ["/usr/bin/node", path] if path.endswith(".js") else [path]
        policy = {"exec": runs, **({"session": True} if "session" in example else {}), **more}
        made.document["webhooks"][0]["policy"] = policy
        made.add_webhook(VALIDATOR, policy, "validator")
        made.save()
        return made
    return make


def poll(build, conf, *options, env=None):
    ran = subprocess.run([build / "connect-webhook", "poll", "--once", "--json", "-c", conf.path, *options],
                         capture_output=True, text=True, timeout=calls.TIMEOUT, env={**os.environ, **(env or {})})
    return ran, {row["object_id"]: row for row in map(json.loads, ran.stdout.splitlines())}


def policy_test(build, conf, webhook, path, env=None):
    return subprocess.run([build / "connect-webhook", "policy", "test", "-c", conf.path, "--webhook", webhook,
                           "--object", path], capture_output=True, text=True, timeout=calls.TIMEOUT,
                          env={**os.environ, **(env or {})})


def validate(conf, url, **values):
    answer = calls.connect(url, conf, VALIDATOR, body=json.dumps(form(**values)).encode())
    params = answer.json()["asset"]["params"] if answer.status == 200 else []
    return answer, {p["id"]: p for p in params}
