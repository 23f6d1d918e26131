"""What README.md tells a reader to type or to write, run.

Every fenced snippet, named by its first line, and every command between backticks has an entry
here; one without fails the test, and so does an entry whose snippet is gone.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import time

import pytest

import calls
import inbox_rows
import servers

READMES = sorted([servers.SOURCE / "README.md", *servers.SOURCE.glob("contrib/**/README*")])
TIMEOUT = 250  # seconds: a configure and a make install, on a busy machine
ETC = "/etc/connect-webhook"

# How each snippet is run: the function of this name below gets its text.
SNIPPETS = {
    # with --help alone: test_quickstart.py runs it
    "sudo contrib/quickstart.sh": "help_of",
    # with --help alone: it would run this test
    "sudo contrib/check.sh": "help_of",
    # its options by configure in a folder of its own; make install of this build, into a DESTDIR
    "autoreconf -fi && ./configure --sysconfdir=/etc && make && sudo make install": "install",
    # saved, with the files it names, in a folder instead of /etc/connect-webhook, and checked
    "accounts:": "check_configuration",
    # asked about a request for each of its rules
    "- when: and(eq(type,purchase),eq(asset.connection.type,test))": "ask_rules",
    # asked about a form that is wrong and one that is right
    "- when: eq(type,purchase)": "ask_about_forms",
    # from the source's folder; the second by a handler behind nginx
    "connect-webhook policy test --kind validate --rules contrib/rules/form.rules.yaml --class fulfillment_request "
    "--object contrib/fixtures/validator.json": "validate_a_form",
    # with a configuration of its own, until it is told to stop
    "connect-webhook worker": "run_until_stopped",
    # beside an inbox in which that order is dead
    "connect-webhook tasks show PR-5852-1608-0000-001": "repair",
    # in place of the policy of the configuration above, with a program of that name
    "policy: { exec: [ /usr/local/bin/decide ], session: true, timeout: 30s }": "check_program",
    # from a copy that every user can read, as it is not root who runs it
    "connect-webhook policy test --exec contrib/policies/session.py --session --kind validate "
    "--class fulfillment_request --object contrib/fixtures/validator.json": "ask_program",
}

# Commands and settings between backticks in the text.
INLINE = {
    "connect-webhook check --print": "run_command",
    "connect-webhook check --keys": "run_command",
    "connect-webhook policy test": "shows_help",  # ask_rules runs it
    "connect-webhook stats": "look",
    "connect-webhook deliveries list": "look",
    "connect-webhook policy actions": "run_without_configuration",
    "processing: { dry_run: true }": "add_to_configuration",
    "processing: { workers: 4 }": "add_to_configuration",
    "processing: { workers: 0 }": "add_to_configuration",
    "processing.mode: inline": "is_printed",
    'web: { admin_listen: "tcp:127.0.0.1:9009" }': "add_to_configuration",
    "make bench": "is_a_target",
    "man connect-webhook.fcgi": "open_manual",
    "man connect-webhook": "open_manual",
    "man connect-webhook.yaml": "open_manual",
    "man connect-webhook.rules": "open_manual",
    "man connect-webhook-policy": "open_manual",
    "man connect-sim": "open_manual",
}


class Reader:
    """Does what a README says, in a folder of its own."""

    def __init__(self, build, tmp, need):
        self.build = build
        self.tmp = tmp
        self.need = need

    def run(self, *arguments, **kwargs):
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        ran = subprocess.run([str(a) for a in arguments], capture_output=True, text=True,
                             timeout=TIMEOUT, **kwargs)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def help_of(self, text):
        command = text.removeprefix("sudo ")
        assert self.run(servers.SOURCE / command, "--help").startswith(f"Usage: {command}")

    def install(self, text):
        configure = next(c for c in text.split(" && ") if c.startswith("./configure"))
        folder = self.tmp / "configured"
        folder.mkdir()
        self.run(servers.SOURCE / "configure", "-q", "--no-create", *shlex.split(configure)[1:], cwd=folder)
        self.run("./config.status", "Makefile", cwd=folder)
        made_with = (folder / "Makefile").read_text()
        # What it installs looks for its configuration where the README says.
        assert re.search(r"^sysconfdir = (.*)$", made_with, re.M).group(1) == os.path.dirname(ETC)
        assert re.search(r"^prefix = (.*)$", made_with, re.M).group(1) == "/usr/local"
        root = self.tmp / "root"
        self.run(self.need("make"), "-C", self.build, "install", f"DESTDIR={root}",
                 "prefix=/usr/local", "exec_prefix=/usr/local",
                 env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")})
        assert os.access(f"{root}{servers.HANDLER}", os.X_OK)  # where contrib/ looks for it
        assert {p.name for p in (root / "usr/local/bin").iterdir()} >= {"connect-webhook", "connect-sim"}
        assert os.access(root / "usr/local/libexec/connect-webhook-spawner", os.X_OK)
        for section, page in ((1, "connect-webhook.1"), (5, "connect-webhook.yaml.5"), (5, "connect-webhook.rules.5"),
                              (7, "connect-webhook-policy.7"), (8, "connect-webhook.fcgi.8")):
            assert (root / f"usr/local/share/man/man{section}" / page).exists()

    def save(self, text, rules=None):
        """The configuration and every file that it names; returns its path."""
        for path in re.findall(rf"{ETC}/([\w.-]+)", text):
            file = self.tmp / path
            file.write_text("ApiKey SU-111-222-333:key\n" if path.endswith(".key") else
                            calls.SECRET + "\n" if path.endswith(".secret") else
                            rules or "- then: { action: skip, reason: none }\n")
            file.chmod(0o600)
        path = self.tmp / "connect-webhook.yaml"
        path.write_text(text.replace(ETC, str(self.tmp)))
        return path

    def check_configuration(self, text):
        shown = self.run(self.build / "connect-webhook", "check", "-c", self.save(text))
        assert calls.WEBHOOK in shown

    def ask_rules(self, text):
        rules = self.tmp / "fulfillment.rules.yaml"
        rules.write_text(text)
        decided = []
        for kind, connection in ("purchase", "test"), ("cancel", "production"), ("change", "test"):
            thing = {"id": "PR-1-2-3", "type": kind, "status": "pending",
                     "asset": {"connection": {"type": connection}}}
            shown = self.run(self.build / "connect-webhook", "policy", "test", "--rules", rules, "--class",
                             "fulfillment_request", "--object", "-", "--json",
                             input=json.dumps(thing), stdin=None)
            decided.append(json.loads(shown)["decision"])
        assert decided == [{"action": "approve", "template_id": "TL-471-184-949"}, {"action": "approve"},
                           {"action": "skip", "reason": "for a person to decide"}]

    def ask_about_forms(self, text):
        rules = self.tmp / "form.rules.yaml"
        rules.write_text(text)
        for domain, seats, changes in (
                (" Example.com ", "5", {"domain.value": "example.com"}),
                ("example", "0", {"domain.value_error": "must be a domain name",
                                  "seats.value_error": "from 1 to 100"})):
            form = {"type": "purchase", "asset": {"params": [
                {"id": "domain", "value": domain, "value_error": ""},
                {"id": "seats", "value": seats, "value_error": ""}]}}
            shown = self.run(self.build / "connect-webhook", "policy", "test", "--kind", "validate", "--rules", rules,
                             "--class", "fulfillment_request", "--object", "-", "--json",
                             input=json.dumps(form), stdin=None)
            said = json.loads(shown)["changes"]
            assert {re.sub(r".*\[(\w+)\]", r"\1", c["path"]): c["after"] for c in said} == changes

    def validate_a_form(self, text):
        test, send = text.splitlines()
        program, *arguments = test.split()
        shown = self.run(self.build / program, *arguments, cwd=servers.SOURCE)
        assert "must be a domain name" in shown and "form.rules.yaml:" in shown
        conf = calls.Configuration(self.tmp)
        conf.webhook(calls.WEBHOOK).update(
            type="validator", policy=conf.shipped_rules("form"))
        conf.save()
        program, *arguments = send.split()
        self.need("nginx")
        with servers.Handler(self.build, self.tmp, conf), servers.Nginx(self.tmp, conf.socket) as nginx:
            shown = self.run(self.build / program, *arguments[:-1], nginx.url, "-c", conf.path, cwd=servers.SOURCE)
        assert shown.startswith("200 ") and "must be a domain name" in shown

    def run_command(self, text):
        conf = self.save(configuration_of(servers.SOURCE / "README.md"))
        program, *arguments = text.split()
        assert len(self.run(self.build / program, *arguments, "-c", conf).splitlines()) > 20

    def run_without_configuration(self, text):
        program, *arguments = text.split()
        assert len(self.run(self.build / program, *arguments).splitlines()) > 20

    def shows_help(self, text):
        program, *arguments = text.split()
        assert self.run(self.build / program, *arguments, "--help").startswith(f"Usage: {text} ")

    def add_to_configuration(self, text):
        conf = self.save(configuration_of(servers.SOURCE / "README.md") + text + "\n")
        shown = self.run(self.build / "connect-webhook", "check", "-c", conf, "--print")
        key, value = re.fullmatch(r"\w+: \{ (\w+): (\w+|\"[^\"]+\") \}", text).groups()
        assert re.search(rf"^\s+{key}:\s+{re.escape(value)}$", shown, re.M)

    def is_printed(self, text):
        section, key, value = re.fullmatch(r"(\w+)\.(\w+): (\w+)", text).groups()
        conf = self.save(f"{configuration_of(servers.SOURCE / 'README.md')}{section}: {{ {key}: {value} }}\n")
        shown = self.run(self.build / "connect-webhook", "check", "-c", conf, "--print")
        assert re.search(rf"^\s+{key}:\s+{value}$", shown, re.M)

    def run_until_stopped(self, text):
        conf = calls.Configuration(self.tmp, mode="queue", log={"level": "info"})
        with servers.Worker(self.build, self.tmp, conf) as worker:
            worker.wait_until(lambda: [*conf.state.glob("inbox.db.wake.*")])

    def inbox(self):
        """The environment of commands that look into an inbox."""
        conf = calls.Configuration(self.tmp, mode="queue")
        env = {**os.environ, "CONNECT_WEBHOOK_CONFIG": str(conf.path)}
        self.run(self.build / "connect-webhook", "worker", "--once", env=env)
        return conf, env

    def repair(self, text):
        conf, env = self.inbox()
        shown, retried, rest = (line.split()[1:] for line in text.strip().splitlines())
        inbox_rows.add_tasks(conf, 1, "dead")
        inbox_rows.change(conf, ("UPDATE task SET object_id = ?, created_us = ?, updated_us = ?",
                                 (shown[-1], *2 * [time.time_ns() // 1000])))
        assert "Next" in self.run(self.build / "connect-webhook", *shown, env=env)
        assert self.run(self.build / "connect-webhook", *retried, env=env) == "1 task ready to be worked on\n"
        inbox_rows.change(conf, ("UPDATE task SET state = 'dead'", ()))
        assert self.run(self.build / "connect-webhook", *rest, env=env) == "1 task ready to be worked on\n"

    def look(self, text):
        _, env = self.inbox()
        assert "WEBHOOK" in self.run(self.build / "connect-webhook", *text.split()[1:], env=env)

    def check_program(self, text):
        program = servers.share(shutil.copy(servers.SOURCE / "contrib/policies/session.py", self.tmp / "decide"))
        path = self.save(configuration_of(servers.SOURCE / "README.md"))
        lines = [text.replace("/usr/local/bin/decide", str(program)) if "policy:" in line else line
                 for line in path.read_text().splitlines()]
        indent = next(line for line in path.read_text().splitlines() if "policy:" in line).index("policy:")
        path.write_text("\n".join(" " * indent + line if line.startswith("policy:") else line for line in lines) + "\n")
        assert f"exec: [\"{program}\"]" in self.run(self.build / "connect-webhook", "check", "--print", "-c", path)

    def ask_program(self, text):
        program = servers.share(shutil.copy(servers.SOURCE / "contrib/policies/session.py", self.tmp))
        said = self.run(self.build / "connect-webhook",
                        *shlex.split(text.replace("contrib/policies/session.py", str(program)))[1:], cwd=servers.SOURCE)
        assert "from 1 to 100" in said

    def is_a_target(self, text):
        alone = {k: v for k, v in os.environ.items() if "MAKE" not in k}  # not as part of make check
        assert "throughput.py" in self.run(*text.split(), "-n", cwd=self.build, env=alone)

    def open_manual(self, text):
        name = text.split()[1]
        page, = (p for p in (servers.SOURCE / "doc").iterdir() if p.name in [f"{name}.{n}" for n in (1, 5, 7, 8)])
        assert page.read_text().replace("\\-", "-").startswith(f".TH {name.upper()} ")


def snippets_of(readme):
    """The fenced ones, by their first line."""
    found = re.findall(r"^```\w*\n(.*?)^```$", readme.read_text(), re.M | re.S)
    return {text.splitlines()[0]: text for text in found}


def configuration_of(readme):
    return snippets_of(readme)["accounts:"]


def words_of(readme):
    """What stands between backticks, outside the fenced snippets."""
    text = re.sub(r"^```.*?^```$", "", readme.read_text(), flags=re.M | re.S)
    return re.findall(r"`([^`]+)`", text)


def is_command(word):
    """Something to type or to write, with more to it than a name."""
    return " " in word and not word.startswith("contrib/")


@pytest.fixture
def reader(build, tmp, need):
    return Reader(build, tmp, need)


def test_every_snippet_has_its_entry_and_every_entry_its_snippet():
    snippets = [first for readme in READMES for first in snippets_of(readme)]
    assert sorted(snippets) == sorted(SNIPPETS)
    inline = {word for readme in READMES for word in words_of(readme) if is_command(word)}
    assert inline == set(INLINE)


@pytest.mark.time_limit(300)
@pytest.mark.parametrize("first, text", [s for readme in READMES for s in snippets_of(readme).items()],
                         ids=lambda s: "" if "\n" in s else s)
def test_a_snippet_does_what_the_readme_says(request, reader, first, text):
    if SNIPPETS[first] == "install":
        request.getfixturevalue("clean_source")
        request.getfixturevalue("no_sanitizer")  # it makes no difference to a configure and a make install
    getattr(reader, SNIPPETS[first])(text.strip() if len(text.splitlines()) == 1 else text)


@pytest.mark.parametrize("word", INLINE)
def test_a_command_in_the_text_works(reader, word):
    getattr(reader, INLINE[word])(word)


def test_every_file_that_a_readme_names_is_shipped():
    named = {word for readme in READMES for word in words_of(readme)
             if re.fullmatch(r"contrib/[\w./]*|[A-Z]+(\.md)?", word)}
    assert len(named) >= 5
    for name in named:
        assert (servers.SOURCE / name).exists(), name
