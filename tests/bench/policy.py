"""What a form costs that a program answers: through nginx, by a session and by a program run for each question.

    make bench-policy [CALLS=1000]

The same Python program (contrib/policies/session.py) every time. The kinds of calls take turns, one by one, so that
each is as cold as the others: the bare responder (the transport alone, with the same body), the program alone, asked
over pipes by this script, and the two policies. Times vary with the machine; the ratios, of the same run, are what
counts.
"""

import contextlib
import json
import random
import shutil
import statistics
import subprocess

import bench
import calls
import servers

SESSION, ONCE = "WH-700-000-001", "WH-700-000-002"
ONCE_SHARE = 10  # a program that is run each time is asked so much less often
QUESTION = {"version": 1, "id": 1, "kind": "validate", "object_class": "fulfillment_request", "side": "vendor",
            "webhook": {"id": SESSION, "type": "validator", "data": None}, "event": None,
            "object": json.loads(bench.FORM), "attempt": 1, "dry_run": False, "deadline_ms": 18000}


def configure(tmp, sim):
    conf = calls.Configuration(tmp, sim, log={"level": "error"})
    program = shutil.copy(bench.SOURCE / "contrib/policies/session.py", conf.folder)
    for webhook, session in (SESSION, True), (ONCE, False):
        conf.add_webhook(webhook, {"exec": [str(program)], "session": session}, "validator")
    conf.save()
    return conf, program


class Alone:
    """The program itself, asked as a session is."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.line = json.dumps(QUESTION).encode() + b"\n"

    def ask(self):
        self.process.stdin.write(self.line)
        self.process.stdin.flush()
        assert self.process.stdout.readline()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate(timeout=calls.TIMEOUT)


def run(build, tmp, count):
    with contextlib.ExitStack() as stack:
        conf, program = configure(tmp, stack.enter_context(servers.Sim(build, tmp)))
        port, bare_port = bench.start(stack, build, tmp, conf)
        kinds = {"bare responder": bench.Front(bare_port).ask_well,
                 "program alone": stack.enter_context(Alone(program)).ask,
                 "session": bench.Front(port, bench.headers_of(conf, SESSION)).ask_well,
                 "run each time": bench.Front(port, bench.headers_of(conf, ONCE)).ask_well}
        times = {name: [] for name in kinds}
        for ask in kinds.values():
            ask()  # so that all have started
        for turn in range(count):
            for name in random.sample([*kinds], len(kinds)):
                if name != "run each time" or turn % ONCE_SHARE == 0:
                    times[name].append(bench.time_of(kinds[name]))
    return times


def main():
    times = bench.main(run)
    medians = {name: statistics.median(t) for name, t in times.items()}
    print(f"{'':16} {'calls':>6} {'p50 ms':>8} {'p99 ms':>8}")
    for name, t in times.items():
        print(f"{name:16} {len(t):6} {medians[name]:8.2f} {bench.percentile(t, .99):8.2f}")
    print(f"session / (bare responder + program alone): "
          f"{medians['session'] / (medians['bare responder'] + medians['program alone']):.2f}")
    print(f"session / run each time: {medians['session'] / medians['run each time']:.3f}")


if __name__ == "__main__":
    main()
