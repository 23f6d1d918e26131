"""What tests of all classes share: their webhooks, what becomes of the seed, and how to bring it about."""

import json
import subprocess

import pytest

import calls
import servers

RULES = servers.SOURCE / "contrib/rules"
TIMEOUT = 60  # seconds
QUEUE = {"mode": "queue", "workers": 4, "poll_interval": 0}

HOOKS = [*calls.VENDORS_HOOKS, *calls.DISTRIBUTORS_HOOKS]
PATHS = {hook.object_class: hook.path for hook in HOOKS}
TCR, PURCHASE, ACTIVE = PATHS["tier_config_request"], "PR-7957-9623-8230-001", "AS-6990-1715-4170"
SECOND, FIRST, UPDATE = "TCR-908-022-156-001", "TCR-331-277-401-001", "TCR-448-719-877-002"


@pytest.fixture
def conf(sim, api, configuration):
    """conf(*webhooks): a configuration with these, or all, of the webhooks of the seed."""
    def make(*ids, processing=None, **more):
        made = configuration(sim, processing=processing or {})
        made.serve(api, [hook for hook in HOOKS if not ids or hook.id in ids],
                   lambda hook: made.shipped_rules(hook.rules), **more)
        return made
    return make


@pytest.fixture
def trigger(api):
    """trigger(url, webhook): point the webhook there, press Trigger Now, and return the answer."""
    def press(url, webhook):
        api.point_webhook(webhook, url)
        return api.trigger(webhook)
    return press


@pytest.fixture
def poll(build):
    def run(conf, *options, status=0):
        ran = subprocess.run([build / "connect-webhook", "poll", "--once", "--json", "-c", conf.path, *options],
                             capture_output=True, text=True, timeout=TIMEOUT)
        assert ran.returncode == status, ran.stderr
        return [json.loads(line) for line in ran.stdout.splitlines()]
    return run


def states(api):
    return {o["id"]: o.get("state", o.get("status")) for path in PATHS.values() for o in api.get(f"{path}?limit=1000")}


def changes(api):
    """What changed an object, in its order: "/requests/PR-1/approve"."""
    return [c["path"] for c in api.received() if c["effect"] and "/notifications/" not in c["path"]]


def decided(objects):
    return {o["object_id"]: (o["action"], o["after"]) for o in objects}
