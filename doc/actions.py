#!/usr/bin/env python3
"""The table of classes, sides, states and actions in connect-webhook.rules(5), made from the program.

    doc/actions.py build/connect-webhook            write it into the manual
    doc/actions.py --print build/connect-webhook    show it
"""

import itertools
import json
import pathlib
import subprocess
import sys

MANUAL = pathlib.Path(__file__).with_name("connect-webhook.rules.5")
BEGIN = '.\\" actions: made by doc/actions.py\n'
END = '.\\" actions: end\n'


def action_of(row):
    """approve (template, effective_date), with what is needed in italics"""
    fields = [f"\\fI{f}\\fP" for f in row["needs"]] + row["takes"]
    return row["action"] + (f" ({', '.join(fields)})" if fields else "")


def table(program):
    """As lines of the manual."""
    ran = subprocess.run([program, "policy", "actions", "--json"], capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    lines = []
    for (name, side), of_side in itertools.groupby(rows, lambda r: (r["object_class"], r["side"])):
        lines.append(f'.TP\n.BR {name} ", " {side}')
        states = []
        for (state, pending), of_state in itertools.groupby(of_side, lambda r: (r["state"], r["pending"])):
            mark = "" if pending or state is None else " (not pending)"
            actions = ", ".join(action_of(r) for r in of_state)
            states.append(f"{state or 'not seen before'}{mark}: {actions}")
        lines.append("\n.br\n".join(states))
    return "\n".join(lines).replace("-", "\\-") + "\n"


def main():
    if sys.argv[1] == "--print":
        sys.stdout.write(table(sys.argv[2]))
        return
    text = MANUAL.read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    MANUAL.write_text(head + BEGIN + table(sys.argv[1]) + END + tail)


if __name__ == "__main__":
    main()
