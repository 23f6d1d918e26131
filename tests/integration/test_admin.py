"""The admin side: health and readiness, on a listener of its own."""

import contextlib
import fcntl
import re
import shutil
import signal
import socket
import subprocess

import pytest

import calls
import crash
import fcgi_client
import inbox_rows
import servers

CHECKS = {"inbox", "workers", "backlog", "accounts", "disk"}


@pytest.fixture
def conf(small_connect, configuration, tmp):
    return configuration(api_url=small_connect.url, rules="- then: { action: fail, reason: no }\n", mode="queue",
                         processing={"workers": 2, "poll_interval": 0}, inbox={"lock_timeout": "300ms"},
                         web={"admin_listen": f"unix:{tmp}/admin.sock"})


def ask(conf, path, method="GET"):
    with fcgi_client.Connection(conf.document["web"]["admin_listen"]) as connection:
        return connection.ask(keep=False, REQUEST_METHOD=method, SCRIPT_NAME=path)


def answers(conf):
    try:
        return ask(conf, "/-/healthz").status == 200
    except OSError:
        return False


@pytest.fixture
def handler(handler):
    """handler(configuration): as everywhere, once its admin side answers."""
    def start(conf, **how):
        runs = handler(conf, **how)
        runs.wait_until(lambda: answers(conf))
        return runs
    return start


def ready(conf):
    """(status, checks that fail: why, the whole document)"""
    answer = ask(conf, "/-/readyz")
    document = answer.json()
    assert set(document["checks"]) == CHECKS, document
    wrong = {name: check["why"] for name, check in document["checks"].items() if not check["ok"]}
    assert (answer.status, document["status"]) == ((503, "not ready") if wrong else (200, "ready"))
    return answer.status, wrong, document["checks"]


def only(conf, name):
    """What is wrong is this, and nothing else."""
    _, wrong, _ = ready(conf)
    assert set(wrong) == {name}, wrong
    return wrong[name]


@pytest.mark.parametrize("method, path, status", [
    ("POST", "/-/readyz", 405), ("GET", "/", 404), ("GET", "/-/", 404), ("GET", "/-/readyz/x", 404),
    ("GET", "/connect", 404), ("DELETE", "/-/healthz", 405)])
def test_answers_nothing_else(conf, handler, method, path, status):
    handler(conf)
    assert ask(conf, path, method).status == status


def test_who_hangs_is_not_well(build, conf, handler, tmp, no_sanitizer):
    """Nor says so to the service manager, and it ends when it is told to. It hangs at its second answer; the first
    was ours."""
    manager = servers.Manager(tmp / "notify.sock")
    conf.document["web"]["stop_timeout"] = "100ms"
    conf.save()
    runs = handler(conf, expect=1, env={**crash.hanging(build, "before:answer:2"), **manager.env,
                                        "WATCHDOG_USEC": "200000", **servers.waits(hangs="1s", stop_grace="500ms")})
    with fcgi_client.Connection(f"unix:{conf.socket}") as connection:
        connection.send(fcgi_client.request())
        manager.socket.settimeout(2)
        with pytest.raises(TimeoutError):
            while manager.told() in (["READY=1"], ["WATCHDOG=1"]):
                continue
        health = ask(conf, "/-/healthz")
        assert (health.status, health.json()["status"]) == (503, "hangs")
        assert "something in this program hangs" in runs.log
        runs.signal(signal.SIGTERM)
        assert runs.process.wait(calls.TIMEOUT) == 1
    manager.socket.close()
    assert "it is ended all the same" in runs.log


def test_the_webhooks_listener_does_not_know_it(conf, handler):
    runs = handler(conf)
    with fcgi_client.Connection(f"unix:{conf.socket}") as connection:
        assert connection.ask(SCRIPT_NAME="/-/readyz").status == 404
    assert runs.stop() == 0


def test_a_wrong_address_is_no_start(build, conf, tmp):
    (tmp / "admin.sock").write_text("a file\n")
    ran = subprocess.run([build / "connect-webhook.fcgi", "-c", conf.path], stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, timeout=servers.TIMEOUT)
    assert ran.returncode == 1
    assert re.search("level=error .*web.admin_listen: .*is not a socket", ran.stderr)
    assert (tmp / "admin.sock").read_text() == "a file\n"


def test_all_is_well(conf, handler):
    runs = handler(conf)
    health = ask(conf, "/-/healthz")
    assert (health.status, health.json()["status"]) == (200, "ok")
    runs.wait_until(lambda: ready(conf)[0] == 200)
    checks = ready(conf)[2]
    assert checks["workers"]["programs"] == 1
    assert checks["backlog"]["ready"] == checks["backlog"]["oldest_s"] == 0
    assert checks["accounts"]["halted_s"] == {}
    assert checks["disk"]["free_bytes"] > checks["disk"]["inbox_bytes"] > 0


# ------------------------------------------------------------------------------ the faults

def test_an_inbox_that_cannot_be_written(conf, handler):
    """Locked, and then gone."""
    runs = handler(conf)
    runs.wait_until(lambda: ready(conf)[0] == 200)
    with open(conf.state / "inbox.db.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another process has held it" in only(conf, "inbox")
        assert ask(conf, "/-/healthz").status == 200
    assert ready(conf)[0] == 200
    (conf.state / "inbox.db").rename(conf.state / "moved.db")
    assert "was deleted or replaced" in only(conf, "inbox")
    (conf.state / "moved.db").rename(conf.state / "inbox.db")
    assert ready(conf)[0] == 200


def test_a_write_ahead_log_that_grows_for_ever(conf, handler, nginx, connect):
    conf.document["inbox"]["max_wal"] = "1MiB"
    conf.document["processing"]["workers"] = 1
    conf.save()
    runs = handler(conf)
    url = nginx(runs).url
    reader = inbox_rows.connect(conf)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM delivery").fetchone()
    body = b"x" * 500000
    while connect(url, conf, body=body, claims={"data": {"call": object().__hash__()}}).status != 503:
        pass
    assert "max_wal" in only(conf, "inbox")
    reader.close()


@pytest.mark.parametrize("workers", [0, 2])
def test_nobody_works(conf, handler, worker, workers):
    """None here and none beside; then there is one, until it dies."""
    conf.document["processing"]["workers"] = workers
    conf.save()
    runs = handler(conf)
    if workers:
        runs.wait_until(lambda: ready(conf)[2]["workers"]["programs"] == 1)
        return
    assert "no `connect-webhook worker`" in only(conf, "workers")
    beside = worker(conf, name="killed", expect=-signal.SIGKILL)
    runs.wait_until(lambda: ready(conf)[0] == 200)
    beside.kill()
    inbox_rows.change(conf, ("UPDATE worker SET seen_us = seen_us - 60000000", ()))
    assert "no `connect-webhook worker`" in only(conf, "workers")
    again = worker(conf)
    runs.wait_until(lambda: ready(conf)[0] == 200)
    again.stop()
    assert "no `connect-webhook worker`" in only(conf, "workers")


def test_without_a_queue_nobody_has_to_work(conf, handler):
    conf.document["processing"].update(mode="inline", workers=0)
    conf.save()
    handler(conf)
    assert ready(conf)[0] == 200


def test_an_account_whose_key_is_refused(conf, small_connect, handler, nginx, call):
    runs = handler(conf)
    wanted = small_connect.add("purchase")
    small_connect.status_of["GET /requests/" + wanted] = 401
    call(nginx(runs).url, conf)
    runs.wait_until(lambda: "accounts" in ready(conf)[1])
    assert f"account {calls.ACCOUNT} is halted for" in only(conf, "accounts")
    assert ready(conf)[2]["accounts"]["halted_s"][calls.ACCOUNT] > 3000
    small_connect.status_of.clear()
    runs.signal(signal.SIGHUP)
    runs.wait_until(lambda: ready(conf)[0] == 200)


@pytest.mark.parametrize("status", [429, 503])
def test_an_account_that_connect_throttles_or_cannot_serve(conf, sim, api, handler, nginx, call, status):
    """For longer than it takes to get over by itself."""
    conf.account(calls.ACCOUNT)["api_url"] = sim.url
    conf.save()
    api.plan({"method": "GET", "path": "/requests", "status": status, "retry_after": 120, "count": 1})
    runs = handler(conf)
    call(nginx(runs).url, conf)
    runs.wait_until(lambda: "accounts" in ready(conf)[1])
    assert "Connect fails, throttles it, or refuses its key" in only(conf, "accounts")
    assert 60 <= ready(conf)[2]["accounts"]["halted_s"][calls.ACCOUNT] <= 120
    conf.account(calls.ACCOUNT)["timeout"] = "299s"  # another client, which knows nothing of what Connect asked for
    conf.save()
    runs.signal(signal.SIGHUP)
    runs.wait_until(lambda: ready(conf)[0] == 200)


def test_a_disk_that_fills_up(small_disk, conf, handler, nginx, connect):
    """Told of before it is full; and then, that nothing can be stored."""
    disk = small_disk("80m")
    runs = handler(conf)
    url = nginx(runs).url
    runs.wait_until(lambda: ready(conf)[0] == 200)
    filler = disk / "filler"
    filler.write_bytes(bytes(30 << 20))
    assert re.fullmatch(r"only \d\d MiB are free on the inbox's disk", only(conf, "disk"))
    assert connect(url, conf).status == 202
    with contextlib.suppress(OSError):
        filler.write_bytes(bytes(80 << 20))
    runs.wait_until(lambda: set(ready(conf)[1]) == {"inbox", "disk"})
    assert "only 0 MiB are free" in ready(conf)[1]["disk"]
    filler.unlink()
    runs.wait_until(lambda: ready(conf)[0] == 200)


def test_what_waits_for_too_long(conf, handler):
    conf.document["inbox"]["max_backlog"] = 10
    conf.document["processing"]["workers"] = 0
    conf.save()
    runs = handler(conf)
    inbox_rows.change(conf, ("INSERT INTO worker VALUES ('somebody', (SELECT at_boot_us FROM clock) + ?)",
                             (inbox_rows.uptime_us(),)))
    assert ready(conf)[0] == 200
    inbox_rows.add_tasks(conf, 3)
    inbox_rows.change(conf, ("INSERT INTO sweep (account_id, product_id, object_class, rank, due_us, poll_us, called,"
                             " for_call, started_us, ended_us, covered_us, failures, error, lease, lease_until_us,"
                             " lease_owner) VALUES (?, ?, 'fulfillment_request', 1, 9e18, 9e18, 0, 0, 0, 0, 0, 0, '',"
                             " x'', 0, '')", inbox_rows.QUEUE))
    assert ready(conf)[2]["backlog"] == {"ready": 3, "oldest_s": 0, "ok": True}
    inbox_rows.change(conf, ("UPDATE task SET due_us = (SELECT at_boot_us FROM clock) + ? WHERE object_id = 'PR-2'",
                             (inbox_rows.uptime_us() - 901 * 10**6,)))
    assert "what is due next has been so for 90" in only(conf, "backlog")
    inbox_rows.change(conf, ("DELETE FROM task", ()))
    assert ready(conf)[0] == 200
    inbox_rows.add_tasks(conf, 10)
    assert "inbox.max_backlog: 10 objects wait" in only(conf, "backlog")
    assert runs.stop() == 0


# ------------------------------------------------------------------------ who has the address

def test_the_next_takes_over(conf, handler, worker):
    """The worker waits for the address that the handler has; when that ends, it is told of health."""
    runs = handler(conf)
    beside = worker(conf)
    beside.wait_until(lambda: "this one takes over when that ends" in beside.log)
    assert runs.stop() == 0
    beside.wait_until(lambda: answers(conf))
    beside.wait_until(lambda: ready(conf)[0] == 200)
    assert beside.stop() == 0
    assert not answers(conf)


def test_it_may_be_a_port(conf, handler, worker):
    """As the files of contrib have it."""
    conf.document["web"]["admin_listen"] = f"tcp:127.0.0.1:{servers.free_port()}"
    conf.save()
    runs = handler(conf)
    beside = worker(conf)
    beside.wait_until(lambda: "this one takes over when that ends" in beside.log)
    assert runs.stop() == 0
    beside.wait_until(lambda: answers(conf))


def test_who_asks_and_is_silent_holds_nothing_up(conf, handler):
    runs = handler(conf)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(conf.document["web"]["admin_listen"].removeprefix("unix:"))
        silent.sendall(b"\x01")
        assert ask(conf, "/-/healthz").status == 200
        assert runs.stop() == 0


# ---------------------------------------------------------------------- through web servers

@pytest.mark.parametrize("front", ["nginx", "mod_proxy_fcgi"])
def test_web_servers_pass_it_on_for_this_machine_alone(conf, handler, nginx, apache, http, front):
    runs = handler(conf)
    runs.wait_until(lambda: ready(conf)[0] == 200)
    url = (nginx(runs) if front == "nginx" else apache(front, conf)).url
    answer = http("GET", url.replace("/connect", "/-/readyz"))
    assert (answer.status, answer.json()["status"]) == (200, "ready")
    assert http("GET", url.replace("/connect", "/-/nothing")).status == 404
    contrib = {"nginx": "nginx/connect-webhook.conf", "mod_proxy_fcgi": "apache/mod_proxy_fcgi.conf"}[front]
    allowed = {"nginx": "allow ::1;\n        deny all;", "mod_proxy_fcgi": "Require local"}[front]
    text = (servers.SOURCE / "contrib" / contrib).read_text()
    assert allowed in text and f'admin_listen: "tcp:{servers.ADMIN}"' in text


# -------------------------------------------------------------------------------- metrics

ALERTS = servers.SOURCE / "contrib/prometheus/alerts.yaml"
SAMPLE = re.compile(r'([a-z_]+)(?:\{([a-z_]+="[^"\\\n]*"(?:,[a-z_]+="[^"\\\n]*")*)\})? (\S+)')


def metrics(conf):
    """{name: {labels: value}}, having checked that it is Prometheus's text format."""
    answer = ask(conf, "/-/metrics")
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found, kinds, helped = {}, {}, set()
    for line in answer.body.decode().splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name in helped and name not in kinds, "each is described once, before its samples"
            kinds[name] = kind
        elif line.startswith("# HELP "):
            helped.add(line.split(" ")[2])
        else:
            name, labels, value = SAMPLE.fullmatch(line).groups()
            base = re.sub("_(bucket|sum|count)$", "", name)
            kind = kinds.get(name) or kinds[base]
            assert (kind == "counter") == name.endswith("_total") and list(kinds)[-1] in (name, base)
            assert (labels or "") not in found.setdefault(name, {})
            found[name][labels or ""] = float(value)
    return found


def test_measures_what_is_done(conf, small_connect, handler, nginx, call, connect):
    """Of all programs together: also what one that has ended has counted."""
    runs = handler(conf)
    url = nginx(runs).url
    wanted = small_connect.add("purchase")
    call(url, conf)
    runs.wait_until(lambda: small_connect.status(wanted) == "failed")
    connect(url, conf, claims={"product_id": "PRD-1-2-3"})
    connect(url, conf, token=calls.sign(calls.claims_of(conf), "x" * 32))
    connect(url, conf, method="PUT")
    runs.stop()
    handler(conf)
    now = metrics(conf)
    prefix, webhook, account = "connect_webhook_", f'webhook="{calls.WEBHOOK}"', f'account="{calls.ACCOUNT}"'
    assert now[prefix + "calls_total"] == {f'{webhook},status="202"': 1, f'{webhook},status="200"': 1,
                                           'webhook="",status="401"': 1, 'webhook="",status="405"': 1}
    assert now[prefix + "refusals_total"] == {'reason="token-signature"': 1, 'reason="method"': 1}
    assert now[prefix + "tasks_total"] == {f'{webhook},result="done"': 1}
    assert now[prefix + "api_calls_total"][f'{account},status="200"'] >= 3
    for name, labels, least in (("api_call_seconds", account, 3), ("policy_seconds", webhook, 1),
                                ("commit_seconds", "", 3)):
        count = now[prefix + name + "_count"][labels]
        assert count >= least and now[prefix + name + "_sum"][labels] >= 0
        buckets = [n for at, n in now[prefix + name + "_bucket"].items() if at.startswith(labels)]
        assert buckets == sorted(buckets) and buckets[-1] == count
    assert now[prefix + "commit_changes_total"][""] >= now[prefix + "commit_seconds_count"][""]
    assert now[prefix + "backlog_tasks"] == {"": 0} and now[prefix + "dead_tasks"] == {webhook: 0}
    assert now[prefix + "account_halted_seconds"] == {account: 0}
    assert now[prefix + "found_by_polling_total"] == {webhook: 0}
    assert now[prefix + "build_info"] == {f'version="{ask(conf, "/-/healthz").json()["version"]}"': 1}
    assert 0 < now["process_cpu_seconds_total"][""] < 60 and now["process_open_fds"][""] > 3
    assert now["process_resident_memory_bytes"][""] > 10**6


def test_alerts_are_about_what_is_measured(conf, handler, nginx, call, connect):
    runs = handler(conf)
    connect(nginx(runs).url, conf)
    runs.stop()
    handler(conf)
    text = ALERTS.read_text()
    named = set(re.findall(r"connect_webhook_[a-z_]+", text))
    counted_when_it_happens = {"connect_webhook_refusals_total"}
    assert named - counted_when_it_happens <= set(metrics(conf))
    assert counted_when_it_happens < named


def test_alerts_and_metrics_pass_promtool(conf, handler):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    subprocess.run([promtool, "check", "rules", ALERTS], check=True, capture_output=True, timeout=servers.TIMEOUT)
    handler(conf)
    subprocess.run([promtool, "check", "metrics"], input=ask(conf, "/-/metrics").body, check=True, capture_output=True,
                   timeout=servers.TIMEOUT)
