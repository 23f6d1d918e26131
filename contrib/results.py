"""What became of tests, as make check has left it in build folders: .trs files, and a .log beside each.

    results.py sums FOLDER          how many passed, failed and were skipped: three numbers
    results.py failures FOLDER      the end of each log that tells of one
    results.py report FOLDER...     why tests were skipped, and which took longest
"""

import collections
import pathlib
import re
import sys

SLOWEST = 10
LINES = 120  # of a log
PYTESTS_SUM = re.compile(r"^=*\s*\d[^\n]* in [\d.]+s\b[^\n]*$", re.M)
CMOCKAS_SUM = re.compile(r"^\[  (PASSED|FAILED|SKIPPED) +\] (\d+) test", re.M)
PYTESTS_SKIP = re.compile(r"^SKIPPED \[(\d+)\] \S+: (.*)$", re.M)
WORDS = {"passed": "passed", "failed": "failed", "error": "failed", "errors": "failed", "skipped": "skipped"}


class Result:
    """Of one program or file: the tests in it, as cmocka or pytest count them; else it is one itself."""

    def __init__(self, trs, folder):
        self.name = str(trs.relative_to(folder).with_suffix(""))
        fields = dict(re.findall(r"^:([\w-]+): (.*)$", trs.read_text(), re.M))
        self.seconds = int(fields.get("seconds", 0))
        self.log_path = trs.with_suffix(".log")
        log = self.log_path.read_text(errors="replace")
        self.sums = collections.Counter()
        for word, number in CMOCKAS_SUM.findall(log):
            self.sums[word.lower()] += int(number)
        for line in PYTESTS_SUM.findall(log):
            for number, word in re.findall(r"(\d+) (\w+)", line):
                if word in WORDS:
                    self.sums[WORDS[word]] += int(number)
        self.reasons = collections.Counter()
        for number, reason in PYTESTS_SKIP.findall(log):
            self.reasons[reason] += int(number)
        ended = {"PASS": "passed", "SKIP": "skipped"}.get(fields["test-result"], "failed")
        if not self.sums[ended] and (ended != "passed" or not self.sums):
            self.sums[ended] = 1
        untold = self.sums["skipped"] - sum(self.reasons.values())
        if untold > 0:
            self.reasons[f"as the log of {self.name} tells"] = untold


def results(folder):
    return [Result(trs, folder) for trs in sorted(folder.glob("tests/**/*.trs"))]


def sums(folder):
    total = sum((r.sums for r in results(folder)), collections.Counter())
    print(total["passed"], total["failed"], total["skipped"])


def failures(folder):
    for result in results(folder):
        if result.sums["failed"]:
            print(f"---- {result.log_path}")
            print(*result.log_path.read_text(errors="replace").splitlines()[-LINES:], sep="\n")
            print("----")


def report(*folders):
    found = [(folder, r) for folder in folders for r in results(folder)]
    reasons = sum((r.reasons for _, r in found), collections.Counter())
    if reasons:
        print("Skipped:")
    for reason, number in reasons.most_common():
        print(f"  {number:5}    {reason}")
    print("The slowest:")
    for folder, r in sorted(found, key=lambda pair: -pair[1].seconds)[:SLOWEST]:
        print(f"  {r.seconds:5} s  {r.name} ({folder.name})")


if __name__ == "__main__":
    {"sums": sums, "failures": failures, "report": report}[sys.argv[1]](*map(pathlib.Path, sys.argv[2:]))
