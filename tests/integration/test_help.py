"""Every command explains itself, and its manual has the same options."""

import re
import subprocess

import pytest

import servers


def commands():
    listed = re.search(r"#define CMD_LIST\(X\)((?:.*\\\n)*.*)", (servers.SOURCE / "src/cmd/cmd.h").read_text()).group(1)
    return re.findall(r"X\((\w+)\)", listed)


@pytest.mark.parametrize("name", commands())
def test_every_command_explains_itself(build, name):
    ran = subprocess.run([build / "connect-webhook", name, "--help"], capture_output=True, text=True)
    assert ran.returncode == 0 and ran.stderr == ""
    assert ran.stdout.startswith(f"Usage: connect-webhook {name}")
    manual = (servers.SOURCE / "doc/connect-webhook.1").read_text().replace("\\-", "-")
    assert re.search(rf"^\.SS {name}$", manual, re.M), "no section in doc/connect-webhook.1"
    for option in re.findall(r"^  .*?(--[a-z-]+)", ran.stdout, re.M):
        assert option in manual, f"{name} {option} is not in doc/connect-webhook.1"


def options_of(text):
    return set(re.findall(r"--[a-z][a-z-]*", text))


def test_connect_sim_and_its_manual_have_the_same_options(build):
    ran = subprocess.run([build / "connect-sim", "--help"], capture_output=True, text=True)
    assert ran.returncode == 0 and ran.stderr == ""
    assert ran.stdout.startswith("Usage: connect-sim ")
    manual = (servers.SOURCE / "doc/connect-sim.1").read_text().replace("\\-", "-")
    listed = re.search(r"^\.SH OPTIONS$(.*?)^\.SH", manual, re.M | re.S).group(1)
    assert options_of("\n".join(re.findall(r"^\.BR? .*", listed, re.M))) == options_of(ran.stdout)
