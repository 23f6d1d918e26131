"""What each of Connect's errors is taken for, after each way of sending a verb."""

import pytest

from verbs import ERRORS, SOME, SOME_NAMES, changes, connect, run  # noqa: F401


@pytest.mark.parametrize("form", ERRORS)
@pytest.mark.parametrize("verb", SOME, ids=SOME_NAMES)
def test_each_form_of_error_is_one(run, connect, verb, form):
    connect.answer, result = ERRORS[form]
    connect.effect = False
    report, sent = run(verb, status=1)
    assert report["result"] == result and str(connect.answer[0]) in report["reason"]
    assert report["retry_after"] == {"429": 7, "503": 1}.get(form)
    assert len(changes(sent)) == 1
