"""The handler's signals under load: a stop loses no call, a reload loses no call."""

import os
import signal
import threading

import calls

ONE_RULE = "- then: { action: skip, reason: looked at }\n"
CALLERS = 4


class Load:
    """Callers that call one after the other until they are told to stop."""

    def __init__(self, url, conf):
        self.answers = []
        self.done = threading.Event()
        self.some = threading.Semaphore(0)
        self.threads = [threading.Thread(target=self.run, args=(url, conf)) for _ in range(CALLERS)]

    def run(self, url, conf):
        while not self.done.is_set():
            answer = calls.connect(url, conf, claims={"data": {"call": len(self.answers)}})
            self.answers.append(answer)
            self.some.release()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def wait_for(self, count):
        for _ in range(count):
            assert self.some.acquire(timeout=30)

    def __exit__(self, *_):
        self.done.set()
        for thread in self.threads:
            thread.join()


def unhurried(configuration, sim):
    """A configuration without the pauses that the account's rate limit makes."""
    conf = configuration(sim, rules=ONE_RULE)
    conf.document["accounts"][0]["rate_limit"] = 0
    conf.save()
    return conf


def test_reload_loses_no_call_and_refuses_what_does_not_load(sim, configuration, handler, nginx):
    conf = unhurried(configuration, sim)
    running = handler(conf)
    url = nginx(running).url
    good = conf.path.read_text()
    with Load(url, conf) as load:
        load.wait_for(10)
        conf.path.write_text(good.replace('"accounts"', '"acounts"'))
        os.kill(running.pid, signal.SIGHUP)
        running.wait_until(lambda: "the old configuration stays" in running.log, 20)
        load.wait_for(10)
        conf.path.write_text(good)
        (conf.folder / "test.rules.yaml").write_text(ONE_RULE.replace("looked at", "looked again"))
        os.kill(running.pid, signal.SIGHUP)
        running.wait_until(lambda: "reloaded" in running.log, 20)
        load.wait_for(10)
    assert {a.status for a in load.answers} == {200}
    # Another token than the callers', or it might repeat one of the same second.
    answer = calls.connect(url, conf, claims={"data": {"after": "reload"}})
    assert "looked again" in answer.body.decode()


def test_a_rotated_secret_is_taken_over_by_a_reload(sim, configuration, handler, nginx):
    conf = unhurried(configuration, sim)
    running = handler(conf)
    url = nginx(running).url
    fresh = "another secret of at least thirty-two bytes"
    assert calls.connect(url, conf, secret=fresh).status == 401
    conf.add_secret(calls.WEBHOOK, fresh)
    os.kill(running.pid, signal.SIGHUP)
    running.wait_until(lambda: "reloaded" in running.log, 20)
    assert calls.connect(url, conf, secret=fresh).status == 200


def test_a_stop_answers_what_was_begun(sim, configuration, handler, nginx):
    conf = unhurried(configuration, sim)
    running = handler(conf)
    url = nginx(running).url
    with Load(url, conf) as load:
        load.wait_for(10)
        os.kill(running.pid, signal.SIGTERM)
        assert running.process.wait(timeout=40) == 0
    # Begun before the stop: answered. Begun after it: nobody listens, which nginx says with a 502.
    assert {a.status for a in load.answers} <= {200, 502}
