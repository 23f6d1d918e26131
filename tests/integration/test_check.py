"""connect-webhook check: is it right, what does it come to, and is what we say about it true?"""

import json
import os
import re
import shutil
import subprocess

import pytest

import calls
import servers

TIMEOUT = 30  # seconds
EXAMPLE = servers.SOURCE / "contrib/connect-webhook.yaml"
RULES = servers.SOURCE / "contrib/rules/fulfillment.rules.yaml"
MANUAL = servers.SOURCE / "doc/connect-webhook.yaml.5"
API_KEY = "ApiKey SU-111-222-333:top-secret-of-the-api"
SECRET = "top-secret-of-the-webhook-which-is-long"


@pytest.fixture
def check(build):
    """check(*arguments, config=...): with this $CONNECT_WEBHOOK_CONFIG, or none."""
    def run(*arguments, config=None, **kwargs):
        env = {k: v for k, v in os.environ.items() if k != "CONNECT_WEBHOOK_CONFIG"}
        if config is not None:
            env["CONNECT_WEBHOOK_CONFIG"] = str(config)
        ran = subprocess.run([build / "connect-webhook", "check", *map(str, arguments)], env=env,
                             capture_output=True, text=True, timeout=TIMEOUT,
                             stdin=subprocess.DEVNULL, **kwargs)
        assert "top-secret" not in ran.stdout + ran.stderr
        assert not servers.SANITIZER_REPORT.search(ran.stderr)
        return ran
    return run


@pytest.fixture
def conf(configuration):
    return configuration(api_key=API_KEY, secret=SECRET)


def refused(ran, *told):
    assert ran.returncode == 1 and ran.stdout == ""
    line, = ran.stderr.splitlines()
    assert line.startswith("connect-webhook check: ")
    for text in told:
        assert text in line
    return line


# ----------------------------------------------------------------------- what is wrong


def test_a_file_that_is_not_there(check, tmp):
    refused(check("-c", tmp / "none.yaml"), f"{tmp}/none.yaml: No such file or directory")


@pytest.mark.parametrize("before, after, told", [
    ('"level": "debug"', '"levle": "debug"', "log.levle: unknown key; there are level, format, file"),
    ('"level": "debug"', '"level": "loud"', "log.level: error, warn, info or debug is needed"),
    ('"object_class": "fulfillment_request"', '"object_class": "order"',
     "webhooks.object_class: order: there are tier_config_request"),
    ('"policy": "none"', '"policy": {"rules": "none.yaml"}', "No such file or directory"),
    ('"account": "', '"account": "XX-', "is no"),
])
def test_a_mistake_is_shown_in_its_place(check, conf, before, after, told):
    text = conf.path.read_text()
    assert text.count(before) == 1
    conf.path.write_text(text.replace(before, after))
    line = refused(check("-c", conf.path), told)
    place = re.search(re.escape(str(conf.path)) + r":(\d+):(\d+): ", line)
    wrong = text[:text.index(before)].count("\n") + 1
    column = int(place[2]) - 1
    assert int(place[1]) == wrong
    assert conf.path.read_text().splitlines()[wrong - 1][column] in '"{'


def test_a_secret_that_everybody_may_read(check, conf):
    secret = conf.folder / f"{calls.WEBHOOK}.secret"
    secret.chmod(0o644)
    refused(check("-c", conf.path), f"{conf.path}:", f"{secret} is open to everybody", "chmod o=")


def test_a_secret_in_the_wrong_place_is_not_repeated(check, conf):
    conf.account(calls.ACCOUNT)["api_key"] = API_KEY
    conf.save()
    refused(check("-c", conf.path), "a secret is { file: PATH }, { env: NAME } or { credential: NAME }")
    conf.account(calls.ACCOUNT)["api_key"] = {"env": "HOME"}
    conf.account(calls.ACCOUNT)["proxy"] = "http://user:top-secret@proxy:3128"
    conf.save()
    refused(check("-c", conf.path), "accounts.proxy: ")


def test_wrong_rules_are_shown_in_their_file(check, configuration):
    conf = configuration(rules="- then: { action: skip }\n- then: { action: sing }\n")
    refused(check("-c", conf.path), "test.rules.yaml:2:")


def test_a_command_line_that_makes_no_sense(check):
    for arguments in (["--nonsense"], ["c.yaml"], ["-c"]):
        ran = check(*arguments)
        assert ran.returncode == 2 and ran.stdout == ""
        assert "Try 'connect-webhook check --help'." in ran.stderr


# ----------------------------------------------------------------------- what is right


def test_the_option_goes_before_the_environment(check, conf, tmp):
    wrong = tmp / "wrong.yaml"
    wrong.write_text("nonsense\n")
    assert check("-c", conf.path, config=wrong).returncode == 0
    assert check("--config", conf.path, config=wrong).returncode == 0
    assert check(config=conf.path).stdout.startswith(f"{conf.path}: ok: 1 account, 1 webhook\n")
    refused(check("-c", wrong, config=conf.path), f"{wrong}:1:1: ")
    refused(check(config=wrong), f"{wrong}:1:1: ")


def test_webhooks_are_listed(check, configuration):
    conf = configuration(rules="- then: { action: skip }\n", secret=SECRET, api_key=API_KEY)
    ran = check("-c", conf.path, "--json")
    assert ran.returncode == 0 and ran.stderr == ""
    assert json.loads(ran.stdout) == {
        "id": calls.WEBHOOK, "account": calls.ACCOUNT, "product": calls.PRODUCT,
        "object_class": "fulfillment_request", "type": "event",
        "policy": str(conf.folder / "test.rules.yaml")}
    assert calls.WEBHOOK in check("-c", conf.path).stdout


def test_a_weak_secret_is_good_but_warned_of(check, configuration):
    conf = configuration(secret="short")
    ran = check("-c", conf.path)
    assert ran.returncode == 0 and "has 5 bytes; HS256 wants at least 32" in ran.stderr


def test_what_is_printed_is_the_same_configuration(check, configuration, tmp):
    conf = configuration(secret=SECRET, api_key=API_KEY, rules="- then: { action: skip }\n",
                         log={"file": str(tmp / 'a "log": # of \\ ours\t')}, processing={"dry_run": True})
    ran = check("-c", conf.path, "--print")
    assert ran.returncode == 0 and ran.stderr == ""
    assert "  dry_run: true\n" in ran.stdout and "  max_body: 1MiB\n" in ran.stdout
    other = tmp / "other"
    other.mkdir()
    (other / "printed.yaml").write_text(ran.stdout)
    again = check("-c", "printed.yaml", "--print", cwd=other)
    assert (again.returncode, again.stdout) == (0, ran.stdout)


def test_paths_start_in_the_folder_of_their_file(check, conf, tmp):
    conf.webhook(calls.WEBHOOK)["secrets"] = [{"file": f"{calls.WEBHOOK}.secret"}]
    conf.save()
    for folder, name in ((conf.folder, conf.path.name), (tmp, f"conf/{conf.path.name}"), ("/", conf.path)):
        ran = check("-c", name, "--print", cwd=folder)
        assert f'file: "{conf.folder}/{calls.WEBHOOK}.secret"' in ran.stdout, ran.stderr


# ------------------------------------------------------------- what we say about the keys


def keys(check):
    """{key: what is said of its value}, as check --keys has it."""
    ran = check("--keys")
    assert ran.returncode == 0 and ran.stderr == ""
    lines = ran.stdout.splitlines()
    assert len(lines) > 100 and len(lines) % 3 == 0
    return {lines[i]: lines[i + 2].strip() for i in range(0, len(lines), 3)}


def test_the_manual_has_every_key_with_its_range_and_default(check):
    manual = MANUAL.read_text().replace("\\-", "-")
    section = manual[manual.index("\n.SH KEYS\n"):manual.index("\n.SH EXAMPLES\n")]
    described = {}
    for entry in re.split(r"^\.TP\n", section, flags=re.M)[1:]:
        entry = re.split(r"^\.S[HS] ", entry, flags=re.M)[0].splitlines()
        described[entry[0].removeprefix(".B ")] = entry[-1]
        assert len(entry) >= 4 and entry[-2] == ".br", entry
    assert described == keys(check)


@pytest.fixture
def example(tmp):
    """The example as shipped, but for its folder, with the files that it names."""
    folder = tmp / "etc"
    folder.mkdir()
    path = folder / "connect-webhook.yaml"
    servers.substituted(EXAMPLE, path, {"/etc/connect-webhook/": f"{folder}/"})
    for name, content in (("VA-240-990.key", API_KEY), ("WH-623-978-334.secret", SECRET)):
        (folder / name).write_text(content + "\n")
        (folder / name).chmod(0o640)
    shutil.copy(RULES, folder)
    return path


def test_the_example_is_good(check, example):
    ran = check("-c", example)
    assert ran.returncode == 0 and ran.stderr == "", ran.stderr


def uncommented(text):
    return re.sub(r"^( *)#(?=[a-z])", r"\1", text, flags=re.M)


def test_the_example_shows_true_defaults(check, example):
    before = check("-c", example, "--print").stdout
    text = uncommented(example.read_text())
    assert "\nweb:\n  listen: unix:" in text
    example.write_text(text)
    after = check("-c", example, "--print")
    assert (after.returncode, after.stdout) == (0, before), after.stderr


def test_the_example_has_every_key_that_has_an_effect(check):
    manual = MANUAL.read_text()
    without = {key for key in keys(check)
               if re.search(rf"^\.B {re.escape(key)}\n(?:(?!\.TP).*\n)*?Has no effect yet", manual, re.M)}
    shown = set(re.findall(r"^ *(?:- )?([a-z_]+):", uncommented(EXAMPLE.read_text()), re.M))
    missing = {key for key in keys(check) if key.split(".")[-1] not in shown}
    assert 5 < len(without) < 20
    assert missing == without


def test_no_line_of_the_example_is_too_long_to_read():
    assert [line for line in EXAMPLE.read_text().splitlines() if len(line) > 100] == []
