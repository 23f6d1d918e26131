"""What others would put behind nginx: each verifies the call and stores nothing.

Only those are measured that are installed: Flask and PyJWT under gunicorn (Debian's python3-flask, python3-jwt and
gunicorn), Go's net/http (golang-go), fastify with fast-jwt (npm install, and NODE_PATH), and Debian's webhook, which
cannot verify a token: it checks a signature of the body, and runs a program.
"""

import hashlib
import hmac
import json
import os
import shutil
import subprocess

import bench
import calls
import servers

PEERS = bench.SOURCE / "tests/bench/peers"


class Proxy(servers.WebServer):
    """nginx that passes calls on over HTTP, on kept connections."""

    CONF = """\
daemon off; worker_processes 2; pid nginx.pid; error_log stderr warn; user www-data;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fcgi; uwsgi_temp_path uw; scgi_temp_path sc;
    upstream peer { server 127.0.0.1:%(peer)d; keepalive %(keepalive)d; }
    server {
        listen 127.0.0.1:%(port)d;
        location / { proxy_pass http://peer; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }
}
"""

    def __init__(self, tmp, peer, keepalive):
        self.peer, self.keepalive = peer, keepalive
        super().__init__(tmp, "nginx")

    def prepare(self):
        (self.directory / "nginx.conf").write_text(self.CONF % {
            "peer": self.peer, "port": self.port, "keepalive": self.keepalive})
        return [servers.program("nginx"), "-p", self.directory, "-c", self.directory / "nginx.conf", "-e", "stderr"], {}


def signature(body):
    return hmac.new(calls.SECRET.encode(), body, hashlib.sha256).hexdigest()


def flask(folder, port):
    subprocess.run(["/usr/bin/python3", "-c", "import flask, jwt"], check=True, capture_output=True)
    return [servers.program("gunicorn"), "--chdir", PEERS, "-w2", "--keep-alive", "60", "-k", "gthread", "--threads",
            "64", "-b", f"127.0.0.1:{port}", "flask_hook:app"]


def fastify(folder, port):
    subprocess.run(["node", "-e", "require('fastify'); require('fast-jwt')"], check=True, capture_output=True)
    return [servers.program("node"), PEERS / "fastify.js"]


def nethttp(folder, port):
    subprocess.run([servers.program("go"), "build", "-o", folder / "nethttp", PEERS / "nethttp.go"], check=True,
                   capture_output=True, env={**os.environ, "GOCACHE": str(folder / "cache"), "GO111MODULE": "off"})
    return [folder / "nethttp"]


def webhook(folder, port):
    rule = {"type": "payload-hmac-sha256", "secret": calls.SECRET,
            "parameter": {"source": "header", "name": "X-Signature"}}
    hooks = folder / "hooks.json"
    hooks.write_text(json.dumps([{"id": "connect", "execute-command": shutil.which("true"),
                                  # Else the programs are run when the call has been answered, in later rounds.
                                  "include-command-output-in-response": True, "trigger-rule": {"match": rule}}]))
    return [servers.program("webhook"), "-hooks", hooks, "-urlprefix", "", "-ip", "127.0.0.1", "-port", port]


ALL = {"Go net/http": nethttp, "fastify": fastify, "Flask, PyJWT": flask, "webhook": webhook}


def start(stack, tmp, keepalive):
    """name, pid, url of each that is installed."""
    for name, prepare in ALL.items():
        folder = tmp / prepare.__name__
        folder.mkdir()
        port = servers.free_port()
        try:
            arguments = prepare(folder, port)
        except (servers.Missing, OSError, subprocess.CalledProcessError):
            continue
        program = stack.enter_context(servers.Server(
            arguments, folder / "log", ready=("127.0.0.1", port), env={"SECRET": calls.SECRET, "PORT": str(port)}))
        yield name, program.pid, stack.enter_context(Proxy(folder, port, keepalive)).url
