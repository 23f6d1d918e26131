"""The FastCGI transport behind a real nginx that keeps its connections."""

import http.client
import os
import shutil
import socket
import subprocess
import threading
import time

import pytest

from fcgi_client import checksum
from responder import TIMEOUT, Responder

NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
CONNECTIONS = 24  # HTTP clients at once
KEEPALIVE = 8     # connections to us that nginx keeps, per worker

CONFIGURATION = """
{user}
worker_processes 2;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_max_body_size 8m;
    client_body_temp_path {dir}/body;
    fastcgi_temp_path {dir}/fastcgi;
    proxy_temp_path {dir}/proxy;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    upstream handler {{
        server {address};
        keepalive {keepalive};
    }}
    server {{
        listen unix:{dir}/http;
        location / {{
            fastcgi_pass handler;
            fastcgi_keep_conn on;
            # A kept connection that we end between two requests is replaced, not reported.
            fastcgi_next_upstream error non_idempotent;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param DOCUMENT_URI $document_uri;
            fastcgi_param REMOTE_ADDR $remote_addr;
        }}
    }}
}}
"""


class Client(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=TIMEOUT)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self.path)

    def ask(self, query="", body=b"body", method="POST", **headers):
        self.request(method, f"/hook?{query}", body, {k.replace("_", "-"): v
                                                      for k, v in headers.items()})
        answer = self.getresponse()
        return answer.status, answer.read()


class Nginx:
    def __init__(self, directory, address):
        self.path = f"{directory}/http"
        configuration = directory / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(
            dir=directory, address=address, keepalive=KEEPALIVE,
            user="user root;" if os.geteuid() == 0 else ""))
        self.process = subprocess.Popen([NGINX, "-c", configuration, "-p", directory],
                                        stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + TIMEOUT
        while not os.path.exists(self.path):
            assert self.process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(TIMEOUT)


@pytest.fixture(scope="module", autouse=True)
def needs_nginx():
    if NGINX is None:
        pytest.skip("no nginx here")


@pytest.fixture
def listener(tmp_path):
    """A listening socket that outlives the server, as systemd keeps one."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{tmp_path}/sock")
        listener.listen(512)
        yield listener


@pytest.fixture
def nginx(tmp_path, listener):
    with Nginx(tmp_path, f"unix:{tmp_path}/sock") as nginx:
        yield nginx


class Load:
    """Clients that ask as fast as they can until told to end."""

    def __init__(self, path, query):
        self.statuses, self.done, self.some = [], threading.Event(), threading.Semaphore(0)
        self.threads = [threading.Thread(target=self.run, args=(path, query))
                        for _ in range(CONNECTIONS)]
        for thread in self.threads:
            thread.start()

    def run(self, path, query):
        client = Client(path)
        while not self.done.is_set():
            status, _ = client.ask(query)
            self.statuses.append(status)
            self.some.release()
        client.close()

    def wait_for(self, count):
        for _ in range(count):
            assert self.some.acquire(timeout=TIMEOUT)

    def end(self):
        self.done.set()
        for thread in self.threads:
            thread.join(TIMEOUT)


def test_calls_come_through_whole(nginx, listener):
    with Responder(stdin=listener):
        client = Client(nginx.path)
        for size in (0, 1, 8192, 100000, 1024 * 1024):
            body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
            status, document = client.ask("q=1", body, Authorization="Bearer t")
            assert status == 200
            assert f'"body_len":{size},"checksum":"{checksum(body)}"'.encode() in document
            assert b'"authorization":"Bearer t"' in document and b'"query":"q=1"' in document
        assert client.ask(body=None, method="GET")[0] == 200
        assert client.ask(body=b"x" * (1024 * 1024 + 1))[0] == 400
        assert client.ask(body=iter([b"chunk"] * 1000))[0] == 200
        assert len(client.ask("big=3000000")[1]) == 3000000
        client.close()


def test_more_kept_connections_than_threads_starve_nobody(nginx, listener):
    with Responder("--loops", 2, stdin=listener):
        load = Load(nginx.path, "later")
        load.wait_for(20 * CONNECTIONS)
        load.end()  # a client that starves is not answered within its time-out
    assert set(load.statuses) == {200}


def test_a_restart_under_load_loses_no_call(nginx, listener):
    server = Responder(stdin=listener)
    load = Load(nginx.path, "later")
    for _ in range(4):
        load.wait_for(4 * CONNECTIONS)
        successor = Responder(stdin=listener)
        server.signal()
        server.wait()
        server = successor
    load.wait_for(4 * CONNECTIONS)
    load.end()
    server.signal()
    server.wait()
    assert set(load.statuses) == {200}


def test_a_slow_upload_costs_no_thread(nginx, listener):
    with Responder("--loops", 1, stdin=listener):
        slow = [Client(nginx.path) for _ in range(4)]
        for client in slow:
            client.putrequest("POST", "/hook")
            client.putheader("Content-Length", "100")
            client.endheaders()
            client.send(b"half")
        client = Client(nginx.path)
        assert client.ask()[0] == 200  # before nginx gives the slow ones up
        for client in [client, *slow]:
            client.close()
