"""The program against a model of the world, for a short while: three games of the duel (tests/duel/README)."""

import sys

import pytest

import servers

sys.path.insert(0, str(servers.SOURCE / "tests/duel"))

import duel  # noqa: E402
import known  # noqa: E402

SECONDS = 20


@pytest.mark.time_limit(180)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_must_be_true_is_true_in_a_game(build, tmp, seed):
    assert duel.play(build, tmp, duel.draw(seed, known.NAMES, SECONDS)) == []
