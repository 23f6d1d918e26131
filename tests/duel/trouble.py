"""What is wrong with the world for a while: each trouble has its end, and a scope that says whom it may hold up."""

import dataclasses


@dataclasses.dataclass
class Trouble:
    """Of calls to Connect that fit: of an account, a class, an object (by n), an operation. None fits all."""
    until: float
    how: dict  # see connect.py: Handler.suffer()
    account: str | None = None
    kind: str | None = None
    n: int | None = None
    operation: str | None = None  # or "page": of a list, any but the first; "shown": of a list, what shows the object

    def fits(self, now, account, kind, n, operations):
        return (now < self.until and self.account in (None, account) and self.kind in (None, kind)
                and self.n in (None, n) and (self.operation is None or self.operation in operations))

    def may_hold_up(self, thing, hook):
        """An object's own trouble holds up that object alone; what several have, or a list, the account."""
        return self.account in (None, hook.account) and self.n in (None, thing.n)


@dataclasses.dataclass
class OfAccount:
    """What Connect has said of an account: its key is not accepted, or it calls too often. It is halted."""
    until: float
    account: str | None  # None: whichever

    def may_hold_up(self, thing, hook):
        return self.account in (None, hook.account)


@dataclasses.dataclass
class OfHook:
    """A webhook is not in the configuration."""
    until: float
    hook: str

    def may_hold_up(self, thing, hook):
        return self.hook == hook.id


@dataclasses.dataclass
class OfPolicy(OfHook):
    """Its program does not answer as it should."""
    how: str


@dataclasses.dataclass
class OfAll:
    """Programs are killed, stopped, reloaded; the disk is full; the machine is slow."""
    until: float

    def may_hold_up(self, thing, hook):
        return True


def of_calls(world, account, kind, n, operations):
    now = world.now()
    return [t.how for t in world.troubles
            if isinstance(t, Trouble) and t.fits(now, account, kind, n, operations)]


def of_policy(world, hook):
    now = world.now()
    return next((t.how for t in world.troubles
                 if isinstance(t, OfPolicy) and now < t.until and t.hook == hook.id), None)


def end_all(world):
    now = world.now()
    for trouble in world.troubles:
        trouble.until = min(trouble.until, now)
