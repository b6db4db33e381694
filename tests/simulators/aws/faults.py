"""What goes wrong, and when.

A plan is a list of rules; the first that fits a call is applied to it:

    {"action": "RunInstances",   of the call; "*": any; "changes": any that changes something
     "zone": "us-west-2a",       only for launches there (kind capacity)
     "from": 1, "count": 1,      the calls that fit are counted from 1; count 0: all from there on
     "kind": "throttle" | "error" | "reset_before" | "reset_after" | "hold" | "slow" | "capacity" | "invisible" | "refuse",
     "code": …, "status": …, "message": …    of the error
     "ms": 1000}                 slow: so much later; invisible, reset_after: what is made can't be seen for so long

reset_before closes the connection without doing anything, reset_after when it is done: the reply is lost. hold gives no reply
at all, until the other side has gone; "held" says how often that came to pass under this plan.
"""

import threading

from wire import Failure

ERRORS = {
    "throttle": ("RequestLimitExceeded", "Request limit exceeded.", 503),
    "error": ("InternalError", "An internal error has occurred", 500),
    "capacity": ("InsufficientInstanceCapacity", "We currently do not have sufficient capacity in the Availability "
                 "Zone you requested. Our system will be working on provisioning additional capacity.", 500),
    "refuse": ("UnauthorizedOperation", "You are not authorized to perform this operation.", 403),
}


READING = ("Describe", "Get", "List", "Filter", "Assume")


class Reset(Exception):
    """The connection is to be closed without a reply."""


class Hold(Reset):
    """The same, when the other side has closed it."""


def fits(rule, action, zone):
    wanted = rule.get("action", "*")
    is_change = action[:1].isupper() and not action.startswith(READING)
    return (wanted in ("*", action) or (wanted == "changes" and is_change)) and \
        ("zone" not in rule or rule["zone"] == zone)


class Faults:
    def __init__(self):
        self.lock = threading.Lock()
        self.rules = []
        self.held = 0

    def set(self, rules):
        with self.lock:
            self.rules = [dict(rule, seen=0) for rule in rules]
            self.held = 0

    def take(self, action, zone=None):
        """The rule that applies to this call, or None."""
        with self.lock:
            for rule in self.rules:
                if not fits(rule, action, zone):
                    continue
                rule["seen"] += 1
                first, count = rule.get("from", 1), rule.get("count", 1)
                if rule["seen"] >= first and (not count or rule["seen"] < first + count):
                    return rule
        return None


def raise_error(rule):
    """The error that a rule stands for, if it stands for one."""
    if rule["kind"] in ERRORS:
        code, message, status = ERRORS[rule["kind"]]
        raise Failure(rule.get("code", code), rule.get("message", message), rule.get("status", status))
