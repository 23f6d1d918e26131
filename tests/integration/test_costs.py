"""What a call costs, counted without a clock: system calls, waits for other threads, allocations.

Of a program that answers many calls on one connection, one after the other, and of one that answers few: the
difference is what the calls cost. The ceilings leave room for small changes; what doubles a number goes beyond.
"""

import collections

import pytest

import calls
import servers
from fcgi_client import Connection
from responder import Responder

pytestmark = pytest.mark.usefixtures("no_sanitizer")
FEW, MANY = 20, 220
BODY = b"x" * 400
EXPIRED = 1000  # seconds since the epoch

Kind = collections.namedtuple("Kind", "claims status allocations system_calls futex")
# Measured: hello 1, 3, 0; refused 42, 4, 0; stored 69, 28, 4.5, of which all but 4 are the inbox's.
KINDS = {
    "hello": Kind(None, 200, allocations=2, system_calls=4, futex=0.1),
    "refused": Kind({"exp": EXPIRED}, 401, allocations=60, system_calls=6, futex=0.1),
    "stored": Kind({"product_id": "PRD-000-000-000"}, 200, allocations=100, system_calls=40, futex=7),
}


@pytest.fixture
def answer(build, tmp, configuration):
    """answer(kind, count, wrapper, env): have a program of its own answer so many calls, and end."""
    made = configuration(log={"level": "info"})

    def answer(name, count, **options):
        kind = KINDS[name]
        if kind.claims is None:
            socket = tmp / "responder.sock"
            program = Responder("--listen", f"unix:{socket}", **options)
        else:
            socket = made.socket
            program = servers.Handler(build, tmp, made, **options)
        with program, Connection(f"unix:{socket}") as connection:
            for n in range(count):
                token = calls.sign(calls.claims_of(made, n=f"{name} {count} {n}", **(kind.claims or {})), calls.SECRET)
                got = connection.ask(BODY, HTTP_AUTHENTICATION=f"Bearer {token}", QUERY_STRING="hello")
                assert got.status == kind.status
    return answer


def traced(text):
    """strace's summary: a system call: how often."""
    rows = (line.split() for line in text.splitlines())
    return {row[-1]: int(row[3]) for row in rows if len(row) > 4 and row[0][0].isdigit()}


@pytest.mark.parametrize("name", KINDS)
def test_a_call_makes_few_system_calls(answer, tmp, need, name):
    strace, counts = need("strace"), []
    for count in FEW, MANY:
        summary = tmp / f"{count}.strace"
        # As a grandchild, so that the program is the child that is stopped.
        answer(name, count, wrapper=[strace, "-D", "-f", "-c", "-o", summary])
        servers.wait_for(lambda path=summary: path.exists() and "total" in path.read_text())
        counts.append(traced(summary.read_text()))
    few, many = counts
    per_call = {what: (many[what] - few.get(what, 0)) / (MANY - FEW) for what in many}
    assert per_call.pop("total") <= KINDS[name].system_calls, per_call
    assert per_call.get("futex", 0) <= KINDS[name].futex, per_call
    assert per_call["recvfrom"] < 1.1 and per_call["sendto"] < 1.1, per_call


@pytest.mark.parametrize("name", KINDS)
def test_a_call_makes_few_allocations(answer, build, tmp, name):
    counts = []
    for count in FEW, MANY:
        told = tmp / f"{count}.count"
        answer(name, count, env={"LD_PRELOAD": str(build / "tests/shims/count.so"), "COUNT_FILE": str(told)})
        counts.append(int(told.read_text()))
    assert (counts[1] - counts[0]) / (MANY - FEW) <= KINDS[name].allocations
