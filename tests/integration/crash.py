"""What tests of sudden death need: to die at a step, to be started again, to remember promises.

    env = crash.environment(build, "after:commit:3", once=tmp / "died")
    with crash.Restarted([program, "-c", conf.path], tmp / "program.log", env) as program:
        ledger = crash.Ledger(url, conf)
        ledger.call_until_accepted(ledger.token())
    assert program.deaths == 1 and ledger.broken() == {}
"""

import collections
import hashlib
import http.client
import signal
import sqlite3
import threading

import calls
import servers

DEATHS_MAX = 100  # a program that dies more often has lost its way


def environment(build, step, once=None):
    """To die at the step, as tests/shims/crash.c names it; once: in one process only, which makes
    the file."""
    env = {"LD_PRELOAD": str(build / "tests/shims/crash.so"), "CW_CRASH": step}
    return env if once is None else {**env, "CW_CRASH_ONCE": str(once)}


def hanging(build, step):
    """For one thread to stay there for ever."""
    return {**environment(build, step), "CW_CRASH_HANGS": "1"}


def together(*environments):
    """The environment of several shims."""
    return {**{name: value for env in environments for name, value in env.items()},
            "LD_PRELOAD": ":".join(env["LD_PRELOAD"] for env in environments)}


class Restarted:
    """A program that is started again whenever SIGKILL has ended it, as a supervisor does it.
    `deaths` counts that. `with` stops it, and demands that it ends well."""

    def __init__(self, arguments, log, env=None, deaths_max=DEATHS_MAX):
        self.start = lambda: servers.Server(arguments, log, env=env)
        self.deaths, self.deaths_max = 0, deaths_max
        self.stopping = False
        self.lock = threading.Lock()  # no start once `stopping` is set
        self.server = self.start()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while self.server.process.wait() == -signal.SIGKILL and self.deaths < self.deaths_max:
            self.deaths += 1
            with self.lock:
                if self.stopping:
                    return
                self.server = self.start()

    def kill(self):
        """And wait until it has been started again."""
        killed = self.server
        killed.process.kill()
        servers.wait_for(lambda: self.server is not killed)

    def stop(self):
        with self.lock:
            self.stopping = True
        if self.server.process.poll() is None:
            self.server.wait_until(lambda: self.server.awaits(signal.SIGTERM))
        status = self.server.stop()
        self.thread.join()
        servers.check_log(self.server.log)
        return status

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        status = self.stop()
        assert failed or status == 0, self.server.log


class Ledger:
    """Calls a webhook as Connect does, and counts for each token the 2xx it was answered with:
    promises that the inbox must have kept. For any number of threads."""

    def __init__(self, url, configuration, webhook=calls.WEBHOOK):
        self.url = url
        self.configuration = configuration
        self.webhook = webhook
        self.promised = collections.Counter()
        self.signed = 0
        self.lock = threading.Lock()

    def token(self):
        """One that was not used before."""
        with self.lock:
            self.signed += 1
            number = self.signed
        claims = calls.claims_of(self.configuration, self.webhook, data={"call": number})
        return calls.sign(claims, self.configuration.secrets[self.webhook])

    def call(self, token):
        """Was it accepted? No answer at all is no."""
        try:
            accepted = calls.connect(self.url, self.configuration, self.webhook, token=token).status // 100 == 2
        except (OSError, http.client.HTTPException):
            return False
        with self.lock:
            self.promised[token] += accepted
        return accepted

    def call_until_accepted(self, token):
        servers.wait_for(lambda: self.call(token))

    def broken(self):
        """{token: (promised, kept)} for those that the inbox has seen less often than promised."""
        db = sqlite3.connect(self.configuration.state / "inbox.db")
        try:
            seen = dict(db.execute("SELECT token_sha256, seen FROM delivery"))
        finally:
            db.close()
        pairs = {token: (count, seen.get(hashlib.sha256(token.encode()).digest(), 0))
                 for token, count in self.promised.items()}
        return {token: (count, kept) for token, (count, kept) in pairs.items() if kept < count}
