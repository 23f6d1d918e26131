"""Many rows in an inbox at once, as calls and sweeps would have made them one by one. The inbox is there already."""

import sqlite3

import calls

OLD_US = 1000000  # of the inbox's clock: older than any retention
UP_TO = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
QUEUE = (calls.ACCOUNT, calls.PRODUCT)


def connect(conf):
    return sqlite3.connect(conf.state / "inbox.db", timeout=calls.TIMEOUT, isolation_level=None)


def uptime_us():
    """The inbox's clock is this behind its `at_boot_us`."""
    with open("/proc/uptime") as uptime:
        return int(float(uptime.read().split()[0]) * 10**6)


def change(conf, *statements):
    db = connect(conf)
    db.execute("BEGIN IMMEDIATE")
    for sql, values in statements:
        db.execute(sql, values)
    db.execute("COMMIT")
    db.close()


def add_tasks(conf, count, state="ready", updated_us=OLD_US):
    """PR-1, PR-2, ...: they are never due."""
    change(conf, (UP_TO + " INSERT INTO task (account_id, product_id, object_class, object_id, rank, state, due_us, called,"
                  " again, asked, failures, created_us, updated_us, started_us, fingerprint, result, type, before,"
                  " after, action, rule, reason, lease, lease_until_us, lease_owner)"
                  " SELECT ?, ?, 'fulfillment_request', 'PR-' || i, 1, ?, 9e18, 1, 0, 0, 0, 1, ?, 0, x'', '',"
                  " 'purchase', 'pending', '', '', '', '', x'', 0, '' FROM n", (count, *QUEUE, state, updated_us)))


def add_deliveries(conf, count, body=b"", state="done"):
    """With their tokens; stored long ago."""
    change(conf, (UP_TO + " INSERT INTO delivery (token_sha256, exp, state, webhook_id, account_id, product_id,"
                  " object_class, received_us, last_received_us, claims, body, stored_us)"
                  " SELECT randomblob(32), i, ?, ?, ?, ?, 'fulfillment_request', ?, ?, '{}', ?, ? FROM n",
                  (count, state, calls.WEBHOOK, *QUEUE, OLD_US, OLD_US, body, OLD_US)),
           ("INSERT OR IGNORE INTO token SELECT exp, token_sha256, id FROM delivery WHERE stored_us = ?", (OLD_US,)),
           ("UPDATE merged SET delivery_id = (SELECT max(id) FROM delivery)", ()))
