"""The recipe of ARCHITECTURE.md for one more object class, followed: a file, and a line in the list.

connect-webhook is linked anew with two made-up classes and works on their objects. Nothing else of
it is compiled again, so nothing else can know them.
"""

import json
import os
import pathlib
import subprocess
import urllib.parse

import pytest

import calls
import http_server

ROOT = pathlib.Path(__file__).resolve().parents[2]
TIMEOUT = 60  # seconds, for a compiler, too

# One with everything, and one with neither a product, a state, nor parameters.
GIZMO = r"""
#include "event/object_class.h"

static const struct object_verb verbs[] = {
    {.name = "bend",
     .from = {[SIDE_VENDOR] = {"new"}},
     .leads_to = {"bent"},
     .fields = {{.name = "note", .place = "remark.text", .needed = true}}},
    {.name = "scrap", .from = {[SIDE_VENDOR] = {"new", "bent"}}, .leads_to = {"scrapped"}},
    {0},
};

const struct object_class class_gizmo = {
    .name = "gizmo",
    .list = "/gizmos",
    .state = "life.phase",
    .product = "made_for.id",
    .created = "life.began",
    .params = "knobs.params",
    .pending = {[SIDE_VENDOR] = {"new"}},
    .verbs = verbs,
    .webhooks = {[TYPE_EVENT] = {.name = "Gizmo Queue Changes"}},
};
"""
NOTICE = r"""
#include "event/object_class.h"

static const struct object_verb verbs[] = {
    {.name = "annotate",
     .from = {[SIDE_VENDOR] = {""}},
     .lands = "attributes",
     .fields = {{.name = "attributes", .place = PLACE_WHOLE, .needed = true}},
     .put = "attributes"},
    {0},
};

const struct object_class class_notice = {
    .name = "notice",
    .list = "/notices",
    .created = "at",
    .verbs = verbs,
    .webhooks = {[TYPE_EVENT] = {.name = ""}},
};
"""


def run(*command, **kwargs):
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, **kwargs)


@pytest.fixture(scope="module")
def program(build, tmp_path_factory):
    """connect-webhook with the two classes."""
    tmp = tmp_path_factory.mktemp("classes")
    event = tmp / "src/event"
    event.mkdir(parents=True)
    header = (ROOT / "src/event/object_class.h").read_text()
    assert header.count("    X(usage_file)\n") == 1
    (event / "object_class.h").write_text(
        header.replace("    X(usage_file)\n", "    X(usage_file) X(gizmo) X(notice)\n"))
    (event / "gizmo.c").write_text(GIZMO)
    (event / "notice.c").write_text(NOTICE)

    compiler, *flags = os.environ["CW_COMPILE"].split()
    objects = []
    for source in event / "gizmo.c", event / "notice.c", ROOT / "src/event/object_class.c":
        objects.append(tmp / f"{source.stem}.o")
        made = run(compiler, "-I", tmp / "src", *flags, "-Wextra", "-Werror", "-c", source, "-o",
                   objects[-1], cwd=build)
        assert made.returncode == 0, made.stderr
    commands = [o for o in sorted((build / "src/cmd").glob("*.o"))
                if o.stem != "handler" and not o.stem.startswith("connect_sim-")]
    linked = run(*os.environ["CW_LINK"].split(), "-o", tmp / "connect-webhook", *objects,
                 *commands, *os.environ["CW_LIBS"].split(), cwd=build)
    assert linked.returncode == 0, linked.stderr
    return tmp / "connect-webhook"


class Connect(http_server.Server):
    """Serves `objects`, by their paths, and keeps what changes them in `done`."""

    def __init__(self):
        super().__init__(Handler, "/public/v1")
        self.objects, self.lists, self.done = {}, [], []


class Handler(http_server.Handler):
    def do_GET(self):
        path, _, query = self.path.removeprefix("/public/v1").partition("?")
        if path in self.server.objects:
            self.reply_json(200, self.server.objects[path])
            return
        found = [o for p, o in self.server.objects.items() if p.rpartition("/")[0] == path]
        self.server.lists.append((path, urllib.parse.unquote(query)))
        self.reply_list(found)

    def do_POST(self):
        body = json.loads(self.body())
        self.server.done.append((self.command, self.path.removeprefix("/public/v1"), body))
        self.reply_json(200, {})

    do_PUT = do_POST


@pytest.fixture
def connect():
    with Connect() as server:
        yield server


def gizmo(phase, knob="1"):
    return {"id": "GZ-1", "life": {"phase": phase, "began": "2026-11-25T10:00:00+00:00"},
            "made_for": {"id": calls.PRODUCT},
            "knobs": {"params": [{"id": "knob", "value": knob}]}}


RULES = [{"when": "eq(life.phase,new)",
          "then": {"action": "bend", "note": "by ${made_for.id}",
                   "params": [{"id": "knob", "value": "11"}]}}]


def of_class(configuration, connect, name, rules):
    conf = configuration(api_url=connect.url, rules=json.dumps(rules))
    conf.document["webhooks"][0]["object_class"] = name
    conf.save()
    return conf


def test_lists_asks_writes_and_acts(program, connect, configuration):
    conf = of_class(configuration, connect, "gizmos", RULES)
    connect.objects["/gizmos/GZ-1"] = gizmo("new")
    polled = run(program, "poll", "--once", "--json", "-c", conf.path)
    assert polled.returncode == 0, polled.stderr
    row = json.loads(polled.stdout)
    assert (row["object_class"], row["object_id"], row["before"], row["after"], row["action"],
            row["result"]) == ("gizmo", "GZ-1", "new", "bent", "bend", "done")
    (path, query), = connect.lists
    assert path == "/gizmos"
    assert query.startswith(f"and(eq(made_for.id,{calls.PRODUCT}),in(life.phase,(new)))"
                            "&ordering(life.began)&")
    assert connect.done == [
        ("PUT", "/gizmos/GZ-1", {"knobs": {"params": [{"id": "knob", "value": "11"}]}}),
        ("POST", "/gizmos/GZ-1/bend", {"remark": {"text": f"by {calls.PRODUCT}"}})]


def test_knows_what_is_no_longer_pending_and_anothers(program, connect, configuration):
    conf = of_class(configuration, connect, "gizmo", RULES)
    connect.objects["/gizmos/GZ-1"] = gizmo("bent")
    connect.objects["/gizmos/GZ-2"] = {**gizmo("new"), "id": "GZ-2", "made_for": {"id": "PRD-9"}}
    polled = run(program, "poll", "--once", "--json", "-c", conf.path)
    assert polled.returncode == 0, polled.stderr
    row = json.loads(polled.stdout)
    assert (row["object_id"], row["result"]) == ("GZ-1", "skip")
    assert connect.done == []


def test_works_on_what_has_no_state_and_no_product(program, connect, configuration):
    conf = of_class(configuration, connect, "notice",
                    [{"then": {"action": "annotate", "attributes": {"seen": True}}}])
    conf.document["webhooks"][0]["since"] = "2026-11-01"
    conf.save()
    connect.objects["/notices/NO-1"] = {"id": "NO-1", "at": "2026-11-02T10:00:00+00:00"}
    connect.objects["/notices/NO-2"] = {"id": "NO-2", "at": "2026-10-31T10:00:00+00:00"}
    polled = run(program, "poll", "--once", "--json", "-c", conf.path)
    assert polled.returncode == 0, polled.stderr
    assert json.loads(polled.stdout)["result"] == "done"
    (path, query), = connect.lists
    assert path == "/notices" and query.startswith("ge(at,2026-11-01T00:00:00+00:00)&ordering(at)&")
    assert connect.done == [("PUT", "/notices/NO-1/attributes", {"seen": True})]
    again = run(program, "poll", "--once", "--json", "-c", conf.path)
    assert (again.returncode, again.stdout) == (0, "")


def test_checks_configurations_and_rules_by_it(program, connect, configuration):
    conf = of_class(configuration, connect, "gizmo", RULES)
    checked = run(program, "check", "--json", "-c", conf.path)
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout)["object_class"] == "gizmo"
    conf = of_class(configuration, connect, "gizmo", [{"then": {"action": "bend"}}])
    refused = run(program, "check", "-c", conf.path)
    assert refused.returncode == 1 and "bend needs note" in refused.stderr
    conf = of_class(configuration, connect, "gizmo", [{"then": {"action": "approve"}}])
    refused = run(program, "check", "-c", conf.path)
    assert "there are: skip, reschedule, bend, scrap" in refused.stderr


def test_tells_what_its_states_allow(program, tmp):
    rules, found = tmp / "rules.yaml", tmp / "object.json"
    rules.write_text(json.dumps(RULES + [{"then": {"action": "bend", "note": "again"}}]))
    found.write_text(json.dumps(gizmo("bent")))
    tested = run(program, "policy", "test", "--rules", rules, "--class", "gizmo", "--object", found)
    assert tested.returncode == 1
    assert ("a vendor may not bend a gizmo in state bent; allowed: scrap, skip, reschedule"
            in tested.stderr)
