"""connect-sim: what goes wrong on purpose, and what it remembers of calls."""

import concurrent.futures
import http.client
import json
import socket
import urllib.parse

import pytest

import calls

PENDING = "PR-7957-9623-8221-001"  # of the built-in seed: a purchase
TILE = {"activation_tile": "# Ready"}
APPROVE = f"/requests/{PENDING}/approve"


class Control:
    """connect-sim's own paths."""

    def __init__(self, sim):
        self.root = sim.url.replace("/public/v1", "/_sim")

    def call(self, method, path, body=None):
        return calls.http(method, self.root + path, None if body is None else json.dumps(body).encode())

    def plan(self, *faults):
        answer = self.call("POST", "/faults", list(faults) if len(faults) != 1 else faults[0])
        assert answer.status == 201, answer
        return answer.json()

    def faults(self):
        return self.call("GET", "/faults").json()

    def calls(self):
        return self.call("GET", "/calls").json()


@pytest.fixture
def control(sim):
    return Control(sim)


def status(api, request_id=PENDING):
    return api.get(f"/requests/{request_id}")["status"]


# ------------------------------------------------------------------ refused faults


@pytest.mark.parametrize("fault,text", [
    (5, "an object is needed"), ("x", "an object is needed"), ([5], "[0]: an object is needed"),
    ({}, "status, delay_ms, close or body is needed"),
    ({"method": "GET", "path": "*", "count": 1, "probability": 1}, "status, delay_ms, close or body"),
    ({"status": 503, "stauts": 1}, "stauts: there is no such key"),
    ({"status": 503, "fired": 1}, "fired: there is no such key"),
    ({"status": 199}, "status:"), ({"status": 600}, "status:"), ({"status": "503"}, "status:"),
    ({"status": 503.5}, "status:"), ({"status": None}, "status:"),
    ({"status": 503, "method": 5}, "method:"), ({"status": 503, "method": ""}, "method:"),
    ({"status": 503, "path": "requests"}, "path:"), ({"status": 503, "path": ""}, "path:"),
    ({"status": 503, "path": ["/x"]}, "path:"),
    ({"delay_ms": 0}, "delay_ms:"), ({"delay_ms": -1}, "delay_ms:"), ({"delay_ms": 600001}, "delay_ms:"),
    ({"delay_ms": "1"}, "delay_ms:"),
    ({"close": "never"}, "close:"), ({"close": True}, "close:"), ({"body": "empty"}, "body:"),
    ({"close": "before", "status": 503}, "close: leaves no answer"),
    ({"close": "after", "body": "garbage"}, "close: leaves no answer"),
    ({"close": "before", "effect": True}, "effect: close says that"),
    ({"effect": True}, "status, delay_ms, close or body"), ({"body": "garbage", "effect": True}, "effect: needs"),
    ({"delay_ms": 5, "effect": False}, "effect: needs"), ({"status": 503, "effect": 1}, "effect:"),
    ({"delay_ms": 5, "retry_after": 5}, "retry_after: needs a status"),
    ({"status": 503, "retry_after": -1}, "retry_after:"), ({"status": 503, "retry_after": 86401}, "retry_after:"),
    ({"status": 503, "count": -1}, "count:"), ({"status": 503, "count": 1.5}, "count:"),
    ({"status": 503, "probability": 1.1}, "probability:"), ({"status": 503, "probability": -0.1}, "probability:"),
    ({"status": 503, "probability": "1"}, "probability:"), ({"status": 503, "seed": -1}, "seed:"),
    ({"status": 503, "seed": 4294967296}, "seed:"),
    ([{"status": 503}, {"status": 500}, {"nothing": 1}], "[2]: nothing: there is no such key"),
    ([{"status": 503}] * 1001, "there are 1000 faults already")])
def test_refuses_a_wrong_fault(api, control, fault, text):
    answer = control.call("POST", "/faults", fault)
    assert answer.status == 400 and answer.json()["error_code"] == "VAL_001"
    assert text in answer.json()["errors"][0]
    assert control.faults() == []  # of a list all or none
    assert api.call("POST", APPROVE, TILE).status == 200


def test_refuses_faults_that_are_not_json(control):
    for body in (b"", b"{", b"nothing"):
        assert calls.http("POST", control.root + "/faults", body).status == 400
    assert control.faults() == []


# -------------------------------------------------------------------------- faults


def test_a_status_has_no_effect(api, control):
    control.plan({"method": "POST", "path": "/requests/*/approve", "status": 503, "retry_after": 7})
    answer = api.call("POST", APPROVE, TILE)
    assert answer.status == 503 and answer.headers["Retry-After"] == "7"
    assert set(answer.json()) == {"error_code", "errors"} and status(api) == "pending"
    answer = api.call("POST", APPROVE, TILE)
    assert answer.status == 200 and answer.headers["Retry-After"] is None


def test_a_status_after_the_effect(api, control):
    control.plan({"path": "/requests/*/approve", "status": 500, "effect": True})
    answer = api.call("POST", APPROVE, TILE)
    assert answer.status == 500 and answer.headers["Content-Range"] is None
    assert status(api) == "approved"
    control.plan({"path": "/requests", "status": 502, "effect": True})
    answer = api.call("GET", "/requests")
    assert answer.status == 502 and answer.headers["Content-Range"] is None


@pytest.mark.parametrize("when,after", [("before", "pending"), ("after", "approved")])
def test_a_closed_connection(api, control, when, after):
    control.plan({"path": "/requests/*/approve", "close": when})
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        api.call("POST", APPROVE, TILE)
    assert status(api) == after
    assert [(c["status"], c["effect"]) for c in control.calls() if c["path"] == APPROVE] == \
        [(0, when == "after")]


def test_a_truncated_body(api, control):
    control.plan({"path": "/requests/*/approve", "body": "truncated"})
    with pytest.raises(http.client.IncompleteRead) as error:
        api.call("POST", APPROVE, TILE)
    whole = api.call("GET", f"/requests/{PENDING}")
    assert len(error.value.partial) + error.value.expected == len(whole.body)
    assert error.value.partial == whole.body[:len(whole.body) // 2]
    assert whole.json()["status"] == "approved"
    control.plan({"path": "/requests", "body": "truncated", "status": 500})
    with pytest.raises(http.client.IncompleteRead):
        api.call("GET", "/requests")


def test_a_truncated_answer_without_a_body_is_whole(api, control):
    control.plan({"method": "DELETE", "body": "truncated"})
    answer = api.call("DELETE", f"/notifications/webhooks/{calls.WEBHOOK}")
    assert answer.status == 204 and answer.body == b""


def test_a_garbage_body(api, control):
    control.plan({"path": "/requests/*/approve", "body": "garbage"})
    answer = api.call("POST", APPROVE, TILE)
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/json"
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert status(api) == "approved"
    control.plan({"path": "/requests", "body": "garbage", "status": 502})
    answer = api.call("GET", "/requests")
    assert answer.status == 502 and b"{" not in answer.body


def send(api, method, path, body=None):
    """A call whose answer is read later: its connection."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(api.url).netloc, timeout=calls.TIMEOUT)
    connection.request(method, "/public/v1" + path, None if body is None else json.dumps(body),
                       {"Authorization": f"ApiKey {api.api_key}"})
    return connection


def has_fired(control):
    return [f["fired"] for f in control.faults()] == [1]


def wait_until(condition):
    """Every look is a call over the network; the time limit of the test ends a wait in vain."""
    while not condition():
        pass


@pytest.mark.parametrize("late,during", [(False, "pending"), (True, "approved")])
def test_a_delay_blocks_nobody_and_ends_with_connect_sim(start_sim, late, during):
    sim = start_sim()
    api, control = calls.Api(sim.url, sim.api_key), Control(sim)
    control.plan({"path": "/requests/*/approve", "delay_ms": 600000, **({"effect": True} if late else {})})
    connection = send(api, "POST", APPROVE, TILE)
    wait_until(lambda: has_fired(control))
    if late:
        wait_until(lambda: status(api) == during)
    assert status(api) == during
    assert api.post("/requests/PR-7957-9623-8222-001/approve", TILE)["status"] == "approved"
    connection.sock.settimeout(0)
    with pytest.raises(BlockingIOError):
        connection.sock.recv(1, socket.MSG_PEEK)
    sim.stop()  # which fails if it has to be killed
    connection.close()


@pytest.mark.parametrize("more,code,after", [
    ({}, 200, "approved"), ({"effect": True}, 200, "approved"), ({"status": 503}, 503, "pending"),
    ({"status": 503, "effect": True}, 503, "approved")])
def test_a_delay_ends(api, control, more, code, after):
    control.plan({"path": "/requests/*/approve", "delay_ms": 20, **more})
    assert api.call("POST", APPROVE, TILE).status == code and status(api) == after


def test_a_delay_before_a_closed_connection(api, control):
    control.plan({"path": "/requests/*/approve", "delay_ms": 5, "close": "before"})
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        api.call("POST", APPROVE, TILE)
    assert status(api) == "pending"


# ------------------------------------------------------------------- which and how often


def statuses(api, count, path="/accounts"):
    return [api.call("GET", path).status for _ in range(count)]


def test_counts(api, control):
    control.plan({"path": "/accounts", "status": 501}, {"path": "/accounts", "status": 502, "count": 2},
                 {"path": "/products", "status": 503, "count": 0})
    assert statuses(api, 5) == [501, 502, 502, 200, 200]
    assert statuses(api, 7, "/products") == [503] * 7
    assert [f["fired"] for f in control.faults()] == [1, 2, 7]
    assert [f["status"] for f in control.faults()] == [501, 502, 503]
    answer = control.call("DELETE", "/faults")
    assert answer.status == 204 and answer.body == b"" and control.faults() == []
    assert statuses(api, 1, "/products") == [200]


@pytest.mark.parametrize("fault,method,path,meets", [
    ({}, "GET", "/accounts", True), ({"method": "POST"}, "GET", "/accounts", False),
    ({"path": "/accounts"}, "GET", "/accounts/", True), ({"path": "/accounts"}, "GET", "/accounts?id=1", True),
    ({"path": "/account"}, "GET", "/accounts", False), ({"path": "/requests/*"}, "GET", "/requests", False),
    ({"path": "/requests/PR-*"}, "GET", f"/requests/{PENDING}", True),
    ({"path": "/requests/*"}, "POST", APPROVE, True), ({"path": "*/approve"}, "POST", APPROVE, True),
    ({"path": "/requests/PR-[0-6]*"}, "GET", f"/requests/{PENDING}", False)])
def test_patterns(api, control, fault, method, path, meets):
    control.plan({**fault, "status": 503})
    assert (api.call(method, path).status == 503) == meets
    assert [f["fired"] for f in control.faults()] == [int(meets)]


def test_who_has_no_key_meets_faults_too_but_changes_nothing(sim, api, control):
    control.plan({"status": 503, "effect": True})
    answer = calls.http("POST", sim.url + APPROVE, json.dumps(TILE).encode())
    assert answer.status == 503 and status(api) == "pending"


def test_a_faulty_trigger_calls_nobody(api, control):
    path = f"/notifications/webhooks/{calls.WEBHOOK}"
    control.plan({"path": "*/trigger", "status": 503})
    assert api.call("POST", f"{path}/trigger").status == 503
    assert api.get(path)["stats"]["triggers"] == 0


def test_the_dice_of_a_seed(api, control):
    def throw(seed, probability=0.5):
        control.call("DELETE", "/faults")
        control.plan({"status": 503, "count": 0, "probability": probability, "seed": seed})
        return statuses(api, 64)

    first = throw(7)
    assert set(first) == {200, 503} and throw(7) == first and throw(8) != first
    assert throw(7, 0) == [200] * 64 and throw(7, 1) == [503] * 64


def test_the_next_fault_when_the_dice_say_no(api, control):
    control.plan({"status": 501, "probability": 0}, {"status": 502})
    assert statuses(api, 2) == [502, 200]


# -------------------------------------------------------------------------- calls


def test_remembers_every_call_in_order(sim, api, control):
    assert control.calls() == []
    api.get("/requests?status=pending&limit=2")
    api.call("POST", APPROVE)
    api.call("POST", f"{APPROVE}/", TILE)
    api.call("GET", "/nothing?a=%22%C3%BC")
    calls.http("GET", sim.url + "/accounts")
    control.plan({"status": 500, "effect": True})
    api.call("PUT", f"/requests/{PENDING}", {"note": "x"})
    calls.http("GET", sim.url.replace("/public/v1", "/elsewhere"))
    seen = control.calls()
    assert [(c["method"], c["path"], c["query"], c["status"], c["effect"]) for c in seen] == [
        ("GET", "/requests", "status=pending&limit=2", 200, False),
        ("POST", APPROVE, "", 400, False),
        ("POST", f"{APPROVE}/", "", 200, True),
        ("GET", "/nothing", "a=%22%C3%BC", 404, False),
        ("GET", "/accounts", "", 401, False),
        ("PUT", f"/requests/{PENDING}", "", 500, True)]
    for c in seen:
        assert set(c) == {"method", "path", "query", "status", "effect", "at"}
        assert c["at"].endswith("+00:00") and len(c["at"]) == len("2026-11-24T00:00:00+00:00")
    assert [c["at"] for c in seen] == sorted(c["at"] for c in seen)


def pump(api, count):
    """Many calls on one connection, whose answers are read while they are sent."""
    host = urllib.parse.urlsplit(api.url)
    request = f"GET /public/v1/requests?limit=0 HTTP/1.1\r\nHost: {host.netloc}\r\n\r\n".encode()
    answers = 0
    with socket.create_connection((host.hostname, host.port), calls.TIMEOUT) as connection:
        reader = connection.makefile("rb")
        for done in range(0, count, 50):
            batch = min(50, count - done)
            connection.sendall(request * batch)
            for _ in range(batch):
                assert reader.readline().startswith(b"HTTP/1.1 401 ")
                length = 0
                while (line := reader.readline()) != b"\r\n":
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                assert len(reader.read(length)) == length
                answers += 1
        reader.close()
    return answers


@pytest.mark.time_limit(240)
def test_remembers_thousands(api, control):
    count, threads = 5000, 4
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        assert list(pool.map(lambda _: pump(api, count), range(threads))) == [count] * threads
    seen = control.calls()
    assert len(seen) == count * threads
    assert all((c["path"], c["query"], c["status"]) == ("/requests", "limit=0", 401) for c in seen)
