"""How many calls a second: through nginx, each call signed anew, by kinds of answers, beside what others would use.

    make bench [ROUNDS=5] [BENCH="--json --only hello,stored --before OTHER-BUILD-FOLDER"]

The kinds take turns in rounds, in another order each; what is printed are medians of the rounds. Rates are ratios to
the least responder (tests/bench/least.c) with as many connections in the same run: the load generator (wrk), nginx
and what is measured share one machine, whose speed a ratio does not depend on.

    least      one thread, no library, the same answer to whatever comes
    hello      our transport alone: decoded, and answered with a word
    refused    the signature is good, the token has expired
    stored     verified, and on stable storage before it is answered (the event is of another product)
    woken      the same of an event that wakes its queue, and nobody who works: processing.workers is 0
    idle       the same beside four workers who have nothing to do, for their account's API is down
    pruned     stored, while what is over is forgotten: inbox.retention
"""

import argparse
import contextlib
import json
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

import bench
import calls
import inbox_rows
import peers
import servers

LEAST = "least"
CONNECTIONS = (32, 128)
SECONDS = 2  # of a round
OLD_A_SECOND, OLD_MAX = 100000, 500000  # deliveries that are over: for each second of a kind, and at most
KEEPALIVE = 256  # connections that nginx keeps; more than any round has
EVENT = json.dumps({"webhook_id": calls.WEBHOOK, "object_class": "fulfillment_request", "padding": "x" * 330}).encode()


class Nginx(servers.Nginx):
    """As shipped, but for what would be measured with it."""

    def prepare(self):
        prepared = super().prepare()
        for name, changes in (("connect-webhook.conf", {"keepalive 32": f"keepalive {KEEPALIVE}"}),
                              ("nginx.conf", {"access_log access.log": "access_log off"})):
            servers.substituted(self.directory / name, self.directory / name, changes)
        return prepared


class Kind:
    """One row: what answers, and what it is asked: the same call, but for when it expires, and of which product."""

    def __init__(self, name, pid, url, claims, offset=calls.PROCESSING_TIMEOUT):
        self.name, self.pid, self.url, self.claims, self.offset = name, pid, url, claims, offset
        self.rounds = {connections: [] for connections in CONNECTIONS}

    def measure(self, connections, seconds):
        claims = json.dumps({k: v for k, v in self.claims.items() if k != "exp"})[:-1]
        before = servers.cpu_seconds(self.pid)
        said = subprocess.run(
            [servers.program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "-s",
             str(bench.SOURCE / "tests/bench/calls.lua"), self.url, "--", calls.SECRET, str(self.offset), claims,
             EVENT.decode(), peers.signature(EVENT)], capture_output=True, text=True, timeout=seconds + 30, check=True).stdout
        result = json.loads(said.splitlines()[-1])
        expected = result["calls"] if self.offset < 0 else 0
        assert result["lost"] == 0 and result["refused"] == expected and result["calls"] > 0, f"{self.name}: {said}"
        result["cpu_us"] = (servers.cpu_seconds(self.pid) - before) * 1e6 / result["calls"]
        result["rate"] = result["calls"] / result["seconds"]
        self.rounds[connections].append(result)

    def median(self, connections, what):
        return statistics.median(r[what] for r in self.rounds[connections])


def start(stack, build, tmp, name, old=0):
    """The programs of one build, or the least responder, with a web server before each: their kinds. `old`: deliveries
    that are over."""
    folder = tmp / (name.strip() or "ours")
    folder.mkdir()
    conf = calls.Configuration(folder, mode="queue", log={"level": "info"}, processing={"workers": 0})
    claims = calls.claims_of(conf)

    def behind_nginx(program, socket):
        return program.pid, stack.enter_context(Nginx(socket.parent, socket)).url

    def transport(program, *options):
        below = folder / "transport"
        below.mkdir()
        socket = below / "sock"
        server = servers.Server([program, *options, f"unix:{socket}"], below / "log", ready=socket)
        return behind_nginx(stack.enter_context(server), socket)

    if name == LEAST:
        return [Kind(LEAST, *transport(build / "tests/bench/least"), claims)]
    def handler(conf, folder):
        return behind_nginx(stack.enter_context(servers.Handler(build, folder, conf)), conf.socket)

    pid, url = transport(build / "tests/integration/responder", "--group", calls.web_group(), "--listen")
    for below in ("workers", "old"):
        (folder / below).mkdir()
    pruned = calls.Configuration(folder / "old", mode="queue", log={"level": "info"}, processing={"workers": 0})
    with servers.Handler(build, folder / "old", pruned):
        pass
    inbox_rows.add_deliveries(pruned, old)
    working = calls.Configuration(folder / "workers", mode="queue", log={"level": "info"}, processing={"workers": 4})
    ours, idle = handler(conf, folder), handler(working, folder / "workers")
    foreign = {**claims, "product_id": "PRD-000-000-000"}
    kinds = [Kind("hello", pid, url + "?hello", claims), Kind("refused", *ours, claims, -calls.PROCESSING_TIMEOUT),
             Kind("stored", *ours, foreign), Kind("woken", *ours, claims), Kind("idle", *idle, claims),
             Kind("pruned", *handler(pruned, folder / "old"), foreign)]
    for kind in kinds:
        kind.name += name
    return kinds


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=pathlib.Path, help="build folder")
    parser.add_argument("--before", type=pathlib.Path, metavar="BUILD", help="measure another build, too")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of each kind in a round; default: %(default)s")
    parser.add_argument("--only", metavar="KIND,...", help="these kinds alone, beside the least responder")
    parser.add_argument("--no-peers", action="store_true", help="leave out what others would use")
    parser.add_argument("--json", action="store_true", help="one object instead of the table")
    return parser.parse_args()


def run(o, tmp):
    with contextlib.ExitStack() as stack:
        build = o.build.resolve()
        old = min(OLD_MAX, OLD_A_SECOND * o.rounds * o.seconds)
        kinds = start(stack, build, tmp, LEAST) + start(stack, build, tmp, "", old)
        if o.before is not None:
            kinds += start(stack, o.before.resolve(), tmp, " before", old)
        if not o.no_peers:
            kinds += [Kind(*peer, kinds[0].claims) for peer in peers.start(stack, tmp, KEEPALIVE)]
        if o.only is not None:
            kinds = [k for k in kinds if k.name in (LEAST, *o.only.split(","))]
        for kind in kinds:
            kind.measure(CONNECTIONS[0], 1)  # so that all have started, and compiled what they compile
            kind.rounds[CONNECTIONS[0]].clear()
        turns = [(kind, connections) for kind in kinds for connections in CONNECTIONS]
        for done in range(o.rounds):
            for kind, connections in random.sample(turns, len(turns)):
                kind.measure(connections, o.seconds)
            if sys.stderr.isatty():
                print(f"round {done + 1} of {o.rounds}", file=sys.stderr)
    return kinds


def results(kinds):
    """A kind: connections: its figures."""
    table = {}
    for kind in kinds:
        for connections in CONNECTIONS:
            rate, p50, p99 = (kind.median(connections, w) / kinds[0].median(connections, w)
                              for w in ("rate", "p50_us", "p99_us"))
            table.setdefault(kind.name, {})[connections] = {
                "rate": round(kind.median(connections, "rate")), "ratio": round(rate, 2),
                "cpu_us": round(kind.median(connections, "cpu_us"), 1), "p50_ratio": round(p50, 1),
                "p99_ratio": round(p99, 1),
                "p99_us": kind.median(connections, "p99_us")}
    return table


def print_table(table):
    print(f"{'':16}" + "".join(f"{f'{c} connections':^43}" for c in CONNECTIONS))
    print(f"{'':16}" + f"{'calls/s':>9}{'ratio':>7}{'cpu us':>8}{'p50':>7}{'p99':>7}     " * len(CONNECTIONS))
    for name, by_connections in table.items():
        print(f"{name:16}" + "".join(f"{r['rate']:9}{r['ratio']:7.2f}{r['cpu_us']:8.1f}{r['p50_ratio']:7.1f}{r['p99_ratio']:7.1f}     "
                                     for r in by_connections.values()))


def main():
    o = options()
    with tempfile.TemporaryDirectory(prefix="cw-", dir="/tmp") as folder:
        pathlib.Path(folder).chmod(0o755)
        table = results(run(o, pathlib.Path(folder)))
    if o.json:
        print(json.dumps(table))
    else:
        print_table(table)


if __name__ == "__main__":
    main()
