"""An error of Connect's, or none of its own, after a verb that took effect: it is not sent again."""

import pytest

from verbs import ERRORS, SOME, SOME_NAMES, changes, connect, poll, polled, run_form  # noqa: F401

KNOWS_NOTHING = {"401", "429"}  # the object is not looked at after these
ANSWERS = {form: answer for form, (answer, _) in ERRORS.items() if form not in KNOWS_NOTHING}


@pytest.mark.parametrize("form", ANSWERS)
@pytest.mark.parametrize("verb", SOME, ids=SOME_NAMES)
def test_what_was_done_all_the_same_is_done(run_form, verb, form):
    report, sent = run_form(verb, form, ANSWERS)
    assert (report["result"], report["after"]) == ("done", verb[7])
    assert len(changes(sent)) == 1 and sent[-1][0] == "GET"
