"""Calls over HTTP, tokens as Connect signs them, and configurations to test with."""

import base64
import datetime
import grp
import hashlib
import hmac
import http.client as http_client
import json
import os
import pathlib
import shutil
import sqlite3
import time
import urllib.parse

SOURCE = pathlib.Path(__file__).resolve().parents[2]
TIMEOUT = 30  # seconds for an answer
PROCESSING_TIMEOUT = 600  # seconds that Connect's tokens live

ACCOUNT = "VA-240-990"
DISTRIBUTOR = "PA-425-033"
PRODUCT = "PRD-578-226-824"
WEBHOOK = "WH-623-978-334"
SECRET = "a secret of at least thirty-two bytes"
ORDER = {"type": "purchase", "asset": {"external_id": "EX-1", "product": {"id": PRODUCT},
                                       "connection": {"id": "CT-1"}, "params": [],
                                       "items": [{"id": f"{PRODUCT}-0001", "quantity": "5"}]}}


class Hook:
    """A webhook of connect-sim: whose, of which class and type, with which rules of contrib/, and where its
    objects are."""

    def __init__(self, webhook_id, account, object_class, rules, path, type_="event"):
        self.id, self.account, self.object_class, self.rules, self.path, self.type = (
            webhook_id, account, object_class, rules, path, type_)


# In the order in which Connect's own processors work: what others wait for comes first.
VENDORS_HOOKS = [
    Hook("WH-415-806-227", ACCOUNT, "tier_config_request", "tier-config", "/tier/config-requests"),
    Hook(WEBHOOK, ACCOUNT, "fulfillment_request", "fulfillment", "/requests"),
    Hook("WH-632-725-169", ACCOUNT, "tier_account_request", "tier-account", "/tier/account-requests"),
    Hook("WH-744-019-582", ACCOUNT, "usage_file", "usage", "/usage/files"),
]
DISTRIBUTORS_HOOKS = [
    Hook("WH-833-608-476", DISTRIBUTOR, "listing_request", "listing", "/listing-requests"),
    Hook("WH-850-127-604", DISTRIBUTOR, "billing_request", "billing", "/subscriptions/requests"),
    Hook("WH-867-330-915", DISTRIBUTOR, "usage_file", "usage", "/usage/files"),
]


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body!r}"


def http(method, url, body=None, headers=None, timeout=TIMEOUT):
    """One call on a connection of its own. `headers` may be pairs, to repeat a name."""
    parts = urllib.parse.urlsplit(url)
    connection = http_client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        target = parts.path or "/"
        connection.putrequest(method, f"{target}?{parts.query}" if parts.query else target,
                              skip_accept_encoding=True)
        pairs = headers.items() if isinstance(headers, dict) else headers or ()
        pairs = [*pairs]
        if body is not None and not any(n.lower() in ("content-length", "transfer-encoding")
                                        for n, _ in pairs):
            pairs.append(("Content-Length", str(len(body))))
        for name, value in pairs:
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


class Api:
    """Connect's REST API, for the eyes and hands of a test."""

    def __init__(self, url, api_key):
        self.url = url
        self.api_key = api_key

    def call(self, method, path, body=None):
        return http(method, self.url + path, None if body is None else json.dumps(body).encode(),
                    {"Authorization": f"ApiKey {self.api_key}", "Content-Type": "application/json"})

    def expect(self, method, path, body=None):
        answer = self.call(method, path, body)
        assert 200 <= answer.status < 300, answer
        return answer.json() if answer.body else None

    def get(self, path):
        return self.expect("GET", path)

    def post(self, path, body=None):
        return self.expect("POST", path, body)

    def put(self, path, body):
        return self.expect("PUT", path, body)

    def webhook(self, webhook_id):
        return self.get(f"/notifications/webhooks/{webhook_id}")

    def make_webhook(self, object_class, type_, secret, url="http://127.0.0.1:9/", **more):
        """Returns its id."""
        return self.post("/notifications/webhooks", {
            "label": type_, "type": type_, "object_class": object_class, "product_id": PRODUCT, "external_url": url,
            "jwt_secret": secret, "description": "", "active": True, "http_method": "POST", **more})["id"]

    def point_webhook(self, webhook_id, url):
        self.put(f"/notifications/webhooks/{webhook_id}", {"external_url": url})

    def trigger(self, webhook_id):
        """Press "Trigger Now"; returns what the webhook's address answered."""
        before = self.webhook(webhook_id)["stats"]["success_triggers"]
        after = self.post(f"/notifications/webhooks/{webhook_id}/trigger")
        went_well = after["stats"]["success_triggers"] > before
        answer = after["last_success" if went_well else "last_failure"]["response"]
        return json.loads(answer) if isinstance(answer, str) else answer

    def own(self, method, what, body=None):
        """What connect-sim tells, or is told, about itself."""
        return http(method, self.url.replace("/public/v1", f"/_sim/{what}"),
                    None if body is None else json.dumps(body).encode())

    def received(self):
        """All calls that connect-sim got."""
        return self.own("GET", "calls").json()

    def plan(self, *faults):
        """Have calls go wrong, as connect-sim(1) says."""
        assert self.own("POST", "faults", [*faults]).status == 201


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(claims, secret, header=None):
    """A token over `claims`, an object or bytes; header: of another algorithm, or a wrong one."""
    if isinstance(claims, dict):
        claims = json.dumps(claims).encode()
    if isinstance(header, dict) or header is None:
        header = json.dumps(header or {"typ": "JWT", "alg": "HS256"}).encode()
    if isinstance(secret, str):
        secret = secret.encode()
    signed = f"{b64url(header)}.{b64url(claims)}"
    return f"{signed}.{b64url(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def timestamp(seconds):
    return datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc).isoformat()


def claims_of(configuration, webhook=WEBHOOK, **changes):
    """The claims that Connect sends for a webhook of the configuration; a change to None leaves
    the claim out."""
    hook = configuration.webhook(webhook)
    return claims_for(hook, configuration.account(hook["account"]), **changes)


def claims_for(hook, account, /, **changes):
    """The same, for an entry of `webhooks` and its account's."""
    now = int(time.time())
    claims = {
        "webhook_id": hook["id"], "webhook_name": "test", "object_class": hook["object_class"],
        "account_id": account["id"], "product_id": hook["product"], "api_url": account["api_url"] + "/",
        "triggered_at": timestamp(now), "last_success_at": None, "last_failure_at": None,
        "processing_timeout": PROCESSING_TIMEOUT, "data": {}, "exp": now + PROCESSING_TIMEOUT}
    claims.update(changes)
    return {k: v for k, v in claims.items() if v is not None or k not in changes}


def connect(url, configuration, webhook=WEBHOOK, method="POST", header="Authentication", claims=None,
            secret=None, token=None, body=None, headers=()):
    """Call a webhook as Connect does. `claims`: changes to the usual ones; `token`: instead of a
    signed one; `header`: None sends no token at all; `body`: bytes instead of the event."""
    if claims is None or isinstance(claims, dict):
        claims = claims_of(configuration, webhook, **(claims or {}))
    if token is None:
        token = sign(claims, secret or configuration.secrets[webhook])
    pairs = [(header, f"Bearer {token}")] if header else []
    if method != "GET":
        pairs.append(("Content-Type", "application/json"))
        if body is None:
            body = json.dumps({k: v for k, v in claims.items() if k != "exp"}).encode()
    return http(method, url, body, [*pairs, *headers])


class Caller:
    """Calls webhooks, each time with another token: a call of its own, and not one that is repeated."""

    def __init__(self):
        self.number = 0

    def __call__(self, url, configuration, status=202, **options):
        self.number += 1
        answer = connect(url, configuration, claims={"data": {"call": self.number}}, **options)
        assert answer.status == status, answer
        return answer.json()


def web_group():
    """The group that a web server's workers are in: those of contrib/, if root starts it."""
    return "www-data" if os.geteuid() == 0 else grp.getgrgid(os.getgid()).gr_name


class Configuration:
    """A configuration in a folder of its own, with one account and one webhook, or those given.

    sim        take API, key and the webhook's secret from a running connect-sim
    rules      text of the rules file, None for no policy (an event's objects are then skipped)
    secret     of the webhook, if there is no sim
    webhooks   lists of what the file says, for other than the one
    accounts
    rate_limit of the account: calls a second; 0 is no limit
    mode       of processing; inline has no workers beside the calls, unless `processing` says so
    Other keywords are sections that replace or extend the ones written here, key by key:
    configuration(sim, processing={"dry_run": True})
    """

    def __init__(self, tmp, sim=None, rules=None, secret=None, api_url="http://127.0.0.1:9/public/v1",
                 api_key="test-key", accounts=None, webhooks=None, mode="inline", rate_limit=0,
                 **sections):
        self.folder = tmp / "conf"
        self.folder.mkdir(exist_ok=True)
        self.state = tmp / "state"
        self.state.mkdir(exist_ok=True)
        self.path = self.folder / "connect-webhook.yaml"
        self.socket = tmp / "fcgi.sock"
        self.secrets = {}
        if sim is not None:
            api_url, api_key = sim.url, sim.api_key
            if secret is None:
                secret = Api(api_url, api_key).get(f"/notifications/webhooks/{WEBHOOK}")["jwt_secret"]
        key = self.write("api.key", api_key + "\n")
        policy = "none"
        if rules is not None:
            policy = {"rules": str(self.write("test.rules.yaml", rules))}
        self.document = {
            "log": {"level": "debug"},
            "accounts": accounts or [{"id": ACCOUNT, "api_url": api_url, "api_key": {"file": str(key)},
                                       "rate_limit": rate_limit}],
            "inbox": {"url": f"sqlite:{self.state}/inbox.db"},
            "processing": {"mode": "inline", "workers": 0} if mode == "inline" else {"mode": mode},
            "web": {"listen": f"unix:{self.socket}", "group": web_group()},
            "webhooks": webhooks or []}
        if not webhooks:
            self.add_webhook(WEBHOOK, policy, secret=secret or SECRET)
        for name, section in sections.items():
            self.document.setdefault(name, {}).update(section)
        self.save()

    def write(self, name, content):
        """A private file beside the configuration, as secrets must be."""
        path = self.folder / name
        path.write_text(content)
        path.chmod(0o600)
        return path

    def shipped_rules(self, name):
        """A policy: a copy of contrib/rules/NAME.rules.yaml."""
        return {"rules": str(shutil.copy(SOURCE / f"contrib/rules/{name}.rules.yaml", self.folder))}

    def add_secret(self, webhook, secret):
        """Remember the secret for signing; returns what `secrets` lists."""
        self.secrets[webhook] = secret
        return {"file": str(self.write(f"{webhook}.secret", secret + "\n"))}

    def add_webhook(self, webhook, policy, type_="event", object_class="fulfillment_request", secret=SECRET):
        """One more, of the usual account and product."""
        self.document["webhooks"].append({
            "id": webhook, "account": ACCOUNT, "product": PRODUCT, "object_class": object_class, "type": type_,
            "secrets": [self.add_secret(webhook, secret)], "policy": policy})

    def serve(self, api, hooks, policy, **more):
        """Have these webhooks of connect-sim's, with its accounts and without a limit of their rate; `policy` gives
        a Hook's, `more` is what each webhook has besides."""
        key = {"file": str(self.folder / "api.key")}
        self.document["accounts"] = [{"id": a, "api_url": api.url, "api_key": key, "rate_limit": 0}
                                     for a in (ACCOUNT, DISTRIBUTOR)]
        self.document["webhooks"] = [
            {"id": hook.id, "account": hook.account, "product": PRODUCT, "object_class": hook.object_class,
             "secrets": [self.add_secret(hook.id, api.webhook(hook.id)["jwt_secret"])], "policy": policy(hook), **more}
            for hook in hooks]
        self.save()

    def rows(self, query):
        """What the inbox has, as SQL tells it."""
        db = sqlite3.connect(self.state / "inbox.db", timeout=TIMEOUT)
        try:
            return db.execute(query).fetchall()
        finally:
            db.close()

    def tasks(self):
        """{object: (state, reason)} of what the inbox knows of objects."""
        return {i: (state, reason) for i, state, reason in self.rows("SELECT object_id, state, reason FROM task")}

    def save(self):
        """Write the file (JSON is YAML); call it again after changing `document`."""
        document = {k: v for k, v in self.document.items() if v != {}}
        text = json.dumps(document, indent=2) + "\n"
        # Another user may have to read it, who cannot enter a clone in a folder of root's.
        assert str(SOURCE) not in text, "copy what a configuration names to the test's folder"
        self.path.write_text(text)

    def webhook(self, webhook_id):
        return next(w for w in self.document["webhooks"] if w["id"] == webhook_id)

    def account(self, account_id):
        return next(a for a in self.document["accounts"] if a["id"] == account_id)
