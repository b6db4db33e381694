"""crash_walk.py - kills the program at the commits of deploy, update, stop, start and delete, and looks what comes of it

usage: crash_walk.py PROGRAM STAND_IN [ISOLATION...]

PROGRAM is `memories` built to kill itself at point number MEMORIES_CRASH_AT: two points stand round each commit of its
store; and to leave what --no-wait leaves undone to the next command, where `memories` goes on in the background. After each kill and `resume` (or `delete`)
there must be exactly the processes, directories, records and names on the machine that the record asks for, none missing,
none twice; and a command that was killed before it was on record must do its work when it is given again.

All points are walked with the `etcd` in directory STAND_IN, whose members are not waited for; then a sample of them, shared
out among the ISOLATIONs, with real clusters, whose data must survive.
"""
import base64
import collections
import glob
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time

OPERATIONS = ["deploy", "update", "stop", "start", "delete"]
NODES = ["node1", "node2", "node3"]
NOT_FOUND = 4
POINTS_MAX = 200

crashing, stand_in, *isolations = sys.argv[1:]
state_dir = os.environ["MEMORIES_STATE_DIR"]
local_dir = state_dir + "/local"
# How the present walk deploys; set by main.
isolation = "process"
real = False


# ---- the program ----


def run(*arguments, config=None, crash_at=None):
    """Returns the exit code and standard output; any failure but "not found" and the kill that was asked for ends the
    test."""
    environment = dict(os.environ)
    if crash_at:
        environment["MEMORIES_CRASH_AT"] = str(crash_at)
    if not real:
        environment["PATH"] = stand_in + ":" + environment["PATH"]
        if arguments[0] in ("deploy", "update", "start", "resume"):
            arguments += ("--no-wait",)
    done = subprocess.run([crashing, *arguments], env=environment, input=config, text=True, capture_output=True)
    if done.returncode not in (0, NOT_FOUND) and not (crash_at and done.returncode == -signal.SIGKILL):
        sys.exit(f"memories {' '.join(arguments)} exited with {done.returncode}\n{done.stderr}")
    return done.returncode, done.stdout


def configuration(version):
    """The two versions differ in the network's name and in one node, which has to be started again for it."""
    vcpus = {"old": 1, "new": 2}[version]
    return json.dumps({
        "topology": "consensus", "provider": "local", "config": {
            "isolation": isolation, "network": {"vpc_name": version},
            "node_specs": [{"id": "node1", "hardware": {"cpu": {"vcpus": vcpus}}}, {"id": "node2"}, {"id": "node3"}]}})


def perform(operation, crash_at=None):
    """Returns False when it was killed."""
    if operation == "deploy":
        code, _ = run("deploy", "-", "--name", "walk", config=configuration("old"), crash_at=crash_at)
    elif operation == "update":
        code, _ = run("update", "walk", "-", config=configuration("new"), crash_at=crash_at)
    else:
        code, _ = run(operation, "walk", crash_at=crash_at)
    assert code != NOT_FOUND, f"{operation}: there is no deployment"
    return code == 0


def record():
    code, text = run("show", "walk", "--json")
    return json.loads(text) if code == 0 else None


# ---- what is there ----


def processes():
    """How many supervisors there are for each node, and how many processes that they run."""
    found = collections.Counter()
    for directory in glob.glob("/proc/[0-9]*"):
        try:
            with open(directory + "/cmdline", "rb") as file:
                command = file.read().decode(errors="replace").split("\0")
            with open(directory + "/environ", "rb") as file:
                environment = file.read().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has ended, or is another user's
        if command[0] == "memories-node" and command[1].startswith(local_dir):
            found["supervisor", os.path.basename(command[1])] += 1
        for variable in environment:
            if variable.startswith("MEMORIES_NODE=" + local_dir):
                found["service", os.path.basename(variable)] += 1
    return found


def listing(path):
    return sorted(os.listdir(path)) if os.path.isdir(path) else []


def namespaces_and_links(network):
    digits = network.removeprefix("mem-")
    return {name for name in listing("/run/netns") + listing("/sys/class/net") if digits in name}


def cgroups(network):
    found = set()
    for pattern in ("/sys/fs/cgroup/memories/", "/sys/fs/cgroup/*/memories/"):
        found |= {os.path.basename(directory.rstrip("/")) for directory in glob.glob(f"{pattern}{network}/*/")}
    return found


def await_processes(running):
    """Services start one after the other, so a moment may pass."""
    kinds = ["supervisor", "service"] if running else []
    wanted = collections.Counter((kind, node) for kind in kinds for node in NODES)
    deadline = time.monotonic() + 120
    while (found := processes()) != wanted:
        assert time.monotonic() < deadline, f"processes: expected {wanted}, found {found}"
        time.sleep(0.01)


def expect_nothing(network=None):
    assert record() is None
    await_processes(False)
    assert listing(local_dir) == []
    assert listing(state_dir + "/secrets") == []
    if network:
        assert not namespaces_and_links(network) and not cgroups(network)


def expect(deployment, status, version):
    """Returns the network's name."""
    running = status == "running"
    identity = deployment["id"]
    assert deployment["status"] == ("starting" if running and not real else status), deployment["status"]
    states = [(resource["key"], resource["state"]) for resource in deployment["resources"]]
    state = "ready" if running else "stopped"
    assert states == [("network", "ready")] + [(f"node/{node}", state) for node in NODES], states

    await_processes(running)
    assert listing(local_dir) == ["claims", identity]
    assert listing(f"{local_dir}/{identity}/nodes") == NODES
    assert listing(f"{state_dir}/secrets") == [identity]
    claims = listing(f"{local_dir}/claims")
    assert len(claims) == 1 and os.readlink(f"{local_dir}/claims/{claims[0]}") == identity, claims

    with open(f"{local_dir}/{identity}/network.json") as file:
        network = json.load(file)
    with open(f"{local_dir}/{identity}/nodes/node1/node.json") as file:
        node = json.load(file)
    assert network["name"] == version and network["ready"], network
    assert node["vcpus"] == (1 if version == "old" else min(2, os.cpu_count())), node

    name = network["id"]
    spaces = {name, name.replace("-", "")} | {f"{name}-{node}" for node in NODES}
    assert namespaces_and_links(name) == (spaces if isolation == "namespace" else set()), namespaces_and_links(name)
    assert cgroups(name) in ([set(NODES), set()] if running else [set()]), cgroups(name)
    return name


# ---- the data of a real cluster ----


def ask(path, request):
    """Asks a member, as the deployment's own client."""
    deployment = record()
    secrets = f"{state_dir}/secrets/{deployment['id']}"
    context = ssl.create_default_context(cafile=f"{secrets}/ca.crt")
    context.load_cert_chain(f"{secrets}/client.crt", f"{secrets}/client.key")
    address = next(r["outputs"]["address"] for r in deployment["resources"] if r.get("node") == "node2")
    connection = http.client.HTTPSConnection(address, 2379, timeout=60, context=context)
    connection.request("POST", path, json.dumps(request))
    with connection.getresponse() as response:
        return json.load(response)


def base64_of(text):
    return base64.b64encode(text.encode()).decode()


def put_data():
    answer = ask("/v3/kv/put", {"key": base64_of("colour"), "value": base64_of("green")})
    assert "error" not in answer, answer


def expect_data():
    answer = ask("/v3/kv/range", {"key": base64_of("colour")})
    assert answer.get("kvs") and answer["kvs"][0]["value"] == base64_of("green"), answer


# ---- the walks ----

BEFORE = {"update": ("running", "old"), "stop": ("running", "new"), "start": ("stopped", "new"),
          "delete": ("running", "new")}
AFTER = {"deploy": ("running", "old"), "update": ("running", "new"), "stop": ("stopped", "new"),
         "start": ("running", "new"), "delete": None}


def expect_one_of(deployment, states):
    """What is killed before its goal is on record leaves what was there before. Returns which it is."""
    status = "stopped" if deployment["status"] == "stopped" else "running"
    with open(f"{local_dir}/{deployment['id']}/network.json") as file:
        found = status, json.load(file)["name"]
    assert found in states, found
    expect(deployment, *found)
    return found


def survive(operation, point):
    """Kills an operation at a point and resumes it; what was not on record yet then is done again. Returns False when it
    ended before that point."""
    network = expect(record(), *BEFORE[operation]) if operation == "delete" else None
    if perform(operation, crash_at=point):
        return False
    run("resume", "walk")
    deployment = record()
    if deployment:
        state = expect_one_of(deployment, [BEFORE.get(operation), AFTER[operation]])
    else:
        assert operation in ("deploy", "delete")
        expect_nothing(network)
        state = None
    if state != AFTER[operation]:
        perform(operation)
        if operation == "delete":
            expect_nothing(network)
        else:
            expect(record(), *AFTER[operation])
    return True


def walk_resumed(points):
    """Round after round, each from nothing to nothing, until each operation has had its points ({operation: iterator}).
    Returns how many each had."""
    survived = collections.Counter()
    left = dict(points)
    while left:
        for operation in OPERATIONS:
            point = next(left[operation], None) if operation in left else None
            if point and survive(operation, point):
                survived[operation] += 1
            else:
                left.pop(operation, None)
                if not point:
                    perform(operation)
            if real and operation == "deploy":
                put_data()
            elif real and operation in ("update", "start"):
                expect_data()
    return survived


def walk_deleted(counts):
    """Points again, but `delete` follows the kill: all of a deployment that comes into being, every third one of the
    rest. Returns how many each operation had."""
    survived = collections.Counter()
    for operation, earlier, step in (("deploy", [], 1), ("update", ["deploy"], 3), ("stop", ["deploy"], 3),
                                     ("start", ["deploy", "stop"], 3)):
        for point in range(1, counts[operation] + 1, step):
            for command in earlier:
                perform(command)
            assert not perform(operation, crash_at=point), f"{operation} was not killed at point {point}"
            run("delete", "walk")
            expect_nothing()
            survived[operation] += 1
    return survived


def sample_of(counts):
    """Of each operation a point in its midst and one near its end: for those that wait, just behind the wait, where the
    stand-in's operation has already ended."""
    late = {"deploy": 1, "update": 1, "start": 1, "stop": -1, "delete": -3}
    return {operation: [counts[operation] * 2 // 5, counts[operation] + late[operation]] for operation in OPERATIONS}


def tell(what, survived, began):
    points = ", ".join(f"{operation} {survived[operation]}" for operation in OPERATIONS)
    print(f"{what}: killed at so many points: {points}; {time.monotonic() - began:.1f} s", flush=True)


def main():
    global isolation, real
    began = time.monotonic()
    counts = walk_resumed({operation: iter(range(1, POINTS_MAX)) for operation in OPERATIONS})
    assert min(counts.values()) > 10 and max(counts.values()) < POINTS_MAX - 1, counts
    tell("stand-in, resumed", counts, began)
    began = time.monotonic()
    tell("stand-in, deleted", walk_deleted(counts), began)
    for number, isolation in enumerate(isolations):
        real = True
        began = time.monotonic()
        sample = {operation: points[number::len(isolations)] for operation, points in sample_of(counts).items()}
        survived = walk_resumed({operation: iter(points) for operation, points in sample.items()})
        assert all(survived[operation] == len(points) for operation, points in sample.items()), (survived, sample)
        tell(f"etcd, {isolation} isolation, resumed", survived, began)


main()
