"""What tests of the FastCGI transport share: the responder, which one file uses throughout, and a connection to it."""

import pytest

from fcgi_client import PARAMS, Connection, begin, pair, stream
from responder import Responder

LOOPS = 2
GOOD = b"".join([begin(), stream(PARAMS, pair("A", "b"))])


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
