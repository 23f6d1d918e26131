"""connect-sim's objects against the vendor's own description of the API, where $CONNECT_OPENAPI
names it (connect-openapi.yml of Connect's Python client); it is not ours to ship."""

import os
import pathlib

import pytest

import calls

TYPES = {"string": str, "object": dict, "array": list, "boolean": bool, "number": (int, float), "integer": int}
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
]


class Description:
    def __init__(self, path):
        yaml = pytest.importorskip("yaml")
        self.document = yaml.safe_load(pathlib.Path(path).read_text())
        self.schemas = self.document["components"]["schemas"]

    def list_of(self, path):
        answers = self.document["paths"][path]["get"]["responses"]
        content = next(a["content"] for code, a in answers.items() if code.startswith("2"))
        return next(iter(content.values()))["schema"]["items"]

    def resolved(self, schema):
        while "$ref" in schema:
            schema = self.schemas[schema["$ref"].rsplit("/", 1)[1]]
        return schema

    def faults(self, value, schema, at=""):
        """(place, what is wrong) of a value."""
        schema = self.resolved(schema)
        for part in schema.get("allOf", ()):
            yield from self.faults(value, part, at)
        for choices in (schema[k] for k in ("oneOf", "anyOf") if k in schema):
            yield from min((list(self.faults(value, c, at)) for c in choices), key=len)
        wanted = schema.get("type")
        if value is None:
            if wanted and not schema.get("nullable"):
                yield at, None
        elif wanted and (not isinstance(value, TYPES[wanted]) or
                         isinstance(value, bool) and wanted != "boolean"):
            yield at, type(value)
        elif value not in schema.get("enum", [value]):
            yield at, value
        elif isinstance(value, dict):
            yield from self.members(value, schema, at)
        elif isinstance(value, list):
            for element in value:
                yield from self.faults(element, schema.get("items", {}), at + "[]")

    def members(self, value, schema, at):
        prefix = at + "." if at else ""
        for name in schema.get("required", ()):
            if name not in value:
                yield prefix + name, "missing"
        for name, member in schema.get("properties", {}).items():
            if name in value:
                yield from self.faults(value[name], member, prefix + name)


@pytest.fixture(scope="module")
def description():
    path = os.environ.get("CONNECT_OPENAPI")
    if not path:
        pytest.skip("CONNECT_OPENAPI does not name the API's description")
    return Description(path)


def test_the_check_finds_what_is_wrong():
    schema = {"type": "object", "required": ["id"], "properties": {
        "n": {"type": "integer"}, "list": {"type": "array", "items": {"type": "string", "enum": ["a"]}}}}
    check = Description.__new__(Description)
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
