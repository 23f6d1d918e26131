"""contrib/quickstart.sh --once, from another folder, with the programs of this build."""

import os
import subprocess

import pytest

import servers


@pytest.mark.time_limit(120)
def test_quickstart_shows_every_request_as_decided(tmp, build, need):
    need("nginx")
    ran = subprocess.run(["python3", "-B", servers.SOURCE / "contrib/quickstart.py", build, "--once"],
                         cwd=tmp, capture_output=True, text=True, timeout=100,
                         env={**os.environ, "TMPDIR": str(tmp)})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    table = [line.split() for line in ran.stdout.splitlines() if line.startswith("  PR-")]
    assert len(table) >= 10
    assert {"approve", "fail", "inquire", "skip"} <= {row[4] for row in table}
    assert "nothing left to do" in ran.stdout and "NOT AS DECIDED" not in ran.stdout
    assert list(tmp.iterdir()) == []
