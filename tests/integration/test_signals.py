"""The handler's signals: a stop loses no call and waits for nobody, a reload is all or nothing."""

import concurrent.futures
import contextlib
import fcntl
import json
import os
import resource
import signal
import sqlite3
import subprocess
import threading

import pytest

import calls
import servers
from fcgi_client import Connection, request
from gate import Gate

ONE_RULE = "- then: { action: skip, reason: looked at }\n"
CALLERS = 4
PATIENT = servers.waits(inline="30s")  # refuses no call of a load, however slow the machine


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


def test_reload_loses_no_call_and_refuses_what_does_not_load(sim, configuration, handler, nginx):
    conf = configuration(sim, rules=ONE_RULE)
    running = handler(conf, env=PATIENT)
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
    conf = configuration(sim, rules=ONE_RULE)
    running = handler(conf)
    url = nginx(running).url
    fresh = "another secret of at least thirty-two bytes"
    assert calls.connect(url, conf, secret=fresh).status == 401
    conf.add_secret(calls.WEBHOOK, fresh)
    os.kill(running.pid, signal.SIGHUP)
    running.wait_until(lambda: "reloaded" in running.log, 20)
    assert calls.connect(url, conf, secret=fresh).status == 200


def test_a_stop_answers_what_was_begun(sim, configuration, handler, nginx):
    conf = configuration(sim, rules=ONE_RULE)
    running = handler(conf, env=PATIENT)
    server = nginx(running)
    with Load(server.url, conf) as load:
        load.wait_for(10)
        os.kill(running.pid, signal.SIGTERM)
        assert running.process.wait(timeout=40) == 0
    # Begun before the stop: answered. Begun after it: nobody listens or takes it, which nginx says
    # with a 502, and tells from a call that was cut off.
    assert {a.status for a in load.answers} <= {200, 502}
    assert [line for line in server.log.splitlines() if "while reading" in line] == []


def test_a_stop_cuts_no_call_off(sim, configuration, handler):
    """Without a web server between: what a kept connection took is answered, or could not be sent."""
    conf = configuration(sim, rules=ONE_RULE)
    program = handler(conf, env=PATIENT)
    answers, cut_off = [], []
    some = threading.Semaphore(0)

    def caller(number):
        with Connection(f"unix:{conf.socket}") as connection:
            for call in range(10**6):
                claims = calls.claims_of(conf, data={"caller": number, "call": call})
                token = calls.sign(claims, conf.secrets[calls.WEBHOOK])
                try:
                    connection.send(request(b"{}", HTTP_AUTHENTICATION=f"Bearer {token}"))
                except (BrokenPipeError, ConnectionResetError):
                    return
                try:
                    answers.append(connection.answer().status)
                    some.release()
                except (EOFError, ConnectionResetError):
                    cut_off.append((number, call))
                    return

    callers = [threading.Thread(target=caller, args=(n,)) for n in range(3 * CALLERS)]
    for thread in callers:
        thread.start()
    for _ in range(5 * len(callers)):
        assert some.acquire(timeout=calls.TIMEOUT)
    program.signal(signal.SIGTERM)
    for thread in callers:
        thread.join(calls.TIMEOUT)
    assert program.process.wait(calls.TIMEOUT) == 0
    assert set(answers) == {200}
    assert cut_off == []


def stop_while_the_api_is_slow(sim, running, configuration, handler, nginx, stop_timeout, then,
                               reload=False):
    """The answer to a call that waits for the API while the handler is told to stop, and the
    handler's exit status; `then`: what happens to the gate once the handler knows; `reload`: the
    call began with a configuration that has been replaced since."""
    gate = running.enter_context(Gate(sim)).listen()
    conf = configuration(sim, rules=ONE_RULE, web={"stop_timeout": stop_timeout})
    conf.document["accounts"][0].update(api_url=gate.url)
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


# ------------------------------------------------------------------- what a stop interrupts


@contextlib.contextmanager
def locked(path):
    """Another process's lock, as it were."""
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def call_while_stopping(conf, program, url, waits):
    """The answer to a call that waits when the handler is told to stop, and the exit status."""
    with concurrent.futures.ThreadPoolExecutor() as threads:
        call = threads.submit(calls.connect, url, conf)
        program.wait_until(waits)
        program.signal(signal.SIGTERM)
        return call.result(), program.process.wait(calls.TIMEOUT)


def open_files(pid):
    names = []
    for link in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            names.append(os.readlink(link.path))
    return names


def test_a_stop_interrupts_the_wait_for_another_sweep(sim, configuration, handler, nginx):
    conf = configuration(sim, rules=ONE_RULE, web={"stop_timeout": "4s"})
    program = handler(conf)
    url = nginx(program).url
    assert calls.connect(url, conf).status == 200
    with contextlib.closing(sqlite3.connect(conf.state / "inbox.db")) as db:
        db.execute("UPDATE sweep SET lease = randomblob(16), lease_until_us = 1 << 62,"
                   " lease_owner = 'elsewhere/1 boot 1 1'")  # as another machine's program would hold it
        db.commit()
    assert not [*conf.state.glob("inbox.db.wake.*")]  # nobody has waited so far
    answer, status = call_while_stopping(conf, program, url, lambda: [*conf.state.glob("inbox.db.wake.*")])
    assert (answer.status, status) == (503, 0)
    assert "cut short because the program is stopping" in answer.json()["detail"]


def test_a_stop_interrupts_the_wait_for_the_inbox(sim, configuration, handler, nginx, sees_files):
    conf = configuration(sim, rules=ONE_RULE, web={"stop_timeout": "4s"}, inbox={"lock_timeout": "1m"})
    program = handler(conf)
    url = nginx(program).url
    with locked(conf.state / "inbox.db.lock"):
        answer, status = call_while_stopping(conf, program, url, lambda: begun(program))
    assert (answer.status, status) == (503, 0)


def begun(program):
    """A kept or new connection beside the listening socket: the call has arrived."""
    return sum(name.startswith("socket:") for name in open_files(program.pid)) > 1


def test_a_stop_interrupts_the_wait_for_a_turn(sim, configuration, handler, nginx):
    conf = configuration(sim, rules=ONE_RULE, web={"stop_timeout": "4s"})
    conf.document["accounts"][0]["rate_limit"] = 1
    conf.document["processing"]["inline_deadline"] = "5m"
    conf.save()
    program = handler(conf)
    url = nginx(program).url
    answer, status = call_while_stopping(conf, program, url, lambda: "looked at" in program.log)
    assert (answer.status, status) == (503, 0)
    assert 0 < len(answer.json()["objects"]) < 10


# ------------------------------------------------------- what comes from outside, uncalled for


def test_signals_from_outside_change_nothing(sim, configuration, handler, nginx):
    conf = configuration(sim, rules=ONE_RULE)
    program = handler(conf)
    url = nginx(program).url
    for _ in range(3):
        for number in signal.SIGUSR1, signal.SIGUSR2, signal.SIGXFSZ, signal.SIGPIPE:
            program.signal(number)
        assert calls.connect(url, conf).status == 200
    program.signal(signal.SIGHUP)  # they are still listened to
    program.wait_until(lambda: "reloaded" in program.log)
    program.signal(signal.SIGTERM)
    assert program.process.wait(calls.TIMEOUT) == 0


def test_a_limit_on_the_size_of_files_is_a_503(sim, configuration, handler, nginx):
    conf = configuration(sim, rules=ONE_RULE)
    program = handler(conf)
    url = nginx(program).url
    resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (256 * 1024, resource.RLIM_INFINITY))
    answer, count = calls.connect(url, conf), 0
    while answer.status == 200 and count < 100:
        count += 1
        answer = calls.connect(url, conf, claims={"data": {"filler": "x" * 20000, "call": count}})
    assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0
    resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert calls.connect(url, conf, claims={"data": {"after": "all"}}).status == 200


REFUSED = 1000


def test_a_log_that_nobody_reads_costs_neither_calls_nor_the_stop(build, configuration, running):
    conf = configuration(rules=ONE_RULE)
    reader, writer = os.pipe()
    process = subprocess.Popen([build / "connect-webhook.fcgi", "-c", conf.path],
                               stdin=subprocess.DEVNULL, stderr=writer)
    running.callback(process.kill)
    os.close(writer)
    with open(reader, errors="replace") as log:
        assert "listening at" in log.readline()
        with Connection(f"unix:{conf.socket}") as connection:
            for _ in range(REFUSED):
                assert connection.ask(b"{}").status == 401
            process.terminate()
            assert process.wait(calls.TIMEOUT) == 0
        lines = log.read().splitlines()
    assert 10 < len(lines) < REFUSED


# --------------------------------------------------------------------------- the reload


def test_a_reload_is_all_or_nothing(sim, configuration, handler, nginx):
    conf = configuration(sim, rules=ONE_RULE)
    program = handler(conf)
    url = nginx(program).url
    old, fresh = conf.secrets[calls.WEBHOOK], "another secret of at least thirty-two bytes"
    conf.add_secret(calls.WEBHOOK, fresh)
    conf.document["log"]["file"] = str(conf.folder / "no" / "such" / "folder.log")
    conf.save()
    program.reload("the old configuration stays")
    assert "folder.log: No such file or directory" in program.log
    assert calls.connect(url, conf, secret=fresh).status == 401
    assert calls.connect(url, conf, secret=old).status == 200
    log = conf.folder / "handler.log"
    conf.document["log"]["file"] = str(log)
    conf.save()
    program.signal(signal.SIGHUP)
    program.wait_until(lambda: log.exists() and "reloaded" in log.read_text())
    assert calls.connect(url, conf, secret=fresh).status == 200
    assert calls.connect(url, conf, secret=old).status == 401


def test_a_reload_names_what_it_cannot_change_and_changes_the_rest(sim, configuration, handler, nginx):
    conf = configuration(sim, rules=ONE_RULE)
    conf.document["web"]["max_body"] = 4096
    conf.save()
    program = handler(conf)
    url = nginx(program).url
    body = b'{"x":"' + b"x" * 5000 + b'"}'
    assert calls.connect(url, conf, body=body).status == 413
    program.reload("reloaded")
    assert "cannot be changed while the program runs" not in program.log
    conf.document["web"].update(max_body=8192, threads=3, listen=f"unix:{conf.folder}/other.sock")
    conf.document["inbox"]["url"] = f"sqlite:{conf.state}/other.db"
    conf.save()
    program.reload("cannot be changed while the program runs")
    assert program.log.rstrip().endswith('when it is started again: inbox.url, web.listen, web.threads"')
    assert calls.connect(url, conf, body=body).status == 200
    conf.document["web"]["max_body"] = 4096
    conf.save()
    program.reload("cannot be changed while the program runs")
    assert calls.connect(url, conf, body=body).status == 413


@pytest.mark.parametrize("kind", ["fragment", "rules", "configuration"])
def test_a_fifo_is_refused_and_not_waited_for(sim, configuration, handler, nginx, kind):
    conf = configuration(sim, rules=ONE_RULE)
    conf.document["include"] = "webhooks.d/*.yaml"
    conf.save()
    (conf.folder / "webhooks.d").mkdir()
    program = handler(conf)
    url = nginx(program).url
    path = {"fragment": conf.folder / "webhooks.d" / "x.yaml", "rules": conf.folder / "test.rules.yaml",
            "configuration": conf.path}[kind]
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    program.reload("the old configuration stays")
    assert f"{path}: is not a regular file" in program.log
    assert calls.connect(url, conf).status == 200


def test_a_pause_that_connect_asked_for_outlives_a_reload(sim, configuration, handler, nginx):
    conf = configuration(sim, rules=ONE_RULE)
    program = handler(conf)
    url = nginx(program).url
    own = sim.url.replace("/public/v1", "/_sim/")
    fault = {"method": "GET", "path": "/requests", "status": 429, "retry_after": 3600, "count": 1}
    assert calls.http("POST", own + "faults", json.dumps(fault).encode()).status == 201
    first = calls.connect(url, conf)
    asked = len(calls.http("GET", own + "calls").json())
    program.reload("reloaded")
    second = calls.connect(url, conf)
    for answer in first, second:
        assert answer.status == 503
        assert 3500 < int(answer.headers["Retry-After"]) <= 3600
    assert len(calls.http("GET", own + "calls").json()) == asked
    conf.document["accounts"][0]["timeout"] = "299s"  # another client: nothing holds it up
    conf.save()
    program.reload("reloaded")
    assert calls.connect(url, conf).status == 200
