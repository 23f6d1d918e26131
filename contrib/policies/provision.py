#!/usr/bin/env python3
"""Provisioning: a purchase makes a tenant at the vendor's own API, and is approved when that is there.

    policy: { exec: [ /usr/local/bin/provision.py ], timeout: 60s, env: [ VENDOR_URL, VENDOR_TOKEN ] }

It may be asked twice about one request: when the first answer did not arrive, or could not be carried
out. So it names the tenant by the subscription, and PUT makes it at most once. Whatever goes wrong at
the vendor is asked again later: exit status 75 (EX_TEMPFAIL).
"""

import json
import os
import sys
import urllib.error
import urllib.request

EX_TEMPFAIL = 75
PARAMETER = "tenant_id"  # of the product, that the customer sees when it is filled in
TIMEOUT = 20  # seconds


def make_tenant(asset):
    """The id of the subscription's tenant, which is there afterwards."""
    wanted = {"name": asset.get("external_id") or asset["id"],
              "seats": {item["mpn"]: item["quantity"] for item in asset.get("items", []) if item.get("mpn")}}
    request = urllib.request.Request(
        f"{os.environ['VENDOR_URL']}/tenants/{asset['id']}", json.dumps(wanted).encode(), method="PUT",
        headers={"Content-Type": "application/json",
                 "Authorization": f"Bearer {os.environ.get('VENDOR_TOKEN', '')}"})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        return json.load(response)["id"]


def decide(question):
    request = question["object"]
    if request["type"] != "purchase" or request["status"] != "pending":
        return {"action": "skip", "reason": f"{request['type']}, {request['status']}: for a person"}
    if question["dry_run"]:  # nothing of what is decided will be done, so nothing is made here either
        return {"action": "approve"}
    tenant = make_tenant(request["asset"])
    return {"action": "approve", "params": [{"id": PARAMETER, "value": tenant}]}


def main():
    try:
        print(json.dumps(decide(json.load(sys.stdin))))
    except (urllib.error.URLError, TimeoutError) as e:
        print(f"the vendor's API: {e}", file=sys.stderr)
        sys.exit(EX_TEMPFAIL)


main()
