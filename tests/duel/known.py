"""Faults that the duel has found and that are not mended yet. Random play leaves out what leads to each, by name, and
scripts/NAME.json shows it: it must break its truth until it is mended. Then name and script's mark go, and the script
stays.

A function takes an event of a game and returns it as it may happen, or None: not at all.
"""


def not_at_all(*names):
    return lambda entry: None if entry["event"] in names else entry


def of_steps(change):
    """Change each step of what is decided about objects."""
    def of_event(entry):
        if "plans" in entry:
            entry = {**entry, "plans": [[change(step) for step in plan] for plan in entry["plans"]]}
        return entry
    return of_event


def without(step, *names):
    return {name: value for name, value in step.items() if name not in names}


def no_write_without_verb(step):
    return without(step, "write") if step["do"] in ("skip", "later") else step


def no_quoted_passwords(entry):
    if isinstance(entry.get("how"), dict):
        entry = {**entry, "how": without(entry["how"], "quote")}
    return of_steps(no_quote)(entry)


def no_quote(step):
    return without({**step, "how": "error"} if step.get("how") == "tell" else step, "quote")


def change_of(event, **members):
    return lambda entry: {**entry, **members} if entry["event"] == event else entry


def no_late_lists(entry):
    if entry["event"] == "lag":
        return None
    if entry["event"] == "ill" and entry["operation"] in (None, "list", "page"):
        entry = {**entry, "how": without(entry["how"], "first")}
    return entry


def no_failing_page(entry):
    if entry["event"] == "poison" and entry["operation"] in (None, "shown"):
        entry = {**entry, "operation": "get"}
    return entry


def no_poison(entry):
    how = entry.get("how") or {}
    if entry["event"] == "poison" and (how.get("status", 0) >= 500 or {"hang", "slow", "lost", "garbage"} & how.keys()):
        entry = {**entry, "how": {"status": 400}}
    return entry


def no_hung_policy(entry):
    return no_hang(entry) if entry["event"] == "mad" else of_steps(no_hang)(entry)


def no_hang(step):
    return {**step, "how": "exit"} if step.get("how") in ("hang", "deaf") else step


def no_missing_object(entry):
    is_get = entry["event"] in ("ill", "poison") and entry["operation"] in (None, "get")
    return {**entry, "how": {"status": 400}} if is_get and entry["how"].get("status") == 404 else entry


def no_other_policies(entry):
    return None if entry["event"] == "reload" and entry["how"] == "other" else entry


KNOWN = {
    # Parameters of a form that have no text as id are deleted; a value that is too long or no text is a 503.
    "form-is-not-whole": change_of("form", odd=False),
    # A text with a password in it is cut, or split, before that is hidden.
    "password-is-cut": no_quoted_passwords,
    # Tasks of a queue that has left the configuration are put off, and late when it comes back.
    "queue-without-owner": not_at_all("leave"),
    # A billing request that is dated ahead moves the mark, and those that come later are not listed.
    "mark-in-the-future": change_of("appear", ahead=0),
    # What is written beside skip or reschedule makes the object look new.
    "own-write-is-news": of_steps(no_write_without_verb),
    # A list that shows what was, before a change and our answer to it, has the policy asked again.
    "late-list-is-news": no_late_lists,
    # An object is discarded that our verb has changed, and no list has shown since: that one undoes it.
    "own-verb-undoes-discard": change_of("discard", ours=False),
    # A page that Connect cannot show, because of one object, keeps its whole queue from being listed.
    "failing-page": no_failing_page,
    # One object whose calls fail or hang halts its account, again and again.
    "poison-object": no_poison,
    # A program that hangs takes the workers of all of its account.
    "hung-policy": no_hung_policy,
    # An object that Connect once says is not there is left alone, though lists show it.
    "not-found-is-believed": no_missing_object,
    # Other policies have discarded objects asked about again.
    "reload-undoes-discard": no_other_policies,
    # What a policy has left alone is asked about again once inbox.retention has forgotten it.
    "retention-forgets": not_at_all("age"),
}
# Truths that are not looked at, because anything may lead to a fault that breaks them.
UNSEEN = {
    # A list that shows what our own verb has done hands the object over again: a billing request is asked about again,
    "own-verb-is-news": "again",
    # ... and of another the task says that somebody else has done it; as after a retry.
    "done-is-dealt-with-elsewhere": "story",
    # An object that was listed while its policy was asked is handed over again.
    "old-list-is-news": "old-list",
    # What our own verb, a reload, a change of policies handed over again counts as a call that was lost.
    "lost-calls-are-miscounted": "found",
}

NAMES = KNOWN.keys() | UNSEEN.keys()


def leave_out(script, names):
    """The script without what leads to these."""
    events = script["events"]
    for name in sorted(names):
        if name in KNOWN:
            events = list(filter(None, map(KNOWN[name], events)))
    return {**script, "events": events, "unseen": [UNSEEN[name] for name in sorted(names) if name in UNSEEN]}
