"""A Connect for the duel: all six classes, small and fast, as troubled as the events have it, and it counts what takes
effect."""

import copy
import json
import pathlib
import re
import sys
import traceback
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import http_server  # noqa: E402
import model  # noqa: E402
import trouble  # noqa: E402
import truths  # noqa: E402

PRODUCT = re.compile(r"eq\([a-z_.]+,(PRD-[0-9-]+)\)")
STATES = re.compile(r"in\([a-z_.]+,\(([^)]*)\)\)")
SINCE = re.compile(r"ge\([a-z_.]+,([^)]+)\)")
PAGE_MAX = 5  # so that lists of a few objects have pages
TEMPLATE = {"id": "TL-100-000-001", "name": "The only one", "title": "The only one"}
GARBAGE = {"html": b"<html><body>Bad Gateway</body></html>", "half": b'[{"id": "PR-', "null": b"null"}


class Connect(http_server.Server):
    request_queue_size = 100

    def __init__(self, world):
        super().__init__(Handler, "/public/v1")
        self.world = world
        self.keys = {account: f"ApiKey SU-{account}:key-{account}-0123456789abcdef" for account in model.ACCOUNTS}
        world.marks.update(key.removeprefix("ApiKey ") for key in self.keys.values())

    def handle_error(self, *_):
        self.world.blame("duel", traceback.format_exc())

    def account_of(self, authorization):
        return next((account for account, key in self.keys.items() if key == authorization), None)


class Call:
    """What is asked for."""

    def __init__(self, world, account, method, path, query, body):
        self.world, self.account, self.method, self.path, self.query, self.body = (
            world, account, method, path, query, body)
        self.kind = self.thing = self.what = None
        self.used = None  # what truths.of_change() gives
        self.operation = "other"
        for kind in model.KINDS.values():
            if path == kind.path:
                self.kind, self.operation = kind, "list"
            elif path.startswith(kind.path + "/"):
                self.kind = kind
                object_id, _, self.what = path.removeprefix(kind.path + "/").partition("/")
                self.thing = world.by_id.get(object_id)
                self.operation = {"GET": "get", "PUT": "put"}.get(method, "verb")
        if path.endswith("/templates"):
            self.operation = "templates"
        self.hook = next((hook for hook in model.HOOKS.values()
                          if hook.is_event and hook.account == account and hook.kind is self.kind
                          and (self.thing is None or hook.product == self.thing.product)), None)
        page = urllib.parse.parse_qs(query).get("offset", ["0"])[0] != "0"
        self.operations = {self.operation, "page"} if page else {self.operation}

    def troubles(self):
        return trouble.of_calls(self.world, self.account, self.kind and self.kind.name,
                                self.thing and self.thing.n, self.operations)

    def is_ill(self, document):
        """Does Connect fail to show it in a list?"""
        thing = self.world.by_id.get(document["id"]) if isinstance(document, dict) and "id" in document else None
        return thing and trouble.of_calls(self.world, self.account, self.kind.name, thing.n, {"shown"}) != []

    def complaint(self, quotes):
        """What a refusal says, which may quote what it does not like."""
        return f"{'a long text ' * 15}{self.thing.password} is not valid" if self.thing and quotes else "no"

    def answer(self, lag=0):
        """(status, value): what would be answered if all were well, and what it changes is changed."""
        if self.operation == "templates":
            return 200, [TEMPLATE]
        if self.path == "/conversations":
            return 200, []
        if self.operation == "list":
            return 200, self.listed(lag)
        thing = self.thing
        if thing is None or thing.document is None:
            return 404, refusal("not found")
        if self.operation == "get":
            thing.read.append(thing.document)
            return 200, thing.document
        return self.change()

    def listed(self, lag):
        """The documents of the list as it was `lag` seconds ago."""
        if self.hook:
            self.world.listed[self.hook.id] = self.world.now()
        query = urllib.parse.unquote(self.query)
        product, states, since = PRODUCT.search(query), STATES.search(query), SINCE.search(query)
        states = states.group(1).split(",") if states else None
        shown = []
        for thing in self.world.things.values():
            document = thing.at(self.world.now() - lag)
            if (document and thing.kind is self.kind and product and thing.product == product.group(1)
                    and (states is None or document.get(self.kind.state) in states)
                    and (since is None or created(document) >= since.group(1)[:19])):
                shown.append(document)
                if self.hook and document is thing.document:
                    thing.shown[self.hook.id] = len(thing.history)
        return sorted(shown, key=created)

    def change(self):
        thing, now = self.thing, self.world.now()
        if self.operation == "put":
            what, then = self.what or "params", copy.deepcopy(thing.document)
            if what == "params":
                given = self.body
                here = then
                for member in thing.kind.params or ():
                    given, here = given.get(member), here[member]
                for param in here:
                    param.update(next((g for g in given if g["id"] == param["id"]), {}))
            else:
                then["attributes"] = self.body
            allowed = True
        else:
            what = self.what
            state = thing.kind.leads_to(what, thing.state)
            then = {**thing.document, thing.kind.state: state}
            allowed = state is not None
        self.used = truths.of_change(self.world, thing, self.hook, what, self.body, allowed)
        self.world.tell(f"{thing.id} {what} {'takes effect' if allowed else 'refused: is ' + str(thing.state)}")
        if not allowed:
            return 400, refusal(f"{what} is not possible: the request is {thing.state}")
        thing.set(then, now)
        thing.ours = len(thing.history)
        return 200, then


def created(document):
    at = document.get("created") or document.get("events", {}).get("created")
    return (at["at"] if isinstance(at, dict) else at)[:19]


def refusal(text):
    return {"error_code": "VAL_001", "errors": [text]}


class Handler(http_server.Handler):
    def serve(self):
        world = self.server.world
        parts = urllib.parse.urlsplit(self.path)
        body = self.body()
        account = self.server.account_of(self.headers["Authorization"])
        if account is None:
            self.reply_json(401, {"error_code": "AUTH_001", "errors": ["unauthorized"]})
            return
        call = Call(world, account, self.command, parts.path.removeprefix("/public/v1"), parts.query,
                    json.loads(body) if body else None)
        self.suffer(call, {k: v for how in call.troubles() for k, v in how.items()})

    do_GET = do_POST = do_PUT = do_DELETE = serve

    def suffer(self, call, how):
        """how: what is not as it should be.
        slow   seconds until the answer, after the effect if "first" is true
        lost   a status, though it has taken effect; status: ... and has not; garbage: a body that is none
        hang   no answer at all, with its effect if "first" is true; lag: seconds that a list is late
        after  seconds of Retry-After; quote: a refusal quotes the object's password
        twice  a list has each element two times; strange: ... and this one, which is no object"""
        world = self.server.world
        wait = how.get("slow", 0) if "hang" not in how else 1e6
        if wait and not how.get("first"):
            world.over.wait(min(wait, world.patience))
        if how.get("hang") and not how.get("first"):
            self.close_connection = True
            return
        with world.lock:
            status, value = (how["status"], refusal(call.complaint(how.get("quote")))) if "status" in how else (
                call.answer(how.get("lag", 0)))
        if wait and how.get("first"):
            world.over.wait(min(wait, world.patience))
        if how.get("hang"):
            self.close_connection = True
            return
        if "lost" in how:
            status, value = how["lost"], refusal(call.complaint(how.get("quote")))
        headers = [("Retry-After", str(how["after"]))] if "after" in how else []
        if "garbage" in how:
            self.reply(200, GARBAGE[how["garbage"]], headers)
        elif call.operation in ("list", "templates") and status == 200:
            if how.get("twice"):
                value = [element for element in value for _ in range(2)]
            if "strange" in how:
                value = [*value, how["strange"]]
            self.page(call, value, headers)
        else:
            self.reply_json(status, value, headers)
        if call.used and status == 200 and "garbage" not in how:
            call.used[2] = True

    def page(self, call, elements, headers):
        query = urllib.parse.parse_qs(call.query)
        offset, limit = (int(query.get(name, [usual])[0]) for name, usual in (("offset", 0), ("limit", PAGE_MAX)))
        shown = elements[offset:offset + min(limit, PAGE_MAX)]
        if call.operation == "list" and any(call.is_ill(element) for element in shown):
            self.reply_json(500, refusal("sorry"))
            return
        self.reply_json(200, shown, [*headers, ("Content-Range", "items %d-%d/%d" % (
            offset, offset + max(len(shown) - 1, 0), len(elements)))])
