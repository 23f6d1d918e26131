#!/bin/sh
# A policy that is run once for each question (see connect-webhook-policy(7)); needs jq.
#
#     policy: { exec: [ /usr/local/bin/once.sh ] }
#
# For webhooks of fulfillment requests, events and validators alike.
set -eu

question=$(cat)

ask() {
    printf '%s' "$question" | jq -r "$1"
}

if [ "$(ask .kind)" = validate ]; then
    # Mend the address; say so if it is none.
    printf '%s' "$question" | jq '
        [.object.asset.params[]? | select(.id == "admin_email") | .value // ""][0] // ""
        | gsub("^ +| +$"; "") | ascii_downcase
        | { params: [ { id: "admin_email", value: .,
                        value_error: (if test("@") then "" else "Please give an e-mail address." end) } ] }'
    exit
fi

echo "a $(ask .object.type) by $(ask '.object.asset.id // "nobody"')" >&2 # into the log
case $(ask '.object.status + " " + .object.type') in
"revoking "*)
    echo '{ "action": "confirm" }'
    ;;
"pending purchase")
    echo '{ "action": "approve" }'
    ;;
*)
    echo '{ "action": "skip", "reason": "not a purchase: for a person" }'
    ;;
esac
