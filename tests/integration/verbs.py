"""Every verb of every class, and a Connect that has one object and counts what changes it."""

import json
import subprocess

import pytest

import calls
import http_server

TIMEOUT = 30  # seconds
LISTED = "limit=100&offset=0"

# class: (path, list's query, where the product stands, an id)
CLASSES = {
    "fulfillment_request": (
        "/requests", "and(eq(asset.product.id,{p}),in(status,({s})))&ordering(created)", "asset.product", "PR-1-2-3"),
    "tier_config_request": (
        "/tier/config-requests",
        "and(eq(configuration.product.id,{p}),in(status,({s})))&ordering(-configuration.tier_level,created)",
        "configuration.product", "TCR-1-2-3"),
    "tier_account_request": (
        "/tier/account-requests", "and(eq(product.id,{p}),in(status,({s})))&ordering(events.created.at)", "product",
        "TAR-1-2-3"),
    "listing_request": (
        "/listing-requests", "and(eq(listing.product.id,{p}),in(state,({s})))&ordering(created)", "listing.product",
        "LSTR-1-2-3"),
    "billing_request": (
        "/subscriptions/requests",
        "and(eq(asset.product.id,{p}),ge(events.created.at,2026-11-01T00:00:00%2B00:00))&ordering(events.created.at)",
        "asset.product", "BRV-1-2-3"),
    "usage_file": (
        "/usage/files", "and(eq(product.id,{p}),in(status,({s})))&ordering(created.at)", "product", "UF-1-2-3"),
}
TEMPLATE = "TL-471-184-949"

# class, side, state, decision, method, what is below the object's path, body; the state afterwards.
VERBS = [
    ("fulfillment_request", "VA", "pending", {"action": "approve", "template_id": TEMPLATE}, "POST", "approve",
     {"template_id": TEMPLATE}, "approved"),
    ("fulfillment_request", "VA", "pending",
     {"action": "approve", "activation_tile": "# Hi", "effective_date": "2026-12-01T00:00:00+00:00"}, "POST", "approve",
     {"activation_tile": "# Hi", "effective_date": "2026-12-01T00:00:00+00:00"}, "approved"),
    ("fulfillment_request", "VA", "pending", {"action": "fail", "reason": "no"}, "POST", "fail",
     {"reason": "no"}, "failed"),
    ("fulfillment_request", "VA", "pending", {"action": "inquire", "template_id": TEMPLATE}, "POST", "inquire",
     {"template_id": TEMPLATE}, "inquiring"),
    ("fulfillment_request", "VA", "pending", {"action": "inquire"}, "POST", "inquire", {}, "inquiring"),
    ("fulfillment_request", "VA", "pending", {"action": "schedule", "planned_date": "2026-12-01T00:00:00+00:00"},
     "POST", "schedule", {"planned_date": "2026-12-01T00:00:00+00:00"}, "scheduled"),
    ("fulfillment_request", "VA", "revoking", {"action": "confirm"}, "POST", "confirm", {}, "revoked"),
    ("fulfillment_request", "VA", "inquiring", {"action": "pend"}, "POST", "pend", None, "pending"),
    ("fulfillment_request", "PA", "inquiring", {"action": "pend"}, "POST", "pend", None, "pending"),
    ("fulfillment_request", "PA", "scheduled", {"action": "revoke", "reason": "late"}, "POST", "revoke",
     {"reason": "late"}, "revoking"),
    ("tier_config_request", "VA", "pending",
     {"action": "approve", "template_id": TEMPLATE, "effective_date": "2026-12-01T00:00:00+00:00"}, "POST", "approve",
     {"template": {"id": TEMPLATE, "effective_date": "2026-12-01T00:00:00+00:00"}}, "approved"),
    ("tier_config_request", "VA", "pending", {"action": "approve", "activation_tile": "# Hi"}, "POST", "approve",
     {"template": {"representation": "# Hi"}}, "approved"),
    ("tier_config_request", "VA", "pending", {"action": "fail", "reason": "no"}, "POST", "fail",
     {"reason": "no"}, "failed"),
    ("tier_config_request", "VA", "pending", {"action": "inquire"}, "POST", "inquire", None, "inquiring"),
    ("tier_config_request", "VA", "inquiring", {"action": "pend"}, "POST", "pend", None, "pending"),
    ("tier_account_request", "VA", "pending", {"action": "accept"}, "POST", "accept", None, "accepted"),
    ("tier_account_request", "VA", "pending", {"action": "ignore", "reason": "same"}, "POST", "ignore",
     {"reason": "same"}, "ignored"),
    ("listing_request", "PA", "reviewing", {"action": "deploy"}, "POST", "deploy", None, "deploying"),
    ("listing_request", "PA", "reviewing", {"action": "refine"}, "POST", "refine", None, "draft"),
    ("listing_request", "PA", "reviewing", {"action": "cancel"}, "POST", "cancel", None, "canceled"),
    ("listing_request", "PA", "deploying", {"action": "complete"}, "POST", "complete", None, "completed"),
    ("listing_request", "PA", "deploying", {"action": "cancel"}, "POST", "cancel", None, "canceled"),
    ("billing_request", "VA", "", {"action": "annotate", "attributes": {"vendor": {"a": "1"}}}, "PUT", "attributes",
     {"vendor": {"a": "1"}}, ""),
    ("billing_request", "PA", "", {"action": "annotate", "attributes": {"provider": {"a": "1"}}}, "PUT", "attributes",
     {"provider": {"a": "1"}}, ""),
    ("usage_file", "VA", "ready", {"action": "submit"}, "POST", "submit", None, "pending"),
    ("usage_file", "VA", "uploaded", {"action": "submit"}, "POST", "submit", None, "pending"),
    ("usage_file", "VA", "READY", {"action": "submit"}, "POST", "submit", None, "pending"),
    ("usage_file", "VA", "ready", {"action": "delete"}, "POST", "delete", None, "deleted"),
    ("usage_file", "VA", "uploaded", {"action": "reprocess"}, "POST", "reprocess", None, "processing"),
    ("usage_file", "PA", "pending", {"action": "accept", "note": "fine"}, "POST", "accept", {"acceptance_note": "fine"},
     "accepted"),
    ("usage_file", "PA", "pending", {"action": "reject", "note": "no"}, "POST", "reject", {"rejection_note": "no"},
     "rejected"),
    ("usage_file", "PA", "accepted", {"action": "close"}, "POST", "close", None, "closed"),
]
NAMES = ["-".join([v[0], v[1], v[2] or "none", v[3]["action"]]) for v in VERBS]
# One verb for each way of sending and of knowing that it is done.
SOME = [VERBS[i] for i in (0, 6, 10, 13, 15, 17, 22, 24, 29)]
SOME_NAMES = [NAMES[i] for i in (0, 6, 10, 13, 15, 17, 22, 24, 29)]
JSON = (("Content-Type", "application/json"),)
ERRORS = {  # (answer, result where nothing was done)
    "400": ((400, JSON, b'{"error_code":"REQ_003","errors":["status: not now"],"params":{}}'), "dead"),
    "400 without a list": ((400, JSON, b'{"error_code":"VAL_001","errors":"no"}'), "dead"),
    "400 of a gateway": ((400, (("Content-Type", "text/html"),), b"<html>no</html>"), "dead"),
    "403": ((403, JSON, b'{"error_code":"PERM_1","errors":["not yours"]}'), "dead"),
    "404": ((404, JSON, b'{"detail":"Not found."}'), "dead"),
    "409": ((409, JSON, b'{"error_code":"REQ_001","errors":["open"],"params":{"request_id":"PR-1"}}'), "dead"),
    "401": ((401, JSON, b'{"error_code":"AUTH_001","errors":["API request is unauthorized."]}'), "retry"),
    "429": ((429, (("Retry-After", "7"), *JSON), b"{}"), "retry"),
    "503": ((503, (("Retry-After", "1"),), b""), "retry"),
    "500": ((500, JSON, b'{"error_code":"SYS_001","errors":["sorry"]}'), "retry"),
    "502 of a gateway": ((502, (("Content-Type", "text/html"),), b"<html>bad gateway</html>"), "retry"),
    "302": ((302, (("Location", "/elsewhere"),), b""), "retry"),
}
HALTS = {"401", "429", "503"}  # the account: what comes after such an answer waits


class Connect(http_server.Server):
    """Objects of one class, and an answer for what changes each."""

    def __init__(self):
        super().__init__(Handler, "/public/v1")
        self.things = {}  # by path
        self.collection = None
        self.answers = {}  # by path: (status, headers, bytes) of a change; None: the object, changed
        self.effect = True  # of a change, whatever the answer
        self.after = {}  # what a change makes of the object
        self.sent = []  # (method, path, query, headers, body)

    def of(self, path):
        """The path of the object that this is about."""
        return next((p for p in self.things if path == p or path.startswith(p + "/")), None)


class Handler(http_server.Handler):
    def handle_one(self):
        path, _, query = self.path.removeprefix("/public/v1").partition("?")
        body = self.body()
        server = self.server
        server.sent.append((self.command, path, query, dict(self.headers), json.loads(body) if body else None))
        its = server.of(path)
        if self.command != "GET":
            if server.effect:
                server.things[its].update(server.after)
            status, headers, content = server.answers[its] or (200, (), json.dumps(server.things[its]).encode())
            self.reply(status, content, headers)
        elif path.endswith("/templates"):
            self.reply_list([])
        elif path == server.collection:
            self.reply_list(list(server.things.values()))
        else:
            self.reply_json(200, server.things[its])

    do_GET = do_POST = do_PUT = handle_one


@pytest.fixture
def connect():
    with Connect() as server:
        yield server


@pytest.fixture
def poll(build, connect, configuration):
    """poll(verb, answers, status=0): poll with an object for each answer, and return what was said of each and all that
    was sent."""
    def once(verb, answers, status=0):
        name, side, state, decision, _, _, body, after = verb
        connect.collection, _, product, thing_id = CLASSES[name]
        key = "state" if name == "listing_request" else "status"
        connect.after = {key: after} if after else {"attributes": body}
        for n, answer in enumerate(answers):
            thing = {"id": thing_id + (f"-{n}" if n else ""), **({key: state} if state else {})}
            if name == "billing_request":
                thing["events"] = {"created": {"at": "2026-11-02T10:00:00+00:00"}}
            inner = thing
            for part in product.split("."):
                inner = inner.setdefault(part, {})
            inner["id"] = calls.PRODUCT
            path = f"{connect.collection}/{thing['id']}"
            connect.things[path], connect.answers[path] = thing, answer
        account = calls.ACCOUNT if side == "VA" else calls.DISTRIBUTOR
        conf = configuration(api_url=connect.url, rules=json.dumps([{"then": decision}]))
        conf.document["accounts"][0]["id"] = account
        hook = conf.document["webhooks"][0]
        hook.update(account=account, object_class=name)
        if state in ("inquiring", "scheduled"):
            hook["states"] = [state]
        if name == "billing_request":
            hook["since"] = "2026-11-01"
        conf.save()
        ran = subprocess.run([build / "connect-webhook", "poll", "--once", "--json", "-c", conf.path],
                             capture_output=True, text=True, timeout=TIMEOUT)
        assert ran.returncode == status, ran.stderr + ran.stdout
        said = {report["object_id"]: report for report in map(json.loads, ran.stdout.splitlines())}
        return [said[thing["id"]] for thing in connect.things.values()], connect.sent
    return once


@pytest.fixture
def run(poll):
    """run(verb): poll with that one object, and return what was said of it and what was sent."""
    def once(verb):
        (report,), sent = poll(verb, [None])
        return report, sent
    return once


@pytest.fixture(scope="module")
def polled():
    """What run_form() has found out: {(a verb's number, a form): (what was said, what was sent)}"""
    return {}


@pytest.fixture
def run_form(poll, connect, polled):
    """run_form(verb, form, answers, status=0): what was said of the object whose change is answered in this form, and
    what was sent about it. The forms of a verb share a poll, but for what halts an account."""
    def once(verb, form, answers, status=0):
        number = VERBS.index(verb)
        if (number, form) not in polled:
            forms = [form] if form in HALTS else [f for f in answers if f not in HALTS]
            reports, sent = poll(verb, [answers[f] for f in forms], status)
            for f, report, path in zip(forms, reports, connect.things):
                polled[number, f] = report, [s for s in sent if connect.of(s[1]) == path]
        return polled[number, form]
    return once


def changes(sent):
    return [s for s in sent if s[0] != "GET"]
