"""The FastCGI transport and many clients at once, slow ones, and ones that never tire."""

import os
import resource
import select
import signal
import threading
import time

import pytest

from fcgi_client import STDIN, TIMEOUT, Connection, record, request
from fcgi_responder import GOOD, LOOPS, assert_alive, server  # noqa: F401
from responder import Responder
import servers

UNFINISHED = 200


def test_unfinished_requests_share_a_ceiling_and_keep_no_event_out(tmp_path):
    body = b"x" * (1024 * 1024 - 1)
    with Responder("--listen", f"unix:{tmp_path}/sock") as server:
        slow = [Connection(server.address) for _ in range(UNFINISHED)]
        for connection in slow:
            connection.send(request(body + b"x")[:-8])  # all but the record that ends it
        # Small ones are served as ever; a large one is refused, not waited for.
        for _ in range(20):
            assert_alive(server)
        with Connection(server.address) as late:
            assert late.ask(body).json()["err"] == "no-memory"
            assert late.is_closed()
        assert server.memory_kib() < 256 * 1024  # 80 MiB, but for a sanitizer's own
        answers = [c.send(record(STDIN)).answer().json()["err"] for c in slow]
        assert answers.count("ok") >= 20 and set(answers) == {"ok", "no-memory"}
        for connection in slow:
            connection.close()
        with Connection(server.address) as connection:
            assert connection.ask(body).json()["body_len"] == len(body)

def test_512_idle_kept_connections_cost_no_thread_and_no_time(server):
    servers.wait_for(lambda: server.threads() >= LOOPS)  # each loop has begun
    threads = server.threads()
    idle = [Connection(server.address) for _ in range(512)]
    try:
        for connection in idle:
            assert connection.ask(QUERY_STRING="hello").body == b"hello\n"
        before = server.cpu_seconds()
        time.sleep(0.5)  # what is measured is that nothing happens meanwhile
        assert server.cpu_seconds() < before + 0.05
        assert_alive(server)
        assert server.threads() == threads
        for connection in idle:
            assert connection.ask(b"again").json()["body_len"] == 5
    finally:
        for connection in idle:
            connection.close()


def test_has_a_loop_for_two_processors_unless_told_otherwise(tmp_path):
    def started(loops, processors):
        return Responder("--listen", f"unix:{tmp_path}/sock", "--loops", loops,
                         preexec_fn=lambda: os.sched_setaffinity(0, processors))

    ours = sorted(os.sched_getaffinity(0))
    automatic = max(1, min(4, len(ours) // 2))
    for loops, processors, wanted in [(1, ours, 1), (5, ours, 5), (0, ours[:1], 1), (0, ours, automatic)]:
        with started(loops, processors) as server:
            assert server.loops() == wanted
            assert_alive(server)
            # Each has its thread; a sanitizer may have one more.
            servers.wait_for(lambda s=server, n=wanted: n <= s.threads() <= n + 1)


def test_slow_clients_cost_no_thread(server):
    slow = [Connection(server.address) for _ in range(5 * LOOPS)]
    try:
        for i, connection in enumerate(slow):
            connection.send(GOOD[:i] if i < LOOPS else GOOD + record(STDIN, b"half"))
        for _ in range(20):
            assert_alive(server)  # before their time, which would free a thread, is over
    finally:
        for connection in slow:
            connection.close()


def test_a_request_has_one_deadline(tmp_path):
    with Responder("--listen", f"unix:{tmp_path}/sock", "--request-timeout", 500) as server:
        with Connection(server.address) as silent, Connection(server.address) as trickle:
            start = time.monotonic()
            assert silent.is_closed()
            assert time.monotonic() - start > 0.4
            with pytest.raises((BrokenPipeError, ConnectionResetError)):
                for byte in request(b"x" * 1000):  # a byte now and then does not extend it
                    trickle.send(bytes([byte]))
                    time.sleep(0.01)
        with Connection(server.address) as connection:
            connection.send(GOOD + record(STDIN, b"half"))
            assert connection.answer().json()["err"] == "timeout"
            assert connection.is_closed()
        with Connection(server.address) as kept:
            assert kept.ask().status == 200
            time.sleep(0.8)  # idle between requests has no deadline
            assert kept.ask().status == 200


def hangs_up(connection):
    """Wait until the server has closed the connection, and read nothing of what it sent before."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLHUP)
    return poll.poll(1000 * TIMEOUT) != []


def test_a_web_server_that_does_not_read_costs_no_thread(tmp_path):
    with Responder("--listen", f"unix:{tmp_path}/sock", "--request-timeout", 1000, "--loops",
                   1) as server:
        deaf = [Connection(server.address) for _ in range(3)]
        for connection in deaf:
            connection.send(request(QUERY_STRING="big=4000000"))
        for _ in range(10):
            assert_alive(server)
        for connection in deaf:
            assert hangs_up(connection)  # when their time is over
            with pytest.raises((EOFError, ConnectionResetError)):
                connection.answer()
            connection.close()


def test_a_handler_that_waits_does_not_stop_the_others(server):
    with Connection(server.address) as waiting:
        waiting.send(request(QUERY_STRING="hold=4000"))
        for _ in range(20):
            assert_alive(server)
        assert select.select([waiting.sock], [], [], 0)[0] == []  # they did not wait for its answer
        assert waiting.answer().status == 200


def test_runs_out_of_descriptors_without_burning_or_dying(tmp_path):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    with Responder("--listen", f"unix:{tmp_path}/sock", preexec_fn=few) as server:
        silent = [Connection(server.address) for _ in range(60)]
        before = server.cpu_seconds()
        time.sleep(1)  # what is measured is that nothing happens meanwhile
        assert server.cpu_seconds() - before < 0.3
        for connection in silent:
            connection.close()
        assert_alive(server)
        # Those that are idle between requests make room for others.
        kept = [Connection(server.address) for _ in range(60)]
        for connection in kept:
            assert connection.ask().status == 200
        for connection in kept:
            connection.close()


def test_serves_a_thousand_connections(server):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip("no 4096 descriptors here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (4096, hard))
    many = [Connection(server.address) for _ in range(1100)]
    for connection in many:
        connection.send(request(b"body"))
    for connection in many:
        assert connection.answer().json()["body_len"] == 4
    for connection in many:
        connection.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_stop_under_load_answers_everything(tmp_path):
    answered, unanswered = [], []
    some = threading.Semaphore(0)

    def client():
        with Connection(server.address) as connection:
            while True:
                try:
                    connection.send(request(b"body", QUERY_STRING="later"))
                except (BrokenPipeError, ConnectionResetError):
                    return
                try:
                    connection.answer()
                    answered.append(1)
                    some.release()
                except (EOFError, ConnectionResetError):
                    unanswered.append(1)
                    return

    with Responder("--listen", f"unix:{tmp_path}/sock") as server:
        clients = [threading.Thread(target=client) for _ in range(16)]
        for thread in clients:
            thread.start()
        for _ in range(200):
            assert some.acquire(timeout=TIMEOUT)
        server.signal()
        for thread in clients:
            thread.join(TIMEOUT)
        server.wait()
    assert not unanswered


def test_a_signal_storm_changes_nothing(tmp_path):
    with Responder("--listen", f"unix:{tmp_path}/sock") as server:
        with Connection(server.address) as connection:
            for _ in range(200):
                server.signal(signal.SIGPIPE)
                assert connection.ask(b"body").json()["body_len"] == 4
