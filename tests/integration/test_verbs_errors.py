"""What each of Connect's errors is taken for, after each way of sending a verb."""

import pytest

from verbs import JSON, SOME, SOME_NAMES, changes, connect, run  # noqa: F401

ERRORS = {  # (answer, result where nothing was done, exit status)
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
KNOWS_NOTHING = {"401", "429"}  # the object is not looked at after these


@pytest.mark.parametrize("form", ERRORS)
@pytest.mark.parametrize("verb", SOME, ids=SOME_NAMES)
def test_each_form_of_error_is_one(run, connect, verb, form):
    connect.answer, result = ERRORS[form]
    connect.effect = False
    report, sent = run(verb, status=1)
    assert report["result"] == result and str(connect.answer[0]) in report["reason"]
    assert report["retry_after"] == {"429": 7, "503": 1}.get(form)
    assert len(changes(sent)) == 1


@pytest.mark.parametrize("form", ERRORS.keys() - KNOWS_NOTHING)
@pytest.mark.parametrize("verb", SOME, ids=SOME_NAMES)
def test_what_was_done_all_the_same_is_done(run, connect, verb, form):
    connect.answer, _ = ERRORS[form]
    report, sent = run(verb)
    assert (report["result"], report["after"]) == ("done", verb[7])
    assert len(changes(sent)) == 1 and sent[-1][0] == "GET"
