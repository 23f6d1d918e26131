"""What tests of validators share: every type of webhook, the form of its situation, and rules about it."""

import json

import pytest

import calls
import servers

FIXTURES = servers.SOURCE / "contrib/fixtures"
BOMB = "- then: { params: [ { id: seats, check: { pattern: \"(g+)+$\" }, message: no } ] }\n"
FULFILLMENT, TIER_CONFIG = "fulfillment_request", "tier_config_request"
ACTIVE, TIERS = "AS-6990-1715-4170", {1: "TC-448-719-877", 2: "TC-908-022-156"}

# Type of webhook: class, type of request, its state, tier.
PAIRS = {
    "validator": (FULFILLMENT, "purchase", "draft", None),
    "inquiring_validator": (FULFILLMENT, "purchase", "inquiring", None),
    "change_validator": (FULFILLMENT, "change", "draft", None),
    "change_inquiring_validator": (FULFILLMENT, "change", "inquiring", None),
    "renew_validator": (FULFILLMENT, "renew", "draft", None),
    "renew_inquiring_validator": (FULFILLMENT, "renew", "inquiring", None),
    "transfer_validator": (FULFILLMENT, "transfer", "draft", None),
    "transfer_inquiring_validator": (FULFILLMENT, "transfer", "inquiring", None),
    "draft_tcr_t1_val": (TIER_CONFIG, "setup", "draft", 1),
    "draft_tcr_t2_val": (TIER_CONFIG, "setup", "draft", 2),
    "tcr_setup_t1_inq_val": (TIER_CONFIG, "setup", "inquiring", 1),
    "tcr_setup_t2_inq_val": (TIER_CONFIG, "setup", "inquiring", 2),
    "tcr_update_t1_validator": (TIER_CONFIG, "update", "draft", 1),
    "tcr_update_t2_validator": (TIER_CONFIG, "update", "draft", 2),
    "tcr_update_t1_inq_val": (TIER_CONFIG, "update", "inquiring", 1),
    "tcr_update_t2_inq_val": (TIER_CONFIG, "update", "inquiring", 2),
}


def hook_id(type_):
    return f"WH-700-000-{100 + [*PAIRS].index(type_)}"


def add_validator(conf, type_, rules=None):
    """None: the rules of contrib/."""
    object_class = PAIRS[type_][0]
    shipped = "form" if object_class == FULFILLMENT else "tier-form"
    policy = {"rules": str(rules)} if rules else conf.shipped_rules(shipped)
    conf.add_webhook(hook_id(type_), policy, type_, object_class, f"{calls.SECRET} {type_}")


@pytest.fixture
def conf(configuration):
    """conf(sim, types, rules): a configuration with these validators beside the usual webhook."""
    def make(sim=None, types=PAIRS, rules=None, **sections):
        made = configuration(sim, **sections)
        path = made.write("form.rules.yaml", rules) if rules else None
        for type_ in types:
            add_validator(made, type_, path)
        made.save()
        return made
    return make


def make_webhook(api, conf, type_, url, **changes):
    """Make the webhook in Connect, and have the configuration know it by the id that it got there."""
    made = api.make_webhook(PAIRS[type_][0], type_, conf.secrets[hook_id(type_)], url, **changes)
    conf.webhook(hook_id(type_))["id"] = made
    conf.secrets[made] = conf.secrets[hook_id(type_)]
    return made


def path_of(type_):
    return "/requests" if PAIRS[type_][0] == FULFILLMENT else "/tier/config-requests"


def make_object(api, type_):
    """An object in the situation that the type is for; its id."""
    object_class, request_type, state, tier = PAIRS[type_]
    path, wanted = path_of(type_), {"type": request_type, "status": "draft" if state == "draft" else "pending"}
    if object_class == TIER_CONFIG:
        wanted["configuration"] = {"id": TIERS[tier]}
    elif request_type == "purchase":
        asset = json.loads((FIXTURES / "validator.json").read_text())["asset"]
        wanted["asset"] = {k: asset[k] for k in ("product", "connection", "items", "params", "tiers")}
    else:
        items = api.get(f"/assets/{ACTIVE}")["items"]
        wanted["asset"] = {"id": ACTIVE, "items": [{"id": i["id"], "quantity": "77"} for i in items]}
    made = api.post(path, wanted)
    if state == "inquiring":
        api.post(f"{path}/{made['id']}/inquire", {} if object_class == FULFILLMENT else None)
    return made["id"]


def params_of(type_, document):
    return {p["id"]: p for p in (document["asset"] if PAIRS[type_][0] == FULFILLMENT else document)["params"]}


def form_of(type_, **values):
    """What who fills the form in sends."""
    params = [{"id": k, "value": v} for k, v in values.items()]
    return {"asset": {"params": params}} if PAIRS[type_][0] == FULFILLMENT else {"params": params}


def wrong_and_right(type_):
    """The field, a value that the rules refuse, one that they take, and what they make of it."""
    if PAIRS[type_][0] == TIER_CONFIG:
        return "reseller_code", "four", " nord-77 ", "NORD-77"
    if PAIRS[type_][1] == "change":
        return "admin_email", "nobody", "Boss@Harbour.example", "Boss@Harbour.example"
    return "admin_email", "nobody", " Boss@Harbour.example", "boss@harbour.example"
