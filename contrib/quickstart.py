"""The part of quickstart.sh after the build: start everything, trigger, show, wait.

The servers are started with the helpers of the integration tests, from the files of contrib/.
"""

import contextlib
import datetime
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import calls  # noqa: E402
import servers  # noqa: E402

RULES = ROOT / "contrib/rules"
SUBSCRIPTION = "AS-6990-1715-4170"  # that a distributor bills
FORM = "/requests/PR-7957-9623-8231-001"  # that a customer fills in
HEAD = ("OBJECT", "TYPE", "BEFORE", "AFTER", "ACTION", "RULE", "")
WIDTHS = (26, 10, 16, 10, 10, 34, 0)  # of the columns: rows are shown as they come
SETTLED = 10  # seconds for which nothing is due any more: what was freed is looked for after five
PATIENCE = 60  # seconds until all has settled
TRIES = [("admin_email", "ines at harbour"), ("admin_email", " Ines@Harbour-Dental.Example")]

CONFIGURATION = """\
# What quickstart.sh runs. Everything that is not here has its default:
#   connect-webhook check -c {path} --print
accounts:
{accounts}
inbox:
  url: sqlite:{state}/inbox.db
web:
  listen: unix:{socket}
  group: {group}
webhooks:
{webhooks}
"""
ACCOUNT = """\
  - id: {account}
    api_url: {api_url}
    api_key: {{ file: {folder}/api.key }}"""
WEBHOOK = """\
  - id: {hook.id}
    account: {hook.account}
    product: {product}
    object_class: {hook.object_class}
    type: {hook.type}
    secrets: [ {{ file: {folder}/{hook.id}.secret }} ]
    policy: {{ rules: {folder}/{hook.rules}.rules.yaml }}"""


class Configuration:
    """The configuration, its secrets and its rules, in a folder of their own."""

    def __init__(self, tmp, sim, hooks, secrets):
        self.folder = tmp / "conf"
        self.folder.mkdir(mode=0o700)
        (tmp / "state").mkdir(mode=0o700)
        self.path = self.folder / "connect-webhook.yaml"
        self.socket = tmp / "fcgi.sock"
        self.write("api.key", sim.api_key)
        for hook in hooks:
            self.write(f"{hook.id}.secret", secrets[hook.id])
            shutil.copy(RULES / f"{hook.rules}.rules.yaml", self.folder)
        accounts = dict.fromkeys(hook.account for hook in hooks)
        self.path.write_text(CONFIGURATION.format(
            path=self.path, state=tmp / "state", socket=self.socket, group=calls.web_group(),
            accounts="\n".join(ACCOUNT.format(account=a, api_url=sim.url, folder=self.folder) for a in accounts),
            webhooks="\n".join(WEBHOOK.format(hook=h, product=calls.PRODUCT, folder=self.folder) for h in hooks)))

    def write(self, name, secret):
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(secret + "\n")


class Quickstart:
    def __init__(self, build, tmp, hooks, stack):
        self.tmp = tmp
        self.build = build
        self.sim = stack.enter_context(servers.Sim(build, tmp, api_key="quickstart-key"))
        self.api = calls.Api(self.sim.url, self.sim.api_key)
        validator = self.api.make_webhook("fulfillment_request", "validator", "connect-sim-secret-for-a-validator")
        self.validator = calls.Hook(validator, calls.ACCOUNT, "fulfillment_request", "form", "/requests", "validator")
        self.hooks = hooks = [*hooks, self.validator]
        secrets = {hook.id: self.api.webhook(hook.id)["jwt_secret"] for hook in hooks}
        self.configuration = Configuration(tmp, self.sim, hooks, secrets)
        self.handler = stack.enter_context(servers.Handler(build, tmp, self.configuration))
        self.nginx = stack.enter_context(servers.Nginx(tmp, self.configuration.socket))
        self.told = set()  # of tasks, what has been shown
        for hook in hooks:
            self.api.point_webhook(hook.id, self.nginx.url)

    def look(self, *words):
        """What a command of connect-webhook says, as objects."""
        said = subprocess.run([self.build / "connect-webhook", *words, "--json", "-c", self.configuration.path],
                              check=True, capture_output=True, text=True).stdout
        return [json.loads(line) for line in said.splitlines()]

    def states(self):
        """The state of every object, by its id; a billing request has none."""
        paths = dict.fromkeys(hook.path for hook in self.hooks)
        return {o["id"]: o.get("state", o.get("status", "")) for path in paths
                for o in self.api.get(f"{path}?limit=1000")}


def print_row(cells):
    print("  " + "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS)).rstrip(), flush=True)


def seconds_of(iso):
    """Of a time that connect-webhook has printed."""
    return datetime.datetime.fromisoformat(iso).timestamp()


def print_table(head, rows):
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def trouble_of(task):
    """Why an attempt did not end as its rule says; "" if it did."""
    return "" if task["result"] in ("done", "skip", "reschedule") else (
        f"NOT AS DECIDED: {task['result']} {task['reason'] or ''}")


def misfits(tasks, states):
    """The objects that are as no task says: what both parties write, a task of each speaks of."""
    said = {(task["object_id"], (task["after"] if task["result"] == "done" else task["before"]) or "")
            for task in tasks}
    return [f"{i}: NOT AS DECIDED: is {states.get(i)}" for i in sorted({i for i, _ in said})
            if (i, states.get(i)) not in said]


def trigger(quickstart, hooks):
    """Press Trigger Now for each; returns whether all calls are answered as soon as they are stored."""
    well = True
    for hook in hooks:
        began = time.monotonic()
        answer = quickstart.api.trigger(hook.id)
        took = (time.monotonic() - began) * 1000
        print(f"  {hook.object_class:20} {json.dumps(answer)}  after {took:.0f} ms")
        well = well and answer.get("status") == "accepted"
    return well


def is_ended(task, now):
    """Nobody works on it, and nothing is due."""
    return task["state"] in ("done", "skipped", "dead") or (
        task["state"] == "ready" and seconds_of(task["due_at"]) > now + SETTLED)


def has_settled(quickstart, tasks):
    """All calls have been worked off, and what they have freed, too."""
    soon = time.time() + SETTLED
    return (all(d["state"] == "done" for d in quickstart.look("deliveries", "list"))
            and all(is_ended(task, soon - SETTLED) for task in tasks)
            and not any(s["next_attempt"] and seconds_of(s["next_attempt"]) < soon for s in quickstart.look("stats")))


def show_work(quickstart):
    """What becomes of each object, as the workers go; returns whether all is as the rules say."""
    print_row(HEAD)
    shown, well, until = {}, True, time.monotonic() + PATIENCE
    while time.monotonic() < until:
        tasks = quickstart.look("tasks", "list")
        for task in reversed(tasks):
            told = (task["id"], task["updated_at"], task["result"])
            if not is_ended(task, time.time()) or told in quickstart.told:
                continue
            quickstart.told.add(told)
            trouble = trouble_of(task)
            well = well and trouble == ""
            print_row((task["object_id"], task["type"] or "-", task["before"] or "-", task["after"] or "-",
                       task["decision"] or "-", task["rule"] or "-", trouble))
        if has_settled(quickstart, tasks):
            left = misfits(tasks, quickstart.states())
            print("".join(f"  {line}\n" for line in left), end="")
            return well and bool(tasks) and not left
        time.sleep(0.2)
    print("It does not come to an end.")
    return False


def show_second(quickstart, hooks):
    """A second call must change nothing but what the first has made pending for us."""
    before = quickstart.states()
    well = trigger(quickstart, hooks)
    until = time.monotonic() + PATIENCE
    while not has_settled(quickstart, quickstart.look("tasks", "list")) and time.monotonic() < until:
        time.sleep(0.2)
    after = quickstart.states()
    changed = [i for i in after if after[i] != before[i]]
    if changed:
        print(f"The second calls changed what the first had finished: {', '.join(changed)}")
        return False
    left = [t for t in quickstart.look("tasks", "list") if t["state"] in ("ready", "skipped")]
    note = f" ({len(left)} left alone on purpose)" if left else ""
    print(f"Triggered again: nothing left to do{note}.")
    return well


def show_day(quickstart, title, hooks):
    print(f"{title}: Trigger Now, and Connect calls {quickstart.nginx.url}; each call is answered once it is stored\n")
    well = trigger(quickstart, hooks)
    print("\nWorkers do what the calls ask for\n")
    return show_work(quickstart) and well


def show_operators_view(quickstart):
    """What each webhook was called for, and the story of one object."""
    conf = quickstart.configuration.path
    story = next(t["object_id"] for t in quickstart.look("tasks", "list", "--state", "skipped"))
    for words in (["stats"], ["tasks", "show", story]):
        print(f"$ connect-webhook {' '.join(words)}\n", flush=True)
        subprocess.run([quickstart.build / "connect-webhook", *words, "-c", conf], check=True)
        print()


def show_form(quickstart):
    """What a customer is told at each try; returns whether the last one is right."""
    print(f"A customer fills in a form: Connect calls {quickstart.nginx.url} for each try\n")
    rows = []
    for field, value in TRIES:
        filled = quickstart.api.post(f"{FORM}/validate", {"asset": {"params": [{"id": field, "value": value}]}})
        param = next(p for p in filled["asset"]["params"] if p["id"] == field)
        rows.append((field, json.dumps(value), json.dumps(param["value"]), param["value_error"] or "right"))
    print_table(("FIELD", "FILLED IN", "BECOMES", "THE CUSTOMER READS"), rows)
    return rows[-1][-1] == "right" != rows[0][-1]


def show_next_steps(q):
    sample = q.tmp / "request.json"
    sample.write_text(json.dumps(q.api.get("/requests?limit=1")[0], indent=2) + "\n")
    form = ROOT / "contrib/fixtures/validator.json"
    command = q.build / "connect-webhook"
    conf = q.configuration
    print(f"""
What to look at:
  configuration   {conf.path}
  rules           {conf.folder}/*.rules.yaml   (change them, then: kill -HUP {q.handler.pid})
  handler's log   {q.handler.log_path}
  nginx           {q.nginx.directory}
  hook's address  {q.nginx.url}
  Connect's API   {q.sim.url}

What to try:
  ask the rules about a request; nothing is changed:
    {command} policy test -c {conf.path} --webhook {calls.WEBHOOK} --object {sample}
  what may be decided about which objects:
    {command} policy actions
  ask them about a form, and say what else is wrong in it:
    {command} policy test -c {conf.path} --webhook {q.validator.id} --object {form}
  see what became of everything, again and again:
    {command} tasks list -c {conf.path} --watch
  call the hook as Connect does:
    {command} send -c {conf.path} --webhook {calls.WEBHOOK} {q.nginx.url}
  the same by hand:
    curl -i -X POST -H "Authentication: Bearer $({command} token sign -c {conf.path} --webhook {calls.WEBHOOK})" \\
      {q.nginx.url}
  press Trigger Now:
    curl -X POST -H "Authorization: ApiKey {q.sim.api_key}" \\
      {q.sim.url}/notifications/webhooks/{calls.WEBHOOK}/trigger
""")


def run(build, tmp, once, distributor):
    hooks = calls.VENDORS_HOOKS + (calls.DISTRIBUTORS_HOOKS if distributor else [])
    with contextlib.ExitStack() as stack:
        q = Quickstart(build, tmp, hooks, stack)
        well = show_day(q, "A vendor's day", calls.VENDORS_HOOKS)
        print()
        well = show_second(q, calls.VENDORS_HOOKS) and well
        print()
        well = show_form(q) and well
        if distributor:
            q.api.post("/subscriptions/requests", {
                "type": "provider", "asset": {"id": SUBSCRIPTION}, "items": [], "attributes": {},
                "period": {"from": "2026-12-01", "to": "2027-01-01", "delta": 1, "uom": "monthly"}})
            print()
            well = show_day(q, "A distributor's day", calls.DISTRIBUTORS_HOOKS) and well
        print()
        show_operators_view(q)
        if not once:
            show_next_steps(q)
            print("Running. Ctrl-C stops everything.", flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
            print("\nStopping.")
        return well


def main():
    build, options = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tmp = pathlib.Path(tempfile.mkdtemp(prefix="connect-webhook-"))
    tmp.chmod(0o711)  # nginx's workers have to get through
    well = False
    try:
        well = run(build, tmp, "--once" in options, "--distributor" in options)
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
