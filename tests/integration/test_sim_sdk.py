"""connect-sim and the vendor's own SDK for JavaScript, where $CONNECT_SDK names the folder that npm put it in
(@cloudblueconnect/connect-javascript-sdk)."""

import json
import os
import pathlib
import subprocess

import pytest

TIMEOUT = 60  # seconds


def test_the_sdk_reads_searches_pages_and_acts(sim, need):
    sdk = os.environ.get("CONNECT_SDK")
    if not sdk:
        pytest.skip("CONNECT_SDK does not name the SDK's folder")
    need("node")
    ran = subprocess.run(["node", pathlib.Path(__file__).with_name("sdk.js"), sdk, sim.url, sim.api_key],
                         capture_output=True, text=True, timeout=TIMEOUT)
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout)
    assert len(result["resources"]) == 12
    for name, read in result["resources"].items():
        assert read.pop("count") >= 2 and read == {"found": True, "paged": True, "got": True}, name
    assert result["acts"] == {
        "tierConfigRequest": "failed", "listing": "deploying", "accepted": "accepted", "ignored": "ignored",
        "asset": "AS-7957-9623-8230", "attributes": {"vendor": {"a": 1}}}
