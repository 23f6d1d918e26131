"""connect-webhook poll --once, against a small Connect that counts what is done to it."""

import json
import subprocess

import pytest

import calls

TIMEOUT = 30  # seconds
PASSWORD = "correct horse battery"

RULES = [
    {"when": "eq(status,revoking)", "then": {"action": "confirm"}},
    {"when": "eq(type,cancel)", "then": {"action": "fail", "reason": "not yet"}},
    {"when": "eq(type,purchase)",
     "then": {"action": "approve", "template_id": "TL-1-2-3",
              "params": [{"id": "pin", "value": PASSWORD}], "message": "Welcome!"}},
    {"when": "eq(type,change)", "then": {"action": "skip", "reason": "by hand"}},
    {"then": {"action": "approve", "template_id": "TL-1-2-3"}},
]


@pytest.fixture
def conf(small_connect, configuration):
    return configuration(api_url=small_connect.url, rules=json.dumps(RULES),
                         log={"level": "info"})


@pytest.fixture
def poll(build, conf):
    """poll(*options): run it to its end. poll.start(*options): and do not wait."""
    def start(*options):
        return subprocess.Popen([build / "connect-webhook", "poll", "-c", conf.path, *options],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def end(process):
        out, err = process.communicate(timeout=TIMEOUT)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def run(*options):
        return end(start(*options))

    run.start, run.end = start, end
    return run


def rows(result):
    return {row["object_id"]: row for row in map(json.loads, result.stdout.splitlines())}


@pytest.mark.parametrize("options", [[], ["--once", "more"], ["--once", "--bogus"]])
def test_refuses_a_command_line_it_does_not_understand(poll, small_connect, options):
    small_connect.add("purchase")
    result = poll(*options)
    assert (result.returncode, result.stdout) == (2, "")
    assert "--help" in result.stderr
    assert small_connect.done == []


def test_refuses_webhooks_it_cannot_poll(poll, conf, small_connect):
    small_connect.add("purchase")
    conf.add_webhook("WH-2", "none", "validator")
    conf.save()
    for webhook, words in ("WH-9", "no webhook WH-9"), ("WH-2", "validator"):
        result = poll("--once", "--webhook", webhook)
        assert result.returncode == 1
        assert words in result.stderr
    assert small_connect.done == []


def test_says_that_there_is_nothing_to_do(poll, small_connect):
    result = poll("--once")
    assert (result.returncode, result.stdout) == (0, "")
    assert "nothing to do" in result.stderr


def test_does_what_the_rules_say_once(poll, small_connect):
    bought = small_connect.add("purchase")
    cancelled = small_connect.add("cancel")
    changed = small_connect.add("change")
    revoked = small_connect.add("purchase", "revoking")
    foreign = small_connect.add("purchase", product="PRD-9-9-9")
    result = poll("--once", "--json")
    assert result.returncode == 0, result.stderr
    got = {k: (r["before"], r["after"], r["action"], r["result"]) for k, r in rows(result).items()}
    assert got == {bought: ("pending", "approved", "approve", "done"),
                   cancelled: ("pending", "failed", "fail", "done"),
                   changed: ("pending", "pending", "skip", "skip"),
                   revoked: ("revoking", "revoked", "confirm", "done")}
    assert small_connect.done == [(bought, "put"), (bought, "approve"), (cancelled, "fail"),
                                  (revoked, "confirm")]
    assert small_connect.messages == ["Welcome!"]
    assert small_connect.status(foreign) == "pending"
    assert "4 objects: 3 done, 1 skipped, 0 to be asked about again, 0 to be tried again, 0 dead" \
        in result.stderr
    again = poll("--once", "--json")
    assert again.returncode == 0
    assert list(rows(again)) == [changed]
    assert len(small_connect.done) == 4


@pytest.mark.parametrize("kind", ["purchase", "change", "cancel", "suspend", "resume",
                                  "adjustment", "renew", "transfer"])
def test_knows_every_type_of_request(poll, small_connect, kind):
    request = small_connect.add(kind)
    result = poll("--once")
    assert result.returncode == 0, result.stderr
    want = {"cancel": "failed", "change": "pending"}.get(kind, "approved")
    assert small_connect.status(request) == want
    cells = result.stdout.splitlines()[1].split()
    assert cells[:5] == [calls.WEBHOOK, request, kind, "pending", want]


def test_changes_nothing_in_a_dry_run(poll, conf, small_connect):
    request = small_connect.add("purchase")
    for again in range(2):
        result = poll("--once", "--json", *([] if again else ["--dry-run"]))
        assert result.returncode == 0
        assert rows(result)[request]["result"] == "skip"
        assert rows(result)[request]["reason"] == "dry run: would change 1 parameter and approve"
        assert small_connect.done == []
        conf.document["processing"].update({"dry_run": True})
        conf.save()


def test_does_not_repeat_what_took_effect_without_an_answer(poll, small_connect):
    request = small_connect.add("renew")
    small_connect.lost.add("approve")
    result = poll("--once", "--json")
    assert result.returncode == 0, result.stderr
    assert rows(result)[request]["result"] == "done"
    assert small_connect.done == [(request, "approve")]


def test_two_at_once_do_everything_once(poll, small_connect):
    requests = [small_connect.add("renew") for _ in range(20)]
    runs = [poll.start("--once", "--json") for _ in range(3)]
    results = [poll.end(run) for run in runs]
    assert [r.returncode for r in results] == [0, 0, 0], [r.stderr for r in results]
    assert sorted(small_connect.done) == sorted((r, "approve") for r in requests)


def test_sweeps_a_queue_once_however_many_webhooks_watch_it(poll, conf, small_connect):
    request = small_connect.add("change")
    conf.add_webhook("WH-2", conf.webhook(calls.WEBHOOK)["policy"])
    conf.save()
    for options, webhook in ([], calls.WEBHOOK), (["--webhook", "WH-2"], "WH-2"):
        result = poll("--once", "--json", *options)
        assert len(result.stdout.splitlines()) == 1
        assert rows(result)[request]["webhook_id"] == webhook


# What an object looks like that our reader refuses, or that no path could name, and its id.
ODD = [(b'{"id":"PR-901","status":"pending","note":"\xff"}', "PR-901", "not UTF-8"),
       (b'{"id":"PR-902","status":"pending","note":1,"note":2}', "PR-902", "given twice"),
       (b'{"id":"PR-903","status":"pending","note":"\\ud800"}', "PR-903", "surrogate"),
       (b'{"status":"pending","note":"a\x00b"}', "#4", "NUL"),
       (b'{"id":"1559115188","status":"pending"}', "1559115188", "no id of Connect's"),
       (b"null", "#6", "no object")]


def test_one_odd_object_is_reported_and_keeps_nobody_from_the_others(poll, small_connect):
    small_connect.odd = [element for element, _, _ in ODD]
    sound = small_connect.add("renew")
    result = poll("--once", "--json")
    assert result.returncode == 1
    got = rows(result)
    assert got.pop(sound)["result"] == "done"
    assert list(got) == [name for _, name, _ in ODD]
    for _, name, reason in ODD:
        assert (got[name]["result"], got[name]["action"]) == ("dead", "")
        assert reason in got[name]["reason"]
        assert f"{name}: not decided: dead" in result.stderr  # the log tells it, too
    assert "7 objects: 1 done" in result.stderr and " 6 dead" in result.stderr


def test_sees_every_page_of_a_gateway_that_cuts_them(poll, small_connect):
    requests = [small_connect.add("change") for _ in range(120)]
    small_connect.cut = 50
    result = poll("--once", "--json")
    assert result.returncode == 0, result.stderr
    assert list(rows(result)) == requests


def test_goes_on_after_what_is_forbidden_or_refused(poll, small_connect):
    read, approved, refused, sound = (small_connect.add("renew") for _ in range(4))
    small_connect.status_of = {f"GET /requests/{read}": 403,
                               f"POST /requests/{approved}/approve": 403,
                               f"POST /requests/{refused}/approve": 400}
    result = poll("--once", "--json")
    assert result.returncode == 1
    assert {k: r["result"] for k, r in rows(result).items()} == {
        read: "dead", approved: "dead", refused: "dead", sound: "done"}
    assert all("SIM_1" in rows(result)[r]["reason"] for r in (read, approved, refused))


def test_reports_an_object_by_one_set_of_keys(poll, small_connect):
    small_connect.add("change")
    row = json.loads(poll("--once", "--json").stdout)
    assert list(row) == ["webhook_id", "object_class", "object_id", "type", "before", "after", "action",
                         "result", "rule", "reason", "retry_after"]
    assert (row["object_class"], row["retry_after"]) == ("fulfillment_request", None)


def test_ends_with_1_when_something_is_left_to_do(poll, conf, small_connect):
    small_connect.add("renew")
    conf.write("api.key", "another-key\n")
    result = poll("--once")
    assert (result.returncode, result.stdout) == (1, "")
    assert "AUTH_001" in result.stderr
    assert small_connect.done == []


def test_tells_no_secret(poll, small_connect):
    small_connect.add("purchase")
    result = poll("--once", "--json")
    for secret in PASSWORD, "test-key", calls.SECRET:
        assert secret not in result.stdout + result.stderr


def test_a_reason_is_told_to_its_end(small_connect, configuration, build):
    reason = "a reason of more than sixty characters, as those for people often are: " + "x" * 300
    conf = configuration(api_url=small_connect.url, rules=json.dumps([{"then": {"action": "skip", "reason": reason}}]))
    small_connect.add("purchase")
    ran = subprocess.run([build / "connect-webhook", "poll", "--once", "-c", conf.path],
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT)
    assert ran.stdout.splitlines()[1].endswith("  " + reason)


# ------------------------------------------------------------------------- passwords

# As JSON has it, it is full of backslashes.
PIN = 'pa"ss\\wörd/№1'
OLD = "the old one's fine"


def quotings(secret):
    """A text that quotes it as it is, as JSON, as JSON in JSON, and cut."""
    once = json.dumps(secret)
    return (f"value {secret} is wrong: {{\"value\": {once}}}, {json.dumps(once)}, "
            f"{json.dumps(secret, ensure_ascii=False)}; it began with '{secret[:7]}', {secret[:3]}...")


def pieces(secret):
    """Whatever of it must be seen nowhere."""
    once = json.dumps(secret)[1:-1]
    return {secret, once, json.dumps(once)[1:-1], secret[:7], once[:9]}


@pytest.mark.parametrize("as_json", [False, True])
def test_no_password_is_told_whoever_quotes_it(small_connect, configuration, build, as_json):
    small_connect.complaint = quotings(PIN) + "x" * 200 + PIN  # is cut within the last
    small_connect.status_of = {"PUT /requests/PR-1": 400, "POST /requests/PR-2/fail": 400}
    quoted = "${asset.params[pin].value}"
    rules = [
        {"when": "type=purchase", "then": {"action": "fail", "reason": "no",
                                           "params": [{"id": "pin", "value": PIN}]}},
        {"when": "type=cancel", "then": {"action": "fail", "reason": "no", "params": [
            {"id": "pin", "structured_value": {"deep": [PIN, OLD]}}]}},
        {"when": "type=change", "then": {"action": "skip",
                                         "reason": f"value {quoted} is wrong, '{quoted}'"}},
        {"then": {"action": "approve", "template": f"no {quoted}"}},
    ]
    for kind in ("purchase", "cancel", "change", "suspend"):
        request = small_connect.requests[small_connect.add(kind)]
        request["asset"]["params"][0]["value"] = OLD
    conf = configuration(api_url=small_connect.url, rules=json.dumps(rules), log={"level": "debug"})
    ran = subprocess.run([build / "connect-webhook", "poll", "--once", "-c", conf.path,
                          *(["--json"] if as_json else [])],
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT)
    told = ran.stdout + ran.stderr
    for piece in pieces(PIN) | pieces(OLD):
        assert piece not in told, piece
    if as_json:
        by_id = rows(ran)
        assert {i: by_id[i]["result"] for i in by_id} == {
            "PR-1": "dead", "PR-2": "dead", "PR-3": "skip", "PR-4": "dead"}
        assert "value ******** is wrong" in by_id["PR-1"]["reason"]
        assert "value ******** is wrong" in by_id["PR-2"]["reason"]
        assert by_id["PR-3"]["reason"] == "value ******** is wrong, '********'"
        assert 'no template is called "no ********"' in by_id["PR-4"]["reason"]
