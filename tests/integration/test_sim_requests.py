"""Requests in connect-sim: new ones, what they do to the asset, and every verb in every state."""

import json

import pytest

import calls
from sims import ACTIVE, CHANGE, ITEM, PENDING, SEEDED, TILE, changes, purchase, refused, request_of


# ------------------------------------------------------------------ new requests


@pytest.mark.parametrize("change,text", [
    ({"type": None}, "type:"), ({"type": "upgrade"}, "type:"), ({"type": 5}, "type:"),
    ({"asset": None}, "asset:"), ({"asset": []}, "asset:"), ({"status": "approved"}, "status:"),
    ({"asset": {"items": [{"id": ITEM, "quantity": 1}]}}, "asset.product.id:"),
    ({"asset": {"product": {"id": calls.PRODUCT}}}, "asset.items: This list may not be empty."),
    ({"asset": {"product": {"id": calls.PRODUCT}, "items": []}}, "asset.items: This list may not be empty.")])
def test_refuses_a_wrong_purchase(api, change, text):
    body = {k: v for k, v in {**purchase(), **change}.items() if v is not None}
    refused(api.call("POST", "/requests", body), 400, "VAL_001", text)
    assert changes(api) == [] and len(api.get("/requests")) == SEEDED


def test_a_purchase_makes_an_asset(api):
    answer = api.call("POST", "/requests", purchase(marketplace={"id": "MP-1"}, note="hello"))
    assert answer.status == 201
    made = answer.json()
    assert (made["type"], made["status"], made["asset"]["status"]) == ("purchase", "pending", "processing")
    assert made["asset"]["id"].startswith("AS-") and made["id"] == f"PR-{made['asset']['id'][3:]}-001"
    assert made["asset"]["external_id"] == "EX-1" and made["note"] == "hello"
    assert made["marketplace"] == {"id": "MP-1"} and made["assignee"] == ""
    assert request_of(api, made["id"]) == made
    assert [r["id"] for r in api.get(f"/requests?asset.id={made['asset']['id']}")] == [made["id"]]
    (conversation,) = api.get(f"/conversations?instance_id={made['id']}")
    assert api.get(f"/conversations/{made['id']}") == conversation
    again = api.post("/requests", purchase())
    assert again["id"] != made["id"] and again["asset"]["id"] != made["asset"]["id"]


def test_a_draft_becomes_a_purchase(api):
    made = api.post("/requests", purchase(status="draft"))
    assert (made["status"], made["asset"]["status"]) == ("draft", "draft")
    refused(api.call("POST", f"/requests/{made['id']}/approve", TILE), 400)
    done = api.post(f"/requests/{made['id']}/purchase")
    assert (done["status"], done["asset"]["status"]) == ("pending", "processing")


# While pending, when approved, when failed; from an asset that is active, or suspended.
EFFECTS = [
    ("change", "active", "active", "active", "active"),
    ("adjustment", "active", "active", "active", "active"),
    ("cancel", "active", "terminating", "terminated", "active"),
    ("suspend", "active", "active", "suspended", "active"),
    ("resume", "suspended", "suspended", "active", "suspended"),
    ("cancel", "suspended", "terminating", "terminated", "active"),
    ("renew", "active", "active", "active", "active"),
    ("transfer", "active", "processing", "active", "terminated")]


def asset_in(api, status):
    """An asset that was purchased, and suspended if need be."""
    made = api.post("/requests", purchase())
    asset = made["asset"]["id"]
    api.put(f"/requests/{made['id']}", {"asset": {"params": [{"id": "subscription_id", "value": "S"}]}})
    api.post(f"/requests/{made['id']}/approve", TILE)
    if status == "suspended":
        suspend = api.post("/requests", {"type": "suspend", "asset": {"id": asset}})
        api.post(f"/requests/{suspend['id']}/approve", TILE)
    return asset


def body_of(request_type, asset, quantity="9"):
    body = {"type": request_type, "asset": {"id": asset}}
    if request_type == "change":
        body["asset"]["items"] = [{"id": ITEM, "quantity": quantity}]
    if request_type == "adjustment":
        body["asset"]["params"] = [{"id": "subscription_id", "value": "T"}]
    return body


@pytest.mark.parametrize("request_type,before,pending,approved,failed", EFFECTS)
def test_every_type_moves_the_asset(api, request_type, before, pending, approved, failed):
    for verb, body, after in (("approve", TILE, approved), ("fail", {"reason": "no"}, failed)):
        asset = asset_in(api, before)
        made = api.post("/requests", body_of(request_type, asset))
        assert (made["type"], made["status"], made["asset"]["status"]) == (request_type, "pending", pending)
        conflict = refused(api.call("POST", "/requests", body_of("cancel", asset)), 409)
        assert conflict["params"] == {"request_id": made["id"], "request_status": "pending",
                                      "asset_id": asset, "asset_status": pending}
        done = api.post(f"/requests/{made['id']}/{verb}", body)
        assert done["asset"]["status"] == after, verb
        assert done["asset"]["id"] == asset


def test_a_change_that_fails_leaves_the_asset_as_it_was(api):
    asset = asset_in(api, "active")
    first = api.post("/requests", body_of("change", asset, 9))
    assert [(i["old_quantity"], i["quantity"]) for i in first["asset"]["items"]] == [("5", 9)]
    api.post(f"/requests/{first['id']}/fail", {"reason": "no"})
    second = api.post("/requests", body_of("change", asset, "7"))
    assert [(i["old_quantity"], i["quantity"]) for i in second["asset"]["items"]] == [("5", "7")]
    api.post(f"/requests/{second['id']}/approve", TILE)
    refused(api.call("POST", "/requests", body_of("change", asset, 7)), 400, "VAL_001",
            "asset.items: Item quantities are not changed.")
    adjusted = api.post("/requests", body_of("adjustment", asset))
    assert adjusted["asset"]["params"][0]["value"] == "T"
    assert [r["id"][-3:] for r in api.get(f"/requests?asset.id={asset}")] == ["001", "002", "003", "004"]


@pytest.mark.parametrize("body,status,text", [
    ({"type": "cancel", "asset": {}}, 400, "asset.id: no such asset."),
    ({"type": "cancel", "asset": {"id": "AS-0"}}, 400, "asset.id: no such asset."),
    ({"type": "cancel", "asset": {"id": "AS-7957-9623-8221"}}, 409, "asset: there is an open request"),
    ({"type": "resume", "asset": {"id": ACTIVE}}, 400,
     "Request type resume is not allowed when asset state is active"),
    ({"type": "change", "asset": {"id": ACTIVE}}, 400, "asset.items: This list may not be empty."),
    ({"type": "change", "asset": {"id": ACTIVE, "items": []}}, 400, "asset.items: This list may not be empty."),
    ({"type": "change", "asset": {"id": ACTIVE, "items": [{"id": "X", "quantity": 1}]}}, 400, "asset.items: X"),
    ({"type": "change", "asset": {"id": ACTIVE, "items": [{"id": ITEM, "quantity": "10"}]}}, 400,
     "asset.items: Item quantities are not changed."),
    ({"type": "adjustment", "asset": {"id": ACTIVE, "params": [{"id": "nothing"}]}}, 400, "asset.params: nothing"),
])
def test_refuses_a_wrong_request_for_an_asset(api, body, status, text):
    refused(api.call("POST", "/requests", body), status, text=text)
    assert changes(api) == [] and len(api.get("/requests")) == SEEDED


# ----------------------------------------------------------------------- actions

VERBS = {  # from, to, what it needs, a body
    "approve": ({"pending"}, "approved", "template_id", TILE),
    "fail": ({"pending"}, "failed", "reason", {"reason": "no room"}),
    "inquire": ({"pending"}, "inquiring", None, {}),
    "pend": ({"inquiring"}, "pending", None, {}),
    "schedule": ({"pending"}, "scheduled", "planned_date", {"planned_date": "2027-01-01T00:00:00+00:00"}),
    "revoke": ({"scheduled"}, "revoking", "reason", {"reason": "too late"}),
    "confirm": ({"revoking"}, "revoked", None, {}),
    "purchase": ({"draft"}, "pending", None, {}),
    "submit": ({"draft"}, "pending", None, {}),
    "assign": ({"draft", "pending", "inquiring", "scheduled", "revoking", "tiers_setup"}, None, "id",
               {"email": "a@b.example"}),
    "unassign": ({"draft", "pending", "inquiring", "scheduled", "revoking", "tiers_setup"}, None, None, {}),
}
STATES = ["draft", "tiers_setup", "pending", "inquiring", "approved", "failed", "scheduled", "revoking",
          "revoked"]


@pytest.fixture
def api_with(start_sim, tmp):
    """api_with(objects...): the API of a sim with these requests."""
    def start(*requests):
        path = tmp / "seed.json"
        path.write_text(json.dumps({"requests": requests}))
        sim = start_sim("--seed", path)
        return calls.Api(sim.url, sim.api_key)
    return start


def test_every_verb_in_every_state(api_with):
    requests = [{"id": f"PR-{verb}-{state}", "type": "purchase", "status": state, "reason": "", "assignee": "",
                 "updated": "", "asset": {"id": f"AS-{verb}-{state}", "status": "as before"}}
                for verb in VERBS for state in STATES]
    api = api_with(*requests)
    for before in requests:
        _, verb, state = before["id"].split("-")
        allowed, to, needs, body = VERBS[verb]
        path = f"/requests/{before['id']}"
        answer = api.call("POST", f"{path}/{verb}", body)
        if state not in allowed:
            refused(answer, 400, "REQ_003", f"what is {state} has no {verb}")
            assert api.get(path) == before
            continue
        assert answer.status == 200, before["id"]
        after = answer.json()
        assert api.get(path) == after
        assert after["status"] == (to or state)
        asset = {"approved": "active", "failed": "terminated", "revoked": "terminated"}.get(to, "as before")
        assert after["asset"]["status"] == ("processing" if state == "draft" and to else asset)


def test_a_verb_says_what_it_needs(api_with):
    state = {verb: sorted(VERBS[verb][0])[0] for verb in VERBS}
    requests = [{"id": f"PR-{verb}", "type": "purchase", "status": state[verb], "asset": {"id": f"AS-{verb}"}}
                for verb in VERBS if VERBS[verb][2] is not None]
    api = api_with(*requests)
    for before in requests:
        verb = before["id"][3:]
        needs = VERBS[verb][2]
        for body in (None, {}, {needs: ""}, {needs: None}, {needs: 5}, {"other": "x"}, []):
            refused(api.call("POST", f"/requests/{before['id']}/{verb}", body), 400, "VAL_001",
                    f"{needs}: This field is required.")
        assert api.get(f"/requests/{before['id']}") == before


def test_approval_needs_the_required_parameters(api):
    made = api.post("/requests", purchase())
    refused(api.call("POST", f"/requests/{made['id']}/approve", TILE), 400, "VAL_001", "subscription_id")
    api.put(f"/requests/{made['id']}", {"asset": {"params": [{"id": "subscription_id", "value": "S-1"}]}})
    done = api.post(f"/requests/{made['id']}/approve",
                    {"template_id": "TL-471-184-949", "effective_date": "2026-11-20T00:00:00+00:00"})
    assert done["status"] == "approved" and done["template"]["id"] == "TL-471-184-949"
    assert done["effective_date"] == "2026-11-20T00:00:00+00:00"
    refused(api.call("POST", f"/requests/{made['id']}/approve", TILE), 400, "REQ_003")


def test_what_a_verb_leaves_behind(api):
    assert api.post(f"/requests/{PENDING}/inquire", {"template_id": "TL-505-021-118"})["status"] == "inquiring"
    assert api.post(f"/requests/{PENDING}/pend")["status"] == "pending"
    planned = api.post(f"/requests/{PENDING}/schedule", {"planned_date": "2027-01-01T00:00:00+00:00"})
    assert planned["planned_date"] == "2027-01-01T00:00:00+00:00"
    assert api.post(f"/requests/{PENDING}/revoke", {"reason": "not now"})["reason"] == "not now"
    assert api.post(f"/requests/{PENDING}/confirm", {})["asset"]["status"] == "terminated"
    assert api.post(f"/requests/{CHANGE}/approve", TILE)["activation_key"] == "# Ready"


def test_assigns_and_unassigns(api):
    path = f"/requests/{PENDING}"
    assert api.post(f"{path}/assign", {"id": "UR-1"})["assignee"] == {"id": "UR-1"}
    assert [r["id"] for r in api.get("/requests?assignee.id=UR-1")] == [PENDING]
    assert api.post(f"{path}/assign", {"email": "a@b.example"})["assignee"] == {"email": "a@b.example"}
    assert api.get("/requests?assignee.id=UR-1") == []
    assert api.post(f"{path}/unassign")["assignee"] == ""
    assert request_of(api, PENDING)["status"] == "pending"


def test_the_seed_has_whole_addresses(api):
    for request in api.get("/requests?limit=1000"):
        tiers = request["asset"]["tiers"]
        for tier in tiers["customer"], tiers["tier1"]:
            assert {"id", "name", "external_id", "external_uid", "tax_id"} < set(tier)
            info = tier["contact_info"]
            assert all(info[key] for key in ("address_line1", "city", "state", "postal_code", "country"))
            contact = info["contact"]
            assert all(contact[key] for key in ("first_name", "last_name", "email"))
            assert set(contact["phone_number"]) == {"country_code", "area_code", "phone_number", "extension"}
