"""What contrib/ ships, as far as other tests do not run it."""

import concurrent.futures
import configparser
import os
import pathlib
import re
import shutil
import socket
import subprocess

import pytest

import calls
import servers

CONTRIB = servers.SOURCE / "contrib"


def run(*arguments, **kwargs):
    return subprocess.run([str(a) for a in arguments], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, **kwargs)


SERVICES = ["connect-webhook.service", "connect-webhook-worker.service"]
PROGRAMS = {servers.HANDLER: "/bin/true", "/usr/local/bin/connect-webhook": "/bin/true"}


def test_systemd_accepts_the_units(tmp, need):
    verify = need("systemd-analyze")
    names = [*SERVICES, "connect-webhook.socket"]
    for name in names:
        servers.substituted(CONTRIB / "systemd" / name, tmp / name, PROGRAMS)
    ran = run(verify, "verify", "--man=no", *(tmp / name for name in names))
    assert ran.returncode == 0 and str(tmp) not in ran.stderr, ran.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_the_unit_is_well_confined(tmp, need, name):
    unit = tmp / name
    servers.substituted(CONTRIB / "systemd" / name, unit, PROGRAMS)
    ran = run(need("systemd-analyze"), "security", "--offline=true", "--threshold=20", unit)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_the_unit_keeps_trying_and_has_its_folders(name):
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(CONTRIB / "systemd" / name)
    assert unit["Unit"]["StartLimitIntervalSec"] == "0" and unit["Service"]["Restart"] == "on-failure"
    for folder in "StateDirectory", "LogsDirectory", "ConfigurationDirectory":
        assert unit["Service"][folder] == "connect-webhook"


@pytest.mark.parametrize("missing", ["secret", "key", "folder"])
def test_what_was_missing_when_it_was_started_may_come_later(build, tmp, running, configuration, nginx, missing):
    """As its units start it, again and again: systemd holds the socket, and a call that came too early is answered."""
    conf = configuration(mode="queue")
    path = {"secret": conf.folder / f"{calls.WEBHOOK}.secret", "key": conf.folder / "api.key",
            "folder": conf.state}[missing]
    listener = running.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(str(conf.socket))
    conf.socket.chmod(0o666)
    listener.listen()
    started = [*servers.handed_over(), build / "connect-webhook.fcgi", "-c", conf.path]
    url = nginx(conf.socket).url
    path.rename(tmp / "later")
    with concurrent.futures.ThreadPoolExecutor() as threads:
        early = threads.submit(calls.connect, url, conf)
        for _ in range(2):
            ran = subprocess.run([str(a) for a in started], stdin=listener, capture_output=True, text=True,
                                 timeout=calls.TIMEOUT)
            assert ran.returncode == 1 and str(path) in ran.stderr
        (tmp / "later").rename(path)
        running.enter_context(servers.Server(started, tmp / "handler.log", stdin=listener))
        assert early.result().status == 202


@pytest.mark.parametrize("name", ["connect-webhook.service", "connect-webhook.sysusers.conf"])
def test_the_user_is_made_as_the_comments_say(tmp, need, name):
    """The command in the comment, in contrib/systemd, for another root."""
    if os.geteuid() != 0:
        pytest.skip("only root can make users")
    need("systemd-sysusers")
    text = (CONTRIB / "systemd" / name).read_text()
    command, = (line.lstrip("# ") for line in text.splitlines() if line.startswith("#     systemd-sysusers "))
    (tmp / "etc").mkdir()
    ran = run("sh", "-c", command.replace("systemd-sysusers ", f"systemd-sysusers --root={tmp} ", 1),
              cwd=CONTRIB / "systemd")
    assert ran.returncode == 0, ran.stderr
    user, = (tmp / "etc/passwd").read_text().splitlines()
    assert user.startswith("connect-webhook:") and ":/var/lib/connect-webhook:" in user


def test_no_file_names_a_command_that_does_not_exist(build):
    known = run(build / "connect-webhook", "--help").stdout
    commands = set(re.findall(r"^  ([a-z]+) ", known, re.M))
    assert "check" in commands
    for path in CONTRIB.rglob("*"):
        if path.is_file() and path.suffix != ".py":
            named = re.findall(r"(?:^|[`#:/] *)connect-webhook ([a-z]+)", path.read_text(), re.M)
            assert set(named) - {"behind", "under", "as", "is"} <= commands, path


@pytest.mark.parametrize("page", ["connect-webhook.1", "connect-webhook.yaml.5", "connect-webhook.rules.5",
                                  "connect-webhook-policy.7", "connect-webhook.fcgi.8", "connect-sim.1"])
def test_the_manual_formats_without_a_warning(need, page):
    ran = run(need("groff"), "-man", "-Tutf8", "-ww", "-z", servers.SOURCE / "doc" / page)
    assert ran.returncode == 0 and ran.stderr == ""


@pytest.mark.parametrize("script", ["check.sh", "quickstart.sh"])
def test_scripts_explain_themselves_from_anywhere(tmp, script):
    ran = run(CONTRIB / script, "--help", cwd=tmp)
    assert ran.returncode == 0 and ran.stdout.startswith(f"Usage: contrib/{script}")
    ran = run(CONTRIB / script, "--nonsense", cwd=tmp)
    assert ran.returncode == 2 and ran.stdout == ""
    assert list(tmp.iterdir()) == []


LIB = f". {CONTRIB}/lib.sh; "


def fake_commands(tmp, **scripts):
    """A folder with commands of these contents, to be first in PATH."""
    folder = tmp / "bin"
    folder.mkdir()
    for name, content in scripts.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{content}\n")
        path.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def test_missing_packages_are_named_without_root(tmp):
    env = fake_commands(tmp, dpkg_query='for name; do :; done; [ "$name" = nginx ] || echo installed',
                        id="echo 1000", apt_get=f"touch {tmp}/called")
    ran = run("bash", "-c", LIB + "need_packages /dev/null build run test; echo went on", env=env)
    assert ran.returncode == 1 and "went on" not in ran.stdout
    assert "missing: nginx" in ran.stderr and "apt-get install nginx" in ran.stderr and "as root" in ran.stderr
    assert not (tmp / "called").exists()


def test_only_what_is_asked_for_is_installed_and_nothing_if_all_is_there(tmp):
    env = fake_commands(tmp, dpkg_query="[ -e " + str(tmp / "installed") + " ] && echo installed", id="echo 0",
                        apt_get=f'echo "$@" >>{tmp}/calls; touch {tmp}/installed')
    command = LIB + f"policy={tmp}/policy-rc.d; need_packages {tmp}/log run"
    assert run("bash", "-c", command, env=env).returncode == 0
    update, install = (tmp / "calls").read_text().splitlines()
    assert update.endswith(" update") and install.endswith(" install nginx python3")
    assert run("bash", "-c", command, env=env).returncode == 0
    assert len((tmp / "calls").read_text().splitlines()) == 2
    assert not (tmp / "policy-rc.d").exists()


def test_what_the_package_manager_says_goes_to_a_log(tmp):
    env = fake_commands(tmp, dpkg_query="true", id="echo 0", apt_get="echo unpacking; echo trouble >&2; exit 1")
    ran = run("bash", "-c", LIB + f"policy={tmp}/policy-rc.d; need_packages {tmp}/log run; echo went on", env=env)
    assert ran.returncode == 1 and "went on" not in ran.stdout
    assert ran.stdout == f"Installing, as {tmp}/log tells: nginx python3 \n"
    assert "trouble" in (tmp / "log").read_text()
    assert ran.stderr.endswith(f": the packages could not be installed: {tmp}/log\n") and "trouble" in ran.stderr


SCRIPTS = [("check.sh", "--quick"), ("quickstart.sh", "--once")]


def clone(tmp):
    """A clone with what the scripts look at before they build."""
    shutil.copytree(CONTRIB, tmp / "clone/contrib")
    shutil.copy(servers.SOURCE / "configure.ac", tmp / "clone")
    return servers.share(tmp / "clone")


@pytest.mark.parametrize("script, option", SCRIPTS)
def test_a_configured_clone_is_refused_and_says_so(tmp, script, option):
    root = clone(tmp)
    (root / "config.status").touch()
    ran = run(root / "contrib" / script, option, env={**os.environ, "CW_BUILD_DIR": str(tmp / "build")})
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == f"{script}: {root} itself is configured: run 'make distclean' there first\n"
    assert not (tmp / "build").exists()


@pytest.mark.parametrize("script, option", SCRIPTS)
def test_a_folder_that_cannot_be_written_is_refused_and_says_so(tmp, script, option):
    """An old build in it must not pass for a new one."""
    root, folder = clone(tmp), tmp / "build"
    folder.mkdir(mode=0o555)
    tmp.chmod(0o755)
    (root / "contrib/quickstart.py").write_text("print('an old build runs')\n")
    ran = run(root / "contrib" / script, option, env={**os.environ, "CW_BUILD_DIR": str(folder)}, **servers.as_nobody())
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith(f"{script}: {folder} cannot be written: ")


def test_services_do_not_start_when_packages_are_installed(tmp):
    env = fake_commands(tmp, apt_get=f'{tmp}/policy-rc.d nginx start; echo $? >{tmp}/answer')
    assert run("bash", "-c", LIB + f"policy={tmp}/policy-rc.d; apt_install nginx", env=env).returncode == 0
    assert (tmp / "answer").read_text() == "101\n"
    assert not (tmp / "policy-rc.d").exists()


def test_installed_by_make_install(tmp, build, no_sanitizer):
    ran = run(shutil.which("make"), "-C", build, "install", f"DESTDIR={tmp}",
              env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")})
    assert ran.returncode == 0, ran.stderr
    installed = {p.name for p in pathlib.Path(tmp).rglob("*") if p.is_file()}
    assert {"connect-webhook", "connect-webhook.1", "connect-webhook.fcgi.8"} <= installed


@pytest.mark.time_limit(300)
def test_unit_tests_that_cannot_be_built_are_seen_to_be_skipped(tmp, no_sanitizer):
    """Configured where there is no cmocka: the tests say so, and in CI fail."""
    pkg_config = shutil.which("pkg-config")
    env = fake_commands(tmp, pkg_config=f'case "$*" in *cmocka*) exit 1 ;; esac; exec {pkg_config} "$@"')
    folder = tmp / "build"
    folder.mkdir()
    for command in ([servers.SOURCE / "configure", "-q", "--no-create", f"PKG_CONFIG={tmp}/bin/pkg-config"],
                    ["./config.status", "Makefile"]):
        ran = run(*command, cwd=folder, env=env)
        assert ran.returncode == 0, ran.stderr
    tests = run("make", "-s", "--eval=print: ; @echo $(TESTS)", "print", cwd=folder).stdout.split()
    script, = (t for t in tests if t.startswith("tests/unit/"))
    for ci, status in (("", 77), ("true", 1)):
        ran = run(servers.SOURCE / script, env={**os.environ, "CI": ci})
        assert (ran.returncode, ran.stdout) == (status, "The unit tests are not built: cmocka is missing (libcmocka-dev).\n")


def test_what_make_coverage_needs_is_among_the_packages():
    coverage = (servers.SOURCE / "dev.mk").read_text().partition("\ncoverage:")[2]
    tool = coverage.split("\n\t")[2].split()[0]
    assert f"test   {tool}\n" in (CONTRIB / "packages").read_text()


PYTESTS = """\
..F.s                                                                    [100%]
SKIPPED [2] tests/conftest.py:7: no such server
1 failed, 2 passed, 2 skipped, 1 error in 3.21s
"""
CMOCKAS = "[  PASSED  ] 7 test(s).\n[  SKIPPED ] 1 test(s), listed below:\n[  FAILED  ] 2 test(s), listed below:\n"


def test_results_are_counted_test_by_test(tmp):
    for name, result, log, seconds in (
            ("integration/test_a", "FAIL", PYTESTS, 12), ("unit/test_b", "FAIL", CMOCKAS, 3), ("fuzz/c", "PASS", "", 0),
            ("unit/without", "SKIP", "no cmocka", 0), ("unit/dies", "FAIL", "", 0)):
        path = tmp / "build/tests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".trs").write_text(f":test-result: {result}\n:seconds: {seconds}\n")
        path.with_suffix(".log").write_text(log)
    results = ["python3", "-B", CONTRIB / "results.py"]
    assert run(*results, "sums", tmp / "build").stdout == "10 5 4\n"
    report = run(*results, "report", tmp / "build").stdout
    assert "      2    no such server\n" in report and "      1    as the log of tests/unit/without tells\n" in report
    assert report.index("12 s  tests/integration/test_a (build)") < report.index("3 s  tests/unit/test_b (build)")
    failures = run(*results, "failures", tmp / "build").stdout
    assert failures.count(f"---- {tmp}/build/tests/") == 3 and "1 error in 3.21s" in failures
