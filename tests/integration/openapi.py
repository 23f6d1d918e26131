"""The vendor's own description of Connect's API, where $CONNECT_OPENAPI names it (connect-openapi.yml of
Connect's Python client); it is not ours to ship."""

import os
import pathlib
import re
import urllib.parse

import pytest

TYPES = {"string": str, "object": dict, "array": list, "boolean": bool, "number": (int, float), "integer": int}


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

    # ------------------------------------------------------------------ what is sent

    def operation(self, method, path):
        """(template, operation) of a path like /requests/PR-1/approve."""
        for template, operations in self.document["paths"].items():
            if method.lower() in operations and re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", template), path):
                return template, operations[method.lower()]
        return None, None

    def parameters(self, operation):
        for parameter in operation.get("parameters", ()):
            while "$ref" in parameter:
                parameter = self.document["components"]["parameters"][parameter["$ref"].rsplit("/", 1)[1]]
            yield parameter["name"]

    def unknown(self, value, schema, at=""):
        """Paths of members that the schema does not have."""
        schema = self.resolved(schema)
        if isinstance(value, list):
            for element in value:
                yield from self.unknown(element, schema.get("items", {}), at + "[]")
        if not isinstance(value, dict) or not schema.get("properties"):
            return
        for name, member in value.items():
            place = f"{at}.{name}" if at else name
            if name in schema["properties"]:
                yield from self.unknown(member, schema["properties"][name], place)
            else:
                yield place

    def faults_of_request(self, method, path, query, body):
        """What a request has that its operation does not describe; `body` is None for none."""
        template, operation = self.operation(method, path)
        if operation is None:
            return {("", f"no {method} {path}")}
        wrong = {(template, f"?{name}") for name in names_of(query) - set(self.parameters(operation))}
        content = operation.get("requestBody", {}).get("content")
        if body is None or content is None:
            return wrong | ({(template, "a body")} if body is not None else set())
        schema = content["application/json"]["schema"]
        return (wrong | {(template, place) for place in self.unknown(body, schema)}
                | {(template, place) for place, _ in self.faults(body, schema)})


def names_of(query):
    """The fields that an RQL query names."""
    text = urllib.parse.unquote(query)
    ordered = {n.lstrip("-") for names in re.findall(r"ordering\(([^)]*)\)", text) for n in names.split(",")}
    return ordered | set(re.findall(r"\b(?:eq|in|ge)\(([\w.]+),", text)) | set(re.findall(r"(?:^|&)([\w.]+)=", text))


def described():
    """The description; skips the test without one."""
    path = os.environ.get("CONNECT_OPENAPI")
    if not path:
        pytest.skip("CONNECT_OPENAPI does not name the API's description")
    return Description(path)
