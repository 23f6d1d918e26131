"""What must be true. Some is looked at as it happens, some when the troubles have ceased, some after the end.

A truth is a word and a sentence; model.blame() takes what breaks it.
"""

import json
import pathlib

import model
import trouble

TRUTHS = {
    "decided": "nothing is done to an object but what its policy has decided last, and for the object as it then was",
    "once": "what was decided takes effect once",
    "read": "a policy is asked about an object as it is, and only while it is pending",
    "again": "what our own verb has settled is not asked about again",
    "no-news": "what was put off or left alone is not asked about again, whatever was written beside that",
    "old-list": "... and a list that began before that was decided changes nothing about it",
    "discarded": "what a person said is over stays so until the object changes",
    "stranger": "nobody without the secret gets in",
    "stored": "every 2xx is in the inbox",
    "settled": "every pending object is decided, dead with a reason, or left on purpose",
    "sound": "what has no trouble of its own is done soon, whatever troubles others",
    "form": "a form comes back whole, with what the policy said, or 503 within the deadline",
    "story": "a task tells what became of its object",
    "counts": "stats, tasks, deliveries and the model's own counts agree",
    "found": "stats has found by polling what no call has told of",
    "secret": "no text has a secret",
    "alive": "no program ends but when it is ended, and then with 0",
    "left": "nothing is left over: no process, no file, no descriptor, no memory",
    "sanitizer": "no sanitizer speaks",
}
SOON = 6  # seconds for an object that nothing holds up: it is polled for ...
TOLD_SOON = 2  # ... or a call has told of it
FORM_SOON = 4
LISTS_S = 2  # that all pages of a list take, if nothing is wrong
FORM_DEADLINE = 3  # web.validation_deadline
SLACK = 3
PREFIX = "connect_webhook_"
FDS_MAX, MEMORY_MAX = 120, 64 * 2**20  # of a handler at rest; a sanitizer has more memory
RULED = "p1"  # the parameter that the rules of forms speak of


# ------------------------------------------------------------------------- as it happens

def of_question(world, thing, hook, object_):
    """A policy is asked."""
    last = thing.last(hook)
    name = f"{thing.id} ({hook.id})"
    if not any(object_ == read for read in thing.read):
        world.blame("read", f"{name}: asked about what no GET has shown: {json.dumps(object_)[:300]}")
    if thing.state_of(object_) not in thing.kind.pending.get(hook.side, ()):
        world.blame("read", f"{name}: asked about it as {thing.state_of(object_)}")
    if world.now() - (thing.is_discarded(hook) or world.now()) > 1:
        world.blame("discarded", f"{name}: asked about it")
    if last is None or last.foreign != thing.foreign or max(thing.retried, world.repoliced) > last.time:
        return
    if world.was_disturbed(last.time):  # the answer may not have been heard, or not been kept
        return
    action = last.answer["action"]
    if action == "annotate" and last.has_taken_effect("attributes"):
        world.blame("again", f"{name}: asked again, after annotate took effect")
    since = world.now() - last.time
    if action == "skip" or action == "reschedule" and since < model.DELAY - 1:
        world.blame("old-list" if since < LISTS_S else "no-news", f"{name}: asked again {since:.1f} s after {action}")


def of_change(world, thing, hook, what, body, allowed):
    """A change is asked for; returns its place in the license that allows it, for who answers it."""
    last = thing.last(hook) if hook else None
    name = f"{thing.id} ({hook and hook.id}) {what}"
    if last is None:
        world.blame("decided", f"{name}: nothing was decided")
        return None
    wanted = {"params": "params" in last.answer and last.answer["action"],
              "attributes": "annotate"}.get(what, what)
    if wanted != last.answer["action"]:
        world.blame("decided", f"{name}: {last.answer} was decided last")
    elif (thing.is_discarded(hook) or 0) > last.time + 1:
        world.blame("discarded", f"{name}: it was discarded")
    elif what != "params" and last.has_taken_effect(what) and allowed:
        world.blame("once", f"{name}: took effect before")
    elif any(w == what and effect and answered for w, effect, answered in last.used):
        if not world.was_disturbed(last.time):
            world.blame("once", f"{name}: sent again, though it was answered that it had taken effect")
    if what == "attributes" and body != {"attributes": last.answer.get("attributes")} and (
            body != last.answer.get("attributes")):
        world.blame("decided", f"{name}: {body} instead of {last.answer}")
    use = [what, allowed, False]
    last.used.append(use)
    return use


def of_sound(world):
    """Is everything that has no trouble of its own asked about soon?"""
    now = world.now()
    for thing in world.things.values():
        if thing.foreign or thing.discarded:
            continue
        for hook in world.hooks_for(thing):
            if hook.id in thing.served or (
                    thing.state_of(thing.history[0][1]) not in thing.kind.pending.get(hook.side, ())):
                continue
            asked = thing.asked.get(hook.id)
            if not asked and trouble.may_have_refused(world, thing, hook):
                continue
            end = asked or now
            waited = end - thing.born - trouble.held_up(world.troubles, thing, hook, thing.born, end)
            late = waited > (TOLD_SOON if (hook.id, 1) in thing.told else SOON)
            if late:
                world.blame("sound", f"{thing.id} ({hook.id}): waited {end - thing.born:.1f} s, for {waited:.1f} of "
                            f"which nothing was wrong that may hold it up")
            if asked or late:
                thing.served.add(hook.id)


# ------------------------------------------------------------------------------- forms

def named_params(document):
    """Those that a policy can speak of: with a text as id."""
    place = document["asset"] if "asset" in document else document
    return [p for p in place.get("params") or () if isinstance(p, dict) and isinstance(p.get("id"), str)]


def form_answer(document):
    """What the oracle says about a form: an error for each id of an odd length."""
    ids = dict.fromkeys(param["id"] for param in named_params(document))
    return [{"id": i, "value_error": f"not {i}"} for i in ids if len(i) % 2]


def form_expected(document, said):
    """The form with what was said about it."""
    errors = {s["id"]: s["value_error"] for s in said}
    for param in named_params(document):
        if param["id"] in errors:
            param["value_error"] = errors[param["id"]]
    return document


def without_errors(hook, document):
    """What rules say of RULED is not the model's to know."""
    for param in named_params(document):
        if hook.asks == "rules" and param["id"] == RULED:
            param.pop("value_error", None)
    return document


def exactly(text):
    """JSON whose numbers are what they were written as."""
    return json.loads(text, parse_float=lambda t: ("number", t), parse_int=lambda t: ("number", t),
                      parse_constant=lambda t: ("number", t))


def of_form(world, hook, sent, status, body, took, held_up):
    name = f"form to {hook.id}"
    if status == 503:
        if took > FORM_DEADLINE + SLACK:
            world.blame("form", f"{name}: 503 after {took:.1f} s")
        if held_up == 0:
            world.blame("sound", f"{name}: 503, though nothing was wrong: {body[:200]}")
        return
    if status == 502 and held_up > 0:  # nginx finds nobody
        return
    if status != 200:
        world.blame("form", f"{name}: {status} {body[:200]}")
        return
    if took - held_up > FORM_SOON:
        world.blame("sound", f"{name}: took {took:.1f} s")
    document = exactly(sent)
    if hook.asks in ("once", "session"):
        document = form_expected(document, form_answer(document))
    if without_errors(hook, exactly(body)) != without_errors(hook, document):
        world.blame("form", f"{name}: sent {sent[:300]} and got {body[:300]}")


# ------------------------------------------------------- when the troubles have ceased

def rests(thing, hook, tasks):
    """Is there nothing left to do for this webhook?"""
    if not thing.is_pending(hook):
        return True
    task = tasks.get((hook.account, thing.id))
    last = thing.last(hook)
    if task is not None and task["state"] == "dead" and task["reason"]:
        return True
    if last is None:
        return False
    if thing.kind.state is None:  # these are made once: what becomes of one later is no work
        return last.answer["action"] != "annotate" or any(
            given.has_taken_effect("attributes") for given in thing.licenses if given.hook is hook)
    if task is None:
        return False
    return last.answer["action"] in ("skip", "reschedule") and last.foreign == thing.foreign


def unsettled(world, tasks):
    return [(thing, hook) for thing in world.things.values() for hook in world.hooks_for(thing)
            if not rests(thing, hook, tasks) and thing.is_discarded(hook) is None]


def of_deliveries(world, rows, stats):
    """rows: ids of the inbox; world.accepted: {delivery: webhook} of each 2xx. This and what follows gives what is not
    true, for who asks again: counts are written a little later."""
    lost = sorted(set(world.accepted) - set(rows))
    if lost:
        yield "stored", f"deliveries {lost} were acknowledged"
    for entry in stats:
        hook = entry["webhook_id"]
        answered = {status: count for (h, status), count in world.answered.items() if h == hook}
        good = sum(count for status, count in answered.items() if status < 300)
        counted = (entry["events"], entry["success"], entry["failure"])
        if not world.uncertain[hook] and counted != (sum(answered.values()), good, sum(answered.values()) - good):
            yield "counts", f"{hook}: stats has {counted}, and calls were answered: {answered}"


def of_metrics(world, metrics, stats):
    """What the admin side tells, beside `stats` and the calls that were answered."""
    for (hook, status), count in world.answered.items():
        told = metrics.get(f'{PREFIX}calls_total{{webhook="{hook}",status="{status}"}}', 0)
        if not world.uncertain[hook] and told != count:
            yield "counts", f"{hook}: metrics have {told:.0f} calls with {status}, and {count} were"
    for entry in stats:
        told = metrics.get(f'{PREFIX}dead_tasks{{webhook="{entry["webhook_id"]}"}}')
        if told is not None and told != entry["dead"]:
            yield "counts", f"{entry['webhook_id']}: metrics have {told:.0f} dead, and stats {entry['dead']}"
    if metrics["process_open_fds"] > FDS_MAX:
        yield "left", f"{metrics['process_open_fds']:.0f} descriptors are open"
    if not world.sanitized and metrics["process_resident_memory_bytes"] > MEMORY_MAX:
        yield "left", f"{metrics['process_resident_memory_bytes']:.0f} bytes of memory"


def of_tasks(world, tasks, stats):
    """tasks: of `tasks list`, by account and object."""
    for entry in stats:
        hook = model.HOOKS[entry["webhook_id"]]
        mine = [t for t in tasks.values() if t["account_id"] == hook.account
                and t["object_class"] == hook.kind.name and world.by_id[t["object_id"]].product == hook.product]
        found = entry["found_by_polling"] if hook.is_event else 0
        untold = sum(1 + thing.foreign - sum(h == hook.id for h, _ in thing.told)
                     for thing in world.things.values() if hook in world.hooks_for(thing))
        if found > untold:
            yield "found", f"{hook.id}: stats has found {found} by polling, and calls told of all but {untold}"
        for word, states in (("dead", ("dead",)), ("backlog", ("ready", "running"))):
            count = sum(t["state"] in states for t in mine)
            if hook.is_event and entry[word] != count:
                yield "counts", f"{hook.id}: stats has {word} {entry[word]}, tasks list {count}"
    for (account, object_id), task in tasks.items():
        thing = world.by_id[object_id]
        hook = next(h for h in world.hooks_for(thing) if h.account == account)
        last = thing.last(hook)
        if last and last.foreign == thing.foreign and last.answer["action"] not in ("skip", "reschedule") and (
                any(effect for _, effect, _ in last.used)) and not world.was_disturbed(last.time):
            if task["state"] == "skipped" and not thing.is_pending(hook):
                yield "story", f"{thing.id}: we did it, and its task says: {task['result']} {task['reason']}"


# --------------------------------------------------------------------------- the end

def of_texts(world, folder):
    """No secret is anywhere but where it belongs."""
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file() and path.suffix not in (".secret", ".key"):
            content = path.read_bytes()
            for mark in world.marks:
                half = len(mark) // 2
                if mark[:half].encode() in content or mark[half:].encode() in content:
                    world.blame("secret", f"{path.relative_to(folder)} has {mark}")
