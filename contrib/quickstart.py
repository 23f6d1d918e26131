"""The part of quickstart.sh after the build: start everything, trigger, show, wait.

The servers are started with the helpers of the integration tests, from the files of contrib/.
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import calls  # noqa: E402
import servers  # noqa: E402

RULES = ROOT / "contrib/rules/fulfillment.rules.yaml"
TRIGGER_TIMEOUT = 60  # seconds for the handler to answer Connect

CONFIGURATION = """\
# What quickstart.sh runs. Everything that is not here has its default:
#   connect-webhook check -c {path} --print
accounts:
  - id: {account}
    api_url: {api_url}
    api_key: {{ file: {folder}/api.key }}
inbox:
  url: sqlite:{state}/inbox.db
processing:
  mode: inline
web:
  listen: unix:{socket}
  group: {group}
webhooks:
  - id: {webhook}
    account: {account}
    product: {product}
    object_class: fulfillment_request
    type: event
    secrets: [ {{ file: {folder}/webhook.secret }} ]
    policy: {{ rules: {folder}/fulfillment.rules.yaml }}
"""

# The status a request has after each action; any other action leaves it as it was.
AFTER = {"approve": ("approved", "scheduled"), "fail": ("failed",), "inquire": ("inquiring",),
         "schedule": ("scheduled",), "confirm": ("revoked",), "pend": ("pending",)}


class Configuration:
    """The configuration, its secrets and its rules, in a folder of their own."""

    def __init__(self, tmp, sim, secret):
        self.folder = tmp / "conf"
        self.folder.mkdir(mode=0o700)
        (tmp / "state").mkdir(mode=0o700)
        self.path = self.folder / "connect-webhook.yaml"
        self.rules = self.folder / "fulfillment.rules.yaml"
        self.socket = tmp / "fcgi.sock"
        self.write("api.key", sim.api_key)
        self.write("webhook.secret", secret)
        shutil.copy(RULES, self.rules)
        self.path.write_text(CONFIGURATION.format(
            path=self.path, folder=self.folder, state=tmp / "state", socket=self.socket,
            api_url=sim.url, group=calls.web_group(), account=calls.ACCOUNT, product=calls.PRODUCT,
            webhook=calls.WEBHOOK))

    def write(self, name, secret):
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(secret + "\n")


class Quickstart:
    def __init__(self, build, tmp, stack):
        self.tmp = tmp
        self.build = build
        self.sim = stack.enter_context(servers.Sim(build, tmp, api_key="quickstart-key"))
        self.api = calls.Api(self.sim.url, self.sim.api_key)
        self.configuration = Configuration(tmp, self.sim, self.webhook()["jwt_secret"])
        self.handler = stack.enter_context(servers.Handler(build, tmp, self.configuration))
        self.nginx = stack.enter_context(servers.Nginx(tmp, self.configuration.socket))

    def webhook(self):
        return self.api.get(f"/notifications/webhooks/{calls.WEBHOOK}")

    def point_webhook_here(self):
        keys = ("object_class", "type", "label", "description", "jwt_secret", "http_method", "data", "headers")
        hook = self.webhook()
        body = {k: hook[k] for k in keys if k in hook}
        body.update(product_id=hook["product"]["id"], external_url=self.nginx.url, active=True)
        self.api.put(f"/notifications/webhooks/{calls.WEBHOOK}", body)

    def requests(self):
        listed = self.api.get(f"/requests?asset.product.id={calls.PRODUCT}&limit=1000")
        return {r["id"]: r for r in listed}

    def trigger(self):
        """Press "Trigger Now"; what the handler answered."""
        before = self.webhook()["stats"]["triggers"]
        self.api.post(f"/notifications/webhooks/{calls.WEBHOOK}/trigger")
        self.handler.wait_until(lambda: self.webhook()["stats"]["triggers"] > before, TRIGGER_TIMEOUT)
        hook = self.webhook()
        last = [t for t in (hook.get("last_success"), hook.get("last_failure")) if t]
        newest = max(last, key=lambda t: t["time"])
        answer = newest["response"]
        return json.loads(answer) if isinstance(answer, str) else answer


def is_as_decided(entry, now):
    """Did the request end as its rule says?"""
    if entry["result"] not in ("done", "skip", "reschedule"):
        return False
    wanted = AFTER.get(entry["action"], (entry["before"],))
    return now == entry["after"] and now in wanted


def print_table(rows):
    head = ("REQUEST", "TYPE", "BEFORE", "AFTER", "ACTION", "RULE", "")
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def show_first(quickstart, answer):
    """The table; returns whether every pending request ended as its rule says."""
    statuses = {i: r["status"] for i, r in quickstart.requests().items()}
    objects = answer.get("objects", [])
    rows, well = [], bool(objects)
    for entry in objects:
        good = is_as_decided(entry, statuses.get(entry["object_id"]))
        well = well and good
        rows.append((entry["object_id"], entry["type"], entry["before"], entry["after"], entry["action"], entry["rule"],
                     "" if good else f"NOT AS DECIDED: {entry['result']} {entry.get('reason', '')}"))
    print_table(rows)
    return well and answer["status"] == "done"


def show_second(quickstart, before, answer):
    """A second call must change nothing."""
    left = [e for e in answer.get("objects", []) if e["result"] in ("skip", "reschedule")]
    changed = [i for i, r in quickstart.requests().items() if r["status"] != before[i]["status"]]
    if changed or len(left) != len(answer.get("objects", [])):
        print(f"The second call changed what the first had finished: {', '.join(changed) or answer}")
        return False
    note = f" ({len(left)} left alone on purpose)" if left else ""
    print(f"Triggered again: nothing left to do{note}.")
    return True


def show_next_steps(q):
    sample = q.tmp / "request.json"
    sample.write_text(json.dumps(next(iter(q.requests().values())), indent=2) + "\n")
    command = q.build / "connect-webhook"
    conf = q.configuration
    print(f"""
What to look at:
  configuration   {conf.path}
  rules           {conf.rules}   (change them, then: kill -HUP {q.handler.pid})
  handler's log   {q.handler.log_path}
  nginx           {q.nginx.directory}
  hook's address  {q.nginx.url}
  Connect's API   {q.sim.url}

What to try:
  ask the rules about a request; nothing is changed:
    {command} policy test -c {conf.path} --webhook {calls.WEBHOOK} --object {sample}
  call the hook as Connect does:
    {command} send -c {conf.path} {q.nginx.url}
  the same by hand:
    curl -i -X POST -H "Authentication: Bearer $({command} token sign -c {conf.path})" {q.nginx.url}
  press Trigger Now:
    curl -X POST -H "Authorization: ApiKey {q.sim.api_key}" \\
      {q.sim.url}/notifications/webhooks/{calls.WEBHOOK}/trigger
""")


def run(build, tmp, once):
    with contextlib.ExitStack() as stack:
        q = Quickstart(build, tmp, stack)
        q.point_webhook_here()
        pending = [r for r in q.requests().values() if r["status"] in ("pending", "revoking")]
        print(f"Connect has {len(pending)} requests to decide, and calls {q.nginx.url}:\n")
        answer = q.trigger()
        well = show_first(q, answer)
        missed = {r["id"] for r in pending} - {e["object_id"] for e in answer.get("objects", [])}
        if missed or not pending:
            print(f"Not dealt with: {', '.join(sorted(missed)) or 'there was nothing to decide'}")
            print(f"The handler answered: {json.dumps(answer)}")
            well = False
        print()
        well = show_second(q, q.requests(), q.trigger()) and well
        if not once:
            show_next_steps(q)
            print("Running. Ctrl-C stops everything.", flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
            print("\nStopping.")
        return well


def main():
    build, once = pathlib.Path(sys.argv[1]).resolve(), "--once" in sys.argv[2:]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tmp = pathlib.Path(tempfile.mkdtemp(prefix="connect-webhook-"))
    tmp.chmod(0o711)  # nginx's workers have to get through
    well = False
    try:
        well = run(build, tmp, once)
    except RuntimeError as e:
        print(f"quickstart: {e}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nquickstart: stopped too early", file=sys.stderr)
    finally:
        if well:
            shutil.rmtree(tmp)
        else:
            print(f"Logs are kept in {tmp}", file=sys.stderr)
    return 0 if well else 1


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
