"""connect-webhook token: signs what others verify, and tells why it would not."""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import subprocess
import time

import pytest

BUILD = pathlib.Path(os.environ.get("BUILDDIR", os.getcwd()))
PROGRAM = BUILD / "connect-webhook"
TIMEOUT = 30  # seconds
SECRETS = {"WH-1": "first secret of one, which is long", "WH-2": "secret of two, which is long enough"}


def token(*args, stdin="", **env):
    return subprocess.run([PROGRAM, "token", *args], input=stdin, capture_output=True, text=True,
                          timeout=TIMEOUT, env={**os.environ, **env})


def decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def hs256(secret, text):
    return encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())


def forge(header, claims, secret):
    text = encode(json.dumps(header).encode()) + "." + encode(json.dumps(claims).encode())
    return text + "." + hs256(secret, text)


def claims_of(text):
    return json.loads(decode(text.strip().split(".")[1]))


@pytest.fixture
def secret_file(tmp_path):
    path = tmp_path / "secret"
    path.write_text(SECRETS["WH-1"] + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def config(tmp_path):
    """Two webhooks; the first is being given a new secret."""
    names = {"WH-1.new": "second secret of one, which is long", **SECRETS}
    for name, secret in names.items():
        (tmp_path / name).write_text(secret)
        (tmp_path / name).chmod(0o600)
    (tmp_path / "account.key").write_text("ApiKey SU-1:not-loaded")
    (tmp_path / "account.key").chmod(0o600)
    path = tmp_path / "connect-webhook.yaml"
    path.write_text(f"""
accounts:
  - id: VA-240-990
    api_url: https://api.example.com/public/v1
    api_key: {{ file: {tmp_path}/account.key }}
inbox:
  url: sqlite:{tmp_path}/inbox.db
webhooks:
  - id: WH-1
    account: VA-240-990
    product: PRD-578-226-824
    object_class: fulfillment_request
    type: event
    secrets: [ {{ file: {tmp_path}/WH-1 }}, {{ file: {tmp_path}/WH-1.new }} ]
  - id: WH-2
    account: VA-240-990
    product: PRD-578-226-824
    object_class: tier_config_request
    type: event
    secrets: [ {{ file: {tmp_path}/WH-2 }} ]
""")
    return path


# The command line.

@pytest.mark.parametrize("args", [
    [], ["resign"], ["sign", "--secret", "x"], ["sign", "extra"], ["verify", "a", "b"],
    ["sign", "--claim", "no-equals-sign"], ["sign", "--claim", "=x"], ["sign", "--expires-in", "1h"],
    ["sign", "--secret-env", "A", "--secret-env", "B"], ["verify", "--webhook", "WH-1"],
])
def test_refuses_command_lines_that_make_no_sense(args):
    ran = token(*args)
    assert ran.returncode == 2
    assert "token --help" in ran.stderr and ran.stdout == ""


def test_help_teaches():
    for args in (["--help"], ["sign", "--help"], ["verify", "-h"]):
        ran = token(*args)
        assert ran.returncode == 0 and "Examples:" in ran.stdout and ran.stderr == ""


def test_refuses_a_secret_that_is_none(tmp_path):
    path = tmp_path / "secret"
    for content, mode, says in (("", 0o600, "is empty"), ("hush", 0o644, "chmod"), ("x" * 5000, 0o600, "longer")):
        path.write_text(content)
        path.chmod(mode)
        ran = token("sign", "--secret-file", path, "--webhook", "WH-1")
        assert ran.returncode == 1 and says in ran.stderr and "hush" not in ran.stderr
    assert token("sign", "--secret-env", "NOT_THERE", "--webhook", "WH-1").returncode == 1
    assert "--webhook" in token("sign", "--secret-env", "S", S="hush").stderr


# Signing.

def test_signs_what_the_standard_library_verifies(secret_file):
    ran = token("sign", "--secret-file", secret_file, "--webhook", "WH-1")
    text = ran.stdout.strip()
    head, signature = text.rsplit(".", 1)
    assert signature == hs256(SECRETS["WH-1"], head)
    assert json.loads(decode(head.split(".")[0])) == {"typ": "JWT", "alg": "HS256"}
    claims = claims_of(text)
    assert abs(claims["exp"] - time.time() - 600) < 30
    assert claims["webhook_id"] == "WH-1" and claims["data"] == {}
    assert claims["last_success_at"] is None and claims["processing_timeout"] == 600


def test_takes_claims_as_json_or_as_text(tmp_path, secret_file):
    path = tmp_path / "claims.json"
    path.write_text('{"product_id": "PRD-9", "data": {"n": 1.10}, "exp": 5}')
    ran = token("sign", "--secret-file", secret_file, "--claims", path, "--claim", "webhook_id=WH-7",
                "--claim", 'data={"a":[1,null]}', "--claim", "account_id=VA-1=2", "--claim", "x=null", "--claim", "y=")
    claims = claims_of(ran.stdout)
    assert claims["product_id"] == "PRD-9" and claims["exp"] == 5 and claims["webhook_id"] == "WH-7"
    assert claims["data"] == {"a": [1, None]} and claims["account_id"] == "VA-1=2"
    assert claims["x"] is None and claims["y"] == ""
    path.write_text('["no object"]')
    assert token("sign", "--secret-file", secret_file, "--claims", path).returncode == 2


def test_fills_in_what_the_configuration_knows(config):
    assert "--webhook" in token("sign", "-c", config).stderr
    assert "not configured" in token("sign", "-c", config, "--webhook", "WH-3").stderr
    text = token("sign", "-c", config, "--webhook", "WH-2").stdout.strip()
    head, signature = text.rsplit(".", 1)
    assert signature == hs256(SECRETS["WH-2"], head)
    claims = claims_of(text)
    assert list(claims) == ["webhook_id", "webhook_name", "object_class", "account_id", "product_id", "api_url",
                            "triggered_at", "last_success_at", "last_failure_at", "processing_timeout", "data", "exp"]
    assert claims["object_class"] == "tier_config_request" and claims["account_id"] == "VA-240-990"
    assert claims["product_id"] == "PRD-578-226-824" and claims["api_url"] == "https://api.example.com/public/v1"


# Verifying.

def failed(ran):
    got = json.loads(ran.stdout)
    assert ran.returncode == (0 if got["valid"] else 1)
    return got["failed"]


@pytest.mark.parametrize("step, header, claims, secret", [
    ("algorithm", {"alg": "none"}, {}, "WH-1"),
    ("algorithm", {"alg": "HS512"}, {}, "WH-1"),
    ("form", {"alg": "HS256", "crit": ["exp"]}, {}, "WH-1"),
    ("webhook", {"alg": "HS256"}, {"webhook_id": "WH-9"}, "WH-1"),
    ("signature", {"alg": "HS256"}, {}, "WH-2"),
    ("claims", {"alg": "HS256"}, {"exp": "soon"}, "WH-1"),
    ("claims", {"alg": "HS256"}, {"product_id": 1}, "WH-1"),
    ("expiry", {"alg": "HS256"}, {"exp": 1000}, "WH-1"),
    (None, {"alg": "HS256"}, {}, "WH-1"),
])
def test_names_the_step_that_fails(config, step, header, claims, secret):
    claims = {"webhook_id": "WH-1", "exp": int(time.time()) + 600, **claims}
    text = forge(header, claims, SECRETS[secret])
    ran = token("verify", "-c", config, "--json", stdin=text + "\n")
    assert failed(ran) == step
    if step not in ("form", "algorithm"):
        assert json.loads(ran.stdout)["claims"] == claims
    for secret in SECRETS.values():
        assert secret not in ran.stdout + ran.stderr


def test_says_which_secret_signed(config):
    claims = {"webhook_id": "WH-1", "exp": int(time.time()) + 600}
    for number, secret in ((1, SECRETS["WH-1"]), (2, "second secret of one, which is long")):
        text = forge({"alg": "HS256"}, claims, secret)
        got = json.loads(token("verify", "-c", config, "--json", text).stdout)
        assert got["valid"] and got["webhook"] == "WH-1" and got["ignored"] is None
        assert got["secret"] == got["secrets_tried"] == number
        assert f"secret {number} of 2" in token("verify", "-c", config, text).stdout


@pytest.mark.parametrize("webhook, tried", [("WH-1", 2), ("WH-2", 1), ("WH-9", 0)])
def test_says_how_many_secrets_were_tried(config, webhook, tried):
    claims = {"webhook_id": webhook, "exp": int(time.time()) + 600}
    text = forge({"alg": "HS256"}, claims, "another secret, which is long enough")
    got = json.loads(token("verify", "-c", config, "--json", text).stdout)
    assert (got["valid"], got["secrets_tried"]) == (False, tried)
    if tried > 0:
        said = f"{tried} secret{'s' if tried > 1 else ''} tried"
        assert said in token("verify", "-c", config, text).stdout


@pytest.mark.parametrize("change, reason", [
    ({"object_class": "usage_file"}, "another object class"), ({"product_id": "PRD-9"}, "another product"),
    ({"account_id": "VA-9"}, "another account"), ({}, None)])
def test_says_what_the_handler_would_ignore(config, secret_file, change, reason):
    claims = {"webhook_id": "WH-1", "exp": int(time.time()) + 600, "object_class": "fulfillment_requests",
              "product_id": "PRD-578-226-824", "account_id": "VA-240-990", **change}
    text = forge({"alg": "HS256"}, claims, SECRETS["WH-1"])
    ran = token("verify", "-c", config, "--json", text)
    got = json.loads(ran.stdout)
    assert (ran.returncode, got["valid"]) == (0, True)
    assert got["ignored"] == (reason and f"the webhook is configured for {reason}")
    people = token("verify", "-c", config, text)
    assert people.returncode == 0
    row, = (line for line in people.stdout.splitlines() if line.startswith("business"))
    assert row.split()[1] == ("IGNORED" if reason else "ok") and (reason or "") in row
    # A secret alone knows no webhook, and so no business.
    alone = token("verify", "--secret-file", secret_file, text)
    assert alone.returncode == 0 and "business" not in alone.stdout


@pytest.mark.parametrize("form", ["{}", " {} \n", "Bearer {}", "bearer {}\r\n"])
def test_takes_a_token_as_it_is_pasted(secret_file, form):
    text = form.format(token("sign", "--secret-file", secret_file, "--webhook", "WH-1").stdout.strip())
    assert token("verify", "--secret-file", secret_file, "-", stdin=text).returncode == 0
    assert token("verify", "--secret-file", secret_file, text).returncode == 0
    assert token("verify", "--secret-env", "S", text, S="another").returncode == 1


@pytest.mark.parametrize("garbage, times", [("", 1), ("\n", 1), ("x", 1), ("a.b.c", 1), (".", 2), ("x", 70000),
                                            ("x", 1000000)])
def test_survives_garbage(secret_file, garbage, times):
    garbage *= times
    ran = token("verify", "--secret-file", secret_file, stdin=garbage)
    assert ran.returncode == 1 and (ran.stdout + ran.stderr) != ""


def test_explains_to_people(secret_file):
    text = token("sign", "--secret-file", secret_file, "--webhook", "WH-1", "--expires-in", "-300").stdout
    ran = token("verify", "--secret-file", secret_file, stdin=text)
    assert ran.returncode == 1
    steps = {line.split()[0]: line.split()[1] for line in ran.stdout.splitlines()[1:7]}
    assert steps == {"form": "ok", "algorithm": "ok", "webhook": "-", "signature": "ok", "claims": "ok",
                     "expiry": "FAILED"}
    assert "NOT PROVEN" not in ran.stdout
    assert "NOT PROVEN" in token("verify", "--secret-env", "S", stdin=text, S="another").stdout
