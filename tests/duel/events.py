"""What happens in a duel. An event is a class: how often it is drawn (`weight`), with what (`draw`), and what it does
(`play`). Whatever it is drawn with is written into the script, so that the script says all."""

import contextlib
import datetime
import json
import os
import random
import signal

import model
import trouble

EVENTS = {}


def event(weight, of=None):
    """`of`: what it is a trouble of. Without `draw` it is drawn with nothing."""
    def add(cls):
        cls.weight, cls.of = weight, of
        cls.draw = getattr(cls, "draw", lambda r, drawn: {})
        EVENTS[cls.__name__.lower()] = cls
        return cls
    return add


def seconds(r, low, high):
    return round(r.uniform(low, high), 1)


# ----------------------------------------------------------------------------- objects

def odd_value(r):
    """Values that people type, and programs forget."""
    return r.choice(["", "x", "ünïcode \U0001f600", "a" * r.choice([10, 1000, 70000]), " ",
                     "<b>&amp;</b>", "${quoted}", "line\nbreak", "'\"\\"])


def document_of(kind, object_id, product, state, r, password, ahead):
    """A new object of Connect's, created now or so many days ahead."""
    now = datetime.datetime.now(datetime.timezone.utc)
    at = (now + datetime.timedelta(days=ahead)).isoformat(timespec="seconds")
    params = [{"id": "note", "type": "text", "value": odd_value(r)},
              {"id": "pin", "type": "password", "value": password}]
    document = {"id": object_id, "changed": 0}
    if kind.state:
        document[kind.state] = state
    if kind.name == "fulfillment_request":
        document.update(type=r.choice(["purchase", "change", "cancel"]), created=at, note=odd_value(r),
                        asset={"id": "AS" + object_id[2:], "product": {"id": product}, "params": params})
    elif kind.name == "tier_config_request":
        document.update(type="setup", created=at, params=params,
                        configuration={"id": "TC-1", "tier_level": r.choice([1, 2]), "product": {"id": product}})
    elif kind.name == "tier_account_request":
        document.update(type="update", product={"id": product}, events={"created": {"at": at}},
                        account={"id": "TA-1", "name": odd_value(r)})
    elif kind.name == "listing_request":
        document.update(type="new", created=at, listing={"product": {"id": product}, "status": "draft"})
    elif kind.name == "billing_request":
        document.update(type="provider", events={"created": {"at": at}}, attributes={},
                        asset={"id": "AS-1", "product": {"id": product}})
    else:
        document.update(name=odd_value(r), created={"at": at}, product={"id": product})
    return document


def draw_plan(r):
    """What is decided at each question."""
    plan = []
    if r.random() < 0.25:
        plan.append({"do": r.choice(["skip", "later"]), "write": r.random() < 0.5})
    if r.random() < 0.2:
        plan.append({"do": "yes", "how": r.choice(["exit", "garbage", "error", "tell", "hang", "deaf", "empty"])})
    plan.append({"do": r.choice(["yes", "yes", "yes", "no", "inquire", "skip"]), "write": r.random() < 0.3})
    if r.random() < 0.2:
        plan[-1]["quote"] = r.randrange(500)
    return plan


@event(weight=30)
class Appear:
    """Objects of one class, and usually a call that tells of them."""
    def draw(r, drawn):
        hook = r.choice(model.EVENTS)
        first = drawn.count
        drawn.count += r.choice([1, 1, 1, 1, 2, 5, 12])
        return {"hook": hook, "first": first, "plans": [draw_plan(r) for _ in range(first, drawn.count)],
                "ahead": r.choice([0] * 9 + [40000]), "seed": r.randrange(10**6), "tell": r.random() < 0.8}

    def play(world, hook, first, plans, ahead, seed, tell):
        r, kind, product = random.Random(seed), model.HOOKS[hook].kind, model.HOOKS[hook].product
        since = world.now()
        with world.lock:
            for n, plan in enumerate(plans, first):
                password = f"{r.getrandbits(64):016x}{r.getrandbits(64):016x}"
                world.marks.add(password)
                document = document_of(kind, f"{kind.prefix}-100-{n:04}", product, r.choice(kind.first), r, password,
                                       ahead)
                world.add(model.Thing(n, kind, product, document, password, plan, world.now()))
        if tell:
            world.later(world.tell_of, hook, [world.things[first + i] for i in range(len(plans))], since)


def thing_event(weight, of=None):
    """An event of an object that has appeared; nothing happens to one that a shorter script does not have. `more`:
    what else it is drawn with."""
    def add(cls):
        more = getattr(cls, "more", lambda r: {})

        def draw(r, drawn):
            return {"n": r.randrange(drawn.count), **more(r)} if drawn.count else None

        def play(world, n, **drawn):
            if n in world.things:
                cls.happen(world, world.things[n], **drawn)
        return event(weight, of)(type(cls.__name__, (), {"draw": draw, "play": play, "__doc__": cls.__doc__}))
    return add


@thing_event(weight=5)
class Change:
    """Somebody else changes something about it."""
    def more(r):
        return {"tell": r.random() < 0.7}

    def happen(world, thing, tell):
        since = world.now()
        with world.lock:
            if thing.document is not None:
                thing.by_others(since)
        if tell:
            for hook in world.hooks_for(thing):
                world.later(world.tell_of, hook.id, [thing], since)


@thing_event(weight=3)
class Person:
    """A person decides it in Connect's portal."""
    def more(r):
        return {"no": r.random() < 0.5}

    def happen(world, thing, no):
        with world.lock:
            verbs = [v for v in thing.kind.verbs if thing.kind.leads_to(v, thing.state)]
            if thing.document is not None and verbs:
                verb = verbs[-1 if no else 0]
                thing.by_others(world.now(), **{thing.kind.state: thing.kind.leads_to(verb, thing.state)})


@thing_event(weight=2)
class Vanish:
    """It is no more."""
    def happen(world, thing):
        with world.lock:
            thing.vanish(world.now())


@thing_event(weight=2)
class Return:
    """It is pending again."""
    def happen(world, thing):
        first = thing.history[0][1].get(thing.kind.state) if thing.kind.state else None
        with world.lock:
            thing.by_others(world.now(), **({thing.kind.state: first} if first else {}))


# ------------------------------------------------------------------------------ calls

@event(weight=10)
class Call:
    """A call that tells of nothing, or late of something."""
    def draw(r, drawn):
        return {"hook": r.choice(model.EVENTS), "method": r.choice(["POST", "POST", "GET"]), "again": r.random() < 0.3}

    def play(world, hook, method, again):
        world.later(world.call, hook, method, again)


@event(weight=2)
class Stranger:
    """Somebody without the secret calls."""
    def draw(r, drawn):
        return {"hook": r.choice(list(model.HOOKS)), "how": r.choice(["signature", "expired", "old"])}

    def play(world, hook, how):
        world.later(world.stranger, hook, how)


def form_text(kind, r, odd):
    """A form; an odd one has parameters without a text as id, and values of every type and size."""
    def value():
        return r.choice([odd_value(r), 17, None, True, ["a", 2], {"b": []}, 1.5]) if odd else f"value {r.random()}"

    def param(n):
        normal = {"id": f"p{n}" * r.choice([1, 2]), "value": value()}
        if not odd:
            return normal
        return r.choice([normal, normal, normal, {**normal, "structured_value": {"a": value()}},
                         {**normal, "value_error": "old"}, {"name": f"p{n}", "value": value()},
                         {"id": n, "value": value()}, {"id": None}, "text", None, {}, ["list"]])
    params = [param(n) for n in range(r.choice([0, 1, 3, 10]))]
    inner = {"id": "AS-1", "params": params, "extra": value()}
    if kind.name == "fulfillment_request":
        document = {"id": "PR-1", "type": "purchase", "status": "draft", "asset": inner, "more": [value(), 1.0]}
    else:
        document = {"id": "TCR-1", "type": "setup", "status": "draft", "params": params,
                    "configuration": {"id": "TC-1", "tier_level": 1, "extra": value()}}
    return json.dumps(document, ensure_ascii=r.random() < 0.5)


@event(weight=10)
class Form:
    """A customer fills in a form."""
    def draw(r, drawn):
        return {"hook": r.choice(model.FORMS), "seed": r.randrange(10**6), "odd": r.random() < 0.5}

    def play(world, hook, seed, odd):
        world.later(world.form, hook, form_text(model.HOOKS[hook].kind, random.Random(seed), odd))


# ----------------------------------------------------------------------------- Connect

HOWS = [{"status": 503}, {"status": 500}, {"status": 504}, {"status": 429, "after": 1}, {"status": 401},
        {"status": 403}, {"status": 404}, {"status": 400}, {"lost": 500}, {"lost": 504}, {"slow": 0.3},
        {"slow": 0.3, "first": True}, {"slow": 1, "first": True}, {"slow": 3}, {"slow": 3, "first": True},
        {"garbage": "html"}, {"garbage": "half"}, {"garbage": "null"}, {"hang": True}, {"hang": True, "first": True},
        {"twice": True}, *({"strange": element} for element in (None, "text", {}, {"id": 7}, {"id": ""}))]


def draw_how(r):
    return {**r.choice(HOWS), **({"quote": True} if r.random() < 0.3 else {})}


@event(weight=6, of="connect")
class Ill:
    """Connect is ill: an account, a queue, an operation."""
    def draw(r, drawn):
        return {"account": r.choice(model.ACCOUNTS), "kind": r.choice([None, *model.KINDS]),
                "operation": r.choice([None, "list", "page", "get", "verb", "put", "templates"]), "how": draw_how(r),
                "lasts": seconds(r, 0.5, 5)}

    def play(world, lasts, **which):
        world.trouble(trouble.Trouble(world.now() + lasts, **which))


@event(weight=3, of="connect")
class Lag:
    """Lists show what was."""
    def draw(r, drawn):
        return {"how": {"lag": seconds(r, 0.2, 2)}, "lasts": seconds(r, 2, 6)}

    def play(world, how, lasts):
        world.trouble(trouble.Trouble(world.now() + lasts, how, operation="list"))


@thing_event(weight=6, of="connect")
class Poison:
    """Whatever is asked of Connect about this object goes wrong."""
    def more(r):
        return {"how": draw_how(r), "operation": r.choice([None, "get", "verb", "shown"]),
                "lasts": seconds(r, 2, 12)}

    def happen(world, thing, how, operation, lasts):
        world.trouble(trouble.Trouble(world.now() + lasts, how, n=thing.n, operation=operation))


# ---------------------------------------------------------------------------- policies

@event(weight=4, of="policies")
class Mad:
    """The program of a webhook does not answer as it should."""
    def draw(r, drawn):
        return {"hook": r.choice(list(model.HOOKS)),
                "how": r.choice(["hang", "exit", "garbage", "deaf", "empty", "error"]),
                "lasts": seconds(r, 1, r.choice([6, 30]))}

    def play(world, hook, how, lasts):
        world.trouble(trouble.OfPolicy(world.now() + lasts, hook, how))


# ---------------------------------------------------------------------------- programs

def draw_program(r, drawn):
    return {"which": r.choice(["handler", 0, 1])}


@event(weight=3, of="programs")
class Kill:
    """A program is killed, and started again."""
    draw = draw_program

    def play(world, which):
        with world.interrupted():
            world.kill(which)
            world.start()


@event(weight=2, of="programs")
class Stop:
    """A program is asked to end, and started again."""
    draw = draw_program

    def play(world, which):
        with world.interrupted():
            world.stop(which)
            world.start()


@event(weight=2, of="programs")
class Below:
    """The spawner, a keeper or a program is killed."""
    def draw(r, drawn):
        return {"words": r.choice(["spawner", "keeper", "oracle"]), "pick": r.random()}

    def play(world, words, pick):
        found = sorted(world.below(words))
        if found:
            world.disturb()
            with world.interrupted(), contextlib.suppress(ProcessLookupError):
                os.kill(found[int(pick * len(found))], signal.SIGKILL)


@event(weight=2, of="programs")
class Pause:
    """A program is stopped, and goes on later."""
    def draw(r, drawn):
        return {**draw_program(r, drawn), "lasts": seconds(r, 0.5, 4)}

    def play(world, which, lasts):
        program = world.running.get(which)
        if program is None:
            return
        world.hold_up(lasts)
        world.disturb()
        world.stopped.add(program)
        program.signal(signal.SIGSTOP)
        world.later(go_on, world, program, lasts)


def go_on(world, program, lasts):
    world.over.wait(lasts)
    world.stopped.discard(program)
    if program.process.poll() is None:
        program.signal(signal.SIGCONT)


@event(weight=1, of="programs")
class Crash:
    """All programs are killed at once."""
    def play(world):
        with world.interrupted():
            world.kill_all()
            world.start()


@event(weight=1, of="programs")
class Reboot:
    """The machine is started again, and its clock begins anew."""
    def play(world):
        with world.interrupted():
            world.kill_all()
            world.reboot()
            world.start()


@event(weight=4, of="programs")
class Reload:
    """The configuration is loaded again: as it is, worse, or with other policies."""
    def draw(r, drawn):
        return {"how": r.choice(["same", "bad", "other"])}

    def play(world, how):
        text = world.conf.path.read_text()
        if how == "bad":
            world.conf.path.write_text(text.replace('"webhooks"', '"webhoks"', 1))
        if how == "other":
            for hook in world.webhooks.values():
                if "exec" in hook["policy"]:
                    hook["policy"]["timeout"] = "3s" if hook["policy"]["timeout"] == "2s" else "2s"
            world.write()
            world.repoliced = world.now() + trouble.RECOVERS
        with world.interrupted():
            world.reload(accepted=how != "bad")
        if how == "bad":
            world.conf.path.write_text(text)


@event(weight=2, of="programs")
class Rotate:
    """A webhook has a new secret."""
    def draw(r, drawn):
        return {"hook": r.choice(list(model.HOOKS))}

    def play(world, hook):
        if not world.stopped:
            with world.interrupted():
                world.rotate(hook)


@event(weight=2, of="programs")
class Leave:
    """A webhook is no longer in the configuration."""
    def draw(r, drawn):
        return {"hook": r.choice(list(model.HOOKS))}

    def play(world, hook):
        with world.interrupted():
            world.leave(hook)
            world.reload()


@event(weight=2, of="programs")
class Come:
    """All webhooks are in the configuration again."""
    def play(world):
        if world.gone:
            with world.interrupted():
                world.come_back()
                world.reload()


@event(weight=1, of="programs")
class Full:
    """The inbox's disk is full."""
    def draw(r, drawn):
        return {"lasts": seconds(r, 0.5, 4)}

    def play(world, lasts):
        world.hold_up(lasts)
        world.disturb()
        world.fill_disk()
        world.later(empty, world, lasts)


def empty(world, lasts):
    world.over.wait(lasts)
    world.empty_disk()
    world.disturb()  # what was answered meanwhile may not be kept


# ---------------------------------------------------------------------------- operators

@thing_event(weight=3)
class Discard:
    """A person says that it is over; if `ours`, also of what nobody but us has changed last."""
    def more(r):
        return {"ours": r.random() < 0.5}

    def happen(world, thing, ours):
        with world.lock:
            looked = len(thing.history)
            if thing.ours == looked and not ours:
                return
        if world.run("tasks", "discard", thing.id).returncode == 0:
            tasks = world.tasks()
            with world.lock:
                thing.discarded = {hook.id: (looked, world.now()) for hook in world.hooks_for(thing)
                                   if tasks.get((hook.account, thing.id), {}).get("result") == "discarded"
                                   and looked in (thing.ours, thing.shown.get(hook.id))}


@thing_event(weight=3)
class Retry:
    """A person has it tried again."""
    def happen(world, thing):
        with world.lock:
            thing.retried, thing.discarded = world.now() + trouble.RECOVERS, {}
        world.run("tasks", "retry", thing.id)


@event(weight=2)
class Replay:
    """A person has a call worked on again."""
    def draw(r, drawn):
        return {"pick": r.random()}

    def play(world, pick):
        with world.lock:
            stored = sorted(world.accepted)
        if stored:
            world.later(world.run, "deliveries", "replay", str(stored[int(pick * len(stored))]))


@event(weight=2)
class Age:
    """What has ended is older than inbox.retention."""
    def play(world):
        world.age()


@event(weight=2)
class Look:
    """Somebody looks."""
    def draw(r, drawn):
        return {"words": r.choice([["stats"], ["tasks", "list"], ["deliveries", "list"],
                                   ["poll", "--once"], ["check"]])}

    def play(world, words):
        world.later(world.run, *words)
