"""What a form costs that a program answers: through nginx, by a session and by a program run for each question.

    make bench-policy [CALLS=1000]

The same Python program (contrib/policies/session.py) every time. Rounds take turns: the bare responder (the
transport alone, with the same body), the session, the program run once for each, and the program alone, asked over
pipes by this script. Times vary with the machine; the ratios, of the same run, are what counts.
"""

import contextlib
import http.client
import json
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests/integration"))

import calls  # noqa: E402
import responder  # noqa: E402
import servers  # noqa: E402

SESSION, ONCE = "WH-700-000-001", "WH-700-000-002"
ROUNDS = 5
ONCE_SHARE = 10  # a program that is run each time is asked so much less often
FORM = (SOURCE / "contrib/fixtures/validator.json").read_bytes()


def configure(tmp, sim):
    conf = calls.Configuration(tmp, sim, log={"level": "error"})
    program = conf.folder / "session.py"
    shutil.copy(SOURCE / "contrib/policies/session.py", program)
    for webhook, type_, session in (SESSION, "validator", True), (ONCE, "change_validator", False):
        conf.document["webhooks"].append({
            "id": webhook, "account": calls.ACCOUNT, "product": calls.PRODUCT, "object_class": "fulfillment_request",
            "type": type_, "secrets": [conf.add_secret(webhook, calls.SECRET + webhook)],
            "policy": {"exec": [str(program)], "session": session}})
    conf.save()
    return conf, program


class Front:
    """Calls through nginx, one after the other."""

    def __init__(self, port, conf=None, webhook=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.headers = {"Content-Type": "application/json"}
        if webhook:
            token = calls.sign(calls.claims_of(conf, webhook), conf.secrets[webhook])
            self.headers["Authentication"] = f"Bearer {token}"

    def ask(self):
        self.connection.request("POST", "/connect", FORM, self.headers)
        answer = self.connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status


class Alone:
    """The program itself, asked as a session is."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        question = {"version": 1, "id": 1, "kind": "validate", "object_class": "fulfillment_request", "side": "vendor",
                    "webhook": {"id": SESSION, "type": "validator", "data": None}, "event": None,
                    "object": json.loads(FORM), "attempt": 1, "dry_run": False, "deadline_ms": 18000}
        self.line = json.dumps(question).encode() + b"\n"

    def ask(self):
        self.process.stdin.write(self.line)
        self.process.stdin.flush()
        assert self.process.stdout.readline()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate(timeout=calls.TIMEOUT)


def times_of(asked, count):
    times = []
    for _ in range(count):
        began = time.perf_counter()
        asked.ask()
        times.append((time.perf_counter() - began) * 1e3)
    return times


def run(build, tmp, count):
    with contextlib.ExitStack() as stack:
        conf, program = configure(tmp, stack.enter_context(servers.Sim(build, tmp)))
        stack.enter_context(servers.Handler(build, tmp, conf))
        front = stack.enter_context(servers.Nginx(tmp, conf.socket))
        bare = tmp / "bare"
        bare.mkdir()
        stack.enter_context(responder.Responder("--listen", f"unix:{bare}/fcgi.sock", "--group", calls.web_group()))
        bare_front = stack.enter_context(servers.Nginx(bare, bare / "fcgi.sock"))
        kinds = {"bare responder": (Front(bare_front.port), count),
                 "program alone": (stack.enter_context(Alone(program)), count),
                 "session": (Front(front.port, conf, SESSION), count),
                 "run each time": (Front(front.port, conf, ONCE), count // ONCE_SHARE)}
        times = {name: [] for name in kinds}
        for asked, _ in kinds.values():
            asked.ask()  # so that all have started
        for _ in range(ROUNDS):
            for name, (asked, n) in random.sample([*kinds.items()], len(kinds)):
                times[name] += times_of(asked, n // ROUNDS)
    return times


def main():
    build, count = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="cw-", dir="/tmp") as folder:
        pathlib.Path(folder).chmod(0o755)
        times = run(build, pathlib.Path(folder), count)
    medians = {name: statistics.median(t) for name, t in times.items()}
    print(f"{'':16} {'calls':>6} {'p50 ms':>8} {'p99 ms':>8}")
    for name, t in times.items():
        print(f"{name:16} {len(t):6} {medians[name]:8.2f} {sorted(t)[int(len(t) * .99)]:8.2f}")
    print(f"session / (bare responder + program alone): "
          f"{medians['session'] / (medians['bare responder'] + medians['program alone']):.2f}")
    print(f"session / run each time: {medians['session'] / medians['run each time']:.3f}")


if __name__ == "__main__":
    main()
