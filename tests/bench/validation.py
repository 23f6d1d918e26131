"""How long a customer waits for a form to be validated: through nginx, by rules, beside a load of events; and what a
validator that hangs does to the others.

    make bench-validation [CALLS=1000]

Rounds take turns: the bare responder (the transport alone, with the same body), the validator, and the validator
beside one whose policy hangs. Times vary with the machine; the ratios, of the same run, are what counts.
"""

import contextlib
import http.client
import json
import multiprocessing
import pathlib
import random
import statistics
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests/integration"))

import calls  # noqa: E402
import responder  # noqa: E402
import servers  # noqa: E402

QUICK, HANGING = "WH-700-000-001", "WH-700-000-002"
CLIENTS, EVENT_CLIENTS, HANGING_CLIENTS = 2, 1, 4
ROUNDS = 5
# A policy that cannot end before its deadline, and waits for nothing but the processor: the worst that rules can do.
HANGS = "- then:\n    params:\n" + "".join(
    f"      - {{ id: p{i}, check: {{ pattern: \"(a+)+b|a*!\" }}, message: no }}\n" for i in range(1000))
HANGING_FORM = json.dumps({"asset": {"params": [{"id": f"p{i}", "value": "a" * 15 + "!"} for i in range(1000)]}})
FORM = (SOURCE / "contrib/fixtures/validator.json").read_bytes()


def configure(tmp, sim):
    conf = calls.Configuration(tmp, sim, rules="- then: { action: skip, reason: looked at }\n",
                               web={"validation_deadline": "1s"}, log={"level": "error"})
    slow = conf.write("hangs.rules.yaml", HANGS)
    for webhook, type_, rules in ((QUICK, "validator", SOURCE / "contrib/rules/form.rules.yaml"),
                                  (HANGING, "change_validator", slow)):
        conf.document["webhooks"].append({
            "id": webhook, "account": calls.ACCOUNT, "product": calls.PRODUCT, "object_class": "fulfillment_request",
            "type": type_, "secrets": [conf.add_secret(webhook, calls.SECRET + webhook)],
            "policy": {"rules": str(rules)}})
    conf.save()
    return conf


def call(connection, headers, body):
    connection.request("POST", "/connect", body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def headers_of(conf, webhook):
    token = calls.sign(calls.claims_of(conf, webhook), conf.secrets[webhook])
    return {"Authentication": f"Bearer {token}", "Content-Type": "application/json"}


def keep_calling(port, headers, body):
    """A client that calls until it is ended."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while True:
        call(connection, headers, body)


def measure(port, headers, count, results):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    times = []
    for _ in range(count):
        began = time.perf_counter()
        status = call(connection, headers, FORM)
        times.append((time.perf_counter() - began) * 1e3)
        assert status == 200, status
    results.put(times)


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


def percentile(times, share):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def start(stack, build, tmp):
    """Everything, and events that keep coming; returns the kinds of calls: port, headers, beside one that hangs."""
    conf = configure(tmp, stack.enter_context(servers.Sim(build, tmp)))
    stack.enter_context(servers.Handler(build, tmp, conf))
    front = stack.enter_context(servers.Nginx(tmp, conf.socket))
    bare = tmp / "bare"
    bare.mkdir()
    stack.enter_context(responder.Responder("--listen", f"unix:{bare}/fcgi.sock", "--group", calls.web_group()))
    bare_front = stack.enter_context(servers.Nginx(bare, bare / "fcgi.sock"))
    stack.enter_context(load(EVENT_CLIENTS, front.port, headers_of(conf, calls.WEBHOOK), b"{}"))
    quick, hanging = headers_of(conf, QUICK), headers_of(conf, HANGING)
    return hanging, {"bare responder": (bare_front.port, {}, False),
                     "validator": (front.port, quick, False),
                     "beside one that hangs": (front.port, quick, True)}


def run(build, tmp, count):
    with contextlib.ExitStack() as stack:
        hanging, kinds = start(stack, build, tmp)
        rounds = {name: [] for name in kinds}
        for _ in range(ROUNDS):
            for name, (port, headers, hangs) in random.sample([*kinds.items()], len(kinds)):
                with load(HANGING_CLIENTS if hangs else 0, port, hanging, HANGING_FORM):
                    rounds[name].append(times_of(port, headers, count // ROUNDS))
    return rounds


def main():
    build, count = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="cw-", dir="/tmp") as folder:
        pathlib.Path(folder).chmod(0o755)
        rounds = run(build, pathlib.Path(folder), count)
    base = {}
    print(f"{count} calls each, {CLIENTS} clients, beside {EVENT_CLIENTS} that sends events; "
          f"medians of {ROUNDS} rounds\n")
    print(f"{'':24}{'p50 ms':>9}{'p99 ms':>9}{'p50 ratio':>11}{'p99 ratio':>11}")
    for name, measured in rounds.items():
        p50, p99 = (statistics.median(percentile(times, share) for times in measured) for share in (0.5, 0.99))
        base.setdefault("p50", p50)
        base.setdefault("p99", p99)
        print(f"{name:24}{p50:9.2f}{p99:9.2f}{p50 / base['p50']:11.2f}{p99 / base['p99']:11.2f}")


if __name__ == "__main__":
    main()
