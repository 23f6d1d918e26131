"""Policies that are programs: the examples as shipped, in every mode there is, and what badly made ones do."""

import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

import calls
import http_server
import programs
import servers

POLICIES = servers.SOURCE / "contrib/policies"
VALIDATOR = "WH-700-000-100"
NEEDS = {"session.py": "python3", "session.js": "node", "once.sh": "jq", "provision.py": "python3"}


@pytest.fixture
def program(configuration, sim, need):
    """program(example, **more): a configuration whose event webhook and validator both ask a copy of it; or a
    text that is a program."""
    def make(example, **more):
        made = configuration(sim)
        text = (POLICIES / example).read_text() if example in NEEDS else example
        path = programs.write(made, example if example in NEEDS else "program.sh", text)
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
    answer = calls.connect(url, conf, VALIDATOR, body=json.dumps(programs.form(**values)).encode())
    params = answer.json()["asset"]["params"] if answer.status == 200 else []
    return answer, {p["id"]: p for p in params}


# ----------------------------------------------------------------------- the examples, in every mode

@pytest.mark.parametrize("example", ["session.py", "session.js", "once.sh"])
def test_an_example_decides_and_answers_behind_a_web_server(sim, api, program, handler, nginx, example):
    conf = program(example)
    runs = handler(conf)
    server = nginx(conf.socket)
    api.point_webhook(calls.WEBHOOK, server.url)
    before = {r["id"]: r["status"] for r in api.get("/requests?status=pending&limit=100")}
    assert len(before) > 0
    api.trigger(calls.WEBHOOK)
    decided = {r for r in before if api.get(f"/requests/{r}")["status"] != "pending"}
    assert len(decided) > 0, runs.log
    for email, error in (("nobody", True), (" Boss@Harbour.example ", False)):
        answer, params = validate(conf, server.url, admin_email=email)
        assert answer.status == 200, answer.body
        assert params["admin_email"]["value"] == email.strip().lower()
        assert (params["admin_email"]["value_error"] != "") == error
    assert runs.stop() == 0


@pytest.mark.parametrize("example", ["session.py", "session.js", "once.sh"])
def test_an_example_decides_in_a_poll(sim, api, program, build, example):
    conf = program(example)
    ran, rows = poll(build, conf)
    assert {row["result"] for row in rows.values()} <= {"done", "skip", "reschedule"}, ran.stderr
    assert "done" in {row["result"] for row in rows.values()}, ran.stdout
    assert "Traceback" not in ran.stderr


def test_a_session_has_connect_read(sim, api, program, build):
    """What session.js approves it has looked up: the message tells the asset's id."""
    conf = program("session.js")
    _, rows = poll(build, conf)
    read = [c for c in api.received() if c["method"] == "GET" and c["path"].startswith("/assets/AS-")]
    approved = [r for r in rows.values() if r["action"] == "approve"]
    assert len(approved) > 0 and len(read) >= len(approved)


@pytest.mark.parametrize("session", [False, True])
def test_a_program_answers_as_cgi(program, build, session):
    conf = program("session.py" if session else "once.sh")
    body = json.dumps(programs.form(admin_email="nobody")).encode()
    token = calls.sign(calls.claims_of(conf, VALIDATOR), calls.SECRET)
    ran = subprocess.run([build / "connect-webhook.fcgi"], input=body, capture_output=True, timeout=calls.TIMEOUT,
                         env={"CONNECT_WEBHOOK_CONFIG": str(conf.path), "REQUEST_METHOD": "POST",
                              "GATEWAY_INTERFACE": "CGI/1.1", "CONTENT_LENGTH": str(len(body)),
                              "HTTP_AUTHENTICATION": f"Bearer {token}", "HTTP_PROXY": "http://127.0.0.1:1"})
    assert b"Status: 200" in ran.stdout, ran.stderr
    assert b"Please give an e-mail address." in ran.stdout


def test_a_session_is_tried_with_or_without_the_key(program, build):
    """`policy test` reads Connect for it where the account's key can be read; a warning is said once."""
    def told(value):
        return programs.says('"params":[{"id":"admin_email","value":"' + value + '"}]')
    conf = program(programs.session("case $line in *'\"kind\":'*) " + programs.says('"get":"/assets"') + ";; "
                                    "*'\"status\":200'*) " + told("read") + ";; *) " + told("unread") + ";; esac"))
    conf.add_secret(VALIDATOR, "short")
    question = conf.folder / "form.json"
    question.write_text(json.dumps(programs.form()))
    ran = policy_test(build, conf, VALIDATOR, question)
    assert '"read"' in ran.stdout, ran.stdout + ran.stderr
    assert ran.stderr.count("HS256 wants at least") == 1
    (conf.folder / "api.key").unlink()
    ran = policy_test(build, conf, VALIDATOR, question)
    assert '"unread"' in ran.stdout, ran.stdout + ran.stderr


class Vendor(http_server.Server):
    """A vendor's API: PUT /tenants/ID makes a tenant, or finds it."""

    def __init__(self):
        self.tenants, self.fails = {}, False
        super().__init__(self.handler(), "")

    def handler(self):
        vendor = self

        class Handler(http_server.Handler):
            def do_PUT(self):
                self.body()
                name = self.path.rpartition("/")[2]
                if vendor.fails or self.headers["Authorization"] != "Bearer vendor-token":
                    self.reply(503)
                else:
                    vendor.tenants.setdefault(name, f"tenant-{len(vendor.tenants) + 1}")
                    self.reply(200, json.dumps({"id": vendor.tenants[name]}).encode())
        return Handler


def test_provisioning_makes_each_tenant_once(sim, api, program, build):
    with Vendor() as vendor:
        conf = program("provision.py", env=["VENDOR_URL", "VENDOR_TOKEN"])
        env = {"VENDOR_URL": vendor.url, "VENDOR_TOKEN": "vendor-token"}
        purchases = [r["id"] for r in api.get("/requests?status=pending&type=purchase&limit=100")
                     if r["asset"]["product"]["id"] == calls.PRODUCT]
        vendor.fails = True
        ran, rows = poll(build, conf, env=env)
        assert {rows[p]["result"] for p in purchases} == {"retry"} and vendor.tenants == {}
        assert "provision.py asks to be asked later (exit status 75)" in rows[purchases[0]]["reason"]
        vendor.fails = False
        poll(build, conf, "--dry-run", env=env)
        assert vendor.tenants == {}
        ran, rows = poll(build, conf, env=env)
        assert len(vendor.tenants) == len(purchases)
        assert {rows[p]["result"] for p in purchases} <= {"done", "dead"}, ran.stdout
        # Asked again about the same, it makes nothing more.
        question = conf.folder / "request.json"
        question.write_text(json.dumps({**api.get(f"/requests/{purchases[0]}"), "status": "pending"}))
        before = dict(vendor.tenants)
        asked = policy_test(build, conf, calls.WEBHOOK, question, env)
        assert asked.returncode == 0, asked.stderr
        assert vendor.tenants == before and before[api.get(f"/requests/{purchases[0]}")["asset"]["id"]] in asked.stdout


# --------------------------------------------------------------------------- what must not go wrong

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


def test_no_program_is_near_a_secret(sim, program, handler, nginx):
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
    for pid, line in programs.below(runs.pid).items():
        if "connect-webhook-spawner" in line:
            os.kill(pid, signal.SIGKILL)
    # The program dies of its keeper's death, a moment after it. (A dead process has no command line.)
    servers.wait_for(lambda: all("sleep" in line for line in programs.below(runs.pid).values() if line))
    assert validate(conf, server.url)[0].status == 200
    assert "connect-webhook-spawner has died" in runs.log
    children = programs.below(runs.pid)
    runs.kill()
    runs.expect = -signal.SIGKILL
    server.wait_until(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in children))
