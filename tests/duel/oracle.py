"""What decides: every question of the program's comes here, through the little program oracle.c."""

import contextlib
import json
import pathlib
import socketserver
import sys
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import http_server  # noqa: E402
import model  # noqa: E402
import trouble  # noqa: E402
import truths  # noqa: E402

FINAL = {  # what a plan's "yes" and "no" mean, of an object in this state
    "pending": {"fulfillment_request": ("approve", "fail"), "tier_config_request": ("approve", "fail"),
                "tier_account_request": ("accept", "ignore"), "usage_file": ("accept", "reject")},
    "revoking": {"fulfillment_request": ("confirm", "confirm")},
    "reviewing": {"listing_request": ("deploy", "cancel")},
    "deploying": {"listing_request": ("complete", "cancel")},
    "ready": {"usage_file": ("submit", "submit")},
    "uploaded": {"usage_file": ("submit", "submit")},
    "accepted": {"usage_file": ("close", "close")},
    None: {"billing_request": ("annotate", "annotate")},
}
HEARD = ("", "error", "tell")  # of all that can go wrong with an answer, what does not keep it from being one
REASON_MAX = {"fail": 500, "ignore": 255, "reject": 200}


def decision(thing, object_, step):
    """The answer that a step of a plan stands for: {"do": "yes"|"no"|"inquire"|"skip"|"later", ...}."""
    kind = thing.kind
    state = thing.state_of(object_)
    choices = FINAL.get(state, {}).get(kind.name)
    do = step["do"]
    if do == "later":
        answer = {"action": "reschedule", "after": model.DELAY}
    elif do == "skip" or choices is None:
        answer = {"action": "skip", "reason": "for a person"}
    else:
        answer = {"action": choices[do == "no"]}
        if do == "inquire" and state == "pending" and "inquire" in kind.verbs:
            answer["action"] = "inquire"
    action = answer["action"]
    if action == "annotate":
        answer["attributes"] = {"seen": thing.foreign, "n": thing.n}
    if action in REASON_MAX:
        reason = "not today" if "quote" not in step else "r" * step["quote"] + f" {thing.password} was chosen"
        answer["note" if action == "reject" else "reason"] = reason[:REASON_MAX[action]]
    if step.get("write") and kind.params and action != "inquire":
        answer["params"] = [{"id": "note", "value": f"written {len(thing.licenses)}"}]
    return answer


class Oracle(http_server.InThread, socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 100

    def __init__(self, world, path):
        super().__init__(str(path), Asked)
        pathlib.Path(path).chmod(0o666)
        self.world = world

    def handle_error(self, *_):
        self.world.blame("duel", traceback.format_exc())

    def answer(self, question):
        """Bytes to say; None: nothing, for ever."""
        hook = model.HOOKS[question["webhook"]["id"]]
        how = trouble.of_policy(self.world, hook) or ""
        if question["kind"] == "validate":
            answer = {"params": truths.form_answer(question["object"])}
        else:
            with self.world.lock:
                how, answer = self.decide(hook, question, how)
        thing = self.world.by_id.get(question["object"].get("id"))
        secret = thing.password if thing else "nothing"
        if "id" in question:
            answer = {"id": question["id"], **answer}
        said = json.dumps(answer).encode() + b"\n"
        before = len(said) * 7 % 2000  # bytes on standard error, before a text
        return {"": said, "hang": None, "exit": b"!exit 3\n", "garbage": b"this is no answer\n", "deaf": b"!deaf\n",
                "empty": b"{}\n", "error": f"!error {before} a text\n".encode() + said,
                "tell": f"!error {before} {secret}\n".encode() + said}[how]

    def decide(self, hook, question, how):
        """Take the next step of the object's plan; a step that goes wrong does so once."""
        world, object_ = self.world, question["object"]
        thing = world.by_id[object_["id"]]
        at = min(thing.steps, len(thing.plan) - 1)
        step = thing.plan[at]
        answer = decision(thing, object_, step)
        truths.of_question(world, thing, hook, object_)
        thing.asked.setdefault(hook.id, world.now())
        if not how and step.get("how"):
            how = step["how"]
            thing.plan[at] = {k: v for k, v in step.items() if k != "how"}
            world.trouble(trouble.OfHook(world.now() + trouble.POLICY_TIMEOUT, hook.id))
        if how in HEARD:
            thing.steps += 1
            thing.licenses.append(model.License(hook, answer, object_["changed"], world.now()))
        world.tell(f"{thing.id} asked about, is {thing.state_of(object_)}: {answer['action']} {how}")
        return how, answer


class Asked(socketserver.StreamRequestHandler):
    def handle(self):
        with contextlib.suppress(ConnectionError):
            for line in self.rfile:
                if not line.endswith(b"\n"):  # who asks was killed
                    return
                said = self.server.answer(json.loads(line))
                if said is None:
                    self.server.world.over.wait(self.server.world.patience)
                    return
                self.wfile.write(said)
