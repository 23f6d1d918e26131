"""What each of Connect's errors is taken for, after each way of sending a verb."""

import pytest

from verbs import ERRORS, SOME, SOME_NAMES, changes, connect, poll, polled, run_form  # noqa: F401

ANSWERS = {form: answer for form, (answer, _) in ERRORS.items()}


@pytest.mark.parametrize("form", ERRORS)
@pytest.mark.parametrize("verb", SOME, ids=SOME_NAMES)
def test_each_form_of_error_is_one(run_form, connect, verb, form):
    connect.effect = False
    report, sent = run_form(verb, form, ANSWERS, status=1)
    assert report["result"] == ERRORS[form][1] and str(ANSWERS[form][0]) in report["reason"]
    assert report["retry_after"] == {"429": 7, "503": 1}.get(form)
    assert len(changes(sent)) == 1
