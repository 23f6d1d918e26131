"""What tests of connect-sim share: objects of its seed, and what it refuses."""

import calls

PENDING = "PR-7957-9623-8221-001"  # of the built-in seed: a purchase
CHANGE = "PR-6990-1715-4162-001"
SEEDED = 21  # requests
ACTIVE = "AS-6990-1715-4170"  # of an approved purchase
OTHER_PRODUCT = "PRD-910-114-336"
TILE = {"activation_tile": "# Ready"}
ITEM = "PRD_578_226_824_0001"


def refused(answer, status, code=None, text=""):
    """Is it an error as Connect writes them?"""
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/json"
    document = answer.json()
    assert document["error_code"] and all(isinstance(e, str) for e in document["errors"])
    assert code is None or document["error_code"] == code
    assert text in document["errors"][0]
    return document


def request_of(api, request_id):
    return api.get(f"/requests/{request_id}")


def purchase(product=calls.PRODUCT, quantity="5", **more):
    return {"type": "purchase", **more,
            "asset": {"external_id": "EX-1", "product": {"id": product}, "connection": {"id": "CT-1"},
                      "items": [{"id": ITEM, "quantity": quantity}],
                      "params": [{"id": "subscription_id", "phase": "fulfillment", "value": "",
                                  "constraints": {"required": True}}]}}


def changes(api):
    """The calls that changed something."""
    return [c for c in api.received() if c["effect"]]
