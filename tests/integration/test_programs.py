"""Policies that are programs: the examples as shipped, in every mode there is, and what badly made ones do."""

import json
import subprocess

import pytest

import calls
import http_server
import programs
from programs import VALIDATOR, poll, policy_test, program, validate  # noqa: F401


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
