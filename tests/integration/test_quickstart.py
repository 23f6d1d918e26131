"""contrib/quickstart.sh --once --distributor, from another folder, with the programs of this build: run once, and
looked at by all."""

import os
import re
import shutil
import subprocess
import sys

import pytest

import conftest
import servers

sys.path.insert(0, str(servers.SOURCE / "contrib"))
import quickstart  # noqa: E402

PROGRAMS = ("connect-webhook", "connect-webhook.fcgi", "connect-sim")


def built(folder, build):
    """A build folder that is configured and where nothing is left to make; returns where commands are that say so."""
    folder.mkdir()
    (folder / "config.status").touch()
    (folder / "Makefile").write_text("all:\n")
    for program in PROGRAMS:
        (folder / program).symlink_to(build / program)
    commands = folder / "commands"
    commands.mkdir()
    (commands / "dpkg-query").write_text("#!/bin/sh\necho installed\n")
    (commands / "dpkg-query").chmod(0o755)
    return commands


@pytest.fixture(scope="module")
def shown(build, need, clean_source):
    need("nginx")
    tmp = conftest.new_folder()
    left = tmp / "left"
    left.mkdir()
    commands = built(tmp / "build", build)
    ran = subprocess.run([servers.SOURCE / "contrib/quickstart.sh", "--once", "--distributor"], cwd=tmp,
                         capture_output=True, text=True, timeout=100,
                         env={**os.environ, "CW_BUILD_DIR": str(tmp / "build"), "TMPDIR": str(left),
                              "PATH": f"{commands}:{os.environ['PATH']}"})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert list(left.iterdir()) == []
    shutil.rmtree(tmp)
    return ran.stdout


@pytest.fixture
def table(shown):
    """What became of the objects, of both days: a distributor's workers do not wait for theirs."""
    return [line.split() for line in shown.splitlines() if re.match(r"  [A-Z]+-\d", line)]


def test_comes_to_its_end_as_decided(shown):
    assert "nothing left to do" in shown and "NOT AS DECIDED" not in shown


def test_shows_a_vendors_day_as_decided(table):
    assert {row[0].split("-")[0] for row in table} == {"TCR", "PR", "TAR", "UF", "LSTR", "BRP"}
    assert len([row for row in table if row[0].startswith("PR-")]) >= 10
    assert {"approve", "fail", "inquire", "skip", "accept", "ignore", "submit"} <= {row[4] for row in table}
    waiting = next(row for row in table if row[0] == "PR-7957-9623-8230-001")
    assert waiting[2:4] == ["pending", "approved"]
    assert any(".rules.yaml:" in row[5] for row in table)  # which rule said so


def test_shows_a_form_being_filled_in(shown):
    assert re.search(r'^  admin_email  "ines at harbour" .*is not an e-mail address$', shown, re.M)
    assert re.search(r'^  admin_email  .*"ines@harbour-dental.example" +right$', shown, re.M)


def test_shows_a_distributors_day_too(table):
    assert {"deploy", "complete", "annotate", "reject"} <= {row[4] for row in table}


@pytest.mark.parametrize("now, wrong", [
    ("accepted", []),  # the vendor submits, and the distributor accepts before anybody looks
    ("pending", []),
    ("ready", ["UF-1: NOT AS DECIDED: is ready"]),
    (None, ["UF-1: NOT AS DECIDED: is None"]),
])
def test_an_object_is_as_one_of_its_tasks_says(now, wrong):
    submitted = {"object_id": "UF-1", "result": "done", "before": "ready", "after": "pending"}
    accepted = {"object_id": "UF-1", "result": "done", "before": "pending", "after": "accepted"}
    assert quickstart.misfits([submitted, accepted], {"UF-1": now}) == wrong


@pytest.mark.parametrize("now, wrong", [("pending", []), ("approved", ["PR-1: NOT AS DECIDED: is approved"])])
def test_what_is_left_alone_is_as_it_was(now, wrong):
    left = {"object_id": "PR-1", "result": "skip", "before": "pending", "after": "pending"}
    assert quickstart.misfits([left], {"PR-1": now}) == wrong
