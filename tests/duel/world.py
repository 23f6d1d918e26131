"""The world of a duel: the real programs behind a real web server, and the model that they play against."""

import collections
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import calls  # noqa: E402
import connect  # noqa: E402
import inbox_rows  # noqa: E402
import model  # noqa: E402
import oracle  # noqa: E402
import programs  # noqa: E402
import servers  # noqa: E402
import trouble  # noqa: E402
import truths  # noqa: E402

PATIENCE = 30  # seconds for which a hanging Connect or oracle hangs
PULSE, LATE = 0.1, 0.2  # seconds: what is to happen so often, and is so late, says that the machine is slow
NOBODY = (502, 504)  # what nginx answers if the handler does not
COUNTED = 10  # seconds until counts are written
GONE = 5  # seconds until programs of a policy have ended, once nobody needs them
SETTLE = 40  # seconds until all is settled, once the troubles have ceased
RELOADED = re.compile(" reloaded|the old configuration stays")
BOOTS = [1, 30, 365]  # days for which the machine had run
RETENTION_S = 3600
FULL, LAST_WORDS = "database or disk is full", 1000  # what a program says that ends because of that; bytes of its log
INBOX_FILES = {"inbox.db", "inbox.db.lock", "inbox.db-wal", "inbox.db-shm"}
WAITS = servers.waits(hangs="1s", stuck="1s", missed_tell="1s")
RULES = f"""\
- then:
    params:
    - {{id: {truths.RULED}, check: {{required: true, domain: true, pattern: "(a+)+b?.*"}}, message: "not ${{value}}"}}
"""


class World(model.Model):
    """`with` starts all, and ends it. `shape`: {"workers": threads of the handler, "beside": programs beside it};
    `unseen`: truths that nobody looks at."""

    patience = PATIENCE

    def __init__(self, build, tmp, shape, unseen=()):
        super().__init__(unseen)
        self.build, self.tmp, self.shape = build, tmp, shape
        self.accepted = {}  # delivery: webhook
        self.answered = collections.Counter()  # calls by (webhook, status)
        self.uncertain = collections.Counter()  # calls whose answer did not come
        self.tokens = {}  # the last of each webhook
        self.gone = {}  # webhooks that are not in the configuration: the trouble that this is
        self.repoliced = 0  # when a reload last brought other policies
        self.listed = {}  # by webhook: when its queue was last listed
        self.secrets = {}  # by webhook: the newest, the one before, which is accepted, too, and one that no longer is
        self.boot = []  # what a program's command begins with
        self.running = {}  # "handler", and the numbers of workers: programs
        self.jobs = []
        self.stopped = set()
        self.sanitized = servers.has_sanitizer(build)

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.connect = stack.enter_context(connect.Connect(self))
            self.configure()
            self.disk = stack.enter_context(servers.small_disk(self.conf.state, "16m,mode=755"))
            self.boots = self.make_boots(stack)
            self.reboot()
            stack.enter_context(oracle.Oracle(self, self.tmp / "oracle.sock"))
            self.threads = stack.enter_context(concurrent.futures.ThreadPoolExecutor(32))
            stack.callback(self.over.set)
            stack.callback(self.kill_all)
            self.timekeeper = self.threads.submit(self.keep_time)
            self.start()
            self.nginx = stack.enter_context(servers.Nginx(self.tmp, self.conf.socket))
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        with self.stack:
            if self.broken and self.disk:
                (self.tmp / "inbox").mkdir()
                for path in filter(pathlib.Path.is_file, (self.tmp / "state").iterdir()):
                    shutil.copy(path, self.tmp / "inbox")
        self.timekeeper.result()

    # --------------------------------------------------------------- configuration

    def configure(self):
        self.conf = conf = calls.Configuration(self.tmp)
        shutil.copy(self.build / "tests/duel/oracle", self.tmp / "oracle")
        servers.share(self.tmp / "oracle")
        conf.write("forms.rules.yaml", RULES)
        conf.document["accounts"] = []
        for account in model.ACCOUNTS:
            key = conf.write(f"{account}.key", self.connect.keys[account] + "\n")
            conf.document["accounts"].append({
                "id": account, "api_url": self.connect.url, "api_key": {"file": str(key)}, "rate_limit": 0,
                "timeout": "2s", "connect_timeout": "2s"})
        conf.document["processing"] = {
            "mode": "queue", "workers": self.shape["workers"], "poll_interval": "4s", "lease": "10s",
            "backoff_min": "3s", "backoff_max": f"{trouble.HALTED}s", "max_attempts": 12}
        conf.document["inbox"]["retention"] = f"{RETENTION_S}s"
        conf.document["web"].update({"admin_listen": f"unix:{self.tmp}/admin.sock", "stop_timeout": "4s",
                                     "validation_deadline": f"{truths.FORM_DEADLINE}s"})
        self.webhooks = {hook.id: self.webhook(hook) for hook in model.HOOKS.values()}
        self.write()

    def write(self):
        """Without the webhooks that are gone."""
        self.conf.document["webhooks"] = [hook for hook in self.webhooks.values() if hook["id"] not in self.gone]
        self.conf.save()

    def webhook(self, hook):
        secret, listed = self.new_secret(hook.id)
        self.secrets[hook.id] = [secret]
        asks = {"exec": [str(self.tmp / "oracle"), str(self.tmp / "oracle.sock")], "timeout": "2s",
                "session": hook.asks == "session"}
        policy = {"none": "none", "rules": {"rules": str(self.conf.folder / "forms.rules.yaml")}}.get(hook.asks, asks)
        return {"id": hook.id, "account": hook.account, "product": hook.product, "object_class": hook.kind.name,
                "type": hook.type, "secrets": [listed], "policy": policy}

    def new_secret(self, hook_id):
        """A secret that no webhook has had, and what `secrets` lists of it."""
        with self.lock:
            name = f"{hook_id}-{len(self.marks)}"
            secret = f"secret-of-{name}-0123456789abcdef"
            self.marks.add(secret)
        return secret, self.conf.add_secret(name, secret)

    def rotate(self, hook_id):
        """A new secret: the one before it is accepted, too, and none that is older."""
        hook = self.webhooks[hook_id]
        secret, listed = self.new_secret(hook_id)
        hook["secrets"] = [listed, hook["secrets"][0]]
        self.write()
        self.reload()
        with self.lock:
            self.secrets[hook_id] = [secret, *self.secrets[hook_id][:2]]
            self.tokens.pop(hook_id, None)

    def leave(self, hook_id):
        if hook_id not in self.gone:
            self.uncertain[hook_id] += 1  # calls that are under way
            self.gone[hook_id] = trouble.OfHook(float("inf"), hook_id)
            self.trouble(self.gone[hook_id])
            self.write()

    def come_back(self):
        for one in self.gone.values():
            one.until = min(one.until, self.now())
        self.gone.clear()
        self.write()

    # ------------------------------------------------------------------------ disk

    def fill_disk(self):
        """The inbox's, which is a small one of its own, if we may have that."""
        if self.disk:
            with contextlib.suppress(OSError), open(self.tmp / "state/ballast", "wb", buffering=0) as ballast:
                while True:
                    ballast.write(b"x" * 4096)

    def empty_disk(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.tmp / "state/ballast")

    # ----------------------------------------------------------------------- boots

    def make_boots(self, stack):
        """Commands' beginnings, each for a boot whose clock has run for less time than that of the one before."""
        boots = [[]]
        for days in BOOTS:
            keeper = stack.enter_context(subprocess.Popen(
                ["unshare", "--time", "--boottime", str(days * 86400), "--fork", "sh", "-c", "echo begins; exec cat"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE))  # until its input ends
            if keeper.stdout.readline() == b"":  # we may not
                break
            within, = programs.below(keeper.pid)
            boots.append(["nsenter", f"--time=/proc/{within}/ns/time"])
        return boots

    def reboot(self):
        if self.boots:
            self.boot = self.boots.pop()

    # ----------------------------------------------------------------------- time

    def age(self):
        """Everything that has ended has done so long ago."""
        with contextlib.suppress(sqlite3.OperationalError):  # the disk is full
            inbox_rows.change(self.conf, ("UPDATE task SET updated_us = updated_us - ?"
                                          " WHERE state NOT IN ('ready', 'running')", (RETENTION_S * 2 * 10**6,)))

    # -------------------------------------------------------------------- programs

    def start(self):
        """Those that do not run. What cannot start because the disk is full is started when there is room."""
        try:
            self.start_all()
        except RuntimeError as e:
            if FULL not in str(e)[-LAST_WORDS:]:
                raise
            self.empty_disk()
            self.start_all()

    def start_all(self):
        for which in ["handler", *range(self.shape["beside"])]:
            if which not in self.running:
                self.running[which] = self.started(which)

    def started(self, which):
        if which == "handler":
            return servers.Handler(self.build, self.tmp, self.conf, wrapper=self.boot, env=WAITS)
        worker = servers.Server(
            [*self.boot, self.build / "connect-webhook", "worker", "--workers", "2", "-c", self.conf.path],
            self.tmp / f"worker-{which}.log", env=WAITS)
        worker.wait_until(lambda: worker.awaits(signal.SIGHUP))
        return worker

    def kill(self, which):
        """"handler", or a worker's number."""
        program = self.running.pop(which, None)
        if program is None:
            return
        with contextlib.suppress(ProcessLookupError):
            program.signal(signal.SIGCONT)
        program.kill()
        if which == "handler":
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.conf.socket)
        self.disturb()

    def stop(self, which):
        """Have it end, which loses nothing."""
        program = self.running.pop(which, None)
        if program is not None:
            program.signal(signal.SIGCONT)
            program.signal(signal.SIGTERM)
            self.ended(program)

    def ended(self, program):
        if program.process.wait(servers.TIMEOUT) != 0:
            self.blame("alive", f"{program.process.args}: exit {program.process.returncode}")

    def disturb(self):
        """What a program had in memory, answers and counts, may be gone from now on."""
        self.disturbed.append(self.now())
        self.uncertain.update(list(model.HOOKS))

    def kill_all(self):
        for which in list(self.running):
            self.kill(which)

    def reload(self, accepted=True):
        """Have each load its configuration, and wait until it has said what became of it. Accounts are tried anew."""
        for program in self.running.values():
            if program in self.stopped:
                continue
            said = len(RELOADED.findall(program.log))
            program.signal(signal.SIGHUP)
            program.wait_until(lambda: len(RELOADED.findall(program.log)) > said)
        for one in self.troubles:
            if accepted and isinstance(one, trouble.OfAccount):
                one.until = min(one.until, self.now())

    def below(self, words):
        """Processes below ours whose command lines have these words."""
        return [pid for program in self.running.values() for pid, line in programs.below(program.pid).items()
                if words in line]

    def look_alive(self):
        """No program has ended, but for one that could not begin because the disk is full: that is started again."""
        for which, program in list(self.running.items()):
            if program.process.poll() is not None:
                del self.running[which]
                if FULL not in program.log[-LAST_WORDS:]:
                    self.blame("alive", f"{program.process.args} ended with {program.process.returncode}")
        self.start()

    def run(self, *words):
        """A command of the operator's; returns what it prints."""
        command = [*self.boot, self.build / "connect-webhook", *words, "-c", self.conf.path]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env={**os.environ, **WAITS})
        with open(self.tmp / "commands.log", "a") as log:
            log.write(f"$ {' '.join(words)}\n{ran.stdout}{ran.stderr}")
        return ran

    def objects(self, *words):
        ran = self.run(*words, "--json")
        assert ran.returncode == 0, ran.stderr
        return [json.loads(line) for line in ran.stdout.splitlines()]

    def metrics(self):
        """{name with labels: number}"""
        answer = calls.http("GET", self.nginx.url.replace("/connect", "/-/metrics"), timeout=PATIENCE)
        assert answer.status == 200, answer
        return {name: float(number) for name, _, number in
                (line.rpartition(" ") for line in answer.body.decode().splitlines() if not line.startswith("#"))}

    # ----------------------------------------------------------------------- calls

    def later(self, do, *arguments):
        """In a thread of its own."""
        self.jobs.append(self.threads.submit(do, *arguments))

    def call(self, hook_id, method="POST", again=False):
        """Connect calls a webhook of an event. Returns whether that was stored."""
        if hook_id in self.gone:
            return False
        if not again or hook_id not in self.tokens:
            self.tokens[hook_id] = self.sign(hook_id, data={"call": self.now()})
        status, text = self.ask(self.tokens[hook_id], None if method == "GET" else b"{}", method)
        with self.lock:
            if status in NOBODY or hook_id in self.gone:
                self.uncertain[hook_id] += 1
                return False
            self.tell(f"call of {hook_id}: {status}")
            self.answered[hook_id, status] += 1
            if status == 202:
                self.accepted[json.loads(text)["delivery"]] = hook_id
            return status == 202

    def ask(self, token, body, method="POST"):
        """(status, text) of the answer; one of NOBODY if there is none, as from nginx."""
        headers = {"Authentication": f"Bearer {token}", **({"Content-Type": "application/json"} if body else {})}
        try:
            answer = calls.http(method, self.nginx.url, body, headers, timeout=PATIENCE)
            return answer.status, answer.body.decode()
        except (OSError, http.client.HTTPException) as e:
            return NOBODY[0], str(e)

    def tell_of(self, hook_id, things, since):
        """Connect calls a webhook of what these are since then, unless a list may have shown it before."""
        with self.lock:
            versions = [(thing, len(thing.history)) for thing in things]
        stored = self.call(hook_id)
        with self.lock:
            lags = any(isinstance(t, trouble.Trouble) and "lag" in t.how and t.until >= since for t in self.troubles)
            if stored and not lags and self.listed.get(hook_id, 0) < since:
                for thing, version in versions:
                    thing.told.add((hook_id, version))

    def sign(self, hook_id, secret=None, **changes):
        hook = self.webhooks[hook_id]
        claims = calls.claims_for(hook, self.conf.account(hook["account"]), **changes)
        return calls.sign(claims, secret or self.secrets[hook_id][0])

    def stranger(self, hook_id, how):
        """Somebody calls who has no secret."""
        old = self.secrets[hook_id][2:]
        if how == "old" and not old:
            return
        token = self.sign(hook_id, old[0] if how == "old" else None,
                          **({"exp": int(time.time()) - 3600} if how == "expired" else {}))
        if how == "signature":
            token = token[:-5] + ("AAAAA" if token[-5:] != "AAAAA" else "BBBBB")
        status, _ = self.ask(token, b"{}")
        if status not in (401, *NOBODY):
            self.blame("stranger", f"{how}, of {hook_id}: {status}")

    def form(self, hook_id, text):
        if hook_id in self.gone:
            return
        hook, began = model.HOOKS[hook_id], self.now()
        status, body = self.ask(self.sign(hook_id), text.encode())
        took = self.now() - began
        with self.lock:
            held_up = trouble.held_up(self.troubles, None, hook, began, self.now())
            if status in NOBODY:
                self.uncertain[hook_id] += 1
            else:
                self.answered[hook_id, status] += 1
            truths.of_form(self, hook, text, status, body, took, held_up)

    # ------------------------------------------------------------------- the course

    def trouble(self, one):
        one.began = self.now()
        self.troubles.append(one)
        status = one.how.get("status") if isinstance(one, trouble.Trouble) else None
        if status in (401, 429):
            self.trouble(trouble.OfAccount(one.until if status == 429 else float("inf"), one.account))

    def hold_up(self, lasts=0):
        """Something holds up everything for so long."""
        self.trouble(trouble.OfAll(self.now() + lasts))

    @contextlib.contextmanager
    def interrupted(self):
        """What happens meanwhile holds up everything."""
        one = trouble.OfAll(float("inf"))
        self.trouble(one)
        yield
        one.until = self.now()

    def keep_time(self):
        """A machine that is too busy for this holds up everything; who is sound and waits is looked at."""
        last = self.now()
        while not self.over.wait(PULSE):
            now = self.now()
            if now - last > PULSE + LATE:
                self.tell("the machine is slow")
                self.hold_up()
            last = now
            with self.lock:
                truths.of_sound(self)

    def finish_jobs(self):
        jobs, self.jobs = self.jobs, []
        for job in jobs:
            job.result(PATIENCE * 2)

    def tasks(self):
        return {(t["account_id"], t["object_id"]): t for t in self.objects("tasks", "list")}

    def settle(self):
        """The troubles have ceased: everything comes to its end within a bound."""
        for program in self.running.values():
            program.signal(signal.SIGCONT)
        self.empty_disk()
        self.start()
        trouble.end_all(self)
        self.finish_jobs()
        self.come_back()
        self.reload()  # as somebody would whose key is accepted again
        for in_time in servers.looks(SETTLE):
            tasks = self.tasks()
            with self.lock:
                left = truths.unsettled(self, tasks)
            busy = [t for t in tasks.values() if t["state"] == "running"]
            if self.broken or not in_time or not left and not busy:
                break
        if self.broken:
            return
        for thing, hook in left:
            self.blame("settled", f"{thing.id} ({hook.id}) is {thing.state}: {tasks.get((hook.account, thing.id))}")
        for task in busy:
            self.blame("settled", f"{task['object_id']} is still worked on")

    def judge(self):
        """What must be true in the end, while the programs run, and after it."""
        self.settle()
        if not self.broken:
            for in_time in servers.looks(COUNTED):
                wrong = [one for one in self.miscounted() if one[0] not in self.unseen]
                if not wrong or not in_time:
                    break
            for one in wrong:
                self.blame(*one)
        self.look_alive()
        self.end()
        truths.of_texts(self, self.tmp)

    def miscounted(self):
        """[(truth, text)]"""
        tasks, stats = self.tasks(), self.objects("stats")
        rows = [d["id"] for d in self.objects("deliveries", "list")]
        metrics = self.metrics()
        with self.lock:
            return [*truths.of_tasks(self, tasks, stats), *truths.of_deliveries(self, rows, stats),
                    *truths.of_metrics(self, metrics, stats)]

    def end(self):
        """Stop all, and look at what is left."""
        running = list(self.running.values())
        with contextlib.ExitStack() as stack:
            for program in running:
                program.signal(signal.SIGTERM)
            for program in running:
                stack.callback(self.kill_all)
                self.ended(program)
        for path in self.tmp.glob("*.log"):
            report = servers.SANITIZER_REPORT.search(path.read_text(errors="replace"))
            if report:
                self.blame("sanitizer", f"{path.name}: {report.group(0)}")
        self.running = {}
        for in_time in servers.looks(GONE):
            left = [pid for pid, line in programs.running().items() if line.startswith(str(self.tmp / "oracle"))]
            if not left or not in_time:
                break
        for pid in left:
            self.blame("left", f"a program of a policy runs on: {pid}")
        for name in {path.name for path in self.conf.state.iterdir()} - INBOX_FILES:
            self.blame("left", f"beside the inbox there is a file {name}")
