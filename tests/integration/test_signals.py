"""The handler's signals under load: a stop loses no call, a reload loses no call."""

import concurrent.futures
import os
import signal
import threading

import pytest

import calls
from gate import Gate

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


def stop_while_the_api_is_slow(sim, running, configuration, handler, nginx, stop_timeout, then,
                               reload=False):
    """The answer to a call that waits for the API while the handler is told to stop, and the
    handler's exit status; `then`: what happens to the gate once the handler knows; `reload`: the
    call began with a configuration that has been replaced since."""
    gate = running.enter_context(Gate(sim)).listen()
    conf = configuration(sim, rules=ONE_RULE, web={"stop_timeout": stop_timeout})
    conf.document["accounts"][0].update(api_url=gate.url, rate_limit=0)
    conf.save()
    program = handler(conf)
    url = nginx(program).url
    gate.hold = lambda method, path: path.startswith("/public/v1/requests/")
    with concurrent.futures.ThreadPoolExecutor() as threads:
        call = threads.submit(calls.connect, url, conf)
        assert gate.reached.wait(calls.TIMEOUT)
        if reload:
            os.kill(program.pid, signal.SIGHUP)
            program.wait_until(lambda: "reloaded" in program.log)
        os.kill(program.pid, signal.SIGTERM)
        program.wait_until(lambda: "stopping" in program.log)
        then(gate)
        return call.result(), program.process.wait(calls.TIMEOUT)


def test_a_stop_lets_a_slow_call_come_to_its_end(sim, running, configuration, handler, nginx):
    answer, status = stop_while_the_api_is_slow(sim, running, configuration, handler, nginx, "30s",
                                                lambda gate: gate.open())
    assert (answer.status, answer.json()["status"], status) == (200, "done", 0)
    assert len(answer.json()["objects"]) > 5


@pytest.mark.parametrize("reload", [False, True])
def test_a_stop_answers_a_call_whose_api_does_not(sim, running, configuration, handler, nginx, reload):
    answer, status = stop_while_the_api_is_slow(sim, running, configuration, handler, nginx, "4s",
                                                lambda gate: None, reload)
    assert (answer.status, status) == (503, 0), answer
    assert int(answer.headers["Retry-After"]) > 0
    assert [e["result"] for e in answer.json()["objects"]] == ["retry"]
