"""What workers make of Connect's answers: each failure, each refusal, a list that fails."""

import time

import pytest


APPROVE = """\
- when: in(status,(pending))
  then: { action: approve, template_id: TL-471-184-949 }
"""
QUEUE = {"workers": 4, "poll_interval": 0, "backoff_min": "1s", "backoff_max": "2s"}
PENDING = [f"PR-7957-9623-822{n}-001" for n in range(1, 6)] + [f"PR-6990-1715-416{n}-001" for n in range(2, 9)]


@pytest.fixture
def approving(sim, configuration, handler, nginx, call):
    """approving(**account): a handler that approves all that is pending in the seed, called: (configuration,
    handler)."""
    def start(**account):
        conf = configuration(sim, rules=APPROVE, mode="queue", processing=QUEUE)
        conf.document["accounts"][0].update(account)
        conf.save()
        runs = handler(conf)
        call(nginx(runs).url, conf)
        return conf, runs
    return start


def verb(request_id, **fault):
    return {"method": "POST", "path": f"/requests/{request_id}/approve", **fault}


def read(request_id, **fault):
    return {"method": "GET", "path": f"/requests/{request_id}", **fault}


def approvals(api):
    """How often each was approved with an effect."""
    done = [c["path"].split("/")[2] for c in api.received() if c["effect"] and c["path"].endswith("/approve")]
    return {i: done.count(i) for i in done}


PASSING = {
    "429": {"status": 429, "retry_after": 1}, "429 without a time": {"status": 429},
    "500": {"status": 500}, "500 after all": {"status": 500, "effect": True},
    "502": {"status": 502}, "502 after all": {"status": 502, "effect": True},
    "503": {"status": 503, "retry_after": 0}, "504": {"status": 504, "effect": True},
    "closed before": {"close": "before"}, "closed after": {"close": "after"},
    "half an answer": {"body": "truncated"}, "no JSON": {"body": "garbage"},
}


def test_each_failure_of_a_verb_that_passes_ends_in_one_approval(approving, api):
    api.plan(*(verb(i, **fault) for i, fault in zip(PENDING, PASSING.values(), strict=True)))
    conf, runs = approving()
    runs.wait_until(lambda: {conf.tasks().get(i, ("",))[0] for i in PENDING} == {"done"}, timeout=60)
    assert approvals(api) == dict.fromkeys(PENDING, 1)


def test_a_verb_that_hangs_is_not_sent_twice(approving, api):
    """It takes effect when nobody waits any more, or at once and is not answered."""
    late, early = PENDING[:2]
    api.plan(verb(late, delay_ms=2500), verb(early, delay_ms=600000, effect=True))
    conf, runs = approving(timeout="1s", connect_timeout="1s")
    # The late one may be found approved by the next attempt: then there is nothing left to do.
    runs.wait_until(lambda: {conf.tasks().get(i, ("",))[0] for i in PENDING} <= {"done", "skipped"})
    assert approvals(api) == dict.fromkeys(PENDING, 1)


REFUSALS = [400, 403, 405, 409, 413, 422]


def test_what_is_refused_for_good_is_left_for_a_person(approving, api):
    refused = dict(zip(PENDING, REFUSALS))
    api.plan(*(verb(i, status=status, count=0) for i, status in refused.items()))
    conf, runs = approving()
    rest = {*PENDING} - {*refused}
    runs.wait_until(lambda: all(conf.tasks().get(i, ("",))[0] == "dead" for i in refused))
    runs.wait_until(lambda: all(conf.tasks().get(i, ("",))[0] == "done" for i in rest))
    assert approvals(api) == dict.fromkeys(rest, 1)
    assert all(str(status) in conf.tasks()[i][1] for i, status in refused.items())
    sent = [c["path"] for c in api.received() if c["method"] == "POST"]
    assert len(sent) == len(set(sent))


READS = {
    "404": ({"status": 404}, "skipped"), "400": ({"status": 400}, "dead"), "403": ({"status": 403}, "dead"),
    "429": ({"status": 429, "retry_after": 1}, "done"), "500": ({"status": 500}, "done"),
    "502": ({"status": 502}, "done"), "503": ({"status": 503}, "done"), "closed": ({"close": "before"}, "done"),
    "half an answer": ({"body": "truncated"}, "done"), "no JSON": ({"body": "garbage"}, "done"),
}


def test_what_cannot_be_read_is_read_again_or_left(approving, api):
    api.plan(*(read(i, **fault) for i, (fault, _) in zip(PENDING, READS.values())))
    conf, runs = approving()
    ends = {i: end for i, (_, end) in zip(PENDING, READS.values())}
    runs.wait_until(lambda: {i: conf.tasks().get(i, ("",))[0] for i in ends} == ends)
    assert approvals(api) == {i: 1 for i in PENDING if ends.get(i, "done") == "done"}


@pytest.mark.parametrize("fault", [
    {"status": 400}, {"status": 403}, {"status": 404}, {"status": 500}, {"status": 502}, {"status": 429},
    {"close": "before"}, {"body": "truncated"}, {"body": "garbage"}], ids=str)
def test_a_list_that_fails_is_made_again(approving, api, fault):
    api.plan({"method": "GET", "path": "/requests", **fault})
    conf, runs = approving()
    runs.wait_until(lambda: {conf.tasks().get(i, ("",))[0] for i in PENDING} == {"done"})
    assert approvals(api) == dict.fromkeys(PENDING, 1)


def test_no_pause_is_longer_than_an_hour(approving, api):
    api.plan({"method": "GET", "path": "/requests", "status": 429, "retry_after": 86400, "count": 0})
    conf, runs = approving()
    runs.wait_until(lambda: conf.rows("SELECT count(*) FROM sweep WHERE ended_us > 0") == [(1,)])
    seconds, = conf.rows("SELECT (a.halted_until_us - s.ended_us) / 1e6 FROM account a, sweep s")[0]
    assert 3000 < seconds <= 3600
    assert conf.rows("SELECT (due_us - ended_us) / 1e6 <= 2 FROM sweep") == [(1,)]  # as backoff_max says


def test_a_key_that_is_not_accepted_halts_the_account_until_a_reload(approving, api, call):
    api.plan({"path": "/requests*", "status": 401, "count": 0})
    conf, runs = approving()
    runs.wait_until(lambda: "does not accept the API key (401)" in runs.log)
    time.sleep(2.5)  # longer than any back-off: nothing tells that nothing is done
    assert [c["status"] for c in api.received() if c["path"] == "/requests"] == [401]
    assert api.own("DELETE", "faults").status in (200, 204)
    runs.reload()
    runs.wait_until(lambda: {conf.tasks().get(i, ("",))[0] for i in PENDING} == {"done"})
    assert approvals(api) == dict.fromkeys(PENDING, 1)
