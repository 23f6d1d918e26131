"""Fixtures of the integration tests: real servers, started for a test and stopped with it.

    def test_something(sim, configuration, handler, nginx, connect):
        conf = configuration(sim)           # the webhook that connect-sim's seed has
        with handler(conf) as h:
            server = nginx(h)
            assert connect(server.url, conf).status == 200

`sim`, `handler`, `nginx` and `apache` need not be stopped by the test: that happens at its end, in
reverse order, and fails the test if one of them did not end well or a sanitizer complained.
"""

import contextlib
import faulthandler
import os
import pathlib
import shutil
import signal
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import calls  # noqa: E402
import programs  # noqa: E402
import servers  # noqa: E402
from small_connect import Connect  # noqa: E402

os.umask(0o022)  # servers that run as other users have to get at what tests make

DEFAULT_TIME_LIMIT = 60  # seconds; @pytest.mark.time_limit(N) sets another
GRACE = 60  # seconds after it in which the test may still clean up


def pytest_configure(config):
    config.addinivalue_line("markers", "time_limit(seconds): how long a test may take")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    if report.failed:
        item.has_failed = True


def on_alarm(*_):
    raise TimeoutError("the test's time is over")


@pytest.fixture(autouse=True)
def time_limit(request):
    """Set up before the fixtures of the test and torn down after them: covers both."""
    mark = request.node.get_closest_marker("time_limit")
    seconds = mark.args[0] if mark else DEFAULT_TIME_LIMIT
    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(seconds)
    # For a hang that no signal handler of Python's can end.
    faulthandler.dump_traceback_later(seconds + GRACE, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
    signal.alarm(0)


def missing(what):
    """What the test needs is not there: a user may do without it, the project's own run may not."""
    if os.environ.get("CI") == "true":
        pytest.fail(str(what))
    pytest.skip(str(what))


@pytest.fixture(scope="session")
def need():
    """need(program): its path."""
    def find(name):
        try:
            return servers.program(name)
        except servers.Missing as e:
            missing(e)
    return find


@pytest.fixture(scope="session")
def clean_source():
    """For tests that configure in a folder of their own, which works only if the source is not configured itself."""
    if (servers.SOURCE / "config.status").exists():
        pytest.skip("the source itself is configured: build in another folder")


@pytest.fixture(scope="session")
def build():
    """The build tree, with the programs in it."""
    folder = os.environ.get("CW_BUILD") or os.environ.get("BUILDDIR") or os.getcwd()
    return pathlib.Path(folder).resolve()


@pytest.fixture
def no_sanitizer(build):
    """For tests that preload a shim, or count: a sanitizer must come before every other library, and has memory and
    system calls of its own."""
    if servers.has_sanitizer(build):
        pytest.skip("not with a sanitizer")


@pytest.fixture
def sees_files():
    """For tests that look at what a handler has open, which hides that from all but root."""
    if os.geteuid() != 0:
        pytest.skip("only root can see what a handler has open")


folders = []


def new_folder():
    """That every user can enter, and whose path is short enough for sockets."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cw-", dir="/tmp"))
    folder.chmod(0o755)
    folders.append(str(folder))
    return folder


def left_behind():
    """Command lines of processes that name a folder of ours."""
    return [line for line in programs.running().values() if any(folder in line for folder in folders)]


@pytest.fixture(scope="session", autouse=True)
def no_process_is_left_behind():
    yield
    servers.wait_for(lambda: not left_behind())


@pytest.fixture
def tmp(request, time_limit):
    """A new folder; kept, and named, if the test fails."""
    folder = new_folder()
    yield folder
    if getattr(request.node, "has_failed", False):
        print(f"kept: {folder}")
    else:
        shutil.rmtree(folder)


@pytest.fixture
def small_disk(tmp):
    """small_disk(size): has the folder of the inbox on a disk of its own, of that size as mount(8) takes it."""
    folder = tmp / "state"
    with contextlib.ExitStack() as stack:
        def mount(size):
            folder.mkdir(exist_ok=True)
            if not stack.enter_context(servers.small_disk(folder, size)):
                pytest.skip("a small disk cannot be mounted here")
            return folder
        yield mount


@pytest.fixture
def running(tmp):
    """Stops what was started, last first, whatever happened."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def start_sim(build, tmp, running):
    """start_sim(*options, api_key=...): connect-sim with options of its own."""
    def start(*options, **kwargs):
        return running.enter_context(servers.Sim(build, tmp, *options, **kwargs))
    return start


@pytest.fixture
def sim(start_sim):
    """connect-sim with its built-in seed; sim.url, and calls.Api(sim.url, sim.api_key)."""
    return start_sim()


@pytest.fixture
def api(sim):
    """The API of `sim`: api.get("/requests"), api.post(path, body), api.put(path, body)."""
    return calls.Api(sim.url, sim.api_key)


@pytest.fixture
def configuration(tmp):
    """configuration(sim, **sections): see calls.Configuration."""
    def make(sim=None, **kwargs):
        return calls.Configuration(tmp, sim, **kwargs)
    return make


@pytest.fixture
def handler(build, tmp, running):
    """handler(configuration): connect-webhook.fcgi on its unix socket."""
    def start(conf, **kwargs):
        return running.enter_context(servers.Handler(build, tmp, conf, **kwargs))
    return start


@pytest.fixture
def worker(build, tmp, running):
    """worker(configuration, *options): connect-webhook worker."""
    def start(conf, *options, **kwargs):
        return running.enter_context(servers.Worker(build, tmp, conf, *options, **kwargs))
    return start


@pytest.fixture
def nginx(tmp, running):
    """nginx(handler): nginx in front of a handler (or of any socket's path)."""
    def start(backend):
        try:
            return running.enter_context(servers.Nginx(tmp, getattr(backend, "socket", backend)))
        except servers.Missing as e:
            missing(e)
    return start


@pytest.fixture
def apache(build, tmp, running):
    """apache(flavour, configuration): Apache, flavour mod_fcgid, mod_proxy_fcgi or cgi. The handler
    behind mod_proxy_fcgi must run, the others start their own."""
    def start(flavour, conf, program="connect-webhook.fcgi"):
        try:
            return running.enter_context(servers.Apache(tmp, flavour, build / program, conf))
        except servers.Missing as e:
            missing(e)
    return start


@pytest.fixture
def http():
    """http(method, url, body, headers): see calls.http."""
    return calls.http


@pytest.fixture
def connect():
    """connect(url, configuration, ...): a call as Connect makes it; see calls.connect."""
    return calls.connect


@pytest.fixture
def call():
    """call(url, configuration, status=202): a call of its own, and its answer; see calls.Caller."""
    return calls.Caller()


@pytest.fixture
def small_connect():
    with Connect() as connect:
        yield connect
