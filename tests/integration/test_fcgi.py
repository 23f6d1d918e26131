"""The FastCGI transport against raw clients: good ones, slow ones, hostile ones."""

import contextlib
import fcntl
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from fcgi_client import (ABORT_REQUEST, AUTHORIZER, BEGIN_REQUEST, DATA, FILTER, GET_VALUES, PARAMS,
                         STDIN, TIMEOUT, Connection, begin, checksum, pair, record, request, stream)
import servers
from responder import PROGRAM, Responder

LOOPS = 2
STOP_TIMEOUT = 30  # seconds that a stop may take, unless told otherwise


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    path = tmp_path_factory.mktemp("fcgi") / "sock"
    with Responder("--listen", f"unix:{path}", "--loops", LOOPS) as responder:
        yield responder


@pytest.fixture
def connection(server):
    with Connection(server.address) as connection:
        yield connection


def assert_alive(server):
    with Connection(server.address) as connection:
        assert connection.ask(b"alive").json()["body_len"] == 5


# What a good web server sends.

def test_answers_one_request_after_another_on_a_kept_connection(connection):
    ids = set()
    for size in (0, 1, 8191, 8192, 65535, 65536, 1024 * 1024):
        body = os.urandom(size) if size < 100000 else b"q" * size
        got = connection.ask(body, QUERY_STRING="a=b").json()
        assert (got["err"], got["method"], got["path"], got["query"]) == ("ok", "POST", "/hook", "a=b")
        assert (got["body_len"], got["checksum"]) == (size, checksum(body))
        ids.add(got["id"])
    assert len(ids) == 7


def test_tells_for_how_long_a_loop_has_been_busy(server):
    """One is, and another answers meanwhile."""
    with Connection(server.address) as blocked:
        blocked.send(request(QUERY_STRING="block=500"))
        assert server.process.stdout.readline() == "blocks\n"
        with Connection(server.address) as connection:
            servers.wait_for(lambda: int(connection.ask(QUERY_STRING="busy").body) >= 100)
        assert blocked.answer().body == b"ok"
    with Connection(server.address) as connection:
        servers.wait_for(lambda: int(connection.ask(QUERY_STRING="busy").body) < 100)


def test_closes_a_connection_that_is_not_to_be_kept(connection):
    assert connection.ask(b"body", keep=False).status == 200
    assert connection.is_closed()


def test_reads_a_body_of_any_length_without_content_length(connection):
    params = [("REQUEST_METHOD", "POST"), ("HTTP_TRANSFER_ENCODING", "chunked")]
    assert connection.ask(b"x" * 100000, params=params).json()["body_len"] == 100000


def test_answers_from_another_thread(connection):
    for _ in range(50):
        assert connection.ask(b"body", QUERY_STRING="later").json()["body_len"] == 4


def test_answers_at_any_size(connection):
    for size in (0, 1, 8000, 8128, 8192, 65536, 300000, 8 * 1024 * 1024):
        answer = connection.ask(QUERY_STRING=f"big={size}")
        assert (len(answer.body), answer.headers["content-length"]) == (size, str(size))


def test_answers_to_the_request_s_own_number(connection):
    for number in (1, 2, 255, 256, 65535):
        assert connection.ask(request_id=number).request_id == number


def test_reads_a_request_however_it_is_cut(connection):
    whole = request(b"the body", QUERY_STRING="q", chunk=3)
    for size in (1, 2, 3, 5, 7, 8, 9):
        for at in range(0, len(whole), size):
            connection.send(whole[at:at + size])
        got = connection.answer().json()
        assert (got["query"], got["checksum"]) == ("q", checksum(b"the body"))


def test_reads_a_request_whose_halves_come_apart_at_every_byte(server):
    whole = request(b"body", keep=False)
    for cut in range(1, len(whole)):
        with Connection(server.address) as connection:
            connection.send(whole[:cut])
            connection.send(whole[cut:])
            assert connection.answer().json()["body_len"] == 4


def test_reads_past_the_padding_of_every_record(connection):
    for padding in (1, 7, 255):
        records = [(BEGIN_REQUEST, b"\0\1\1\0\0\0\0\0"), (PARAMS, pair("QUERY_STRING", "q")), (PARAMS, b""),
                   (STDIN, b"the body"), (STDIN, b"")]
        got = connection.send(b"".join(record(*r, padding=padding) for r in records)).answer().json()
        assert (got["query"], got["checksum"]) == ("q", checksum(b"the body"))


# What a request is refused for, with an answer.

@pytest.mark.parametrize("length, err", [
    ("3", "syntax"), ("5", "aborted"), ("-1", "syntax"), ("1e3", "syntax"), ("0x4", "syntax"),
    ("+4", "syntax"), (" 4", "syntax"), ("4 ", "syntax"), ("9" * 20, "syntax"), ("4, 4", "syntax"),
    ("04", "ok"), ("", "ok"), ("4", "ok")])
def test_holds_the_body_against_content_length(connection, length, err):
    got = connection.ask(b"body", CONTENT_LENGTH=length).json()
    assert (got["err"], got["body_len"]) == (err, 4 if err == "ok" else 0)
    assert err == "ok" or connection.is_closed()


@pytest.mark.parametrize("params, err", [
    ([("CONTENT_LENGTH", "4"), ("CONTENT_LENGTH", "5")], "syntax"),
    ([("REQUEST_METHOD", "GET"), ("REQUEST_METHOD", "POST")], "syntax"),
    ([("HTTP_AUTHENTICATION", "Bearer a"), ("HTTP_AUTHENTICATION", "Bearer b")], "token-ambiguous"),
    ([("HTTP_AUTHORIZATION", "Bearer a"), ("HTTP_AUTHORIZATION", "Bearer b")], "token-ambiguous"),
    ([("QUERY_STRING", "a\0b")], "syntax"),
    ([("QUERY_STRING=x", "y")], "syntax"),
    ([("", "x")], "syntax"),
    ([("A", "b")] * 256, "ok"),
    ([("A", "b")] * 257, "too-big"),
    ([("A", "b" * 65535)], "ok"),
    ([("A", "b" * 65536)], "too-big"),
    ([("A", "b" * 64)] * 10000, "too-big"),
    (pair("A", "b")[:-1], "syntax"),
    (b"\x7f", "syntax"),
    (b"\xff\xff\xff\xff\xff\xff\xff\xffA", "too-big"),
    (b"\x01\xff\xff\xff\xffA", "too-big"),
    (b"\xff\xff\xff\xff\x00A", "too-big"),
    (b"", "ok")])
def test_holds_parameters_to_their_form_and_limits(server, connection, params, err):
    got = connection.ask(b"body", params=params).json()
    assert (got["err"], got["body_len"]) == (err, 4 if err == "ok" else 0)
    assert err == "ok" or connection.is_closed()
    assert server.memory_kib() < 512 * 1024  # nothing was allocated because a length said so


def test_the_first_of_repeated_parameters_counts(connection):
    params = [("SCRIPT_NAME", "/first"), ("SCRIPT_NAME", "/second")]
    assert connection.ask(params=params).json()["path"] == "/first"


def test_a_body_over_the_limit_is_read_and_refused_and_nothing_in_it_becomes_a_request(connection):
    hidden = request(b"", QUERY_STRING="smuggled")
    body = hidden + b"x" * (1024 * 1024) + hidden
    got = connection.send(request(body)).answer().json()
    assert (got["err"], got["query"], got["path"]) == ("too-big", None, "/hook")
    assert connection.is_closed()


@pytest.mark.parametrize("length", ["1", "2000000", "x"])
def test_records_hidden_in_a_refused_body_do_not_become_a_request(connection, length):
    hidden = request(b"", QUERY_STRING="smuggled")
    got = connection.send(request(hidden, CONTENT_LENGTH=length)).answer().json()
    assert (got["query"], got["body_len"]) == (None, 0)
    assert connection.is_closed()


def test_what_follows_a_request_unasked_is_not_served(connection):
    got = connection.send(request(b"one") + request(QUERY_STRING="smuggled")).answer().json()
    assert (got["query"], got["body_len"]) == (None, 3)
    assert connection.is_closed()


def test_an_answer_cannot_be_made_to_carry_a_header(connection):
    answer = connection.ask(QUERY_STRING="inject")
    assert answer.body == b"invalid" and "x-evil" not in answer.headers


# What ends a connection without an answer.

GOOD = b"".join([begin(), stream(PARAMS, pair("A", "b"))])

@pytest.mark.parametrize("data", [
    pytest.param(data, id=name) for name, data in {
        "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "tls": bytes.fromhex("16030102000100 01fc0303") + os.urandom(200),
        "noise": b"\x01" * 100,
        "version 0": record(BEGIN_REQUEST, b"\0\1\1\0\0\0\0\0", version=0),
        "version 2": record(BEGIN_REQUEST, b"\0\1\1\0\0\0\0\0", version=2),
        "short begin": record(BEGIN_REQUEST, b"\0\1\1"),
        "request id 0": record(BEGIN_REQUEST, b"\0\1\1\0\0\0\0\0", request_id=0),
        "get values": record(GET_VALUES, pair("FCGI_MAX_CONNS", "") * 40, request_id=0),
        "get values within": begin() + record(GET_VALUES, pair("FCGI_MAX_REQS", ""), request_id=0),
        "unknown type": record(77, b"x"),
        "type 0": begin() + record(0, b"x"),
        "unknown management type": begin() + record(77, b"x" * 8, request_id=0),
        "authorizer": begin(role=AUTHORIZER) + stream(PARAMS, b"") + stream(STDIN, b""),
        "filter": begin(role=FILTER) + stream(PARAMS, b"") + stream(STDIN, b""),
        "role 77": begin(role=77) + stream(PARAMS, b"") + stream(STDIN, b""),
        "begin twice": begin() + begin(),
        "second request": GOOD + begin(request_id=2),
        "other request id": GOOD + record(STDIN, b"x", request_id=2),
        "body before parameters": begin() + record(STDIN, b"x"),
        "parameters after their end": GOOD + record(PARAMS, pair("A", "b")),
        "data": GOOD + record(DATA, b"x"),
        "abort": GOOD + record(STDIN, b"x") + record(ABORT_REQUEST),
        "abort at once": begin() + record(ABORT_REQUEST),
        "abort between requests": record(ABORT_REQUEST),
    }.items()])
def test_closes_the_connection_of_a_stranger(server, connection, data):
    assert connection.send(data).is_closed()
    assert_alive(server)


@pytest.mark.parametrize("whole", [begin(), GOOD, GOOD + record(STDIN, b"half")])
def test_a_request_that_its_client_gives_up_is_not_served(server, whole):
    for cut in (1, 8, len(whole)):
        with Connection(server.address) as connection:
            connection.send(whole[:cut])
            connection.sock.shutdown(socket.SHUT_WR)
            assert connection.is_closed()
    assert_alive(server)


def test_survives_records_made_at_random(server):
    import random
    rng = random.Random(4711)
    for _ in range(500):
        data = bytearray(request(b"body" * rng.randrange(5), chunk=rng.choice([1, 7, 65535])))
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.choice([0, 1, 4, 5, 127, 128, 255, rng.randrange(256)])
        with Connection(server.address) as connection:
            connection.send(bytes(data))
            connection.sock.shutdown(socket.SHUT_WR)
            while True:
                try:
                    if not connection.sock.recv(65536):
                        break
                except ConnectionError:
                    break
    assert_alive(server)


# Many and slow ones.

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


# The end.

@pytest.mark.parametrize("threads", [1, 8])
def test_stops_at_once_when_idle(tmp_path, threads):
    with Responder("--listen", f"unix:{tmp_path}/sock", "--loops", threads) as server:
        with Connection(server.address) as kept, Connection(server.address):
            assert kept.ask().status == 200
            start = time.monotonic()
            server.signal()
            server.signal()
            server.wait()
            assert time.monotonic() - start < STOP_TIMEOUT
            assert kept.is_closed()
        assert not os.path.exists(f"{tmp_path}/sock")


def test_stop_answers_what_was_begun(tmp_path):
    with Responder("--listen", f"unix:{tmp_path}/sock") as server:
        with Connection(server.address) as half, Connection(server.address) as held, \
                Connection(server.address) as fresh:
            assert half.ask().status == 200
            whole = request(b"body", QUERY_STRING="late")
            half.send(whole[:30])
            held.send(request(QUERY_STRING="hold=1000"))
            server.signal(signal.SIGSTOP)  # so that request and signal arrive together
            server.signal()
            fresh.send(request(b"just in time"))
            server.signal(signal.SIGCONT)
            assert fresh.answer().json()["body_len"] == 12
            half.send(whole[30:])
            assert half.answer().json()["query"] == "late"
            assert held.answer().status == 200
            assert half.is_closed() and held.is_closed() and fresh.is_closed()
        server.wait()


def test_stop_does_not_wait_for_ever(tmp_path):
    with Responder("--listen", f"unix:{tmp_path}/sock", "--stop-timeout", 300, expect=1) as server:
        with Connection(server.address) as half, Connection(server.address) as held:
            half.send(GOOD)
            held.send(request(QUERY_STRING="hold=60000"))
            assert_alive(server)  # it has seen both
            start = time.monotonic()
            server.signal()
            server.wait()
            assert time.monotonic() - start < STOP_TIMEOUT


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


# Sockets.

def test_refuses_a_path_where_something_else_is(tmp_path):
    (tmp_path / "file").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    for name in ("file", "link", "nowhere", "."):
        with pytest.raises(RuntimeError, match="not a socket"):
            Responder("--listen", f"unix:{tmp_path}/{name}")
    assert (tmp_path / "file").read_text() == "precious"
    assert (tmp_path / "link").is_symlink()


def test_refuses_a_socket_that_is_in_use_and_replaces_a_stale_one(tmp_path):
    with Responder("--listen", f"unix:{tmp_path}/sock", expect=-signal.SIGKILL) as server:
        with pytest.raises(RuntimeError, match="another program listens there"):
            Responder("--listen", server.address)
        assert_alive(server)
        server.signal(signal.SIGKILL)
        server.wait()
    assert (tmp_path / "sock").is_socket()
    with Responder("--listen", f"unix:{tmp_path}/sock") as server:
        assert_alive(server)


def test_of_those_who_start_on_one_stale_socket_one_serves(tmp_path):
    path = tmp_path / "sock"
    for _ in range(15):
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
        programs = [subprocess.Popen([PROGRAM, "--listen", f"unix:{path}"], stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, text=True) for _ in range(4)]
        said = [program.stdout.readline() for program in programs]
        servers = [program for program, line in zip(programs, said) if line]
        if len(servers) == 1:
            assert_alive(Listening(f"unix:{path}"))
        for program in servers:
            program.terminate()
        errors = [program.communicate(timeout=20)[1] for program in programs]
        assert len(servers) == 1, errors
        assert sum("another program listens there" in e for e in errors) == len(programs) - 1


def test_waits_for_one_that_is_about_to_listen(tmp_path):
    path = tmp_path / "sock"
    folder = os.open(tmp_path, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as other:
        fcntl.flock(folder, fcntl.LOCK_EX)
        other.bind(str(path))
        before = path.stat().st_ino
        program = subprocess.Popen([PROGRAM, "--listen", f"unix:{path}"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        try:
            while program.poll() is None and not has_open(program.pid, tmp_path):
                assert path.stat().st_ino == before
                time.sleep(0.01)
            other.listen()
            os.close(folder)
            assert "another program listens there" in program.communicate(timeout=TIMEOUT)[1]
            assert path.stat().st_ino == before
        finally:
            program.kill()


def has_open(pid, path):
    with contextlib.suppress(OSError):  # it has ended, or closed one meanwhile
        return any(os.readlink(entry.path) == str(path) for entry in os.scandir(f"/proc/{pid}/fd"))
    return False


class Listening:
    """Somebody's address."""

    def __init__(self, address):
        self.address = address


def test_leaves_a_socket_alone_that_has_become_another_s(tmp_path):
    with Responder("--listen", f"unix:{tmp_path}/sock"):
        (tmp_path / "sock").unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(f"{tmp_path}/sock")
    assert (tmp_path / "sock").is_socket()


@pytest.mark.parametrize("address", [
    "unix:relative", "unix:", "unix:/" + "x" * 107, "unix:/nonexistent/dir/sock", "tcp:127.0.0.1",
    "tcp:127.0.0.1:", "tcp::9000", "tcp:127.0.0.1:x", "tcp:::1:9000", "tcp:[::1:9000",
    "tcp:127.0.0.1:99999", "udp:127.0.0.1:9000", "/run/x.sock", ""])
def test_refuses_an_address_that_makes_no_sense(address):
    with pytest.raises(RuntimeError, match="responder: "):
        Responder("--listen", address)


def test_accepts_the_longest_path(tmp_path):
    path = f"{tmp_path}/" + "x" * (107 - len(f"{tmp_path}/"))
    with Responder("--listen", f"unix:{path}") as server:
        assert server.address == f"unix:{path}"
        assert_alive(server)


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_the_socket_s_mode_is_as_told_whatever_the_umask(tmp_path, umask):
    for mode in (0o600, 0o660, 0o666):
        with Responder("--listen", f"unix:{tmp_path}/sock", "--mode", f"{mode:o}", umask=umask):
            assert (tmp_path / "sock").stat().st_mode & 0o777 == mode


def test_the_socket_s_group_is_as_told(tmp_path):
    with pytest.raises(RuntimeError, match="no such group"):
        Responder("--listen", f"unix:{tmp_path}/sock", "--group", "no-such-group")
    assert not (tmp_path / "sock").exists()
    if os.geteuid() != 0:
        pytest.skip("only root can give a socket to any group")
    import grp
    group = grp.getgrnam("www-data")
    with Responder("--listen", f"unix:{tmp_path}/sock", "--group", "www-data"):
        assert (tmp_path / "sock").stat().st_gid == group.gr_gid


def test_takes_the_socket_on_descriptor_0(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{tmp_path}/sock")
        listener.listen()
        with Responder(stdin=listener) as server:
            assert server.address == f"unix:{tmp_path}/sock"
            assert_alive(server)
    assert (tmp_path / "sock").is_socket()  # it was not ours to remove


def with_listen_fds(listener, pid="$$"):
    """Started as systemd does it: descriptor 3, and the process's own id in the environment."""
    command = f'LISTEN_FDS=1 LISTEN_PID={pid} exec "$0" "$@" 3<&0 </dev/null'
    return Responder(wrapper=["sh", "-c", command], stdin=listener)


def test_takes_the_sockets_of_listen_fds(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{tmp_path}/sock")
        listener.listen()
        with with_listen_fds(listener) as server:
            assert server.address == f"unix:{tmp_path}/sock"
            assert_alive(server)
        with with_listen_fds(listener, pid=1) as server:
            assert server.address.startswith("tcp:")
            assert_alive(server)


def test_refuses_listen_fds_that_do_not_listen():
    with socket.socket() as idle:
        with pytest.raises(RuntimeError, match="not a listening stream socket"):
            with_listen_fds(idle)


def test_serves_over_tcp_whom_fcgi_web_server_addrs_names():
    with Responder("--listen", "tcp:127.0.0.1:0") as server:
        assert_alive(server)
    with Responder("--listen", "tcp:127.0.0.1:0",
                   env={"FCGI_WEB_SERVER_ADDRS": "192.0.2.1,127.0.0.1"}) as server:
        assert_alive(server)
    with Responder("--listen", "tcp:127.0.0.1:0",
                   env={"FCGI_WEB_SERVER_ADDRS": "192.0.2.1"}) as server:
        with Connection(server.address) as connection:
            assert connection.is_closed()
    with pytest.raises(RuntimeError, match="FCGI_WEB_SERVER_ADDRS"):
        Responder(env={"FCGI_WEB_SERVER_ADDRS": "127.0.0.1,nonsense"})


def test_a_reset_by_the_peer_changes_nothing():
    with Responder("--listen", "tcp:127.0.0.1:0") as server:
        for data in (b"", GOOD, request(QUERY_STRING="big=3000000"), request(QUERY_STRING="hold=50")):
            with Connection(server.address) as connection:
                connection.send(data)
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                           struct.pack("ii", 1, 0))
        assert_alive(server)
