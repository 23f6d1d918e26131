"""Faults that the duel has found and that are not mended yet. Random play leaves out what leads to each, by name, and
scripts/NAME.json shows it: it must break its truth until it is mended. Then name and script's mark go, and the script
stays.

A function takes the events of a game, and returns what is left of them.
"""


def steps(edit):
    """Edit each step of what is decided about objects."""
    def of_events(events):
        for entry in events:
            for plan in entry.get("plans", ()):
                for step in plan:
                    edit(step)
        return events
    return of_events


def no_write_without_verb(step):
    if step["do"] in ("skip", "later"):
        step["write"] = False


def no_other_policy_beside_a_discard(events):
    discards = any(entry["event"] == "discard" for entry in events)
    return [entry for entry in events if not (discards and entry["event"] == "reload" and entry["how"] == "other")]


def no_odd_forms(events):
    return [{**entry, "odd": False} if entry["event"] == "form" else entry for entry in events]


def no_quoted_passwords(events):
    for entry in events:
        if isinstance(entry.get("how"), dict):
            entry["how"].pop("quote", None)
    return steps(no_quote)(events)


def no_quote(step):
    step.pop("quote", None)
    if step.get("how") == "tell":
        step["how"] = "error"


def no_queue_leaves(events):
    return [entry for entry in events if entry["event"] != "leave"]


def no_dates_ahead(events):
    return [{**entry, "ahead": 0} if entry["event"] == "appear" else entry for entry in events]


KNOWN = {
    # Parameters of a form that have no text as id are deleted; a value that is too long or no text is a 503.
    "form-is-not-whole": no_odd_forms,
    # A text with a password in it is cut, or split, before that is hidden.
    "password-is-cut": no_quoted_passwords,
    # Tasks of a queue that has left the configuration are put off, and late when it comes back.
    "queue-without-owner": no_queue_leaves,
    # A billing request that is dated ahead moves the mark, and those that come later are not listed.
    "mark-in-the-future": no_dates_ahead,
    # What is written beside skip or reschedule makes the object look new.
    "own-write-is-news": steps(no_write_without_verb),
    # Another policy has discarded objects asked about again.
    "reload-undoes-discard": no_other_policy_beside_a_discard,
}


def without(events, names):
    """The events without what leads to these."""
    for name in names:
        events = KNOWN[name](events)
    return events
