"""The loss of power, for files that were written under tests/shims/powerloss.c.

    env = powerloss.environment(build, folder)    # of every process that writes there
    ...                                           # and all of them are killed
    powerloss.lose_power(folder)

Then the files hold what was synced. With `keep`, a random.Random, each unsynced sector of 512
bytes and each unsynced change of size survives with a chance of one half: a disk writes when, and
in which order, it likes.
"""

import os
import pathlib
import struct

RECORD = struct.Struct("=5Q")  # struct record
USED = struct.Struct("=Q")
WRITE, TRUNCATE = 1, 2
SECTOR = 512
SUFFIX = ".undo"


def environment(build, folder):
    return {"LD_PRELOAD": str(build / "tests/shims/powerloss.so"),
            "CW_POWERLOSS_PREFIX": str(pathlib.Path(folder).resolve()) + "/"}


def records(log):
    """(change, offset, length, old size, old bytes), oldest first."""
    content = log.read_bytes()
    end = USED.unpack_from(content)[0] if content else USED.size
    at = USED.size
    while at < end:
        change, offset, length, old_size, old_length = RECORD.unpack_from(content, at)
        at += RECORD.size + old_length
        yield change, offset, length, old_size, content[at - old_length:at]


def undo(file, log, keep):
    """Returns how many changes there were; what they wrote is only in the file itself, as it is
    when the later ones are undone."""
    lost = []
    for change, offset, length, old_size, old in reversed(list(records(log))):
        assert change in (WRITE, TRUNCATE)
        lost.append((change, offset, os.pread(file, length, offset)))
        # A killed process may have noted a change and not made it: then these change nothing.
        os.pwrite(file, old, offset)
        os.ftruncate(file, old_size)
    for change, offset, new in reversed(lost) if keep is not None else ():
        if change == TRUNCATE:
            if keep.random() < 0.5:
                os.ftruncate(file, offset)
            continue
        at = 0
        while at < len(new):
            end = min(len(new), at + SECTOR - (offset + at) % SECTOR)
            if keep.random() < 0.5:
                os.pwrite(file, new[at:end], offset + at)
            at = end
    return len(lost)


def lose_power(folder, keep=None):
    """After all processes that wrote there are dead. Returns how many changes had not been synced."""
    lost = 0
    for log in sorted(pathlib.Path(folder).rglob("*" + SUFFIX)):
        path = log.with_suffix("")
        if path.exists():
            file = os.open(path, os.O_RDWR)
            try:
                lost += undo(file, log, keep)
            finally:
                os.close(file)
        log.unlink()
    for shm in pathlib.Path(folder).rglob("*-shm"):
        shm.unlink()
    return lost
