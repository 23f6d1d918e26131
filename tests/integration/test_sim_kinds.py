"""connect-sim's other classes: their lists, states, verbs, and what waits for what."""

import json
import re

import pytest

import calls

TCR, TAR, LSTR = "/tier/config-requests", "/tier/account-requests", "/listing-requests"
BILLING, USAGE = "/subscriptions/requests", "/usage/files"
SECOND, FIRST = "TCR-908-022-156-001", "TCR-331-277-401-001"  # of the built-in seed
ACTIVE, ACTIVE_UID = "AS-6990-1715-4170", "a7afd622-9b16-4e8c-9794-699017154170"
WAITING = "PR-7957-9623-8230-001"  # a purchase that waits for both
TEMPLATE = {"template": {"id": "TL-712-480-662"}}
LISTS = ["/requests", "/assets", "/subscriptions/assets", "/tier/accounts", "/tier/configs", TCR, TAR, LSTR,
         BILLING, USAGE, "/accounts"]

# Where each verb leads from where, with what it needs, and how it answers.
VERBS = {
    TCR: ("status", "tiers_setup pending inquiring approved failed draft", {
        "approve": ("pending", "approved", TEMPLATE, 200),
        "fail": ("pending inquiring", "failed", {"reason": "no"}, 204),
        "inquire": ("pending", "inquiring", None, 204), "pend": ("inquiring", "pending", None, 204),
        "submit": ("draft", "pending", {}, 200)}),
    TAR: ("status", "pending accepted ignored unsupported", {
        "accept": ("pending", "accepted", None, 200), "ignore": ("pending", "ignored", {"reason": "same"}, 200)}),
    LSTR: ("state", "draft reviewing deploying canceled completed", {
        "submit": ("draft", "reviewing", None, 200), "deploy": ("reviewing", "deploying", None, 200),
        "refine": ("reviewing", "draft", None, 200), "complete": ("deploying", "completed", None, 200),
        "cancel": ("reviewing deploying", "canceled", None, 200)}),
    USAGE: ("status", "draft uploading uploaded invalid processing ready rejected pending accepted closed deleted", {
        "submit": ("ready uploaded", "pending", None, 200), "close": ("accepted", "closed", None, 200),
        "accept": ("pending", "accepted", {"acceptance_note": "fine"}, 200),
        "reject": ("pending", "rejected", {"rejection_note": "no"}, 200),
        "delete": ("draft ready uploaded invalid", "deleted", None, 200),
        "reprocess": ("ready uploaded invalid", "processing", None, 200)}),
}
EMPTY = {(LSTR, v) for v in VERBS[LSTR][2]}
CASES = [(path, verb, state) for path, (_, states, verbs) in VERBS.items() for verb in verbs
         for state in states.split()]


def refused(answer, status, code=None):
    assert answer.status == status, answer
    assert code is None or answer.json()["error_code"] == code


def seeded(start_sim, tmp, **collections):
    seed = tmp / "seed.json"
    seed.write_text(json.dumps(collections))
    sim = start_sim("--seed", seed)
    return calls.Api(sim.url, sim.api_key)


def test_every_verb_in_every_state(start_sim, tmp):
    def one(path, verb, state):
        return {"id": f"X-{verb}-{state}", "type": "new", VERBS[path][0]: state}
    names = {TCR: "tier_config_requests", TAR: "tier_account_requests", LSTR: "listing_requests", USAGE: "usage_files"}
    api = seeded(start_sim, tmp, **{name: [one(*case) for case in CASES if case[0] == path]
                                    for path, name in names.items()})
    for path, verb, state in CASES:
        key, _, verbs = VERBS[path]
        allowed, to, body, status = verbs[verb]
        answer = api.call("POST", f"{path}/X-{verb}-{state}/{verb}", body)
        now = api.get(f"{path}/X-{verb}-{state}")
        if state not in allowed.split():
            refused(answer, 400)
            assert now == one(path, verb, state)
            continue
        assert answer.status == status, answer
        assert now[key] == to
        if status == 204 or (path, verb) in EMPTY:
            assert answer.body == b""
        elif (path, verb) == (TCR, "approve"):
            assert answer.json() == {"template": TEMPLATE["template"], "effective_date": None}
        else:
            assert answer.json() == now


@pytest.mark.parametrize("path, verb, body", [
    (TCR + "/" + SECOND, "approve", {}), (TCR + "/" + SECOND, "approve", {"template": {"id": ""}}),
    (TCR + "/" + SECOND, "approve", {"template": "TL-1"}), (TCR + "/" + SECOND, "fail", {}),
    (TCR + "/" + SECOND, "fail", {"reason": "€" * 501}),
    (TAR + "/TAR-6458-9737-0065-003-001", "ignore", {"reason": "€" * 256}),
    (USAGE + "/UF-2026-11-0004-0028", "accept", {"acceptance_note": "x" * 201}),
    (USAGE + "/UF-2026-11-0004-0028", "reject", {"rejection_note": "x" * 201})])
def test_refuses_what_is_missing_or_too_long(api, path, verb, body):
    before = api.get(path)
    refused(api.call("POST", f"{path}/{verb}", body), 400, "VAL_001")
    assert api.get(path) == before


def test_takes_what_just_fits(api):
    file = api.post(USAGE + "/UF-2026-11-0004-0028/reject", {"rejection_note": "€" * 200})
    assert file["rejection_note"] == "€" * 200 and file["events"]["rejected"]["at"]


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/tier", 404), ("GET", "/tier/nothing", 404), ("GET", "/usage", 404), ("GET", f"{TCR}/TCR-0", 404),
    ("DELETE", TCR, 405), ("POST", "/tier/configs", 405), ("POST", "/assets", 405), ("PUT", f"{TAR}/TAR-0", 404),
    ("PUT", f"{TAR}/TAR-6458-9737-0065-003-001", 405), ("POST", f"{TCR}/{SECOND}/nothing", 404),
    ("GET", f"{TCR}/{SECOND}/approve", 404), ("POST", f"{TCR}/{SECOND}/approve/more", 404),
    ("GET", f"{BILLING}/BRV-6990-1715-4170-0001/attributes", 405), ("GET", "/assets/AS-0/requests", 404),
    ("PUT", f"{USAGE}/UF-0", 404), ("POST", f"/assets/{ACTIVE}/approve", 404)])
def test_says_what_is_not_there(api, method, path, status):
    refused(api.call(method, path, {}), status)


# ----------------------------------------------------------------- as the vendor's SDKs ask


@pytest.mark.parametrize("path", LISTS)
def test_lists_gets_and_pages(api, path):
    everything = api.get(f"{path}?limit=1000")
    assert len(everything) > 1
    for one in everything:
        assert api.get(f"{path}/{one['id']}") == one
    pages = []
    while True:
        answer = api.call("GET", f"{path}?limit=2&offset={len(pages)}")
        pages += answer.json()
        _, last, total = map(int, re.findall(r"\d+", answer.headers["Content-Range"]))
        assert total == len(everything) and last == len(pages) - 1
        if last >= total - 1:
            break
    assert pages == everything
    assert api.call("GET", f"{path}?limit=0").headers["Content-Range"] == f"items 0-0/{len(everything)}"


@pytest.mark.parametrize("path, query, found", [
    (TCR, f"and(in(configuration.product.id,({calls.PRODUCT})),in(configuration.connection.type,(test)),"
          "in(status,(pending)))&limit=100&offset=0", [SECOND, "TCR-448-719-877-002"]),
    (TCR, "status=pending&configuration.product.id=" + calls.PRODUCT, [SECOND, "TCR-448-719-877-002"]),
    (TCR, "configuration__tier_level=2", [SECOND]),
    (TCR, "in(status,(pending,tiers_setup))&ordering(-configuration.tier_level,created)",
     [SECOND, FIRST, "TCR-448-719-877-002"]),
    (TCR, "select(-params)&status=pending&ordering(-created)", ["TCR-448-719-877-002", SECOND]),
    (TCR, "search=Baltic&status=pending", [SECOND]),
    (TCR, "%28eq%28status%2Cfailed%29%29%26limit%3D2%26offset%3D0", ["TCR-552-011-840-002"]),
    (TAR, "status=pending&account.external_id=41872", ["TAR-4487-1987-3778-002-001"]),
    (TAR, "in(status,(unsupported,ignored))&ordering(-events.created.at)",
     ["TAR-4487-1987-3778-001-001", "TAR-6458-9737-0065-002-002"]),
    (LSTR, "in(state,(reviewing,deploying))&ordering(created)",
     ["LSTR-520-774-313-001", "LSTR-308-918-054-001", "LSTR-411-220-976-002"]),
    (LSTR, "product__id=PRD-910-114-336", ["LSTR-700-456-188-001"]),
    (LSTR, "listing.product.id=PRD-910-114-336", ["LSTR-700-456-188-001"]),
    (BILLING, f"and(eq(asset.product.id,{calls.PRODUCT}),ge(events.created.at,2026-11-01T00:04:00%2B00:00))",
     ["BRP-6990-1715-4170-0002"]),
    (BILLING, "type=vendor&ordering(-events.created.at)", ["BRV-6990-1715-4170-0002", "BRV-6990-1715-4170-0001"]),
    (USAGE, "status=ready", ["UF-2026-11-0001-0007", "UF-2026-11-0003-0021"]),
    (USAGE, "in(status,(ready,uploaded))&product_id=" + calls.PRODUCT + "&ordering(-created.at)",
     ["UF-2026-11-0003-0021", "UF-2026-11-0002-0014", "UF-2026-11-0001-0007"]),
    ("/assets", "status=suspended", ["AS-6990-1715-4164"]),
    ("/subscriptions/assets", "external_id=97957968", ["AS-7957-9623-8230"]),
    ("/tier/configs", "status=active", ["TC-448-719-877"]),
    ("/tier/accounts", "external_uid=be07a2cc-9c40-4f34-8a70-908022156631", ["TA-9080-2215-6631"]),
    ("/accounts", "type=provider", ["PA-425-033"])])
def test_finds(api, path, query, found):
    assert [o["id"] for o in api.get(f"{path}?{query}")] == found


# ------------------------------------------------------------------------ what waits


def status(api, path):
    return api.get(path)["status"]


def test_an_approved_configuration_frees_what_waits_for_it(api):
    assert status(api, f"{TCR}/{FIRST}") == status(api, f"/requests/{WAITING}") == "tiers_setup"
    api.post(f"{TCR}/{SECOND}/approve", TEMPLATE)
    config = api.get("/tier/configs/TC-908-022-156")
    assert config["status"] == "active" and "open_request" not in config and config["template"] == TEMPLATE["template"]
    assert api.get(f"{TCR}/{SECOND}")["configuration"]["status"] == "active"
    assert status(api, f"{TCR}/{FIRST}") == "pending"
    assert status(api, f"/requests/{WAITING}") == "tiers_setup"  # for the first tier
    api.post(f"{TCR}/{FIRST}/approve", {"template": {"id": "TL-711-480-661", "effective_date": "2026-12-01"}})
    assert api.get(f"{TCR}/{FIRST}")["effective_date"] == "2026-12-01"
    assert status(api, f"/requests/{WAITING}") == "pending"
    assert status(api, f"/assets/{api.get('/requests/' + WAITING)['asset']['id']}") == "processing"


def test_a_failed_configuration_ends_what_waits_for_it(api):
    api.post(f"{TCR}/{SECOND}/fail", {"reason": "no"})
    assert status(api, f"{TCR}/{FIRST}") == "failed"
    request = api.get(f"/requests/{WAITING}")
    assert request["status"] == "failed" and request["reason"] and request["asset"]["status"] == "terminated"
    assert status(api, f"/assets/{request['asset']['id']}") == "terminated"


def test_what_is_freed_without_its_parameters_asks_for_them(start_sim, tmp, api):
    def configuration(tier):
        return {"id": f"TC-{tier}", "tier_level": tier, "account": {"id": f"TA-{tier}"}, "product": {"id": "PRD-1"}}
    missing = [{"id": "p", "phase": "ordering", "value": "", "constraints": {"required": True}}]
    tiers = {"tier1": {"id": "TA-1"}, "tier2": {"id": "TA-2"}}
    own = seeded(start_sim, tmp, tier_config_requests=[
        {"id": "TCR-2", "status": "pending", "configuration": configuration(2), "params": []},
        {"id": "TCR-1", "status": "tiers_setup", "configuration": configuration(1), "params": missing, "tiers": tiers}],
        requests=[{"id": "PR-1", "type": "purchase", "status": "tiers_setup", "asset": {
            "id": "AS-1", "product": {"id": "PRD-1"}, "tiers": {"tier1": {"id": "TA-9"}, "tier2": {"id": "TA-2"}},
            "params": missing}}])
    own.post(f"{TCR}/TCR-2/approve", TEMPLATE)
    assert status(own, f"{TCR}/TCR-1") == "inquiring" and status(own, "/requests/PR-1") == "inquiring"


def test_approving_needs_the_parameters_of_the_vendor(start_sim, tmp):
    own = seeded(start_sim, tmp, tier_config_requests=[{"id": "TCR-1", "status": "pending", "params": [
        {"id": "n", "phase": "fulfillment", "value": "", "constraints": {"required": True}}]}])
    refused(own.call("POST", f"{TCR}/TCR-1/approve", TEMPLATE), 400, "VAL_001")
    refused(own.call("PUT", f"{TCR}/TCR-1", {"params": [{"id": "x", "value": "1"}]}), 400, "VAL_001")
    refused(own.call("PUT", f"{TCR}/TCR-1", {"params": [{"id": "n", "value": "1"}] * 51}), 400, "VAL_001")
    put = own.put(f"{TCR}/TCR-1", {"params": [{"id": "n", "value": "P-1"}], "notes": "n"})
    assert (put["params"][0]["value"], put["notes"]) == ("P-1", "n")
    own.post(f"{TCR}/TCR-1/approve", TEMPLATE)
    refused(own.call("PUT", f"{TCR}/TCR-1", {"params": []}), 400, "TCR_003")


# ------------------------------------------------------------------------ new ones


def test_makes_tier_config_requests(api):
    made = api.post(TCR, {"configuration": {"id": "TC-448-719-877"}, "status": "draft", "notes": "hi",
                          "params": [{"id": "reseller_code", "value": "NORD-9"}]})
    assert made["id"] == "TCR-448-719-877-004" and (made["type"], made["status"]) == ("update", "draft")
    assert made["params"][0]["value"] == "NORD-9"
    assert api.post(f"{TCR}/{made['id']}/submit")["status"] == "pending"
    for wrong in ({}, {"configuration": {"id": "TC-0"}}, {"configuration": {"id": "TC-448-719-877"}, "type": "new"},
                  {"configuration": {"id": "TC-448-719-877"}, "status": "approved"},
                  {"configuration": {"id": "TC-448-719-877"}, "params": [{"id": "x"}]}):
        refused(api.call("POST", TCR, wrong), 400, "VAL_001")


def test_makes_tier_account_requests(api):
    made = api.post(TAR, {"type": "update", "account": {"id": "TA-3312-7740-1905", "name": "Fjord"},
                          "product": {"id": calls.PRODUCT}})
    assert made["status"] == "pending" and made["account"]["version"] == 2 and made["account"]["name"] == "Fjord"
    assert api.get("/tier/accounts/TA-3312-7740-1905")["name"] == "Fjord"
    for wrong in ({}, {"account": {"id": "TA-0"}}, {"account": {"id": "TA-3312-7740-1905"}}):
        refused(api.call("POST", TAR, wrong), 400, "VAL_001")


def test_makes_listing_requests_and_lists(api):
    made = api.post(LSTR, {"type": "new", "product_id": calls.PRODUCT, "contract_id": "CRD-1", "note": "please"})
    assert made["state"] == "draft" and made["listing"]["status"] == "unlisted"
    for verb in ("submit", "deploy", "complete"):
        api.post(f"{LSTR}/{made['id']}/{verb}")
    assert api.get(f"{LSTR}/{made['id']}")["listing"]["status"] == "listed"
    off = api.post(LSTR, {"type": "remove", "listing_id": made["listing"]["id"]})
    for verb in ("submit", "deploy", "complete"):
        api.post(f"{LSTR}/{off['id']}/{verb}")
    assert api.get(f"{LSTR}/{off['id']}")["listing"]["status"] == "unlisted"
    for wrong in ({}, {"type": "old"}, {"type": "remove"}, {"type": "new"},
                  {"type": "new", "product_id": calls.PRODUCT}):
        refused(api.call("POST", LSTR, wrong), 400, "VAL_001")


@pytest.mark.parametrize("asset", [
    {"asset": {"id": ACTIVE}}, {"asset_id": ACTIVE}, {"asset": {"external_uid": ACTIVE_UID}},
    {"asset_external_uid": ACTIVE_UID}])
@pytest.mark.parametrize("period", [
    {"period": {"from": "2026-12-01", "to": "2027-01-01", "delta": 1, "uom": "monthly"}},
    {"period_from": "2026-12-01", "period_to": "2027-01-01", "period_delta": 1, "period_uom": "monthly"}])
def test_makes_billing_requests_of_both_shapes(api, asset, period):
    made = api.post(BILLING, {"type": "provider", "items": [], "attributes": {"provider": {"a": "1"}},
                              **asset, **period})
    assert made["id"].startswith("BRP-") and made["asset"]["id"] == ACTIVE
    assert made["period"] == {"from": "2026-12-01", "to": "2027-01-01", "delta": 1, "uom": "monthly"}
    assert made["events"]["created"]["at"]


def test_notes_attributes_for_each_side(api):
    path = f"{BILLING}/BRV-6990-1715-4170-0002"
    assert api.put(f"{path}/attributes", {"vendor": {"a": 1}}) == {"vendor": {"a": 1}}
    assert api.put(f"{path}/attributes", {"provider": {"b": 2}}) == {"vendor": {"a": 1}, "provider": {"b": 2}}
    assert api.get(path)["attributes"] == {"vendor": {"a": 1}, "provider": {"b": 2}}
    for wrong in ([], "x", None):
        refused(api.call("PUT", f"{path}/attributes", wrong), 400, "VAL_001")
    for wrong in ({}, {"type": "both"}, {"asset": {"id": "AS-0"}}):
        refused(api.call("POST", BILLING, wrong), 400, "VAL_001")


def test_makes_and_uploads_usage_files(sim, api):
    body = {"name": "October", "description": "d", "period": {"from": "2026-10-01", "to": "2026-10-31"},
            "currency": "EUR", "product": {"id": calls.PRODUCT}, "contract": {"id": "CRD-1"}, "external_id": "x-1"}
    made = api.post(USAGE, body)
    assert made["status"] == "draft" and made["external_id"] == "x-1" and made["vendor"]["id"] == calls.ACCOUNT
    path = f"{USAGE}/{made['id']}"
    assert api.put(path, {"note": "n"})["note"] == "n"
    refused(api.call("PUT", path, {"note": "n" * 201}), 400, "VAL_001")
    form = {"Authorization": f"ApiKey {sim.api_key}", "Content-Type": "multipart/form-data; boundary=b"}
    refused(calls.http("POST", f"{sim.url}{path}/upload", b"", form), 400, "VAL_001")
    sheet = (b'--b\r\nContent-Disposition: form-data; name="usage_file"; filename="u.xlsx"\r\n\r\n'
             b"PK\x03\x04\xff\r\n--b--\r\n")
    answer = calls.http("POST", f"{sim.url}{path}/upload", sheet, form)
    assert (answer.status, answer.json()["status"]) == (201, "ready")
    api.post(f"{path}/submit")
    refused(calls.http("POST", f"{sim.url}{path}/upload", sheet, form), 400, "UF_003")
    for wrong in ({}, {"product": {"id": "PRD-0"}}, {"product": {"id": calls.PRODUCT}}, {**body, "name": "x" * 201}):
        refused(api.call("POST", USAGE, wrong), 400, "VAL_001")


def test_an_asset_is_what_its_requests_make_of_it(api):
    path = f"/assets/{ACTIVE}"
    before = api.get(path)
    assert before["status"] == "active" and before["pending_request"] is None
    made = api.post("/requests", {"type": "change", "asset": {"id": before["id"], "items": [
        {"id": before["items"][0]["id"], "quantity": "77"}]}})
    during = api.get(path)
    assert during["pending_request"]["id"] == made["id"] and during["items"] == before["items"]
    api.put(f"/requests/{made['id']}", {"asset": {"params": [{"id": "subscription_id", "value": "S-1"}]}})
    api.post(f"/requests/{made['id']}/approve", {"activation_tile": "# Hi"})
    after = api.get(path)
    assert after["items"][0]["quantity"] == "77" and after["pending_request"] is None
    assert [a["id"] for a in api.get("/assets?params.value=S-1")] == [before["id"]]
    api.put(f"/requests/{made['id']}", {"asset": {"params": [{"id": "subscription_id", "value": "S-2"}]}})
    assert [a["id"] for a in api.get("/assets?params.value=S-2")] == [before["id"]]
    assert api.get("/assets?params.value=S-1") == []
    assert [r["id"] for r in api.get(f"{path}/requests?ordering(id)")] == ["PR-6990-1715-4170-001", made["id"]]


def test_the_seed_has_every_state(api):
    for path, (key, states, _) in VERBS.items():
        assert {o[key] for o in api.get(f"{path}?limit=1000")} == set(states.split())
    assert {r["status"] for r in api.get("/requests")} == {
        "draft", "tiers_setup", "pending", "inquiring", "approved", "failed", "scheduled", "revoking", "revoked"}


def test_each_class_can_be_triggered(api):
    hooks = api.get("/notifications/webhooks?type=event")
    assert {h["object_class"] for h in hooks} == {
        "fulfillment_request", "tier_config_request", "tier_account_request", "listing_request", "billing_request",
        "usage_file"}
    for hook in hooks:
        triggered = api.post(f"/notifications/webhooks/{hook['id']}/trigger")
        assert triggered["last_failure"]["status_code"] is None  # nobody is there
