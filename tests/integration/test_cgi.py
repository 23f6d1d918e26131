"""The CGI transport: one process a call."""

import json
import os
import select
import subprocess
import time

import pytest

from fcgi_client import checksum
from responder import PROGRAM, TIMEOUT


def start(stdin=subprocess.PIPE, arguments=(), environment=None, pipesize=-1, **variables):
    env = {"REQUEST_METHOD": "POST", "SCRIPT_NAME": "/hook", **variables}
    return subprocess.Popen([PROGRAM, *arguments], env=environment or env, stdin=stdin,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, pipesize=pipesize)


def call(body=b"", **kwargs):
    """Returns status and document."""
    process = start(**kwargs)
    out, err = process.communicate(body, timeout=TIMEOUT)
    assert process.returncode == 0 and err == b""
    head, _, document = out.partition(b"\r\n\r\n")
    assert head.startswith(b"Status: ")
    return int(head.split()[1]), json.loads(document)


def test_reads_the_variables_and_the_body():
    status, got = call(b"the body", CONTENT_LENGTH="8", PATH_INFO="/a", QUERY_STRING="q",
                       CONTENT_TYPE="text/plain", HTTP_AUTHENTICATION="Bearer t",
                       REMOTE_ADDR="192.0.2.1")
    assert status == 200
    assert (got["method"], got["path"], got["query"]) == ("POST", "/hook/a", "q")
    assert (got["content_type"], got["authentication"]) == ("text/plain", "Bearer t")
    assert (got["remote_addr"], got["checksum"]) == ("192.0.2.1", checksum(b"the body"))


@pytest.mark.parametrize("arguments", [["-c+/x"], ["-c", "/x"], ["--help"], ["--listen", "/x"]])
def test_never_reads_its_arguments(arguments):
    assert call(b"body", arguments=arguments)[1]["body_len"] == 4


@pytest.mark.parametrize("body, length, err", [
    (b"body", "5", "aborted"), (b"", "1", "aborted"), (b"body", "-4", "syntax"),
    (b"body", "0x4", "syntax"), (b"body", "+4", "syntax"), (b"body", "4 ", "syntax"),
    (b"body", "9" * 20, "syntax"), (b"body", "1048577", "too-big"), (b"body", "4", "ok"),
    (b"body", "", "ok"), (b"bodyguard", "4", "ok")])
def test_reads_as_much_as_content_length_says(body, length, err):
    status, got = call(body, CONTENT_LENGTH=length)
    assert (status, got["err"]) == (200 if err == "ok" else 400, err)
    assert got["body_len"] == (4 if err == "ok" else 0)


@pytest.mark.parametrize("size", [0, 1, 65536, 1024 * 1024, 1024 * 1024 + 1])
def test_reads_to_the_end_without_content_length(size):
    _, got = call(b"x" * size, HTTP_TRANSFER_ENCODING="chunked")
    if size <= 1024 * 1024:
        assert (got["err"], got["body_len"]) == ("ok", size)
    else:
        assert (got["err"], got["body_len"]) == ("too-big", 0)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_waits_for_no_body_where_there_is_none(method):
    process = start(REQUEST_METHOD=method)  # its standard input stays open
    out = process.stdout.read()
    process.communicate(timeout=TIMEOUT)
    assert b'"err":"ok"' in out and process.returncode == 0


def test_a_body_that_does_not_come_has_a_deadline():
    start_time = time.monotonic()
    process = start(CONTENT_LENGTH="8", RESPONDER_TIMEOUT="300")
    process.stdin.write(b"half")
    process.stdin.flush()
    out = process.stdout.read()
    process.communicate(timeout=TIMEOUT)
    assert b'"err":"timeout"' in out and process.returncode == 0
    assert time.monotonic() - start_time >= 0.3


def test_reads_a_body_that_comes_byte_by_byte():
    process = start(CONTENT_LENGTH="20")
    for byte in range(20):
        process.stdin.write(bytes([byte]))
        process.stdin.flush()
    out, _ = process.communicate(timeout=TIMEOUT)
    assert json.loads(out.partition(b"\r\n\r\n")[2])["checksum"] == checksum(bytes(range(20)))


@pytest.mark.parametrize("environment, err", [
    ({f"V{i}": "x" for i in range(255)}, "ok"),
    ({f"V{i}": "x" for i in range(256)}, "too-big"),
    ({"V": "x" * 65000}, "ok"),
    ({"V": "x" * 65536}, "too-big")])
def test_holds_the_environment_to_its_limits(environment, err):
    _, got = call(b"body", environment={"REQUEST_METHOD": "POST", **environment})
    assert got["err"] == err


def test_writes_a_large_answer_whole_to_a_slow_reader():
    process = start(REQUEST_METHOD="GET", QUERY_STRING="big=3000000", pipesize=4096)
    select.select([process.stdout], [], [])  # it has begun, and is far from its end
    out, _ = process.communicate(timeout=TIMEOUT)
    assert len(out.partition(b"\r\n\r\n")[2]) == 3000000 and process.returncode == 0


def test_survives_a_reader_that_goes_away():
    process = start(REQUEST_METHOD="GET", QUERY_STRING="big=3000000")
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(TIMEOUT) == 1
    process.stdin.close()
    process.stderr.close()


def test_gives_up_a_reader_that_never_reads():
    process = start(REQUEST_METHOD="GET", QUERY_STRING="big=3000000", RESPONDER_TIMEOUT="300")
    assert process.wait(TIMEOUT) == 1
    process.communicate()


def test_answers_from_another_thread():
    assert call(b"body", QUERY_STRING="later")[1]["body_len"] == 4


def test_a_call_without_standard_input_is_answered():
    with open(os.devnull, "rb") as nothing:
        process = start(stdin=nothing, CONTENT_LENGTH="4")
        out, _ = process.communicate(timeout=TIMEOUT)
    assert b'"err":"aborted"' in out
