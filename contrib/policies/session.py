#!/usr/bin/env python3
"""A policy that runs on: one question a line in, one answer a line out (see connect-webhook-policy(7)).

    policy: { exec: [ /usr/local/bin/session.py ], session: true }

For webhooks of fulfillment requests, events and validators alike. Try it:

    connect-webhook policy test --exec session.py --session --class fulfillment_request --object FILE
"""

import json
import sys

SEATS_MAX = 100


def parameter(request, name):
    """The value of a parameter; "" if it is not filled in, or there is none."""
    params = request.get("asset", {}).get("params", [])
    return next((p.get("value") or "" for p in params if p.get("id") == name), "")


def process(question):
    """What to do with a request: one of connect-webhook policy actions --class fulfillment_request."""
    request = question["object"]
    if request["status"] == "revoking":
        return {"action": "confirm"}
    if request["type"] != "purchase":
        return {"action": "skip", "reason": f"a {request['type']} is for a person"}
    if "@" not in parameter(request, "admin_email"):
        return {"action": "inquire",
                "params": [{"id": "admin_email", "value_error": "Whom may we write to?"}],
                "message": "We need the administrator's e-mail address."}
    return {"action": "approve"}


def validate(question):
    """What to say about a form: values, and errors that the customer reads at once."""
    form = question["object"]
    email, seats = parameter(form, "admin_email").strip().lower(), parameter(form, "seats")
    error = "" if "@" in email else "Please give an e-mail address."
    params = [{"id": "admin_email", "value": email, "value_error": error}]
    if seats:
        fits = seats.isdigit() and 1 <= int(seats) <= SEATS_MAX
        params.append({"id": "seats", "value_error": "" if fits else f"from 1 to {SEATS_MAX}"})
    return {"params": params}


def main():
    for line in sys.stdin:
        question = json.loads(line)
        answer = process(question) if question["kind"] == "process" else validate(question)
        answer["id"] = question["id"]
        print(json.dumps(answer), flush=True)
        print(f"answered question {question['id']}", file=sys.stderr, flush=True)


main()
