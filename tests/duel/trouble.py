"""What is wrong with the world for a while: each trouble has its end, and a scope that says whom it may hold up. A form
needs nothing of Connect."""

import dataclasses

RECOVERS = 2  # seconds, until all is as before
HALTED = 4  # ... for an account: processing.backoff_max
POLICY_TIMEOUT = 3  # seconds, the longest


@dataclasses.dataclass
class Ends:
    """What lasts until then."""
    until: float
    recovers = RECOVERS

    @property
    def over(self):
        """Until when may it hold up what it holds up?"""
        return self.until + self.recovers


@dataclasses.dataclass
class Trouble(Ends):
    """Of calls to Connect that fit: of an account, a class, an object (by n), an operation. None fits all."""
    how: dict  # see connect.py: Handler.suffer()
    account: str | None = None
    kind: str | None = None
    n: int | None = None
    operation: str | None = None  # or "page": of a list, any but the first; "shown": of a list, what shows the object
    recovers = HALTED

    def fits(self, now, account, kind, n, operations):
        return (now < self.until and self.account in (None, account) and self.kind in (None, kind)
                and self.n in (None, n) and (self.operation is None or self.operation in operations))

    def may_hold_up(self, thing, hook):
        """An object's own trouble holds up that object alone; what several have, or a list, the account."""
        return thing is not None and self.account in (None, hook.account) and self.n in (None, thing.n)


@dataclasses.dataclass
class OfAccount(Ends):
    """What Connect has said of an account: its key is not accepted, or it calls too often. It is halted."""
    account: str | None  # None: whichever
    recovers = HALTED

    def may_hold_up(self, thing, hook):
        return thing is not None and self.account in (None, hook.account)


@dataclasses.dataclass
class OfHook(Ends):
    """A webhook is not in the configuration, or its program has once not answered as it should."""
    hook: str

    def may_hold_up(self, thing, hook):
        return self.hook == hook.id


@dataclasses.dataclass
class OfPolicy(OfHook):
    """Its program does not answer as it should: it is left alone, each time for longer."""
    how: str

    @property
    def over(self):
        return self.until + max(RECOVERS, self.until - self.began)


@dataclasses.dataclass
class OfAll(Ends):
    """Programs are killed, stopped, reloaded; the disk is full; the machine is slow."""

    def may_hold_up(self, thing, hook):
        return True


def held_up(troubles, thing, hook, begin, end):
    """For how many seconds between these was something wrong, or has just been, that may hold up the object, or a form
    (None)?"""
    held, at = 0, begin
    for one in sorted(troubles, key=lambda one: one.began):
        until = min(one.over, end)
        if until > at and one.began < end and one.may_hold_up(thing, hook):
            held += until - max(one.began, at)
            at = until
    return held


def of_calls(world, account, kind, n, operations):
    now = world.now()
    return [t.how for t in world.troubles
            if isinstance(t, Trouble) and t.fits(now, account, kind, n, operations)]


def of_policy(world, hook):
    now = world.now()
    return next((t.how for t in world.troubles
                 if isinstance(t, OfPolicy) and now < t.until and t.hook == hook.id), None)


def may_have_refused(world, thing, hook):
    """Has Connect refused to show the object, which is its end?"""
    return any(isinstance(t, Trouble) and t.how.get("status") in (400, 403) and t.operation in (None, "get")
               and t.until > thing.born and t.may_hold_up(thing, hook) for t in world.troubles)


def end_all(world):
    now = world.now()
    for trouble in world.troubles:
        trouble.until = min(trouble.until, now)
