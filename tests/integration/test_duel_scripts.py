"""What the duel has found: its scripts are played as they are (tests/duel/README)."""

import json
import sys

import pytest

import servers

DUEL = servers.SOURCE / "tests/duel"
sys.path.insert(0, str(DUEL))

import duel  # noqa: E402
import known  # noqa: E402

SCRIPTS = {path.stem: json.loads(path.read_text()) for path in sorted((DUEL / "scripts").glob("*.json"))}
PLAYS = 5  # until a known fault shows: two plays of a script differ as two days do


def test_each_known_fault_has_a_script_that_says_so():
    """But those that come by chance, which random play finds sooner."""
    assert known.KNOWN.keys() <= {name for name, script in SCRIPTS.items() if "known" in script} <= known.NAMES


@pytest.mark.time_limit(180)
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_breaks_its_truth_until_its_fault_is_mended(build, tmp, name):
    """Who mends it takes away what known.py and the script say of it."""
    script = SCRIPTS[name]
    if "known" not in script:
        assert duel.play(build, tmp, script) == []
        return
    for n in range(PLAYS):
        folder = tmp / str(n)
        folder.mkdir()
        if script["truth"] in [one.truth for one in duel.play(build, folder, script)]:
            return
    pytest.fail(f"all is true in {PLAYS} plays")
