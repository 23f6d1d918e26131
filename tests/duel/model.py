"""What the duel knows: its accounts, webhooks and objects, what was decided about each, and what was done.

Everything here is told by connect.py (what the program asks and does), oracle.py (what it has decided) and the
events (what others do). What must be true of it is in truths.py.
"""

import collections
import copy
import dataclasses
import threading
import time

VENDOR, DISTRIBUTOR, OTHER = "VA-100-001", "PA-100-002", "VA-100-003"
PRODUCT, OTHER_PRODUCT = "PRD-100-000-001", "PRD-100-000-002"
DELAY = 30  # seconds: the shortest that a policy can put something off for


@dataclasses.dataclass(frozen=True)
class Kind:
    """An object class, as Connect has it: where its objects are, and what may be done to them in which state."""
    name: str
    path: str
    prefix: str
    state: str | None  # the member that says so
    first: tuple  # the states in which objects appear
    verbs: dict  # verb: (states, the next)
    pending: dict  # side: states
    params: tuple | None = None  # where they are

    def leads_to(self, verb, state):
        states, then = self.verbs.get(verb, ((), None))
        return then if state in states else None


V, D = "VA", "PA"
KINDS = {kind.name: kind for kind in [
    Kind("fulfillment_request", "/requests", "PR", "status", ("pending", "pending", "pending", "revoking"),
         {"approve": (("pending",), "approved"), "fail": (("pending",), "failed"),
          "inquire": (("pending",), "inquiring"), "confirm": (("revoking",), "revoked")},
         {V: ("pending", "revoking")}, ("asset", "params")),
    Kind("tier_config_request", "/tier/config-requests", "TCR", "status", ("pending",),
         {"approve": (("pending",), "approved"), "fail": (("pending",), "failed"),
          "inquire": (("pending",), "inquiring")}, {V: ("pending",)}, ("params",)),
    Kind("tier_account_request", "/tier/account-requests", "TAR", "status", ("pending",),
         {"accept": (("pending",), "accepted"), "ignore": (("pending",), "ignored")}, {V: ("pending",)}),
    Kind("listing_request", "/listing-requests", "LSTR", "state", ("reviewing", "deploying"),
         {"deploy": (("reviewing",), "deploying"), "complete": (("deploying",), "completed"),
          "cancel": (("reviewing", "deploying"), "canceled")}, {D: ("reviewing", "deploying")}),
    Kind("billing_request", "/subscriptions/requests", "BRP", None, (None,), {}, {D: (None,)}),
    Kind("usage_file", "/usage/files", "UF", "status", ("ready", "uploaded", "pending", "accepted"),
         {"submit": (("ready", "uploaded"), "pending"), "accept": (("pending",), "accepted"),
          "reject": (("pending",), "rejected"), "close": (("accepted",), "closed")},
         {V: ("ready", "uploaded"), D: ("pending", "accepted")}),
]}


@dataclasses.dataclass(frozen=True)
class Hook:
    id: str
    account: str
    product: str
    kind: Kind
    asks: str  # "session", "once"; of a validator also "rules", "none"
    type: str = "event"

    @property
    def side(self):
        return self.account[:2]

    @property
    def is_event(self):
        return self.type == "event"


def hooks_of(*rows):
    return {hook.id: hook for hook in (
        Hook(f"WH-100-000-{n:03}", account, product, KINDS[kind], asks, *more)
        for n, (account, product, kind, asks, *more) in enumerate(rows, 1))}


HOOKS = hooks_of(
    (VENDOR, PRODUCT, "tier_config_request", "once"),
    (VENDOR, PRODUCT, "fulfillment_request", "session"),
    (VENDOR, PRODUCT, "tier_account_request", "once"),
    (VENDOR, PRODUCT, "usage_file", "session"),
    (DISTRIBUTOR, PRODUCT, "listing_request", "once"),
    (DISTRIBUTOR, PRODUCT, "billing_request", "session"),
    (DISTRIBUTOR, PRODUCT, "usage_file", "once"),
    (OTHER, OTHER_PRODUCT, "fulfillment_request", "once"),
    (VENDOR, PRODUCT, "fulfillment_request", "session", "validator"),
    (VENDOR, PRODUCT, "tier_config_request", "rules", "draft_tcr_t1_val"),
    (OTHER, OTHER_PRODUCT, "fulfillment_request", "none", "validator"),
)
EVENTS = [hook.id for hook in HOOKS.values() if hook.is_event]
FORMS = [hook.id for hook in HOOKS.values() if not hook.is_event]
ACCOUNTS = [VENDOR, DISTRIBUTOR, OTHER]


@dataclasses.dataclass
class License:
    """One answer of the oracle's about an object: what may be done with it, once."""
    hook: Hook
    answer: dict
    foreign: int  # the changes by others that the object it was asked about has
    time: float
    used: list = dataclasses.field(default_factory=list)  # (what, whether it took effect, whether that was answered)

    def has_taken_effect(self, what):
        return any(w == what and effect for w, effect, _ in self.used)


class Thing:
    """An object of Connect's."""

    def __init__(self, n, kind, product, document, password, plan, now):
        self.n, self.kind, self.product, self.password, self.plan = n, kind, product, password, plan
        self.id = document["id"]
        self.born = now
        self.foreign = 0  # changes by others than us
        self.shown = {}  # by webhook: the history's length when a list last showed it
        self.ours = 0  # the history's length after our last change
        self.history = []  # (when, the document or None)
        self.told = set()  # (webhook, length of the history) that a call has told of before a list showed it
        self.read = []  # documents that a GET has shown
        self.licenses = []
        self.asked = {}  # by webhook: when its policy was first asked about it
        self.served = set()  # webhooks that need not be waited for: it was asked about, or was too late
        self.steps = 0  # of the plan, that are over
        self.discarded = {}  # by webhook: (how it looked when a person said that it is over, when that was said)
        self.retried = now  # when a person last asked for it to be tried
        self.set(document, now)

    @property
    def document(self):
        return self.history[-1][1]

    @property
    def state(self):
        return self.state_of(self.document or {})

    def state_of(self, document):
        return document.get(self.kind.state) if self.kind.state else None

    def at(self, when):
        return next((document for then, document in reversed(self.history) if then <= when), None)

    def set(self, document, now):
        self.history.append((now, copy.deepcopy(document)))

    def by_others(self, now, **members):
        """Somebody else changes it."""
        self.foreign += 1
        document = copy.deepcopy(self.document or next(d for _, d in reversed(self.history) if d))
        document["changed"] = self.foreign  # what a list shows of it is new
        document.update(members)
        self.set(document, now)

    def vanish(self, now):
        self.foreign += 1
        self.set(None, now)

    def is_pending(self, hook):
        return (self.document is not None and hook.kind is self.kind and hook.product == self.product
                and self.state in self.kind.pending.get(hook.side, ()))

    def is_discarded(self, hook):
        """Since when; None: it is not, or has changed since."""
        looked, when = self.discarded.get(hook.id, (None, None))
        return when if looked == len(self.history) else None

    def last(self, hook):
        return next((given for given in reversed(self.licenses) if given.hook is hook), None)


Broken = collections.namedtuple("Broken", "truth text when")


class Model:
    """All of it, under one lock. `blame` takes what is not true."""

    def __init__(self, unseen):
        self.unseen = unseen
        self.lock = threading.RLock()
        self.began = time.monotonic()
        self.things = {}  # by n
        self.by_id = {}
        self.broken = []  # what was not true
        self.troubles = []  # see trouble.py
        self.over = threading.Event()
        self.story = []  # (seconds, text): what happened, in the model's eyes
        self.marks = set()  # texts that must appear nowhere: not whole, and neither half of them
        self.disturbed = []  # when programs were killed or stopped

    def now(self):
        return time.monotonic() - self.began

    def tell(self, text):
        self.story.append((self.now(), text))

    def blame(self, truth, text):
        with self.lock:
            if truth in self.unseen:
                return
            self.tell(f"NOT TRUE: {truth}: {text}")
            self.broken.append(Broken(truth, text, self.now()))

    def add(self, thing):
        self.things[thing.n] = self.by_id[thing.id] = thing
        self.tell(f"{thing.id} appears, {thing.state}, {thing.kind.name}")

    def hooks_for(self, thing):
        return [hook for hook in HOOKS.values()
                if hook.is_event and hook.kind is thing.kind and hook.product == thing.product]

    def was_disturbed(self, since):
        return any(when >= since for when in self.disturbed)
