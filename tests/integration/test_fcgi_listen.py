"""Where the FastCGI transport listens, and how it ends."""

import contextlib
import fcntl
import grp
import os
import signal
import socket
import struct
import subprocess
import time

import pytest

from fcgi_client import TIMEOUT, Connection, request
from fcgi_responder import GOOD, assert_alive
from responder import PROGRAM, Responder
import servers

STOP_TIMEOUT = 30  # seconds that a stop may take, unless told otherwise


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
    return Responder(wrapper=servers.handed_over(pid), stdin=listener)


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
