"""Accounts that hang, beside accounts that do not."""

import contextlib
import time

import pytest

import calls
import servers
from small_connect import Connect

FAIL = "- then: { action: fail, reason: not today }\n"
QUEUE = {"workers": 4, "poll_interval": 0, "backoff_min": "1s", "backoff_max": "2s"}


class Accounts:
    """Several Connects, an account each: the first works, the others take calls and do not answer."""

    def __init__(self, stack, configuration, hanging):
        self.connects = [stack.enter_context(Connect()) for _ in range(1 + hanging)]
        self.conf = configuration(rules=FAIL, mode="queue", processing=QUEUE)
        template = self.conf.document["webhooks"].pop()
        key = self.conf.document["accounts"].pop()["api_key"]
        self.ids = []
        for n, connect in enumerate(self.connects):
            account, webhook = f"VA-{n}", f"WH-{n}-1"
            self.ids.append(webhook)
            self.conf.document["accounts"].append({"id": account, "api_url": connect.url, "api_key": key,
                                                   "timeout": "3s"})
            self.conf.document["webhooks"].append({**template, "id": webhook, "account": account, "secrets": [
                self.conf.add_secret(webhook, calls.SECRET)]})
            if n > 0:
                connect.hanging.add("GET /requests")
        self.conf.save()


def decide_twenty(build, tmp, configuration, hanging):
    """Seconds until the account that works has its orders decided, beside others that hang."""
    with contextlib.ExitStack() as stack:
        accounts = Accounts(stack, configuration, hanging)
        runs = stack.enter_context(servers.Handler(build, tmp, accounts.conf))
        url = stack.enter_context(servers.Nginx(tmp, runs.socket)).url
        for n in range(hanging):
            assert calls.connect(url, accounts.conf, accounts.ids[1 + n]).status == 202
            runs.wait_until(accounts.connects[1 + n].is_hanging)
        connect = accounts.connects[0]
        for _ in range(20):
            connect.add("purchase")
        began = time.monotonic()
        assert calls.connect(url, accounts.conf, accounts.ids[0]).status == 202
        runs.wait_until(lambda: len(connect.done) == 20)
        took = time.monotonic() - began
        if hanging:
            runs.wait_until(lambda: all(f"account VA-{n + 1}: " in runs.log for n in range(hanging)))
        for connect in accounts.connects:
            connect.over.set()
        return took


@pytest.mark.time_limit(120)
def test_accounts_that_hang_take_nothing_from_one_that_does_not(build, tmp, configuration):
    alone = decide_twenty(build, tmp / "alone", configuration_in(tmp / "alone"), 0)
    beside = decide_twenty(build, tmp / "beside", configuration_in(tmp / "beside"), 3)
    assert beside < 1.25 * alone + 0.5


def configuration_in(folder):
    folder.mkdir()
    folder.chmod(0o755)
    return lambda **options: calls.Configuration(folder, **options)


def test_others_stand_in_for_workers_that_are_held_up(build, tmp):
    """Two workers, and two accounts that hang for long: the third is worked for all the same."""
    make = configuration_in(tmp / "few")
    with contextlib.ExitStack() as stack:
        accounts = Accounts(stack, make, 2)
        accounts.conf.document["processing"]["workers"] = 2
        for account in accounts.conf.document["accounts"]:
            account["timeout"] = "300s"
        accounts.conf.save()
        runs = stack.enter_context(servers.Worker(build, tmp / "few", accounts.conf, env=servers.waits(stuck="1s")))
        handler = stack.enter_context(servers.Handler(build, tmp / "few", without_workers(accounts.conf)))
        url = stack.enter_context(servers.Nginx(tmp / "few", handler.socket)).url
        for n in (1, 2):
            assert calls.connect(url, accounts.conf, accounts.ids[n]).status == 202
            runs.wait_until(accounts.connects[n].is_hanging)
        connect = accounts.connects[0]
        wanted = connect.add("purchase")
        assert calls.connect(url, accounts.conf, accounts.ids[0]).status == 202
        runs.wait_until(lambda: connect.status(wanted) == "failed")
        for connect in accounts.connects:
            connect.over.set()


def without_workers(conf):
    """The same configuration in another file, for a handler that has none."""
    other = calls.Configuration.__new__(calls.Configuration)
    other.__dict__.update(conf.__dict__)
    other.document = {**conf.document, "processing": {**conf.document["processing"], "workers": 0}}
    other.path = conf.folder / "handler.yaml"
    other.save()
    return other
