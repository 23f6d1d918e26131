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
OTHER = "VA-111-222"  # account


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


# ---------------------------------------------------------- what the handler would refuse


def started(build, conf):
    """The handler as one would start it by hand; it must end by itself. Gives what it said."""
    ran = subprocess.run([build / "connect-webhook.fcgi", "-c", conf.path], capture_output=True, text=True,
                         timeout=TIMEOUT, stdin=subprocess.DEVNULL)
    assert ran.returncode != 0 and "top-secret" not in ran.stdout + ran.stderr
    return ran.stderr


@pytest.mark.parametrize("content, told", [
    ("\ufeff{}", "begins with a byte order mark"), ('"{}"', "stands in quotes"), ("'{}'", "stands in quotes"),
    ("{} ", "white space"), (" {}", "white space"), ("{}\n{}", "more than one line"),
    ("{}\n\n", "more than one line"), ("", "is empty")])
@pytest.mark.parametrize("name", ["api.key", f"{calls.WEBHOOK}.secret"])
def test_a_secret_that_was_added_to_is_refused_by_check_and_start_alike(check, build, conf, name, content, told):
    path = conf.folder / name
    path.write_text(content.format(*[path.read_text().strip()] * 2))
    line = refused(check("-c", conf.path), f"{conf.path}:", f"{path} ", told)
    assert line.removeprefix("connect-webhook check: ") in started(build, conf)


@pytest.mark.parametrize("key", ["ApiKey SU-111 top-secret", "Bearer top-secret", "top-sécret"])
def test_an_api_key_that_is_none_is_refused_by_check_and_start_alike(check, build, conf, key):
    (conf.folder / "api.key").write_text(key + "\n")
    line = refused(check("-c", conf.path), f"{conf.path}:", f"{conf.folder}/api.key holds no API key")
    assert line.removeprefix("connect-webhook check: ") in started(build, conf)


def test_a_folder_that_is_not_there_is_missed_by_check_and_start_alike(check, build, conf):
    for section, key, value in (("log", "file", "{}/h.log"), ("inbox", "url", "sqlite:{}/inbox.db")):
        before = conf.document[section].copy()
        conf.document[section][key] = value.format(conf.folder / "none")
        conf.save()
        line = refused(check("-c", conf.path), f"{section}.{key}: {conf.folder}/none/", "make its folder first")
        assert line.removeprefix("connect-webhook check: ") in started(build, conf)
        conf.document[section] = before


def test_a_folder_in_the_place_of_a_file_is_refused_by_check_and_start_alike(check, build, conf):
    conf.document["log"]["file"] = str(conf.folder)
    conf.save()
    line = refused(check("-c", conf.path), f"log.file: {conf.folder} is a folder")
    assert line.removeprefix("connect-webhook check: ") in started(build, conf)


def test_a_group_that_is_not_there_is_warned_of(check, conf):
    conf.document["web"]["group"] = "no-such-group"
    conf.save()
    ran = check("-c", conf.path)
    assert ran.returncode == 0 and "there is no group no-such-group" in ran.stderr


def test_a_queue_in_which_nothing_can_be_pending_is_warned_of(check, conf):
    conf.webhook(calls.WEBHOOK).update({"object_class": "listing_request"})
    conf.save()
    ran = check("-c", conf.path)
    assert ran.returncode == 0
    assert f"webhook {calls.WEBHOOK}: nothing of a listing_request is pending for a vendor" in ran.stderr
    conf.webhook(calls.WEBHOOK).update({"object_class": "billing_request"})
    conf.save()
    assert "pending for" not in check("-c", conf.path).stderr


@pytest.mark.parametrize("users, told", [
    ([None, None], True), ([None, "nobody"], True), (["nobody", "nobody"], "warned"), (["nobody", "daemon"], False)])
def test_programs_of_two_accounts_are_two_users(check, conf, users, told):
    """Where only one user is possible, it is a warning."""
    root = os.geteuid() == 0
    other = {**conf.account(calls.ACCOUNT), "id": OTHER}
    conf.document["accounts"].append(other)
    conf.add_webhook("WH-111-222-333", "none", object_class="tier_config_request")
    conf.webhook("WH-111-222-333")["account"] = OTHER
    for webhook, user in zip(conf.document["webhooks"], users):
        webhook["policy"] = {"exec": ["/bin/true"], **({"user": user} if user and root else {})}
    conf.save()
    ran = check(config=conf.path)
    what = f"{calls.ACCOUNT} and {OTHER}, run as the same user, and may read each other's memory: "
    if told is True and root:
        refused(ran, what + "give each account's a policy.user of its own", calls.WEBHOOK, "WH-111-222-333")
    else:
        assert ran.returncode == 0
        assert (what in ran.stderr and "level=warn" in ran.stderr) == (bool(told) or not root)
    conf.webhook("WH-111-222-333")["account"] = calls.ACCOUNT  # of one account it is nobody's business
    conf.save()
    assert "memory" not in check(config=conf.path).stderr


def test_a_validator_is_a_vendors(check, conf):
    conf.webhook(calls.WEBHOOK)["type"] = "change_validator"
    conf.save()
    assert check("-c", conf.path).returncode == 0
    conf.document["accounts"][0]["id"] = conf.webhook(calls.WEBHOOK)["account"] = calls.DISTRIBUTOR
    conf.save()
    line = refused(check("-c", conf.path), "only vendors have validators")
    assert re.search(re.escape(str(conf.path)) + r":\d+:\d+: webhooks.type: ", line)


def test_rules_for_events_answer_no_forms(check, conf):
    conf.webhook(calls.WEBHOOK).update(type="validator", policy={"rules": "some.rules.yaml"})
    (conf.path.parent / "some.rules.yaml").write_text("- then: { action: approve }\n")
    conf.save()
    line = refused(check("-c", conf.path), "a form is answered with { params: ")
    assert f"webhook {calls.WEBHOOK}: " in line and "some.rules.yaml:1:" in line


def test_nothing_is_made_by_a_check(check, conf):
    before = sorted(conf.path.parent.parent.rglob("*"))
    assert check("-c", conf.path).returncode == 0
    assert sorted(conf.path.parent.parent.rglob("*")) == before


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


def test_the_example_has_every_key(check):
    shown = set(re.findall(r"(?:^ *(?:- )?|[{,] )([a-z_]+):", uncommented(EXAMPLE.read_text()), re.M))
    assert {key for key in keys(check) if key.split(".")[-1] not in shown} == set()


def test_no_line_of_the_example_is_too_long_to_read():
    assert [line for line in EXAMPLE.read_text().splitlines() if len(line) > 100] == []
