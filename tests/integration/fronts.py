"""The ways by which a call comes to us, and one call by any of them."""

import os
import subprocess

import pytest

import calls
import servers

RULES = servers.SOURCE / "contrib/rules/fulfillment.rules.yaml"
FRONTS = ["program", "nginx", "mod_fcgid", "mod_proxy_fcgi", "cgi"]


class Program:
    """No web server: the handler run as one would run it, a process a call."""

    def __init__(self, build, conf):
        self.program = build / "connect-webhook.fcgi"
        self.conf = conf

    def call(self, method, headers, body):
        env = {"PATH": os.environ["PATH"], "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1",
               "REQUEST_METHOD": method, "SCRIPT_NAME": "/connect", "REMOTE_ADDR": "127.0.0.1",
               "CONNECT_WEBHOOK_CONFIG": str(self.conf.path),
               **{"HTTP_" + n.upper().replace("-", "_"): v for n, v in headers}}
        if body is not None:
            env["CONTENT_LENGTH"] = str(len(body))
        ran = subprocess.run([self.program], env=env, input=body or b"", capture_output=True, timeout=30)
        servers.check_log(ran.stderr.decode(errors="replace"))
        head, _, document = ran.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        return calls.Answer(int(fields.get("Status", "200").split()[0]), fields, document)


class Front:
    """A running web server in front of the handler."""

    def __init__(self, server):
        self.url = server.url

    def call(self, method, headers, body):
        return calls.http(method, self.url, body, headers)


@pytest.fixture
def front(build, handler, nginx, apache):
    """front(name, configuration): something with call(method, headers, body)."""
    def start(name, conf):
        if name == "program":
            return Program(build, conf)
        if name == "nginx":
            return Front(nginx(handler(conf)))
        if name == "mod_proxy_fcgi":
            handler(conf)
        return Front(apache(name, conf))
    return start


def deliver(front, conf, method="POST", header="Authentication", secret=None, **changes):
    claims = calls.claims_of(conf, **changes)
    token = calls.sign(claims, secret or conf.secrets[calls.WEBHOOK])
    body = calls.json.dumps(claims).encode() if method == "POST" else None
    return front.call(method, [(header, f"Bearer {token}")], body)


def statuses(api):
    listed = api.get(f"/requests?asset.product.id={calls.PRODUCT}&limit=1000")
    return {r["id"]: r["status"] for r in listed}
