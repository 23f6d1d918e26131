"""The FastCGI transport against raw clients: good ones and hostile ones."""

import os
import random
import socket

import pytest

from fcgi_client import (
    ABORT_REQUEST, AUTHORIZER, BEGIN_REQUEST, DATA, FILTER, GET_VALUES, PARAMS, STDIN, Connection, begin, checksum, pair,
    record, request, stream)
from fcgi_responder import GOOD, assert_alive, connection, server  # noqa: F401
import servers


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
