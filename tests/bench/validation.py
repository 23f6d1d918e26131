"""How long a customer waits for a form to be validated: through nginx, by rules, beside a load of events; and what a
validator that hangs does to the others.

    make bench-validation [CALLS=1000]

Rounds take turns: the bare responder (the transport alone, with the same body), the validator, and the validator
beside one whose policy hangs. Times vary with the machine; the ratios, of the same run, are what counts.
"""

import contextlib
import json
import multiprocessing
import random
import statistics

import bench
import calls
import servers

QUICK, HANGING = "WH-700-000-001", "WH-700-000-002"
CLIENTS, EVENT_CLIENTS, HANGING_CLIENTS = 2, 1, 4
ROUNDS = 5
# A policy that cannot end before its deadline, and waits for nothing but the processor: the worst that rules can do.
HANGS = "- then:\n    params:\n" + "".join(
    f"      - {{ id: p{i}, check: {{ pattern: \"(a+)+b|a*!\" }}, message: no }}\n" for i in range(1000))
HANGING_FORM = json.dumps({"asset": {"params": [{"id": f"p{i}", "value": "a" * 15 + "!"} for i in range(1000)]}})


def configure(tmp, sim):
    conf = calls.Configuration(tmp, sim, rules="- then: { action: skip, reason: looked at }\n",
                               web={"validation_deadline": "1s"}, log={"level": "error"})
    slow = conf.write("hangs.rules.yaml", HANGS)
    for webhook, rules in (QUICK, bench.SOURCE / "contrib/rules/form.rules.yaml"), (HANGING, slow):
        conf.add_webhook(webhook, {"rules": str(rules)}, "validator")
    conf.save()
    return conf


def keep_calling(port, headers, body):
    """A client that calls until it is ended."""
    front = bench.Front(port, headers, body)
    while True:
        front.ask()


def measure(port, headers, count, results):
    front = bench.Front(port, headers)
    results.put([bench.time_of(front.ask_well) for _ in range(count)])


@contextlib.contextmanager
def load(clients, *arguments):
    running = [multiprocessing.Process(target=keep_calling, args=arguments, daemon=True) for _ in range(clients)]
    for client in running:
        client.start()
    try:
        yield
    finally:
        for client in running:
            client.kill()
            client.join()


def times_of(port, headers, count):
    """Milliseconds of so many calls by CLIENTS processes."""
    results = multiprocessing.Queue()
    running = [multiprocessing.Process(target=measure, args=(port, headers, count // CLIENTS, results))
               for _ in range(CLIENTS)]
    for client in running:
        client.start()
    times = [t for _ in running for t in results.get(timeout=30)]
    for client in running:
        client.join()
    return times


def start(stack, build, tmp):
    """Everything, and events that keep coming; returns the kinds of calls: port, headers, beside one that hangs."""
    conf = configure(tmp, stack.enter_context(servers.Sim(build, tmp)))
    port, bare_port = bench.start(stack, build, tmp, conf)
    stack.enter_context(load(EVENT_CLIENTS, port, bench.headers_of(conf, calls.WEBHOOK), b"{}"))
    quick, hanging = bench.headers_of(conf, QUICK), bench.headers_of(conf, HANGING)
    return hanging, {"bare responder": (bare_port, {}, False),
                     "validator": (port, quick, False),
                     "beside one that hangs": (port, quick, True)}


def run(build, tmp, count):
    with contextlib.ExitStack() as stack:
        hanging, kinds = start(stack, build, tmp)
        rounds = {name: [] for name in kinds}
        for _ in range(ROUNDS):
            for name, (port, headers, hangs) in random.sample([*kinds.items()], len(kinds)):
                with load(HANGING_CLIENTS if hangs else 0, port, hanging, HANGING_FORM):
                    rounds[name].append(times_of(port, headers, count // ROUNDS))
    return count, rounds


def main():
    count, rounds = bench.main(run)
    base = {}
    print(f"{count} calls each, {CLIENTS} clients, beside {EVENT_CLIENTS} that sends events; "
          f"medians of {ROUNDS} rounds\n")
    print(f"{'':24}{'p50 ms':>9}{'p99 ms':>9}{'p50 ratio':>11}{'p99 ratio':>11}")
    for name, measured in rounds.items():
        p50, p99 = (statistics.median(bench.percentile(times, share) for times in measured) for share in (0.5, 0.99))
        base.setdefault("p50", p50)
        base.setdefault("p99", p99)
        print(f"{name:24}{p50:9.2f}{p99:9.2f}{p50 / base['p50']:11.2f}{p99 / base['p99']:11.2f}")


if __name__ == "__main__":
    main()
