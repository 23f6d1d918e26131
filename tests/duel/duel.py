#!/usr/bin/env python3
"""Play the program against a model of the world.

    duel.py [--seconds N] [--seed S] [--games N] [--find FAULT] [--whole] [--script FILE]

Games are drawn from the seeds S, S + 1, ... until the time is over; two are played at a time. The first that breaks a
truth ends the duel: it is played again with fewer and fewer events for as long as it still breaks that truth, and
the shortest script is printed, with the model's view beside the program's. Its folder is kept. Exit 1.
"""

import argparse
import concurrent.futures
import contextlib
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import events  # noqa: E402
import known as faults  # noqa: E402
import truths  # noqa: E402
import world  # noqa: E402

GAMES = [12, 12, 12, 40]  # seconds of events, of a game of the command's
EVENTS_A_SECOND = 5
SHRINK_S = 300  # longest time for making a script shorter
AT_ONCE = 2
MORE = 3  # seconds for which a shorter script may take longer to break its truth


class Drawn:
    """What events know of those that were drawn before."""
    count = 0  # of objects


def draw(seed, known=(), length=None):
    """The script of a game, which leads to none of the faults that are `known`: {"shape", "unseen": truths, "events":
    [{"at": seconds, "event": name, ...}]}."""
    r, drawn = random.Random(seed), Drawn()
    beside = r.choice([0, 1, 2])
    workers = r.choice([2, 3] if beside == 0 else [0, 2])
    script = {"shape": {"workers": workers, "beside": beside}, "events": []}
    names = sorted(events.EVENTS)
    weights = [events.EVENTS[name].weight for name in names]
    # Some games have more of some events, and none of others.
    quiet = [of for of in ("connect", "policies", "programs") if r.random() < 0.3]
    weights = [0 if events.EVENTS[name].of in quiet else
               w if name in ("appear", "call", "form") else w * r.choice([0, 1, 1, 3])
               for name, w in zip(names, weights)]
    at, length = 0.0, length or r.choice(GAMES)
    while at < length:
        at += r.expovariate(EVENTS_A_SECOND)
        name = r.choices(names, weights)[0]
        more = events.EVENTS[name].draw(r, drawn)
        if more is not None:
            script["events"].append({"at": round(at, 2), "event": name, **more})
    return faults.leave_out(script, known)


def text_of(script):
    """An event a line."""
    entries = ",\n  ".join(map(json.dumps, script["events"]))
    members = [f" {json.dumps(name)}: {json.dumps(value)},\n" for name, value in script.items() if name != "events"]
    return f'{{{"".join(members)[1:]} "events": [\n  {entries}]}}\n'


def play(build, tmp, script, until=None):
    """Play one game in a folder; returns what was not true, which is told in `story` there. `until`: it lasts for so
    many seconds, and what must be true in the end is not looked at."""
    w = world.World(build, tmp, script["shape"], script.get("unseen", ()))
    try:
        with w:
            begin = time.monotonic()
            for entry in script["events"]:
                entry = dict(entry)
                at, name = entry.pop("at"), entry.pop("event")
                w.over.wait(max(0, begin + at - time.monotonic()))
                if w.broken:
                    break
                w.look_alive()
                w.tell(f"event {name} {json.dumps(entry)[:200]}")
                events.EVENTS[name].play(w, **entry)
            if until:
                w.over.wait(max(0, until - w.now()))
            elif not w.broken:
                w.judge()
    except Exception:  # of the duel itself, or of a program that did not start
        w.blame("duel", traceback.format_exc())
    (tmp / "story").write_text("".join(f"{at:7.3f} {text}\n" for at, text in w.story))
    (tmp / "script.json").write_text(text_of(script))
    return w.broken


def play_apart(build, script, keep=False, until=None):
    """Play one game in a folder of its own; returns (what was not true, the folder if that is kept)."""
    with contextlib.ExitStack() as stack:
        tmp = pathlib.Path(tempfile.mkdtemp(prefix="cw-duel-", dir="/tmp"))
        stack.callback(shutil.rmtree, tmp)
        tmp.chmod(0o755)
        broken = play(build, tmp, script, until)
        if broken and keep:
            stack.pop_all()
            return broken, tmp
    return broken, None


def shrink(build, script, broken, pool):
    """The shortest script found that breaks the same truth: with fewer events (delta debugging), of fewer objects."""
    deadline, until = time.monotonic() + SHRINK_S, None
    if broken.when < script["events"][-1]["at"]:
        until = broken.when + MORE
        script = with_events(script, [entry for entry in script["events"] if entry["at"] <= broken.when])

    def first_broken(candidates):
        for i in range(0, len(candidates), AT_ONCE):
            if time.monotonic() > deadline:
                break
            jobs = [(c, pool.submit(play_apart, build, c, until=until)) for c in candidates[i:i + AT_ONCE]]
            concurrent.futures.wait([job for _, job in jobs])
            for candidate, job in jobs:
                if broken.truth in [one.truth for one in job.result()[0]]:
                    return candidate
        return None

    parts = 2
    while (count := len(script["events"])) > 1:
        size = max(1, count // parts)
        found = first_broken([with_events(script, script["events"][:i] + script["events"][i + size:])
                              for i in range(0, count, size)])
        if found:
            script, parts = found, max(2, parts - 1)
            print(f"  {len(script['events'])} events are enough", flush=True)
        elif size == 1:
            break
        else:
            parts *= 2
    at = 0
    while at < len(script["events"]):
        found = first_broken([with_events(script, [*script["events"][:at], half, *script["events"][at + 1:]])
                              for half in halves(script["events"][at])])
        script, at = (found, at) if found else (script, at + 1)
    return script


def with_events(script, entries):
    return {**script, "events": entries}


def halves(entry):
    """An event of several objects, as two of fewer."""
    plans = entry.get("plans", ())
    middle = len(plans) // 2
    return [{**entry, "plans": plans[:middle]},
            {**entry, "plans": plans[middle:], "first": entry["first"] + middle}] if middle else []


def report(build, script, broken, folder, pool, seed):
    truth = broken[0].truth
    print(f"seed {seed}: not true: {truth}: {truths.TRUTHS.get(truth, '')}")
    for one in broken[:10]:
        print(f"  {one.truth}: {one.text}")
    print(f"kept: {folder}", flush=True)
    if truth == "duel" or not pool:
        return
    script = {"truth": truth, **shrink(build, script, broken[0], pool)}
    _, folder = play_apart(build, script, keep=True)
    print(text_of(script))
    if folder:
        print(f"kept, of the short one: {folder}")
        print((folder / "story").read_text()[-6000:])


def give_up(*_):
    """End, with all that runs. The processes of the pool do so, too."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    for child in multiprocessing.active_children():
        child.terminate()
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--games", type=int, default=10**9)
    parser.add_argument("--script", type=pathlib.Path)
    parser.add_argument("--whole", action="store_true", help="do not look for a shorter script")
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path(os.environ.get("CW_BUILD", ".")))
    parser.add_argument("--find", action="append", default=[], help="a known fault that is not left out")
    options = parser.parse_args()
    known = faults.NAMES - set(options.find)
    build = options.build.resolve()
    if options.script:
        broken, folder = play_apart(build, json.loads(options.script.read_text()), keep=True)
        print("\n".join(f"{one.truth}: {one.text}" for one in broken) or "all was true")
        if folder:
            print(f"kept: {folder}")
        return 1 if broken else 0
    signal.signal(signal.SIGTERM, give_up)
    began, played = time.monotonic(), 0
    with concurrent.futures.ProcessPoolExecutor(AT_ONCE) as pool:
        running, seed = {}, options.seed
        while True:
            while len(running) < AT_ONCE and time.monotonic() - began < options.seconds and (
                    seed - options.seed < options.games):
                script = draw(seed, known)
                running[pool.submit(play_apart, build, script, True)] = seed, script
                seed += 1
            if not running:
                break
            done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for job in done:
                number, script = running.pop(job)
                broken, folder = job.result()
                played += 1
                if broken:
                    print(f"after {time.monotonic() - began:.0f} s, {played} games:")
                    concurrent.futures.wait(running)
                    report(build, script, broken, folder, None if options.whole else pool, number)
                    return 1
    print(f"{played} games in {time.monotonic() - began:.0f} s: all was true")
    return 0


if __name__ == "__main__":
    os.umask(0o022)  # servers that run as other users have to get at what a game makes
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
