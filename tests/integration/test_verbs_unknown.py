"""An error of Connect's, or none of its own, after a verb that took effect: it is not sent again."""

import pytest

from verbs import ERRORS, SOME, SOME_NAMES, changes, connect, run  # noqa: F401

KNOWS_NOTHING = {"401", "429"}  # the object is not looked at after these


@pytest.mark.parametrize("form", ERRORS.keys() - KNOWS_NOTHING)
@pytest.mark.parametrize("verb", SOME, ids=SOME_NAMES)
def test_what_was_done_all_the_same_is_done(run, connect, verb, form):
    connect.answer, _ = ERRORS[form]
    report, sent = run(verb)
    assert (report["result"], report["after"]) == ("done", verb[7])
    assert len(changes(sent)) == 1 and sent[-1][0] == "GET"
