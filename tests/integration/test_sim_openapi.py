"""connect-sim's objects against the vendor's own description of the API."""

import pytest

import calls
import openapi

LISTS = {"/requests": "/requests", f"/products/{calls.PRODUCT}/templates": None, "/products": "/products",
         "/notifications/webhooks": "/notifications/webhooks", "/conversations": "/conversations",
         "/accounts": "/accounts", "/assets": "/assets", "/subscriptions/assets": "/subscriptions/assets",
         "/tier/accounts": "/tier/accounts", "/tier/configs": "/tier/configs",
         "/tier/config-requests": "/tier/config-requests", "/tier/account-requests": "/tier/account-requests",
         "/listing-requests": "/listing-requests", "/subscriptions/requests": "/subscriptions/requests",
         "/usage/files": "/usage/files"}
TEMPLATES = "dp.ProductTemplates"

# Where Connect itself does not keep to the description.
KNOWN = [
    ("type", "adjustment"), ("type", "renew"), ("type", "transfer"),  # newer types of requests
    ("status", "scheduled"), ("status", "revoking"), ("status", "revoked"),  # and their states
    ("asset.status", "terminating"),
    ("assignee", dict),  # a user, or "" for none
    ("effective_date", None), ("asset.items[].period", None), ("last_success", None), ("last_failure", None),
    ("asset.status", "draft"), ("pending_request", None), ("items[].period", None),
    ("connection.type", "preview"), ("pending_request.type", "transfer"),
    ("params", list), ("params[]", dict), ("attributes", dict),  # said to be a text, of texts, a list
    ("items[].quantity", str), ("template", None),  # "unlimited"; none yet
    ("capabilities.tiers.configs.configs", "missing"),  # only ever written
]


@pytest.fixture(scope="module")
def description():
    return openapi.described()


def test_the_check_finds_what_is_wrong():
    schema = {"type": "object", "required": ["id"], "properties": {
        "n": {"type": "integer"}, "list": {"type": "array", "items": {"type": "string", "enum": ["a"]}}}}
    check = openapi.Description.__new__(openapi.Description)
    assert list(check.faults({"id": "x", "n": 1, "list": ["a"]}, schema)) == []
    assert list(check.faults({"n": True, "list": ["a", "b", None]}, schema)) == [
        ("id", "missing"), ("n", bool), ("list[]", "b"), ("list[]", None)]


@pytest.mark.parametrize("path", LISTS)
def test_what_is_listed_is_as_described(description, api, path):
    schema = description.list_of(LISTS[path]) if LISTS[path] else description.schemas[TEMPLATES]
    listed = api.get(f"{path}?limit=1000")
    assert listed
    faults = {fault for thing in listed for fault in description.faults(thing, schema)}
    assert faults <= set(KNOWN)


def test_what_is_made_is_as_described(description, api):
    """A new request, and the conversation that is opened about it."""
    made = api.post("/requests", {"type": "purchase", "asset": {
        "product": {"id": calls.PRODUCT}, "connection": {"id": "CT-2840-1977-0412"},
        "items": [{"id": "PRD_578_226_824_0001", "quantity": "1"}]}})
    one, = api.get(f"/conversations?instance_id={made['id']}")
    faults = {*description.faults(made, description.list_of("/requests")),
              *description.faults(one, description.list_of("/conversations"))}
    assert faults <= set(KNOWN)


@pytest.mark.parametrize("path, body", [
    ("/requests/PR-7957-9623-8231-001/validate",
     {"asset": {"params": [{"id": "admin_email", "value": "x", "value_error": "", "value_choices": []}]}}),
    ("/tier/config-requests/TCR-552-011-840-001/validate", {"params": [{"id": "reseller_code", "value": "x"}]})])
def test_a_form_is_validated_as_described(description, api, path, body):
    assert description.faults_of_request("POST", path, "", body) == set()
    operation = description.operation("POST", path)[1]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert {*description.faults(api.post(path, body), schema)} <= set(KNOWN)
