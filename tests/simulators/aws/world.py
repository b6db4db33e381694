"""One account: its objects, ids, keys, clock and limits."""

import hashlib
import threading
import time

ACCOUNT = "123456789012"

SETTINGS = {
    "account": ACCOUNT,   # whose credentials those of the tests are
    "shown_ms": 0,        # after which what was made can be seen
    "launch_ms": 0,       # from pending to running, and what else takes its time
    "stop_ms": 0,
    "terminate_ms": 0,
    "nat_ms": 0,
    "interface_ms": 0,    # for which the interface of a terminated instance is still there
    "profile_ms": 0,      # after which EC2 knows a new instance profile
    "session_ms": 0,      # after which a role's credentials are refused, whatever was said of their end; 0: then
    "clock_offset_s": 0,  # what this account's clock is ahead of everybody's
    "vpc_limit": 5,
    "vcpu_limit": 640,
    "page_max": 1000,     # the most that a list gives at a time
    "zones": "abcd",      # of every region
}


class World:
    def __init__(self):
        self.lock = threading.RLock()
        self.settings = dict(SETTINGS)
        self.keys = {"AKIASIMULATOR": {"secret": "simulated secret", "arn": f"arn:aws:iam::{ACCOUNT}:user/tester"}}
        self.counter = 0
        self.region = None    # of the present call
        self.objects = {}     # (region, kind) -> {id: object}
        self.tokens = {}      # (action, client token) -> (fingerprint of the parameters, id)
        self.hidden = {}      # id -> when it becomes visible
        self.hide_ms = 0      # for what is made by the present call
        self.pages = {}       # next token -> what is left of a list
        self.metrics = []     # (namespace, name, dimensions, time, value)

    def clear(self):
        for everything in (self.objects, self.tokens, self.hidden, self.pages):
            everything.clear()
        self.metrics.clear()

    def now(self):
        return time.time() + self.settings["clock_offset_s"]

    def after(self, setting):
        return time.time() + self.settings[setting] / 1000

    def new_id(self, prefix):
        self.counter += 1
        return f"{prefix}-{hashlib.sha256(str(self.counter).encode()).hexdigest()[:17]}"

    def kind(self, kind):
        return self.objects.setdefault((self.region, kind), {})

    def add(self, kind, prefix, **members):
        identity = members.pop("id", None) or self.new_id(prefix)
        thing = {"id": identity, "tags": {}, **members}
        self.kind(kind)[identity] = thing
        hide_ms = max(self.hide_ms, self.settings["shown_ms"])
        if hide_ms and kind != "image":
            self.hidden[identity] = time.time() + hide_ms / 1000
        return thing

    def zones(self):
        return [self.region + letter for letter in self.settings["zones"]]

    def is_visible(self, identity):
        return self.hidden.get(identity, 0) <= time.time()
