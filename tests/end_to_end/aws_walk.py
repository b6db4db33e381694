"""aws_walk.py - cuts the program off at every point of deploy, update, stop, start and delete on AWS, and looks what comes of it

usage: aws_walk.py PROGRAM SIMULATOR

PROGRAM is memories-crash (crash_walk.py says what is special about it), SIMULATOR the program of tests/simulators/aws. It is
cut off in three ways: killed at a commit of its store; a reply lost, when AWS has done what it was asked for; killed when it
waits for a reply that will not come, which leaves changes half done that take several requests. What follows, `resume`, a
second command or `delete`, must end with exactly the objects at AWS that an undisturbed run makes: none missing, none twice.

One node is walked whole, the other scenarios are sampled. Several walks go on side by side, each with a simulator and a state
directory of its own: most of their time they wait, as long as AWS may hide what it has made.
"""
import collections
import concurrent.futures
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

OPERATIONS = ["deploy", "update", "stop", "start", "delete"]
NOT_FOUND = 4
POINTS_MAX = 200
WALKS_AT_ONCE = 10

program, simulator = sys.argv[1:]
test_dir = os.environ["test_dir"]


# ---- What is deployed: {name: (old, new)} ----


def scenarios():
    web = {"name": "web", "protocol": "tcp", "ports": ["80"], "source_ranges": ["0.0.0.0/0"]}
    ssh = {"name": "ssh", "protocol": "tcp", "ports": ["22"], "source_ranges": ["198.51.100.0/24"]}
    sleep = {"command": ["sleep", "infinity"]}
    old = {"region": "us-west-2", "workload": sleep,
           "network": {"vpc_name": "old", "firewall_name": "wall", "security": {"rules": [web]}}}
    new = {"region": "us-west-2", "workload": {"command": ["sleep", "1d"]}, "instance_type": "t3.large",
           "network": {"vpc_name": "new", "firewall_name": "wall", "security": {"rules": [ssh]}}}
    yield "standalone", "standalone", old, new

    members = {"region": "us-west-2", "consensus": {"algorithm": "raft", "min_nodes": 3}}
    yield "consensus", "consensus", {**members, "network": old["network"]}, {**members, "network": new["network"]}

    alike = {"region": "us-west-2", "swarm": {"manager_nodes": 1, "worker_nodes": 3},
             "node_specs": {"worker_specs": {"zone": "us-west-2b"}}}  # by one request
    yield "alike", "swarmed", {**alike, "network": old["network"]}, {**alike, "network": new["network"]}

    inside = {"public_ip": False, "subnets": {"private": {"enabled": True, "cidr": "10.0.2.0/24"}}}
    yield "private", "standalone", {**old, "network": {**old["network"], **inside}}, {
        **new, "network": {**new["network"], **inside}}

    alert = {"type": "cpu", "threshold": 80, "duration": 300, "notify": ["someone@example.com"]}
    watched = {"monitoring": {"metrics": ["cpu_utilization", "memory_usage"], "alerts": [alert]},
               "logging": {"retention_days": 30, "cloudwatch": {"enabled": True}}}
    otherwise = {"monitoring": {"metrics": ["cpu_utilization", "memory_usage"], "alerts": [
        {**alert, "threshold": 90}, {"type": "memory", "threshold": 85, "duration": 300}]},
        "logging": {"retention_days": 60, "cloudwatch": {"enabled": True}}}
    yield "monitoring", "standalone", {**old, **watched}, {**old, **otherwise}


SCENARIOS = {name: {"topology": topology, "old": old, "new": new} for name, topology, old, new in scenarios()}

BEFORE = {"update": "deploy", "stop": "update", "start": "stop", "delete": "start"}  # whose end is the state before


# ---- The simulator ----


class Cloud:
    def __init__(self, directory):
        port_file = os.path.join(directory, "port")
        self.process = subprocess.Popen([sys.executable, simulator, "--port-file", port_file], stdin=subprocess.PIPE)
        deadline = time.monotonic() + 20
        while not os.path.exists(port_file):
            assert time.monotonic() < deadline, "the simulator does not start"
            time.sleep(0.02)
        with open(port_file, encoding="ascii") as file:
            self.url = f"http://127.0.0.1:{file.read()}"

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def ask(self, method, what, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/simulator/{what}", data, method=method)) as reply:
            return json.loads(reply.read() or b"null")

    def fault(self, **rule):
        self.ask("PUT", "faults", [rule] if rule else [])


OF_THE_RUN = {"id", "token", "reservation", "launched", "ready_at", "known_at", "until", "deleted_at", "ip", "memories-token",
              "Value", "arn"}
# The fingerprint of what an instance runs: comparable only where that does not name the deployment.
RUNS = "memories-runs"


def comparable(value, names, ignored):
    """Without what differs from run to run; ids by the names of what they name."""
    if isinstance(value, dict):
        return {comparable(key, names, ignored): comparable(inner, names, ignored) for key, inner in value.items()
                if key not in ignored}
    if isinstance(value, list):
        return [comparable(inner, names, ignored) for inner in value]
    if isinstance(value, str):
        value = re.sub(r"\b[a-z]+-[0-9a-f]{17}\b", lambda match: names.get(match[0], "ID"), value)
        value = re.sub(r"\b(\w+-[0-9]+):[0-9a-f]{8}(?=,|$)", r"\1", value)  # memories-members
        value = re.sub(r"\b(\w+)-aws-[0-9]{8}-[0-9]{6}(-[0-9]+)?\b", "DEPLOYMENT", value)
        return re.sub(r"\b198\.51\.100\.[0-9]+\b", "PUBLIC", value)
    return value


def name_of(kind, thing):
    return f"{kind} {thing['tags'].get('memories-key') or thing.get('name') or thing.get('main')}"


def world_of(cloud, ignored):
    """{kind: objects} in a comparable form, and how many instances there ever were."""
    things = cloud.ask("GET", "world")
    launched = len(things.get("instance", []))
    for interface in things.pop("networkInterface", []):
        assert interface["until"] or interface["instance"] in {one["id"] for one in things["instance"]}, interface
    names = {thing["id"]: name_of(kind, thing) for kind, all_of_kind in things.items() for thing in all_of_kind}
    there = {}
    for kind, all_of_kind in things.items():
        left = [comparable(thing, names, ignored) for thing in all_of_kind if thing["state"] not in ("terminated", "deleted")]
        if left:
            there[kind] = sorted(left, key=lambda thing: json.dumps(thing, sort_keys=True))
    return there, launched


def difference(found, wanted):
    lines = []
    for kind in sorted(set(found) | set(wanted)):
        here, there = ([json.dumps(thing) for thing in things.get(kind, [])] for things in (found, wanted))
        for sign, these, others in (("-", there, here), ("+", here, there)):
            lines += [f"{sign} {kind}: {thing}" for thing in these if these.count(thing) > others.count(thing)]
    return "\n".join(lines)


# ---- One walk ----


class Walk:
    def __init__(self, scenario, name):
        self.scenario = SCENARIOS[scenario]
        self.runs_alike = scenario in ("standalone", "private")
        self.name = f"{scenario}, {name}"
        self.doing = "starts"
        self.directory = os.path.join(test_dir, self.name.replace(", ", "-").replace(" ", "-"))
        os.mkdir(self.directory)
        self.cloud = Cloud(self.directory)
        self.environment = {**os.environ, "MEMORIES_STATE_DIR": self.directory + "/state", "AWS_ENDPOINT_URL": self.cloud.url}
        self.counts = collections.Counter()
        self.began = time.monotonic()
        self.clean = self.run_undisturbed()

    def close(self):
        self.cloud.close()

    # -- The program --

    def start(self, *arguments, config=None, crash_at=None):
        environment = dict(self.environment)
        if crash_at:
            environment["MEMORIES_CRASH_AT"] = str(crash_at)
        if arguments[0] in ("deploy", "update", "start", "resume"):
            arguments += ("--no-wait",)
        process = subprocess.Popen([program, *arguments], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        if config:
            process.stdin.write(json.dumps(config))
        process.stdin.close()
        process.stdin = None
        return process

    def finish(self, process, may_be_killed=False):
        out, err = process.communicate()
        if process.returncode not in (0, NOT_FOUND) and not (may_be_killed and process.returncode == -signal.SIGKILL):
            raise AssertionError(f"memories {' '.join(process.args[1:])} exited with {process.returncode}\n{err}")
        return process.returncode, out

    def run(self, *arguments, **options):
        return self.finish(self.start(*arguments, **options), "crash_at" in options)

    def begin(self, operation, crash_at=None):
        if operation in ("deploy", "update"):
            version = "old" if operation == "deploy" else "new"
            config = {"topology": self.scenario["topology"], "provider": "aws", "config": self.scenario[version]}
            names = ("-", "--name", "walk") if operation == "deploy" else ("walk", "-")
            return self.start(operation, *names, config=config, crash_at=crash_at)
        return self.start(operation, "walk", crash_at=crash_at)

    def perform(self, operation, crash_at=None):
        """Returns False when it was killed."""
        code, _ = self.finish(self.begin(operation, crash_at), crash_at is not None)
        assert code != NOT_FOUND, f"{operation}: there is no deployment"
        return code == 0

    def record(self):
        code, text = self.run("show", "walk", "--json")
        return json.loads(text) if code == 0 else None

    # -- What there must be --

    def world(self):
        return world_of(self.cloud, OF_THE_RUN if self.runs_alike else OF_THE_RUN | {RUNS})

    def run_undisturbed(self):
        """{operation: the world after it}"""
        clean = {}
        for operation in OPERATIONS:
            self.doing = f"{operation}, undisturbed"
            self.cloud.ask("DELETE", "calls")
            self.perform(operation)
            calls = self.cloud.ask("GET", "calls")
            self.counts[f"{operation} changes"] = sum(
                not call["action"].startswith(("Describe", "Get", "List")) for call in calls)
            clean[operation] = self.world()
        assert clean["delete"][0] == {}, clean["delete"]
        assert clean["deploy"][0] != clean["update"][0]
        self.cloud.ask("DELETE", "world")
        return clean

    def expect(self, operation):
        """The world as it is after the operation, and a record that agrees with it."""
        found, wanted = self.world(), self.clean[operation]
        assert found[0] == wanted[0], f"after {self.doing}:\n{difference(found[0], wanted[0])}"
        assert found[1] == wanted[1], f"after {self.doing}: {found[1]} instances were launched, not {wanted[1]}"
        deployment = self.record()
        if operation == "delete":
            assert deployment is None, deployment
            assert not os.path.isdir(self.directory + "/state/secrets") or os.listdir(self.directory + "/state/secrets") == []
            self.cloud.ask("DELETE", "world")
            return
        wanted = {"stopped" if operation == "stop" and resource["key"].startswith("node/") else "ready"
                  for resource in deployment["resources"]}
        assert wanted >= {resource["state"] for resource in deployment["resources"]}, deployment["resources"]

    def expect_nothing(self):
        found, _ = self.world()
        assert found == {}, f"after {self.doing}:\n{difference(found, {})}"
        assert self.record() is None
        self.cloud.ask("DELETE", "world")

    def expect_before_or_after(self, operation):
        """What was killed before its goal was on record leaves what was there. True when the operation has had its effect."""
        if operation == "deploy" and self.record() is None:
            self.expect_nothing()
            return False
        if operation == "delete" and self.record() is None:
            return True
        found = self.world()
        if operation in BEFORE and found == self.clean[BEFORE[operation]]:
            return False
        return operation != "delete"

    # -- The ways of cutting it off. Each returns False when the operation ended before that point. --

    def kill_at_commit(self, operation, point):
        return not self.perform(operation, crash_at=point)

    def kill_unanswered(self, operation, point):
        self.cloud.fault(action="changes", kind="hold", **{"from": point})
        process = self.begin(operation)
        while process.poll() is None and not self.cloud.ask("GET", "held"):
            time.sleep(0.01)
        if process.poll() is None:
            process.kill()
        self.finish(process, True)
        self.cloud.fault()
        return process.returncode != 0

    def lose_reply(self, operation, point, hide_ms=0):
        self.cloud.fault(action="changes", kind="reset_after", ms=hide_ms, **{"from": point})
        self.cloud.ask("DELETE", "calls")
        self.perform(operation)
        self.cloud.fault()
        return any(call["result"] == "reset" for call in self.cloud.ask("GET", "calls"))

    # -- Walks --

    def resume(self, operation):
        self.run("resume", "walk")
        if not self.expect_before_or_after(operation):
            self.perform(operation)

    def rounds(self, points, cut, goes_on):
        """Round after round, each from nothing to nothing, until each operation has had its points ({operation: iterator})."""
        left = dict(points)
        while left:
            for operation in OPERATIONS:
                point = next(left[operation], None) if operation in left else None
                self.doing = f"{operation}, cut off at point {point}"
                if point and cut(operation, point):
                    self.counts[operation] += 1
                    if goes_on:
                        self.resume(operation)
                else:
                    left.pop(operation, None)
                    if not point:
                        self.perform(operation)
                self.expect(operation)

    def deleted(self, points, cut):
        """`delete` follows when it was cut off."""
        for operation, earlier in (("deploy", []), ("update", ["deploy"]), ("stop", ["deploy"]), ("start", ["deploy", "stop"])):
            for point in points[operation]:
                self.doing = f"{operation}, cut off at point {point}, deleted"
                for command in earlier:
                    self.perform(command)
                was_cut = cut(operation, point)
                self.run("delete", "walk")
                self.expect_nothing()
                if not was_cut:
                    break
                self.counts[operation] += 1


def points(step, first):
    return {operation: itertools.count(first, step) for operation in OPERATIONS}


def commits_resumed(walk, step, first):
    walk.rounds(points(step, first), walk.kill_at_commit, True)


def commits_deleted(walk, step, first):
    """All of a deployment that comes into being, every third one of the rest."""
    walk.deleted({**points(3 * step, first), "deploy": itertools.count(first, step)}, walk.kill_at_commit)


def unanswered_resumed(walk, step, first):
    walk.rounds(points(step, first), walk.kill_unanswered, True)


def unanswered_deleted(walk, step, first):
    walk.deleted(points(step, first), walk.kill_unanswered)


def replies_lost(walk, step, first):
    walk.rounds(points(step, first), walk.lose_reply, False)


def replies_lost_late(walk, step, first):
    """What AWS made without saying so is not shown for a while either; nor, for a shorter one, is anything else."""
    walk.cloud.ask("PUT", "settings", {"shown_ms": 300})
    walk.rounds(points(step, first), lambda operation, point: walk.lose_reply(operation, point, 1500), False)


KINDS = {commits_resumed: "killed at commits, resumed", commits_deleted: "killed at commits, deleted",
         unanswered_resumed: "killed while waiting, resumed", unanswered_deleted: "killed while waiting, deleted",
         replies_lost: "replies lost", replies_lost_late: "replies lost, objects shown late"}

# {scenario: {kind of walk: (walks that share the points, of how many points one is taken)}}
SAMPLED = {commits_resumed: (1, 12), unanswered_resumed: (1, 4), replies_lost: (1, 3)}
WALKS = {
    "standalone": {commits_resumed: (6, 1), commits_deleted: (4, 1), unanswered_resumed: (1, 1), unanswered_deleted: (1, 1),
                   replies_lost: (1, 1), replies_lost_late: (1, 3)},
    "consensus": SAMPLED,
    "alike": {**SAMPLED, replies_lost_late: (1, 3)},
    "private": SAMPLED,
    "monitoring": SAMPLED,
}


def take(scenario, kind, shares, number, step):
    """One of `shares` walks that take every step-th point between them. Returns the points of each operation."""
    walk = Walk(scenario, f"{KINDS[kind]} {number}")
    try:
        kind(walk, step * shares, 1 + step * number)
    except AssertionError as problem:
        raise AssertionError(f"{walk.name}: {walk.doing}: {problem}") from None
    finally:
        walk.close()
    return walk.counts


def main():
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(WALKS_AT_ONCE) as pool:
        walks = {(scenario, kind): [pool.submit(take, scenario, kind, shares, number, step) for number in range(shares)]
                 for scenario, kinds in WALKS.items() for kind, (shares, step) in kinds.items()}
        problems = []
        for (scenario, kind), shared in walks.items():
            failures = [str(walk.exception()) for walk in shared if walk.exception()]
            problems += failures
            if failures:
                continue
            counts = sum((walk.result() for walk in shared), collections.Counter())
            walked = [operation for operation in OPERATIONS if operation != "delete" or "deleted" not in KINDS[kind]]
            told = ", ".join(f"{operation} {counts[operation]}" for operation in walked)
            print(f"{scenario}: {KINDS[kind]}: {told}; after {time.monotonic() - began:.1f} s", flush=True)
            if not all(counts[operation] for operation in walked):
                problems.append(f"{scenario}: {KINDS[kind]}: an operation had no points")
    print("\n\n".join(problems), file=sys.stderr)
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
