"""connect-webhook policy test: what would be decided about a request, without calling anything."""

import json
import os
import re
import shutil
import subprocess

import pytest

import calls
import servers

TIMEOUT = 30  # seconds
SHIPPED = servers.SOURCE / "contrib/rules/fulfillment.rules.yaml"

RULES = """\
- when: eq(type,purchase)
  then: { action: approve, template_id: TL-1-2-3, params: [ { id: pin, value: "s3cret" } ] }
- when: and(eq(type,cancel),gt($attempt,2))
  then: { action: fail, reason: "tried ${$attempt} times" }
- when: eq($event.data.purpose,demo)
  then: { action: skip, reason: "only a demonstration" }
- when: eq(type,change)
  then: { action: inquire, template_id: "${asset.no_such_path}" }
- when: eq(type,suspend)
  then: { action: confirm }
"""
LINES = {"purchase": 1, "cancel": 3, "event": 5, "change": 7, "suspend": 9}


def request_of(kind, status="pending"):
    return {"id": "PR-1-2-3", "type": kind, "status": status,
            "asset": {"product": {"id": calls.PRODUCT},
                      "params": [{"id": "pin", "type": "password", "value": "old-pin"}]}}


@pytest.fixture
def policy(build, sim, configuration, http):
    """policy(object, *options): run it on that object; fails if it called Connect's API."""
    conf = configuration(sim, rules=RULES)
    api_root = sim.url.removesuffix("/public/v1")
    before = http("GET", f"{api_root}/_sim/calls").json()

    def run(thing, *options, webhook=calls.WEBHOOK):
        path = conf.folder / "object.json"
        path.write_text(thing if isinstance(thing, str) else json.dumps(thing))
        ran = subprocess.run(
            [build / "connect-webhook", "policy", "test", "-c", conf.path, "--webhook", webhook,
             "--object", path, *options], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=TIMEOUT)
        assert http("GET", f"{api_root}/_sim/calls").json() == before
        return ran

    run.conf = conf
    # The key is never used, so it need not be there.
    (conf.folder / "api.key").unlink()
    return run


def rule(name):
    """How a rule is named: the file, and the line that it begins in."""
    return f"test.rules.yaml:{LINES[name]}"


@pytest.mark.parametrize("arguments", [
    [], ["test"], ["ask", "--webhook", "WH-1", "--object", "-"], ["test", "--object", "-"],
    ["test", "--webhook", "WH-1"], ["test", "--webhook", "WH-1", "--object", "-", "more"],
    ["test", "--webhook", "WH-1", "--object", "-", "--attempt", "0"],
    ["test", "--webhook", "WH-1", "--object", "-", "--attempt", "1x"],
    ["test", "--webhook", "WH-1", "--object", "-", "--class", "fulfillment_request"],
    ["test", "--webhook", "WH-1", "--object", "-", "--event", "-"],
    ["test", "--rules", "r.yaml", "--object", "-"], ["test", "--bogus"]], ids=" ".join)
def test_refuses_a_command_line_it_does_not_understand(build, arguments):
    ran = subprocess.run([build / "connect-webhook", "policy", *arguments], capture_output=True,
                         stdin=subprocess.DEVNULL, text=True, timeout=TIMEOUT)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "--help" in ran.stderr


@pytest.mark.parametrize("text", ["", "[]", "{", '{"id":1,"id":2}', "null"])
def test_refuses_what_is_no_object(policy, text):
    ran = policy(text)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "object.json" in ran.stderr


def test_refuses_what_is_not_there(policy):
    ran = policy(request_of("purchase"), webhook="WH-9")
    assert (ran.returncode, ran.stdout) == (1, "") and "no webhook WH-9" in ran.stderr
    ran = policy(request_of("purchase"), "--event", "/nonexistent/event.json")
    assert (ran.returncode, ran.stdout) == (1, "") and "/nonexistent/event.json" in ran.stderr
    ran = policy(request_of("purchase"), "--rules", "/nonexistent/rules.yaml")
    assert (ran.returncode, ran.stdout) == (1, "") and "/nonexistent/rules.yaml" in ran.stderr


def test_names_the_place_of_a_mistake_in_the_rules(policy):
    good = "- when: eq(type,change)\n  then: { action: skip }\n"
    for bad, word in ("- whem: eq(type,purchase)", "whem"), ("- then: { action: deploy }", "deploy"):
        path = policy.conf.write("test.rules.yaml", f"{good}{bad}\n")
        ran = policy(request_of("change"))
        assert (ran.returncode, ran.stdout) == (1, "")
        assert f"{path}:3:" in ran.stderr and word in ran.stderr


def test_names_the_rule_the_decision_and_masks_passwords(policy):
    ran = policy(request_of("purchase"))
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in ran.stdout.splitlines())
    assert lines["object"] == "PR-1-2-3 (fulfillment_request, pending)"
    assert lines["rule"] == rule("purchase")
    assert (lines["action"], lines["template_id"]) == ("approve", "TL-1-2-3")
    assert lines["allowed"] == "yes, to a vendor"
    assert "s3cret" not in ran.stdout and "old-pin" not in ran.stdout


NEW_PIN = 's3cret " pin'
QUOTED = "${asset.params[pin].value}"


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["people", "json"])
@pytest.mark.parametrize("then", [
    {"action": "skip", "reason": f"is {QUOTED}, '{QUOTED}'"},
    {"action": "skip", "message": f"Your PIN: {QUOTED}"},
    {"action": "fail", "reason": "no", "params": [
        {"id": "pin", "structured_value": {"new": [NEW_PIN], "old": QUOTED}},
        {"id": "plain", "value": f"was {QUOTED}, is {NEW_PIN}"}]},
    {"action": "approve", "effective_date": QUOTED}], ids=lambda then: then["action"])
def test_shows_no_password_in_any_text(policy, then, options):
    policy.conf.write("test.rules.yaml", json.dumps([{"then": then}]))
    ran = policy(request_of("purchase"), *options)
    for secret in ("old-pin", "s3cret", '" pin'):
        assert secret not in ran.stdout + ran.stderr
    assert then["action"] == "approve" or "********" in ran.stdout


def test_tells_a_program_the_same(policy):
    ran = policy(request_of("purchase"), "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    answer = json.loads(ran.stdout)
    assert len(ran.stdout.splitlines()) == 1
    assert answer.pop("rule") == rule("purchase")
    (param,) = answer["decision"].pop("params")
    assert param["id"] == "pin" and "s3cret" not in ran.stdout
    assert answer == {"object": "PR-1-2-3", "object_class": "fulfillment_request", "state": "pending",
                      "side": "vendor", "decision": {"action": "approve", "template_id": "TL-1-2-3"},
                      "allowed": True, "problem": None}


def test_asks_with_the_attempt_and_the_event_it_is_given(policy):
    nothing = json.loads(policy(request_of("cancel"), "--json").stdout)
    assert (nothing["rule"], nothing["decision"]["action"]) == (None, "skip")  # none matched
    third = json.loads(policy(request_of("cancel"), "--json", "--attempt", "3").stdout)
    assert third["rule"] == rule("cancel")
    assert third["decision"] == {"action": "fail", "reason": "tried 3 times"}
    event = policy.conf.write("event.json", '{"data":{"purpose":"demo"}}')
    shown = json.loads(policy(request_of("cancel"), "--json", "--event", event).stdout)
    assert shown["rule"] == rule("event")


@pytest.mark.parametrize("thing, words", [
    (request_of("purchase", "approved"), "approve"),  # nothing is left to decide
    (request_of("suspend"), "confirm"),               # not of a request that is pending
    (request_of("change"), "asset.no_such_path")])    # quotes what is not there
def test_ends_with_1_when_it_could_not_be_carried_out(policy, thing, words):
    ran = policy(thing)
    assert ran.returncode == 1 and "allowed  " not in ran.stdout
    assert words in ran.stderr
    ran = policy(thing, "--json")
    assert ran.returncode == 1 and words in ran.stderr
    answer = json.loads(ran.stdout)
    assert answer["allowed"] is False and words in answer["problem"]


def test_without_a_policy_every_object_is_skipped(policy):
    policy.conf.webhook(calls.WEBHOOK)["policy"] = "none"
    policy.conf.save()
    ran = policy(request_of("purchase"), "--json")
    assert ran.returncode == 0
    answer = json.loads(ran.stdout)
    assert (answer["rule"], answer["decision"]["action"]) == (None, "skip")


def test_needs_no_configuration_to_try_rules(build, tmp):
    ran = subprocess.run(
        [build / "connect-webhook", "policy", "test", "--rules", SHIPPED, "--class",
         "fulfillment_request", "--object", "-", "--json"],
        input=json.dumps({**request_of("purchase"), "status": "revoking"}), capture_output=True,
        text=True, timeout=TIMEOUT, env={"CONNECT_WEBHOOK_CONFIG": str(tmp / "none.yaml")})
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["decision"] == {"action": "confirm"}


def test_reads_what_another_user_pipes(build, tmp):
    """As in: curl ... | sudo -u connect-webhook connect-webhook policy test --object -"""
    if os.geteuid() != 0:
        pytest.skip("only root can pipe to another user")
    rules = tmp / "test.rules.yaml"
    rules.write_text("- then: { action: skip, reason: none }\n")
    program = servers.share(shutil.copy(build / "connect-webhook", tmp))
    ran = subprocess.run([program, "policy", "test", "--rules", rules, "--class", "fulfillment_request",
                          "--object", "-"], input=json.dumps(request_of("purchase")), capture_output=True,
                         text=True, timeout=TIMEOUT, **servers.as_nobody(),
                         env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_manuals_example_is_good(policy):
    manual = (servers.SOURCE / "doc/connect-webhook.rules.5").read_text()
    example = manual.partition("\n.SH EXAMPLES\n.nf\n")[2].partition(".fi\n")[0].replace("\\-", "-")
    policy.conf.write("test.rules.yaml", example)
    request = request_of("purchase")
    request["asset"]["tiers"] = {"customer": {"name": "Müller GMBH & Co"}}
    shown = json.loads(policy(request, "--json").stdout)
    assert shown["decision"] == {"action": "approve", "template": "Default Activation Template"}
    request["type"] = "change"
    request["asset"]["items"] = [{"quantity": "2", "old_quantity": "1"}]
    assert json.loads(policy(request, "--json").stdout)["decision"]["action"] == "skip"


MANUAL = servers.SOURCE / "doc/connect-webhook.rules.5"


def actions(build, *options):
    ran = subprocess.run([build / "connect-webhook", "policy", "actions", *options], capture_output=True, text=True,
                         timeout=TIMEOUT)
    servers.check_log(ran.stderr)
    return ran


def test_lists_the_actions_of_each_class(build):
    for options, text in (["--class", "nothing"], "there are tier_config_request"), (["--object", "x"], "--help"):
        ran = actions(build, *options)
        assert ran.returncode != 0 and ran.stdout == "" and text in ran.stderr
    rows = [json.loads(line) for line in actions(build, "--json").stdout.splitlines()]
    assert len({r["object_class"] for r in rows}) == 6
    assert len({(r["object_class"], r["side"], r["state"], r["action"]) for r in rows}) == len(rows)
    listing = actions(build, "--class", "listing_requests").stdout.splitlines()
    assert listing[0].split() == ["CLASS", "SIDE", "STATE", "PENDING", "ACTION", "NEEDS", "TAKES"]
    assert [line.split()[1:5] for line in listing[1:]] == [
        ["distributor", "reviewing", "yes", verb] for verb in ("deploy", "refine", "cancel")] + [
        ["distributor", "deploying", "yes", verb] for verb in ("complete", "cancel")]


def test_the_manuals_table_of_actions_is_the_programs(build):
    ran = subprocess.run([servers.SOURCE / "doc/actions.py", "--print", build / "connect-webhook"], capture_output=True,
                         text=True, timeout=TIMEOUT)
    assert ran.returncode == 0 and ran.stdout in MANUAL.read_text(), "run `make manual`"


def test_the_manual_explains_every_action_and_field(build):
    manual = MANUAL.read_text()
    rows = [json.loads(line) for line in actions(build, "--json").stdout.splitlines()]
    words = {r["action"] for r in rows} | {"skip", "reschedule"}
    assert len(words) > 20 and all(f".TP\n.B {word}\n" in manual for word in words)
    fields = {f for r in rows for f in r["needs"] + r["takes"]} | {"params", "message", "after"}
    explained = manual.partition('.\\" actions: end')[2]
    assert len(fields) > 8 and all(re.search(rf"^\.BR? .*\b{f}\b", explained, re.M) for f in fields)


# ------------------------------------------------------------------------------- forms

FORM_RULES = """\
- when: eq($webhook.type,change_validator)
  then: { params: [ { id: pin, value_error: "not now" } ] }
- when: eq(type,renew)
  then: { params: [ { id: pin, value: "${asset.params}" } ] }
- then:
    params:
      - { id: pin, value: "new-pin", check: { pattern: "[0-9]+" },
          message: "\\"${asset.params[pin].value}\\" is wrong" }
      - { id: seats, check: { max: 5 }, message: "at most 5" }
"""
FORM = {"id": "PR-1-2-3", "type": "purchase", "status": "draft", "asset": {"params": [
    {"id": "pin", "type": "password", "value": "old-pin"}, {"id": "seats", "value": "9", "value_error": "earlier"},
    {"id": "other\u001b[31m", "value": "x"}]}}
VALIDATE = ["--kind", "validate", "--class", "fulfillment_request"]


@pytest.fixture
def validate(build, tmp):
    """validate(document, *options): ask FORM_RULES about it."""
    def run(document, *options):
        (tmp / "form.rules.yaml").write_text(FORM_RULES)
        (tmp / "form.json").write_text(document if isinstance(document, str) else json.dumps(document))
        return subprocess.run([build / "connect-webhook", "policy", "test", "--rules", tmp / "form.rules.yaml",
                               "--object", tmp / "form.json", *options],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT)
    return run


def test_a_form_is_shown_as_what_changes_in_it(validate):
    ran = validate(FORM, *VALIDATE)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == """\
document  PR-1-2-3 (fulfillment_request, draft)
rule      form.rules.yaml:5
errors    2
changes   3

asset.params[pin].value
  - "********"
  + "********"

asset.params[pin].value_error
  - null
  + "\\"********\\" is wrong"

asset.params[seats].value_error
  - "earlier"
  + "at most 5"
"""


def test_a_form_is_shown_as_json(validate):
    ran = validate({**FORM, "asset": {"params": FORM["asset"]["params"][1:]}}, *VALIDATE, "--json")
    assert ran.returncode == 0
    assert json.loads(ran.stdout) == {
        "object": "PR-1-2-3", "object_class": "fulfillment_request", "state": "draft", "type": "validator",
        "rule": "form.rules.yaml:5", "errors": 1, "problem": None,
        "changes": [{"path": "asset.params[seats].value_error", "before": "earlier", "after": "at most 5"}]}


def test_a_form_is_asked_about_by_the_type_for_its_situation_or_by_another(validate):
    change = {**FORM, "type": "change"}
    assert json.loads(validate(change, *VALIDATE, "--json").stdout)["rule"] == "form.rules.yaml:1"
    ran = validate(FORM, "--class", "fulfillment_request", "--type", "change_validator", "--json")
    assert json.loads(ran.stdout)["rule"] == "form.rules.yaml:1"
    assert "not one for a change_validator: its type is purchase, not change" in ran.stderr
    said = json.loads(validate({"asset": {}}, *VALIDATE, "--json").stdout)
    assert (said["type"], said["rule"], said["changes"]) == (None, "form.rules.yaml:5", [])


@pytest.mark.parametrize("document, options, told", [
    ({**FORM, "type": "renew"}, VALIDATE, "form.rules.yaml:3: params[pin]: ${asset.params} is no text"),
    ("{", VALIDATE, "the body: line 1"), ({"configuration": {}}, VALIDATE, 'no object "asset"'),
    (FORM, ["--kind", "guess", "--class", "fulfillment_request"], "--kind is process here, not guess"),
    (FORM, ["--kind", "validate", "--class", "usage_file"], "there are no forms of a usage_file"),
    (FORM, [*VALIDATE, "--type", "event"], "--type event: no type of validators of a fulfillment_request"),
    (FORM, [*VALIDATE, "--type", "draft_tcr_t1_val"], "no type of validators of a fulfillment_request"),
    (FORM, ["--class", "fulfillment_request", "--kind", "process", "--type", "validator"], "--kind is validate here"),
    (FORM, ["--class", "fulfillment_request"], "a decision needs an action")])
def test_what_cannot_be_said_about_a_form_is_told(validate, document, options, told):
    ran = validate(document, *options)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert told in ran.stderr and "old-pin" not in ran.stderr


def test_a_webhook_says_what_its_policy_is_asked(policy):
    hook = policy.conf.webhook(calls.WEBHOOK)
    ran = policy(FORM, "--kind", "validate")
    assert ran.returncode == 1 and "its policy answers no forms" in ran.stderr
    (policy.conf.folder / "form.rules.yaml").write_text(FORM_RULES)
    rules = str(policy.conf.folder / "form.rules.yaml")
    assert "at most 5" in policy(FORM, "--kind", "validate", "--rules", rules).stdout
    hook.update(type="validator", policy={"rules": rules})
    policy.conf.save()
    for options in [], ["--kind", "validate"], ["--type", "validator"]:
        assert "at most 5" in policy(FORM, *options).stdout
    assert policy(FORM, "--type", "change_validator").stdout.count("not now") == 1
    assert "--kind is validate here, not process" in policy(FORM, "--kind", "process").stderr
