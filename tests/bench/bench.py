"""What the benchmarks share: what they call, how they call it, and how long that took.

Each is a script that make starts: SCRIPT BUILD-FOLDER CALLS.
"""

import http.client
import pathlib
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests/integration"))

import calls  # noqa: E402
import responder  # noqa: E402
import servers  # noqa: E402

FORM = (SOURCE / "contrib/fixtures/validator.json").read_bytes()


def start(stack, build, tmp, conf):
    """The handler and the bare responder, which is the transport alone: the ports of the nginx before each."""
    bare = tmp / "bare"
    bare.mkdir()
    stack.enter_context(servers.Handler(build, tmp, conf))
    stack.enter_context(responder.Responder("--listen", f"unix:{bare}/fcgi.sock", "--group", calls.web_group()))
    return (stack.enter_context(servers.Nginx(tmp, conf.socket)).port,
            stack.enter_context(servers.Nginx(bare, bare / "fcgi.sock")).port)


def headers_of(conf, webhook):
    token = calls.sign(calls.claims_of(conf, webhook), conf.secrets[webhook])
    return {"Authentication": f"Bearer {token}", "Content-Type": "application/json"}


class Front:
    """One connection through nginx, and calls one after the other."""

    def __init__(self, port, headers=(), body=FORM):
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.headers, self.body = dict(headers), body

    def ask(self):
        """The answer's status."""
        self.connection.request("POST", "/connect", self.body, self.headers)
        answer = self.connection.getresponse()
        answer.read()
        return answer.status

    def ask_well(self):
        status = self.ask()
        assert status == 200, status


def time_of(ask):
    """Milliseconds."""
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1e3


def percentile(times, share):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def main(run):
    """run(build, tmp, calls) measures, with a folder that every user can enter; what it returns."""
    with tempfile.TemporaryDirectory(prefix="cw-", dir="/tmp") as folder:
        pathlib.Path(folder).chmod(0o755)
        return run(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(folder), int(sys.argv[2]))
