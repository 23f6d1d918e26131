"""What tests of workers share: a queue of a small Connect, and who works on it."""

import pytest

FAIL = "- then: { action: fail, reason: not today }\n"
QUEUE = {"workers": 4, "poll_interval": 0}
FAST = {"backoff_min": "1s", "backoff_max": "2s"}


@pytest.fixture
def configure(small_connect, configuration):
    """configure(rules, **processing): a configuration in queue mode."""
    def make(rules=FAIL, rate_limit=0, **processing):
        return configuration(api_url=small_connect.url, rules=rules, mode="queue", rate_limit=rate_limit,
                             processing={**QUEUE, **processing})
    return make


@pytest.fixture
def queue(configure, handler, nginx):
    """queue(rules, **processing): (configuration, running handler, address)."""
    def start(rules=FAIL, **processing):
        conf = configure(rules, **processing)
        runs = handler(conf)
        return conf, runs, nginx(runs).url
    return start
