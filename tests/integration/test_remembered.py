"""What the handler remembers from call to call, shares with others, and takes over from the dead."""

import concurrent.futures
import signal
import socket
import time

import pytest

import calls
import servers

SKIP_OLD = """\
- when: eq(type,change)
  then: { action: skip, reason: not yet }
- then: { action: fail, reason: not today }
"""
AT_ONCE = 5  # seconds: far less than the inline deadline


@pytest.fixture
def hook(small_connect, configuration, handler, nginx):
    """hook(rules, **sections): (configuration, running handler, address)."""
    def start(rules=SKIP_OLD, **sections):
        conf = configuration(api_url=small_connect.url, rules=rules, **sections)
        conf.save()
        runs = handler(conf)
        return conf, runs, nginx(runs).url
    return start


def objects(answer):
    return {o["object_id"]: o for o in answer.json()["objects"]}


def another(number):
    """Claims that make another token."""
    return {"data": {"call": number}}


def test_a_new_object_behind_500_skipped_ones_is_decided_by_the_next_call(hook, small_connect, connect):
    conf, _, url = hook()
    old = [small_connect.add("change") for _ in range(500)]
    first = connect(url, conf)
    assert {o["result"] for o in objects(first).values()} == {"skip"}
    reads = small_connect.reads = []
    new = small_connect.add("purchase")
    second = connect(url, conf, claims=another(2))
    assert second.status == 200
    assert reads == [new]
    told = objects(second)
    assert told[new]["result"] == "done"
    assert set(told) == {*old, new}
    assert told[old[0]] == objects(first)[old[0]]


def test_rules_that_are_edited_ask_again(hook, small_connect, connect):
    conf, runs, url = hook()
    skipped, dead = small_connect.add("change"), small_connect.add("purchase")
    small_connect.status_of[f"POST /requests/{dead}/fail"] = 400
    results = {k: o["result"] for k, o in objects(connect(url, conf)).items()}
    assert results == {skipped: "skip", dead: "dead"}
    small_connect.status_of.clear()
    again = objects(connect(url, conf, claims=another(2)))
    assert {k: o["result"] for k, o in again.items()} == results
    assert small_connect.done == []
    conf.write("test.rules.yaml", "- then: { action: fail, reason: as it is }\n")
    runs.reload()
    third = objects(connect(url, conf, claims=another(3)))
    assert {k: o["result"] for k, o in third.items()} == {skipped: "done", dead: "done"}
    assert sorted(small_connect.done) == sorted([(skipped, "fail"), (dead, "fail")])


def test_a_dry_run_that_ends_asks_again(hook, small_connect, connect):
    conf, runs, url = hook(processing={"dry_run": True})
    request = small_connect.add("purchase")
    assert objects(connect(url, conf))[request]["reason"] == "dry run: would fail"
    conf.document["processing"]["dry_run"] = False
    conf.save()
    runs.reload()
    assert objects(connect(url, conf, claims=another(2)))[request]["result"] == "done"
    assert small_connect.done == [(request, "fail")]


def test_attempts_are_counted(hook, small_connect, connect):
    conf, _, url = hook(rules="- when: lt($attempt,3)\n  then: { action: approve, template_id: TL-1-2-3 }\n"
                              "- then: { action: fail, reason: third }\n")
    request = small_connect.add("purchase")
    small_connect.status_of[f"POST /requests/{request}/approve"] = 502
    for call in range(2):
        answer = connect(url, conf, claims=another(call))
        assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0
        assert objects(answer)[request]["result"] == "retry"
    assert objects(connect(url, conf, claims=another(3)))[request]["action"] == "fail"


def test_an_object_that_another_call_holds_is_busy(hook, small_connect, connect):
    conf, _, url = hook(processing={"inline_deadline": "20s"})
    held, free = small_connect.add("purchase"), small_connect.add("purchase")
    small_connect.hanging.add(f"POST /requests/{held}/fail")
    with concurrent.futures.ThreadPoolExecutor() as threads:
        first = threads.submit(connect, url, conf)
        servers.wait_for(small_connect.is_hanging)
        second = connect(url, conf, claims=another(2))
        small_connect.over.set()
        first = first.result()
    results = {k: o["result"] for k, o in objects(second).items()}
    assert results == {held: "busy", free: "done"}
    assert second.status == 503
    assert small_connect.done == [(free, "fail")]
    assert held in objects(first)


def test_what_a_killed_handler_held_goes_on_at_once(hook, small_connect, connect, handler):
    conf, runs, url = hook()
    request = small_connect.add("purchase")
    small_connect.hanging.add(f"POST /requests/{request}/fail")
    with concurrent.futures.ThreadPoolExecutor() as threads:
        first = threads.submit(connect, url, conf)
        servers.wait_for(small_connect.is_hanging)
        runs.kill()
        runs.expect = -signal.SIGKILL
        assert first.result().status == 502
    small_connect.hanging.clear()
    handler(conf)
    answer = connect(url, conf, claims=another(2))
    assert objects(answer)[request]["result"] == "done"
    assert small_connect.done == [(request, "fail")]


def test_hanging_products_of_one_account_leave_the_others_alone(small_connect, configuration, handler, nginx,
                                                                connect):
    conf = configuration(rules=SKIP_OLD)
    account, webhook = conf.document["accounts"][0], conf.document["webhooks"][0]
    conf.document["accounts"].append({**account, "id": "VA-2", "api_url": small_connect.url})
    conf.document["webhooks"].append({**webhook, "id": "WH-2", "account": "VA-2"})
    conf.secrets["WH-2"] = conf.secrets[calls.WEBHOOK]
    hanging = [f"WH-1{number}" for number in range(4)]
    for number, name in enumerate(hanging):
        conf.document["webhooks"].append({**webhook, "id": name, "product": f"PRD-{number}"})
        conf.secrets[name] = conf.secrets[calls.WEBHOOK]
    request = small_connect.add("purchase")
    with socket.create_server(("127.0.0.1", 0)) as silent, concurrent.futures.ThreadPoolExecutor() as threads:
        account["api_url"] = f"http://127.0.0.1:{silent.getsockname()[1]}/public/v1"
        conf.document["processing"].update({"inline_deadline": "6s"})
        conf.save()
        url = nginx(handler(conf)).url
        begun = time.monotonic()
        held = [threads.submit(connect, url, conf, name) for name in hanging]
        servers.wait_for(lambda: sum(one.done() for one in held) == 2)
        healthy = connect(url, conf, "WH-2")
        assert time.monotonic() - begun < AT_ONCE
        assert objects(healthy)[request]["result"] == "done"
        # Half of the threads may hang; the others are told to come again, and soon.
        for answer in (one.result() for one in held if one.done()):
            assert answer.status == 503 and 0 < int(answer.headers["Retry-After"]) <= 60
        assert sum(one.done() for one in held) == 2
