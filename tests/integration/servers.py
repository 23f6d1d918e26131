"""Start, wait for and stop the programs that integration tests talk to.

Each runs in the foreground, is waited for by connecting to it, and is stopped by its process id.
The servers run from the files of contrib/ as they are shipped: only paths and ports are replaced.
"""

import contextlib
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import time

from calls import SOURCE

TIMEOUT = 30  # seconds that starting or stopping may take
SYSTEM_PATH = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin:/sbin"

# What the files of contrib/ name, and tests replace.
SOCKET = "/run/connect-webhook/fcgi.sock"
ADMIN = "127.0.0.1:9009"
CONFIGURATION = "/etc/connect-webhook/connect-webhook.yaml"
HANDLER = "/usr/local/sbin/connect-webhook.fcgi"

SANITIZER_REPORT = re.compile(r"^.*(?:ERROR: (?:Address|Leak|Thread)Sanitizer|"
                              r"WARNING: ThreadSanitizer|runtime error: ).*$", re.M)


def waits(**lengths):
    """The environment of a program whose waits (src/base/waits.h) are as long as that: waits(hangs="1s")."""
    return {"CONNECT_WEBHOOK_WAITS": " ".join(f"{name}={length}" for name, length in lengths.items())}


def handed_over(pid="$$"):
    """A command's beginning, for a program that takes its standard input as a socket that systemd hands over:
    descriptor 3, and the process's own id in the environment."""
    return ["sh", "-c", f'LISTEN_FDS=1 LISTEN_PID={pid} exec "$0" "$@" 3<&0 </dev/null']


CONTAINER = ["unshare", "--pid", "--kill-child", "--mount-proc"]  # a command's beginning: a PID namespace of its own


class Missing(RuntimeError):
    """A program that the test needs is not installed."""


def program(name):
    found = shutil.which(name, path=SYSTEM_PATH)
    if found is None:
        raise Missing(f"{name} is not installed")
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(address):
    """Does anybody accept connections there? A path or (host, port)."""
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    with socket.socket(family) as probe:
        probe.settimeout(TIMEOUT)
        try:
            probe.connect(address if isinstance(address, tuple) else str(address))
        except OSError:
            return False
        return True


def looks(timeout=TIMEOUT):
    """Go on looking for what no event tells: soon at first, and then less often. False: the time is over."""
    deadline, pause = time.monotonic() + timeout, 0.002
    while time.monotonic() < deadline:
        yield True
        time.sleep(pause)
        pause = min(1.5 * pause, 0.1)
    yield False


def has_sanitizer(build):
    ran = subprocess.run([build / "connect-webhook", "version"], capture_output=True, text=True, check=True)
    return "sanitizer: no" not in " ".join(ran.stdout.split())


@contextlib.contextmanager
def small_disk(folder, size):
    """The folder is on a disk of its own, of that size as mount(8) takes it; gives whether that can be had here."""
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder],
                          capture_output=True).returncode == 0
    try:
        yield made
    finally:
        if made:
            subprocess.run(["umount", "-l", folder], check=True)


def wait_for(condition):
    """Of what no event tells, and no process of ours."""
    for in_time in looks():
        if condition():
            return
        assert in_time, "waited in vain"


def cpu_seconds(pid):
    """What a process and all below it have used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") + sum(map(cpu_seconds, children))


class Server:
    """A child process whose output goes to a file. `with` stops it. It is in a session of its own,
    so that Ctrl-C reaches whoever started it, and not the process itself."""

    def __init__(self, arguments, log, ready=None, env=None, stop=signal.SIGTERM, **popen):
        self.log_path = pathlib.Path(log)
        self.stop_signal = stop
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                [str(a) for a in arguments], stdin=popen.pop("stdin", subprocess.DEVNULL),
                stdout=popen.pop("stdout", out), stderr=out,
                env={**os.environ, **(env or {})}, start_new_session=True, **popen)
        if ready is not None:
            self.wait_until(lambda: accepts(ready))

    @property
    def pid(self):
        return self.process.pid

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_until(self, condition, timeout=TIMEOUT):
        """Wait for what no event tells; ends early if the process does."""
        for in_time in looks(timeout):
            if condition():
                return
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.process.args[0]} ended: {self.log}")
            if not in_time:
                self.kill()
                raise RuntimeError(f"{self.process.args[0]}: waited in vain: {self.log}")

    def awaits(self, number):
        """Does it block this signal, to wait for it? What has been started a moment ago dies of it."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"^SigBlk:\s+(\w+)", status, re.M)[1], 16) >> (number - 1) & 1

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self, says=" reloaded"):
        """Have it load its configuration again, and wait until it has said so once more."""
        said = self.log.count(says)
        self.signal(signal.SIGHUP)
        self.wait_until(lambda: self.log.count(says) > said)

    def kill(self):
        self.process.kill()
        self.process.wait(TIMEOUT)

    def stop(self):
        """Ask it to end, wait, and return its status; what does not end is killed and fails."""
        if self.process.poll() is None:
            self.signal(self.stop_signal)
            try:
                self.process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"{self.process.args[0]} did not end: {self.log}") from None
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def check_log(log):
    report = SANITIZER_REPORT.search(log)
    assert report is None, f"{report.group(0)}\n{log}"


NOBODY = "nobody"


def as_nobody():
    """Options of a program that is to run as a user without rights; none if root does not start it."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam(NOBODY)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def share(path):
    """Let every user read what is there, and run what we can run: a copy has the mode of its source, which may be ours
    alone. Returns the path."""
    path = pathlib.Path(path)
    for entry in [path, *path.rglob("*")]:
        mode = entry.stat().st_mode
        entry.chmod(mode | (0o555 if mode & stat.S_IXUSR else 0o444))
    return path


def own(path, user):
    """Give what is below `path` to `user`, if it is ours to give."""
    if os.geteuid() == 0 and user != "root":
        account = pwd.getpwnam(user)
        for entry in [path, *path.rglob("*")]:
            os.chown(entry, account.pw_uid, account.pw_gid, follow_symlinks=False)


class Sim(Server):
    """connect-sim: Connect's API and its webhook engine."""

    def __init__(self, build, tmp, *options, api_key="test-key"):
        self.api_key = api_key
        super().__init__([build / "connect-sim", "--listen", "127.0.0.1:0", "--api-key", api_key, *options],
                         tmp / "sim.log", stdout=subprocess.PIPE)
        line = self.process.stdout.readline()  # the time limit of the test ends a wait in vain
        if not line:
            self.kill()
            raise RuntimeError(f"connect-sim ended: {self.log}")
        ready = json.loads(line)
        assert ready["ready"] is True
        self.url = ready["url"]

    def stop(self):
        status = super().stop()
        self.process.stdout.close()
        assert status == 0, self.log
        check_log(self.log)
        return status


class Handler(Server):
    """connect-webhook.fcgi on a socket of its own, as `web.listen` of its configuration says."""

    def __init__(self, build, tmp, configuration, expect=0, wrapper=(), **popen):
        self.configuration = configuration
        self.socket = configuration.socket
        self.expect = expect
        super().__init__([*wrapper, build / "connect-webhook.fcgi", "-c", configuration.path], tmp / "handler.log",
                         ready=self.socket, **popen)

    def stop(self):
        status = super().stop()
        check_log(self.log)
        assert status == self.expect, self.log
        return status


class Worker(Server):
    """connect-webhook worker, beside a handler of the same configuration."""

    def __init__(self, build, tmp, configuration, *options, expect=0, name="worker", **popen):
        self.expect = expect
        super().__init__([build / "connect-webhook", "worker", "-c", configuration.path, *options],
                         tmp / f"{name}.log", **popen)

    def stop(self):
        status = super().stop()
        check_log(self.log)
        assert status == self.expect, self.log
        return status


class Manager:
    """A service manager: what it is told."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(TIMEOUT)
        path.chmod(0o666)
        self.env = {"NOTIFY_SOCKET": str(path)}

    def told(self):
        return self.socket.recv(1000).decode().splitlines()


def substituted(source, target, replacements):
    text = source.read_text()
    for old, new in replacements.items():
        text = text.replace(old, str(new))
    target.write_text(text)


class WebServer(Server):
    """A web server on a port of its own; `url` is the hook's address."""

    def __init__(self, tmp, name):
        self.directory = tmp / name
        self.directory.mkdir()
        # Another program may take a free port before the server does: then it gets another one.
        for attempt in range(3):
            self.port = free_port()
            self.url = f"http://127.0.0.1:{self.port}/connect"
            arguments, env = self.prepare()
            try:
                super().__init__(arguments, tmp / f"{name}.log", ready=("127.0.0.1", self.port), env=env)
                return
            except RuntimeError as e:
                if attempt == 2 or "address already in use" not in str(e).lower():
                    raise

    def prepare(self):
        """Write its files; returns arguments and environment."""
        raise NotImplementedError

    def kill(self):
        """With its workers, which would go on without it."""
        os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(TIMEOUT)


class Nginx(WebServer):
    def __init__(self, tmp, socket_path):
        self.program = program("nginx")
        self.socket = socket_path
        super().__init__(tmp, "nginx")

    def prepare(self):
        substituted(SOURCE / "contrib/nginx/nginx.conf", self.directory / "nginx.conf", {})
        substituted(SOURCE / "contrib/nginx/connect-webhook.conf", self.directory / "connect-webhook.conf",
                    {SOCKET: self.socket, ADMIN: f"unix:{pathlib.Path(self.socket).parent}/admin.sock",
                     "listen 8080": f"listen 127.0.0.1:{self.port}"})
        return [self.program, "-p", self.directory, "-c", self.directory / "nginx.conf", "-e", "stderr"], {}


APACHE_USER = "www-data"  # of the files of contrib/apache, if started by root
APACHE_MODULES = pathlib.Path("/usr/lib/apache2/modules")


class Apache(WebServer):
    """`flavour` names a file of contrib/apache. mod_fcgid and cgi start `handler` themselves."""

    def __init__(self, tmp, flavour, handler, configuration):
        self.program = program("apache2")
        self.flavour = flavour
        self.configuration = configuration
        module = {"cgi": "mod_cgid"}.get(flavour, flavour)
        if not (APACHE_MODULES / f"{module}.so").exists():
            raise Missing(f"Apache's {module} is not installed")
        self.handler = handler
        if flavour != "mod_proxy_fcgi":  # Apache's user may not be able to reach the build tree
            self.handler = share(shutil.copy(handler, tmp / "handler"))
        own(tmp, APACHE_USER)
        super().__init__(tmp, flavour)
        if flavour == "cgi":
            self.wait_until(self.starts_programs)

    def prepare(self):
        for name in ("apache.conf", f"{self.flavour}.conf"):
            substituted(SOURCE / "contrib/apache" / name, self.directory / name,
                        {SOCKET: self.configuration.socket, CONFIGURATION: self.configuration.path,
                         f"fcgi://{ADMIN}/": f"unix:{self.configuration.socket.parent}/admin.sock|fcgi://admin/",
                         HANDLER: self.handler, "127.0.0.1:8080": f"127.0.0.1:{self.port}"})
        (self.directory / "fcgid").mkdir(exist_ok=True)
        own(self.directory, APACHE_USER)
        return ([self.program, "-d", self.directory, "-f", self.directory / "apache.conf",
                 "-D", self.flavour, "-DFOREGROUND"], {"CW_APACHE_DIR": str(self.directory)})

    def starts_programs(self):
        """mod_cgid's daemon may be later than the port, and gives its socket to Apache's user last:
        until then every call is answered with 503."""
        ours = pwd.getpwnam(APACHE_USER).pw_uid if os.geteuid() == 0 else os.geteuid()
        return any(s.stat().st_uid == ours for s in self.directory.glob("cgid.sock*"))

    def errors(self):
        error_log = self.directory / "error.log"
        return error_log.read_text(errors="replace") if error_log.exists() else self.log

    def stop(self):
        status = super().stop()
        check_log(self.errors())
        return status
