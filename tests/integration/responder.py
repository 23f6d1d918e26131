"""Start tests/integration/responder, the program that answers with what it got."""

import os
import pathlib
import signal
import subprocess

import servers

BUILD = pathlib.Path(os.environ.get("BUILDDIR", os.getcwd()))
PROGRAM = BUILD / "tests" / "integration" / "responder"
TIMEOUT = 30  # seconds


class Responder:
    """A FastCGI server; `with` stops it and demands that it ends well."""

    def __init__(self, *options, env=None, expect=0, wrapper=(), **popen):
        self.expect = expect
        self.process = subprocess.Popen(
            [*wrapper, PROGRAM, *map(str, options)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **(env or {})}, **popen)
        self.address = self.process.stdout.readline().removeprefix("listening ").strip()
        if not self.address:
            _, err = self.process.communicate(timeout=TIMEOUT)
            raise RuntimeError(err.strip())

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self):
        """What it said on standard error while it ended."""
        _, err = self.process.communicate(timeout=TIMEOUT)
        assert self.process.returncode == self.expect, err
        return err

    def cpu_seconds(self):
        return servers.cpu_seconds(self.process.pid)

    def loops(self):
        """Each waits at an epoll of its own."""
        descriptors = pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir()
        return sum(os.readlink(fd) == "anon_inode:[eventpoll]" for fd in descriptors)

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def memory_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0])

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        if self.process.poll() is None:
            self.signal(signal.SIGKILL if failed else signal.SIGTERM)
        if failed:
            self.process.communicate(timeout=TIMEOUT)
        elif self.process.returncode is None:
            self.wait()
