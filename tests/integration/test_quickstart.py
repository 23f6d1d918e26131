"""contrib/quickstart.sh --once, from another folder, with the programs of this build."""

import os
import re
import subprocess

import pytest

import servers


def run(tmp, build, *options):
    ran = subprocess.run(["python3", "-B", servers.SOURCE / "contrib/quickstart.py", build, "--once", *options],
                         cwd=tmp, capture_output=True, text=True, timeout=100,
                         env={**os.environ, "TMPDIR": str(tmp)})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "nothing left to do" in ran.stdout and "NOT AS DECIDED" not in ran.stdout
    assert list(tmp.iterdir()) == []
    return ran.stdout


def quickstart(tmp, build, *options):
    return [line.split() for line in run(tmp, build, *options).splitlines() if re.match(r"  [A-Z]+-\d", line)]


@pytest.mark.time_limit(120)
def test_quickstart_shows_a_vendors_day_as_decided(tmp, build, need):
    need("nginx")
    table = quickstart(tmp, build)
    assert {row[0].split("-")[0] for row in table} == {"TCR", "PR", "TAR", "UF"}
    assert len([row for row in table if row[0].startswith("PR-")]) >= 10
    assert {"approve", "fail", "inquire", "skip", "accept", "ignore", "submit"} <= {row[4] for row in table}
    waiting = next(row for row in table if row[0] == "PR-7957-9623-8230-001")
    assert waiting[2:4] == ["pending", "approved"]


@pytest.mark.time_limit(120)
def test_quickstart_shows_a_form_being_filled_in(tmp, build, need):
    need("nginx")
    shown = run(tmp, build)
    assert re.search(r'^  admin_email  "ines at harbour" .*is not an e-mail address$', shown, re.M)
    assert re.search(r'^  admin_email  .*"ines@harbour-dental.example" +right$', shown, re.M)


@pytest.mark.time_limit(120)
def test_quickstart_shows_a_distributors_day_too(tmp, build, need):
    need("nginx")
    table = quickstart(tmp, build, "--distributor")
    assert {"deploy", "complete", "annotate", "reject"} <= {row[4] for row in table}
    assert {"LSTR", "BRP"} <= {row[0].split("-")[0] for row in table}
