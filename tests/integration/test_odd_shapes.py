"""Objects as Connect has been seen to shape them: parts that are null, missing, of another type or in capitals.

Each goes through `policy test` and through a sweep, with the rules of contrib/, alone and among others."""

import copy
import json
import subprocess

import pytest

import calls
import http_server
import servers

RULES = servers.SOURCE / "contrib/rules"
TIMEOUT = 60  # seconds
HUGE = 123456789012345678901234567890
VERBS = {"approve": "approved", "fail": "failed", "inquire": "inquiring", "confirm": "revoked", "accept": "accepted",
         "ignore": "ignored", "deploy": "deploying", "complete": "completed", "refine": "draft", "submit": "pending",
         "reject": "rejected", "close": "closed"}

PRODUCT = {"id": calls.PRODUCT, "name": "Product", "icon": None}
ACCOUNT = {"id": "TA-1-2-3", "name": "Ada", "external_id": "100", "external_uid": "u-1",
           "contact_info": {"country": "ES", "contact": {"email": "ada@example.com", "phone_number": {}}}}
EVENTS = {"created": {"at": "2026-11-20T10:00:00.123456+00:00"}, "updated": {"at": "2026-11-20 10:00:00"}}

PLAIN = {
    "fulfillment_request": {
        "type": "purchase", "status": "pending", "note": "", "assignee": "", "created": "2026-11-20T10:00:00+00:00",
        "events": EVENTS, "template": {"id": "TL-1-2-3"}, "asset": {
            "id": "AS-1-2-3", "status": "processing", "external_id": "7", "product": PRODUCT,
            "connection": {"id": "CT-1", "type": "test"}, "items": [{"id": "I1", "quantity": "1", "old_quantity": "0"}],
            "params": [{"id": "admin_email", "value": "a@b.example"}, {"id": "subscription_id", "value": ""}],
            "tiers": {"customer": ACCOUNT, "tier1": ACCOUNT, "tier2": {}}}},
    "tier_config_request": {
        "type": "setup", "status": "pending", "assignee": None, "events": EVENTS, "template": {"id": "TL-1-2-3"},
        "configuration": {"id": "TC-1-2-3", "tier_level": 1, "account": ACCOUNT, "product": PRODUCT,
                          "connection": {"type": "test"}, "params": []},
        "params": [{"id": "reseller_code", "value": "C-1"}, {"id": "partner_number", "value": ""}],
        "tiers": {"tier1": ACCOUNT, "tier2": None}},
    "tier_account_request": {
        "type": "update", "status": "pending", "account": {**ACCOUNT, "version": 2, "environment": "test"},
        "product": PRODUCT, "events": EVENTS},
    "listing_request": {
        "type": "new", "state": "reviewing", "product": {**PRODUCT, "version": 1}, "assignee": {"id": "UR-1"},
        "created": "2026-11-20T10:00:00+00:00", "listing": {
            "id": "LST-1", "status": "unlisted", "product": PRODUCT, "contract": {"type": "distribution"},
            "pricelist": {"id": "PL-1"}}},
    "billing_request": {
        "type": "provider", "events": EVENTS, "attributes": {}, "items": [{"id": "I1", "quantity": 8.0}],
        "asset": {"id": "AS-1-2-3", "status": "active", "product": PRODUCT},
        "period": {"delta": 1.0, "uom": "monthly"}},
    "usage_file": {
        "status": "ready", "name": "f", "product": PRODUCT, "created_at": "2026-11-20T10:00:00Z", "events": EVENTS,
        "stats": {"uploaded": 1}, "records": {"valid": 1, "invalid": 0}},
}
WHO = {"fulfillment_request": (calls.ACCOUNT, "/requests", "fulfillment", "PR", "status"),
       "tier_config_request": (calls.ACCOUNT, "/tier/config-requests", "tier-config", "TCR", "status"),
       "tier_account_request": (calls.ACCOUNT, "/tier/account-requests", "tier-account", "TAR", "status"),
       "listing_request": (calls.DISTRIBUTOR, "/listing-requests", "listing", "LSTR", "state"),
       "billing_request": (calls.DISTRIBUTOR, "/subscriptions/requests", "billing", "BRP", "status"),
       "usage_file": (calls.ACCOUNT, "/usage/files", "usage", "UF", "status")}

GONE = object()

# What is changed of a plain object: paths and values. First what any class can have.
EVERYWHERE = {
    "unknown keys": {"what": {"is": ["this", None, HUGE, 1.5, {"deep": [[[[]]]]}]}},
    "huge numbers": {"external_id": HUGE, "revision": 1e30},
    "assignee text": {"assignee": "somebody"},
    "assignee object": {"assignee": {"id": "UR-1", "name": None, "email": "a@b.example"}},
    "assignee null": {"assignee": None},
    "no type": {"type": GONE},
    "type null": {"type": None},
    "unknown type": {"type": "something-new"},
    "events null": {"events": None},
    "template null": {"template": None, "reason": None, "notes": None},
    "template text": {"template": "TL-1-2-3"},
    "other letters": {"note": "Ñandú 日本 \U0001f600 \u202e", "name": ""},
}
SHAPES = {
    "fulfillment_request": {
        "tiers null": {"asset.tiers": None}, "no tiers": {"asset.tiers": GONE},
        "tier2 absent": {"asset.tiers.tier2": GONE},
        "unlimited": {"asset.items.0.quantity": "unlimited", "asset.items.0.old_quantity": -1},
        "quantity number": {"asset.items.0.quantity": 8.0}, "period null": {"asset.items.0.period": None},
        "items null": {"asset.items": None}, "params null": {"asset.params": None}, "no params": {"asset.params": GONE},
        "params without value": {"asset.params": [{"id": "admin_email"}, {}, None]},
        "structured": {"asset.params": [{"id": "a", "structured_value": ""}, {"id": "b", "structured_value": {}}]},
        "external id number": {"asset.external_id": 42}, "external id huge": {"asset.external_id": HUGE},
        "connection null": {"asset.connection": None}, "preview": {"asset.connection.type": "preview"},
        "unknown status": {"status": "thinking"}, "status number": {"status": 3}, "PENDING": {"status": "PENDING"},
        "asset without product": {"asset.product": GONE}},
    "tier_config_request": {
        "tiers null": {"tiers": None}, "params empty": {"params": []}, "params null": {"params": None},
        "params text": {"params": ""}, "level text": {"configuration.tier_level": "2"},
        "level absent": {"configuration.tier_level": GONE}, "account null": {"configuration.account": None},
        "account external id": {"configuration.account.external_id": 92979},
        "connection absent": {"configuration.connection": GONE},
        "nested configuration": {"configuration.configuration": {"params": [{"id": "x", "value": None}]}},
        "open request": {"configuration.open_request": {"id": "TCR-9"}}, "unknown status": {"status": "resting"},
        "activation": {"activation": {"link": "https://x.example"}}, "no product": {"configuration.product": GONE}},
    "tier_account_request": {
        "account null": {"account": None}, "no contact": {"account.contact_info": GONE},
        "contact null": {"account.contact_info.contact": None},
        "email empty": {"account.contact_info.contact.email": ""},
        "scopes text": {"account.scopes": "customer"}, "scopes null": {"account.scopes": None},
        "version text": {"account.version": "5"}, "external id": {"account.external_id": HUGE},
        "environment null": {"account.environment": None}, "vendor absent": {"vendor": GONE, "provider": None},
        "unknown status": {"status": "unsupported"}, "reason": {"reason": "r" * 5000}},
    "listing_request": {
        "old, without product": {"product": GONE}, "product null": {"product": None}, "listing null": {"listing": None},
        "contract null": {"listing.contract": None}, "no pricelist": {"listing.pricelist": GONE},
        "pricelist null": {"listing.pricelist": {"id": None, "name": ""}},
        "status of the listing": {"status": "listed"},
        "deploying": {"state": "deploying"}, "unknown state": {"state": "dreaming"}, "state null": {"state": None},
        "creator text": {"creator": "x"}, "version text": {"product.version": "1"}},
    "billing_request": {
        "attributes null": {"attributes": None}, "attributes list": {"attributes": []},
        "attributes absent": {"attributes": GONE},
        "items null": {"items": None}, "quantity text": {"items.0.quantity": "4.0"},
        "quantity unlimited": {"items.0.quantity": "unlimited"}, "period null": {"period": None},
        "uom year": {"period.uom": "year"}, "delta text": {"period.delta": "1.0"},
        "asset without tiers": {"asset.tiers": GONE},
        "asset tiers null": {"asset.tiers": None}, "asset status null": {"asset.status": None},
        "created without zone": {"events.created.at": "2026-11-20T10:00:00"},
        "created nonsense": {"events.created.at": "soon"},
        "created null": {"events.created": None}, "vendor": {"type": "vendor"}},
    "usage_file": {
        "READY": {"status": "READY"}, "uploaded": {"status": "uploaded"}, "Uploaded": {"status": "Uploaded"},
        "unknown status": {"status": "processed"}, "stats null": {"stats": None}, "records null": {"records": None},
        "records texts": {"records.invalid": "2"}, "old error key": {"error_details": "x"},
        "uri": {"usage_file_uri": "<x>"},
        "sub status": {"sub_status": "processing"}, "no environment": {"environment": None},
        "name null": {"name": None},
        "provider null": {"provider": None, "marketplace": None, "contract": {"id": "CRD-00000-00000-00000"}}},
}


def changed(thing, changes):
    thing = copy.deepcopy(thing)
    for path, value in changes.items():
        *parents, last = path.split(".")
        at = thing
        for key in parents:
            at = at[int(key)] if key.isdigit() else at[key]
        if value is GONE:
            at.pop(last, None)
        else:
            at[last] = value
    return thing


def things_of(name):
    """All shapes of a class, by their ids."""
    prefix = WHO[name][3]
    shapes = {"plain": {}, **EVERYWHERE, **SHAPES[name]}
    return {f"{prefix}-1-{n:03}": {"id": f"{prefix}-1-{n:03}", **changed(PLAIN[name], changes)}
            for n, changes in enumerate(shapes.values())}


class Connect(http_server.Server):
    """Lists everything, whatever is asked for, as a server would that knows none of the filters."""

    def __init__(self, name, things):
        super().__init__(Handler, "/public/v1")
        self.collection, self.key, self.things, self.done = WHO[name][1], WHO[name][4], things, []


class Handler(http_server.Handler):
    def handle_one(self):
        path = self.path.removeprefix("/public/v1").partition("?")[0]
        things, body = self.server.things, self.body()
        thing_id, _, verb = path.removeprefix(self.server.collection + "/").partition("/")
        if path == self.server.collection:
            self.reply_list([*things.values()])
        elif path.endswith("/templates"):
            self.reply_list([{"id": "TL-9-9-9", "name": "Only"}])
        elif path.startswith("/conversations"):
            self.reply_json(200, [])
        else:
            if self.command != "GET":
                self.server.done.append((thing_id, verb or "put"))
                if verb in VERBS:
                    things[thing_id][self.server.key] = VERBS[verb]
                elif verb == "attributes":
                    things[thing_id]["attributes"] = json.loads(body)
            self.reply_json(200, things[thing_id])

    do_GET = do_POST = do_PUT = handle_one


def test_there_are_enough_of_them():
    for name in WHO:
        assert len(SHAPES[name]) >= 10
        assert len({json.dumps(t, sort_keys=True) for t in things_of(name).values()}) == len(things_of(name))


@pytest.mark.parametrize("name", WHO)
def test_rules_are_asked_about_each(build, tmp, name):
    account, _, rules, _, key = WHO[name]
    side = "vendor" if account == calls.ACCOUNT else "distributor"
    for thing_id, thing in things_of(name).items():
        path = tmp / "object.json"
        path.write_text(json.dumps(thing, ensure_ascii=False))
        ran = subprocess.run(
            [build / "connect-webhook", "policy", "test", "--rules", RULES / f"{rules}.rules.yaml", "--class", name,
             "--side", side, "--object", path, "--json"], capture_output=True, text=True, timeout=TIMEOUT)
        servers.check_log(ran.stderr)
        shown = json.loads(ran.stdout)
        state = thing.get(key)
        assert shown["object"] == thing_id and shown["state"] == (state if isinstance(state, str) else "")
        assert shown["decision"]["action"], (thing, ran.stderr)
        assert shown["allowed"] or "may not" in shown["problem"], shown


@pytest.mark.parametrize("name", WHO)
def test_a_sweep_deals_with_each_once(build, configuration, name):
    account, _, rules, _, key = WHO[name]
    things = things_of(name)
    before = copy.deepcopy(things)
    with Connect(name, things) as connect:
        conf = configuration(api_url=connect.url)
        conf.document["accounts"][0].update(id=account, rate_limit=0)
        conf.document["webhooks"][0].update(account=account, object_class=name,
                                            policy=conf.shipped_rules(rules))
        if name == "billing_request":
            conf.document["webhooks"][0]["since"] = "2026-11-01"
        conf.save()
        ran = subprocess.run([build / "connect-webhook", "poll", "--once", "--json", "-c", conf.path],
                             capture_output=True, text=True, timeout=TIMEOUT)
        servers.check_log(ran.stderr)
        reports = {r["object_id"]: r for r in map(json.loads, ran.stdout.splitlines())}
    assert reports.keys() == things.keys() and len(ran.stdout.splitlines()) == len(things)
    acted = [i for i, verb in connect.done if verb != "put"]
    assert len(acted) == len(set(acted))
    for thing_id, report in reports.items():
        assert report["result"] in ("done", "skip", "reschedule", "dead"), report
        state = before[thing_id].get(key)
        if name != "billing_request" and not isinstance(state, str):
            assert (report["result"], report["reason"]) == ("skip", f"does not say its {key}")
        if report["result"] == "done":
            assert thing_id in acted and report["after"] == things[thing_id].get(key, "")
        else:
            assert report["reason"] and thing_id not in acted, report
    dead = [r for r in reports.values() if r["result"] == "dead"]
    allowed = {"tier_config_request": "does not say its configuration.tier_level"}
    assert all(allowed.get(name, "nothing") in r["reason"] for r in dead), dead
    assert ran.returncode == (1 if dead else 0)
