"""Handlers and workers that are killed, at random or at one step, while calls come in and objects of all classes are
worked on: in the end every call that was acknowledged is there, and every object has had one effective action.

It takes CW_SECONDS (10); `make crash SECONDS=600` takes longer.
"""

import collections
import copy
import functools
import json
import os
import random
import signal
import threading
import time

import pytest

import calls
import crash
import powerloss
import servers

SECONDS = int(os.environ.get("CW_SECONDS", 10))
CALLERS = 4
PAUSE_MAX = 0.5  # seconds between two deaths
# Pauses of who loads, in seconds: so that there are calls and new objects all the time, not as many as can be.
CALL_PAUSE, CREATE_PAUSE = 0.01, 0.3
CLONES = 15  # of each object that is pending
KILLED = -signal.SIGKILL
LONG = 60 + SECONDS  # seconds, until all is worked off

# Of each class one action, after which its object is nobody's work any more.
RULES = {
    "tier_config_request": "- then: { action: approve, template_id: TL-471-184-949 }\n",
    "fulfillment_request": "- when: eq(status,revoking)\n  then: { action: confirm }\n"
                           "- then: { action: fail, reason: not today }\n",
    "tier_account_request": "- then: { action: accept }\n",
    "listing_request": "- then: { action: cancel }\n",
    "usage_file": "- when: in(status,(ready,uploaded))\n  then: { action: delete }\n"
                  "- when: eq(status,pending)\n  then: { action: reject, note: not this one }\n"
                  "- then: { action: close }\n",
    "billing_request": "- then: { action: annotate, attributes: { provider: { order: O-1 } } }\n",
}
CLONED = {"requests": "PR-7957-9623-8221-001", "tier_config_requests": "TCR-448-719-877-002",
          "tier_account_requests": "TAR-6458-9737-0065-003-001", "listing_requests": "LSTR-308-918-054-001",
          "usage_files": ("UF-2026-11-0001-0007", "UF-2026-11-0004-0028", "UF-2026-11-0006-0042")}
PENDING = {"pending", "revoking", "tiers_setup", "reviewing", "deploying", "ready", "uploaded"}


def larger_seed(tmp):
    """The built-in one with many more objects that are pending."""
    seed = json.loads((servers.SOURCE / "src/sim/seed.json").read_text())
    for kind, ids in CLONED.items():
        for original in [o for o in seed[kind] if o["id"] in ids]:
            for n in range(CLONES):
                clone = copy.deepcopy(original)
                clone["id"] = f"{original['id'].rpartition('-')[0]}-{7000 + n}"
                seed[kind].append(clone)
    path = tmp / "seed.json"
    path.write_text(json.dumps(seed))
    return path


@pytest.fixture
def crowd(tmp, start_sim, configuration):
    """(Api, configuration): a Connect with much to do in all classes, and webhooks for them all."""
    sim = start_sim("--seed", larger_seed(tmp))
    api = calls.Api(sim.url, sim.api_key)
    conf = configuration(sim, mode="queue", processing={"poll_interval": "3s", "backoff_min": "1s", "backoff_max": "2s",
                                                        "max_attempts": 100})
    conf.serve(api, HOOKS, lambda hook: {"rules": str(conf.write(f"{hook.object_class}.rules.yaml",
                                                                 RULES[hook.object_class]))})
    return api, conf


HOOKS = [*calls.VENDORS_HOOKS, *calls.DISTRIBUTORS_HOOKS]
PATHS = [hook.path for hook in HOOKS]


def pending(api):
    """Of our product: others have no webhook."""
    found = set()
    for path in {*PATHS} - {"/subscriptions/requests"}:
        state = "state" if path == "/listing-requests" else "status"
        for o in api.get(f"{path}?in({state},({','.join(PENDING)}))&limit=1000"):
            product = o.get("product") or (o.get("asset") or o.get("configuration") or o["listing"])["product"]
            if product["id"] == calls.PRODUCT:
                found.add(o["id"])
    return found


def effects(api):
    """{path: how often it was called and changed something}: one path is one action of one object."""
    return collections.Counter(c["path"] for c in api.received()
                               if c["effect"] and not c["path"].startswith("/notifications/") and
                               c["path"].count("/") > 2 or c["effect"] and c["method"] == "PUT")


def is_over(api, conf, billed):
    """Nothing is pending, and nothing waits to be worked on."""
    return (not pending(api) and conf.rows("SELECT count(*) FROM task WHERE state IN ('ready', 'running')") == [(0,)]
            and billed <= {i for i, in conf.rows("SELECT object_id FROM task WHERE state = 'done'")})


class Loop(threading.Thread):
    """Does something again and again until it is stopped."""

    def __init__(self, do):
        super().__init__()
        self.do = do
        self.stopping = False
        self.failure = None

    def run(self):
        try:
            while not self.stopping:
                self.do()
        except Exception as e:  # for the test to report
            self.failure = e


class Load:
    """Calls of all webhooks from several connections, and new billing requests and purchases."""

    def __init__(self, api, conf, url):
        self.api = api
        self.ledgers = [crash.Ledger(url, conf, hook.id) for hook in HOOKS]
        self.billed, self.ordered = set(), set()
        self.threads = [Loop(self.call) for _ in range(CALLERS)] + [Loop(self.create)]

    def call(self):
        ledger = random.choice(self.ledgers)
        ledger.call(ledger.token())
        time.sleep(CALL_PAUSE)

    def create(self):
        made = self.api.post("/subscriptions/requests", {"type": "provider", "asset": {"id": "AS-6990-1715-4170"},
                                                         "items": []})
        self.billed.add(made["id"])
        self.ordered.add(self.api.post("/requests", calls.ORDER)["id"])
        time.sleep(CREATE_PAUSE)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for thread in self.threads:
            thread.stopping = True
        for thread in self.threads:
            thread.join()
        assert [t.failure for t in self.threads if t.failure] == []


@pytest.mark.time_limit(2 * SECONDS + 150)
def test_killed_at_random_nothing_is_lost_and_nothing_done_twice(build, tmp, running, crowd, nginx):
    api, conf = crowd
    begun = pending(api)
    assert len(begun) > 7 * CLONES
    handler = running.enter_context(crash.Restarted(
        [build / "connect-webhook.fcgi", "-c", conf.path], tmp / "handler.log", deaths_max=100 * SECONDS))
    worker = running.enter_context(crash.Restarted(
        [build / "connect-webhook", "worker", "-c", conf.path], tmp / "worker.log", deaths_max=100 * SECONDS))
    handler.server.wait_until(lambda: servers.accepts(conf.socket))
    with Load(api, conf, nginx(conf.socket).url) as load:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            time.sleep(random.uniform(0, PAUSE_MAX))
            random.choice([handler, worker]).kill()
    worker.server.wait_until(lambda: is_over(api, conf, load.billed), timeout=LONG)
    promised = sum(sum(one.promised.values()) for one in load.ledgers)
    print(f"deaths: handler {handler.deaths}, worker {worker.deaths}; promised: {promised}; objects: "
          f"{len(begun)} + {len(load.billed | load.ordered)}")
    assert handler.deaths > 0 and worker.deaths > 0
    handler.stop()
    worker.stop()
    assert all(one.promised for one in load.ledgers)
    assert [one.broken() for one in load.ledgers if one.broken()] == []
    acted = effects(api)
    assert set(acted.values()) == {1}
    assert {i for path in acted for i in path.split("/")} >= begun | load.billed | load.ordered
    assert {state for state, in conf.rows("SELECT DISTINCT state FROM task")} <= {"done", "skipped"}


# --------------------------------------------------------------------------- at one step

STEPS = ["before:claim", "after:claim", "before:api", "after:api", "before:api:3", "before:finish", "after:finish",
         "before:commit:8", "after:commit:8"]


def called(conf, handler, nginx):
    """Stored calls, and no handler any more."""
    with handler(conf) as runs:
        server = nginx(runs)
        ledger = crash.Ledger(server.url, conf)
        ledger.call_until_accepted(ledger.token())
        server.stop()
    return ledger


@pytest.fixture
def stored(sim, configuration, handler, nginx):
    """(Api, configuration, ledger): a call that tells of the seed's requests, and nobody who works."""
    conf = configuration(sim, rules=RULES["fulfillment_request"], mode="queue",
                         processing={"workers": 0, "poll_interval": 0})
    ledger = called(conf, handler, nginx)
    return calls.Api(sim.url, sim.api_key), conf, ledger


def dies_at(build, conf, tmp, env):
    dead = servers.Worker(build, tmp, conf, "--workers", "1", "--once", name="dead", env=env)
    assert dead.process.wait(servers.TIMEOUT) == KILLED, dead.log


def goes_on(build, tmp, api, conf, ledger):
    """Started again, it does all that is left, and nothing twice."""
    again = servers.Worker(build, tmp, conf, "--once", name="again")
    assert again.process.wait(servers.TIMEOUT) == 0, again.log
    listed = api.get(f"/requests?asset.product.id={calls.PRODUCT}&limit=1000")
    assert {r["status"] for r in listed}.isdisjoint({"pending", "revoking"})
    acted = effects(api)
    assert set(acted.values()) == {1} and len(acted) == 13
    assert ledger.broken() == {}


@pytest.mark.usefixtures("no_sanitizer")
@pytest.mark.parametrize("step", STEPS)
def test_a_worker_that_dies_at_a_step_is_gone_on_with(build, tmp, stored, step):
    api, conf, ledger = stored
    dies_at(build, conf, tmp, crash.environment(build, step))
    goes_on(build, tmp, api, conf, ledger)


@pytest.mark.usefixtures("no_sanitizer")
@pytest.mark.parametrize("step", ["after:claim:2", "before:finish:2", "after:finish:2", "before:commit:9"])
def test_what_a_worker_has_done_outlives_the_loss_of_power(build, tmp, stored, step):
    api, conf, ledger = stored
    environment = functools.partial(crash.environment, build)
    dies_at(build, conf, tmp, crash.together(environment(step), powerloss.environment(build, conf.state)))
    powerloss.lose_power(conf.state)
    goes_on(build, tmp, api, conf, ledger)
