"""TLS of the one HTTP client: connect-webhook poll --once against a real server with certificates.

The control is test_accepts_...: every refusal differs from it in one thing.
"""

import os
import socket
import ssl
import subprocess

import pytest

import http_server
from http_server import HOST

TIMEOUT = 60  # seconds


class Authority:
    """A certificate authority in a folder, with openssl's command."""

    def __init__(self, openssl, folder, name):
        self.openssl = openssl
        self.folder = folder
        self.key, self.certificate = folder / f"{name}.key", folder / f"{name}.pem"
        self.run("req", "-x509", *self.new_key(self.key), "-out", self.certificate, "-subj", f"/CN={name}",
                 "-days", "2")

    def run(self, *arguments):
        subprocess.run([self.openssl, *map(str, arguments)], check=True, capture_output=True,
                       stdin=subprocess.DEVNULL, timeout=TIMEOUT)

    @staticmethod
    def new_key(path):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path)

    def issue(self, names=f"IP:{HOST}", expired=False):
        """Key and certificate for these names, as one file."""
        key, asked, given, both, settings, index, serial = (
            self.folder / f"server.{end}"
            for end in ("key", "csr", "crt", "pem", "cnf", "index", "serial"))
        self.run("req", "-new", *self.new_key(key), "-out", asked, "-subj", "/CN=server")
        index.write_text("")
        serial.write_text("01\n")
        settings.write_text(
            f"[ca]\ndefault_ca=own\n[own]\ndatabase={index}\nserial={serial}\nnew_certs_dir={self.folder}\n"
            "default_md=sha256\npolicy=any\nx509_extensions=extensions\n"
            f"[any]\ncommonName=supplied\n[extensions]\nsubjectAltName={names}\n")
        first, last = ("200101000000Z", "200201000000Z") if expired else ("200101000000Z", "21000101000000Z")
        self.run("ca", "-batch", "-notext", "-config", settings, "-keyfile", self.key, "-cert", self.certificate,
                 "-startdate", first, "-enddate", last, "-in", asked, "-out", given)
        both.write_text(key.read_text() + given.read_text())
        return both


class Connect(http_server.Server):
    """An API whose lists are empty; `seen` has the requests that arrived. With `redirect` it sends
    every caller there instead."""

    def __init__(self, certificate=None, redirect=None):
        super().__init__(Handler, "/public/v1")
        self.scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # The handshake is left to the connection's own thread.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.redirect = redirect
        self.seen = []

    def handle_error(self, request, client_address):
        pass  # a client that refuses us ends the handshake


class Handler(http_server.Handler):
    def do_GET(self):
        self.server.seen.append((self.path, self.headers["Authorization"]))
        if self.server.redirect:
            self.reply(307, headers=[("Location", self.server.redirect)])
        else:
            self.reply_list([])


@pytest.fixture
def authority(need, tmp):
    """authority(name): a certificate authority of its own."""
    def make(name="authority"):
        folder = tmp / name
        folder.mkdir()
        return Authority(need("openssl"), folder, name)
    return make


@pytest.fixture
def poll(build, configuration):
    """poll(server, ca_file, **environment): what it says of that API."""
    def run(server, ca_file="default", **environment):
        conf = configuration(api_url=server.url, api_key="test-key", log={"level": "info"})
        conf.document["accounts"][0]["ca_file"] = str(ca_file)
        conf.save()
        return subprocess.run([build / "connect-webhook", "poll", "--once", "-c", conf.path],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT,
                              env={**os.environ, **environment})
    return run


def assert_refused(ran, server):
    assert (ran.returncode, ran.stdout) == (1, ""), ran.stderr
    assert "certificate" in ran.stderr.lower()
    assert server.seen == []  # not even the request's head, which has the key


def test_refuses_an_authority_that_nobody_vouches_for(authority, poll):
    with Connect(authority().issue()) as server:
        assert_refused(poll(server), server)


def test_refuses_another_authority_than_the_one_of_ca_file(authority, poll):
    with Connect(authority().issue()) as server:
        assert_refused(poll(server, authority("other").certificate), server)


@pytest.mark.parametrize("names", ["DNS:api.connect.example", "IP:127.0.0.2", f"DNS:{HOST}"])
def test_refuses_a_certificate_of_another_host(authority, poll, names):
    ca = authority()
    with Connect(ca.issue(names)) as server:
        assert_refused(poll(server, ca.certificate), server)


def test_refuses_an_expired_certificate(authority, poll):
    ca = authority()
    with Connect(ca.issue(expired=True)) as server:
        assert_refused(poll(server, ca.certificate), server)


def test_refuses_a_ca_file_that_is_none(authority, poll, tmp):
    ca = authority()
    with Connect(ca.issue()) as server:
        for path in tmp / "missing.pem", ca.key:
            ran = poll(server, path)
            assert ran.returncode == 1 and str(path) in ran.stderr
        assert server.seen == []


def test_does_not_speak_tls_to_who_does_not(authority, poll):
    ca = authority()
    with Connect() as server:
        server.scheme = "https"
        ran = poll(server, ca.certificate)
        assert ran.returncode == 1
        assert server.seen == []


def test_accepts_the_authority_of_ca_file(authority, poll):
    ca = authority()
    with Connect(ca.issue()) as server:
        ran = poll(server, ca.certificate)
        assert ran.returncode == 0, ran.stderr
        assert "nothing to do" in ran.stderr
        assert {key for _, key in server.seen} == {"ApiKey test-key"}


@pytest.mark.parametrize("tls", [False, True])
def test_follows_no_redirect(authority, poll, tls):
    ca = authority()
    certificate = ca.issue()
    with Connect(certificate) as other, Connect(certificate if tls else None, other.url) as first:
        ran = poll(first, ca.certificate)
        assert ran.returncode == 1 and "307" in ran.stderr
        assert first.seen != []
        assert other.seen == []


def test_asks_the_environment_for_no_proxy(authority, poll):
    ca = authority()
    names = ("http_proxy", "https_proxy", "all_proxy")
    with socket.create_server((HOST, 0)) as proxy:
        proxy.setblocking(False)
        address = f"http://{HOST}:{proxy.getsockname()[1]}"
        environment = {n: address for name in names for n in (name, name.upper())}
        for certificate in None, ca.issue():
            with Connect(certificate) as server:
                ran = poll(server, ca.certificate, no_proxy="", NO_PROXY="", **environment)
                assert ran.returncode == 0, ran.stderr
                assert server.seen != []
        with pytest.raises(BlockingIOError):
            proxy.accept()
