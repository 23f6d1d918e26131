"""The sixteen validation webhooks: connect-sim calls them while a form is filled in, nginx passes the call on,
rules answer, and the document goes back as it came but for what they say."""

import json
import re
import subprocess

import pytest

import calls
from forms import (  # noqa: F401
    ACTIVE, BOMB, FIXTURES, FULFILLMENT, PAIRS, conf, form_of, hook_id, make_object, make_webhook, params_of,
    path_of, wrong_and_right)
import servers

# As the article names them in Connect's user interface.
ARTICLE = {
    "Subscription Purchase Request Draft Validation": "validator",
    "Subscription Purchase Request Inquiring Validation": "inquiring_validator",
    "Subscription Change Request Draft Validation": "change_validator",
    "Subscription Change Request Inquiring Validation": "change_inquiring_validator",
    "Tier 1 Config Setup Request Draft validation": "draft_tcr_t1_val",
    "Tier 2 Config Setup Request Draft validation": "draft_tcr_t2_val",
    "Tier 1 Config Setup Request Inquiring Validation": "tcr_setup_t1_inq_val",
    "Tier 2 Config Setup Request Inquiring Validation": "tcr_setup_t2_inq_val",
    "Tier 1 Config Update Request Draft Validation": "tcr_update_t1_validator",
    "Tier 2 Config Update Request Draft Validation": "tcr_update_t2_validator",
    "Tier 1 Config Update Request Inquiring Validation": "tcr_update_t1_inq_val",
    "Tier 2 Config Update Request Inquiring Validation": "tcr_update_t2_inq_val",
}


def check_row(api, conf, handler, nginx, type_):
    server = nginx(conf.socket)
    webhook = make_webhook(api, conf, type_, server.url)
    conf.save()
    handler(conf)
    object_id = make_object(api, type_)
    before = api.get(f"{path_of(type_)}/{object_id}")
    field, wrong, right, mended = wrong_and_right(type_)

    after = api.post(f"{path_of(type_)}/{object_id}/validate", form_of(type_, **{field: wrong}))
    param = params_of(type_, after)[field]
    assert param["value"].lower() == wrong and param["value_error"] != ""
    assert after["status"] == before["status"] and after["id"] == object_id

    after = api.post(f"{path_of(type_)}/{object_id}/validate", form_of(type_, **{field: right}))
    param = params_of(type_, after)[field]
    assert (param["value"], param["value_error"]) == (mended, "")
    assert after == api.get(f"{path_of(type_)}/{object_id}")  # kept, as what is shown
    assert after["status"] == before["status"]
    for name, other in params_of(type_, before).items():
        if name not in (field, "domain", "seats", "region"):
            assert params_of(type_, after)[name] == other

    stats = api.webhook(webhook)["stats"]
    assert (stats["triggers"], stats["success_triggers"], stats["failure_triggers"]) == (2, 2, 0)


@pytest.mark.parametrize("type_", PAIRS)
def test_every_type_is_answered_in_its_situation(sim, api, conf, handler, nginx, type_):
    check_row(api, conf(sim, [type_]), handler, nginx, type_)


@pytest.mark.parametrize("name", ARTICLE)
def test_every_row_of_the_article_works(sim, api, conf, handler, nginx, name):
    check_row(api, conf(sim, [ARTICLE[name]]), handler, nginx, ARTICLE[name])


def test_each_webhook_is_asked_about_its_own_situation_alone(sim, api, conf, handler, nginx):
    """All sixteen at once."""
    made = conf(sim)
    server = nginx(made.socket)
    hooks = {type_: make_webhook(api, made, type_, server.url) for type_ in PAIRS}
    made.save()
    program = handler(made)
    for type_ in PAIRS:
        object_id = make_object(api, type_)
        api.post(f"{path_of(type_)}/{object_id}/validate", form_of(type_))
        if PAIRS[type_][0] == FULFILLMENT:  # the asset has one open request at a time
            end_request(api, object_id)
    assert {t: api.webhook(h)["stats"]["success_triggers"] for t, h in hooks.items()} == dict.fromkeys(PAIRS, 1)
    assert "but the document is another" not in program.log


def end_request(api, request_id):
    status = api.get(f"/requests/{request_id}")["status"]
    if status == "draft":
        api.post(f"/requests/{request_id}/submit")
    if status == "inquiring":
        api.post(f"/requests/{request_id}/pend")
    api.post(f"/requests/{request_id}/fail", {"reason": "the test is over"})


# ------------------------------------------------------------------------------ connect-sim

def test_a_validator_that_fails_lets_the_order_through_and_is_counted(sim, api, conf, handler, nginx):
    made = conf(sim, types=["validator"], rules=BOMB)
    server = nginx(made.socket)
    webhook = make_webhook(api, made, "validator", server.url)
    made.save()
    object_id = make_object(api, "validator")
    for seats, running in ("5", False), ("g" * 40 + "!", True):  # nobody answers; then, a policy that cannot
        if running:
            handler(made)
        answer = api.call("POST", f"/requests/{object_id}/validate", form_of("validator", seats=seats))
        assert answer.status == 400 and "Validation can't be performed" in answer.json()["errors"][0]
        stats = api.webhook(webhook)["stats"]
        assert stats["failure_triggers"] == stats["failure_since_last_success"] == 1 + running
        assert params_of("validator", api.get(f"/requests/{object_id}"))["seats"]["value"] == seats
    assert api.webhook(webhook)["last_failure"]["status_code"] == 503
    assert api.post(f"/requests/{object_id}/purchase")["status"] == "pending"


def test_without_an_active_validator_a_form_is_taken_as_it_is(sim, api, conf, handler, nginx):
    made = conf(sim, types=["validator"])
    server = nginx(made.socket)
    object_id = make_object(api, "validator")
    assert params_of("validator", api.post(f"/requests/{object_id}/validate",
                                           form_of("validator", seats="0")))["seats"]["value_error"] == ""
    webhook = make_webhook(api, made, "validator", server.url, active=False)
    made.save()
    handler(made)
    api.post(f"/requests/{object_id}/validate", form_of("validator", seats="0"))
    assert api.webhook(webhook)["stats"]["triggers"] == 0
    api.put(f"/notifications/webhooks/{webhook}", {"active": True})
    assert params_of("validator", api.post(f"/requests/{object_id}/validate"))["seats"]["value_error"] != ""
    assert api.webhook(webhook)["stats"]["success_triggers"] == 1


def test_what_cannot_be_validated_is_refused(api):
    assert api.call("POST", "/requests/PR-7957-9623-8221-001/validate", {}).status == 400  # is pending
    assert api.call("POST", "/requests/PR-0-0/validate", {}).status == 404
    assert api.call("POST", "/usage/files/UF-2026-11-0001-0007/validate", {}).status == 404
    answer = api.call("POST", "/requests/PR-7957-9623-8231-001/validate", form_of("validator", nothing="1"))
    assert answer.status == 400 and "nothing: there is none" in answer.json()["errors"][0]
    assert api.call("GET", "/requests/PR-7957-9623-8231-001/validate").status == 404


def test_change_drafts_need_the_capability(api, start_sim, tmp):
    seed = json.loads((servers.SOURCE / "src/sim/seed.json").read_text())
    for product in seed["products"]:
        product.pop("capabilities", None)
    (tmp / "seed.json").write_text(json.dumps(seed))
    plain = start_sim("--seed", tmp / "seed.json")
    bare = calls.Api(plain.url, plain.api_key)
    draft = {"type": "change", "status": "draft", "asset": {"id": ACTIVE, "items": [
        {"id": i["id"], "quantity": "77"} for i in api.get(f"/assets/{ACTIVE}")["items"]]}}
    answer = bare.call("POST", "/requests", draft)
    assert answer.status == 400 and "no Dynamic Validation of change requests" in answer.json()["errors"][0]
    assert api.post("/requests", draft)["status"] == "draft"
    assert bare.post("/requests", {**draft, "status": "pending"})["status"] == "pending"


def test_validators_of_a_distributor_are_refused(api):
    for hook in calls.DISTRIBUTORS_HOOKS:
        answer = api.call("PUT", f"/notifications/webhooks/{hook.id}",
                          {"object_class": FULFILLMENT, "type": "validator"})
        assert answer.status == 400 and "only vendors have validators" in answer.json()["errors"][0]


# ------------------------------------------------------------------------- the commands

@pytest.mark.parametrize("type_", PAIRS)
def test_send_plays_connect_with_the_fixture_of_each_type(build, conf, handler, nginx, type_):
    made = conf(types=PAIRS)
    url = nginx(handler(made)).url
    fixture = FIXTURES / f"{type_}.json"
    ran = subprocess.run([build / "connect-webhook", "send", "-c", made.path, "--type", type_, "--body", fixture,
                          "--json", url], capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert answer["status"] == 200
    before, after = json.loads(fixture.read_text()), answer["body"]
    assert [*after] == [*before] and [*params_of(type_, after)] == [*params_of(type_, before)]
    # The same as the policy says without a handler.
    ran = subprocess.run([build / "connect-webhook", "policy", "test", "-c", made.path, "--webhook", hook_id(type_),
                          "--object", fixture, "--json"], capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert said["type"] == type_
    for change in said["changes"]:
        name, member = re.fullmatch(r"(?:asset\.)?params\[(\w+)\]\.(\w+)", change["path"]).groups()
        assert params_of(type_, after)[name][member] == change["after"]
        assert params_of(type_, before)[name].get(member) == change["before"]
    assert said["errors"] == sum(p.get("value_error", "") not in ("", None) for p in params_of(type_, after).values())
    assert (after == before) == (said["changes"] == [])
