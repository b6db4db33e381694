"""What a machine needs of its host: a network, first process and cgroups of its own, which end with it."""

import ctypes
import os
import select
import signal
import subprocess
import time

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = (
    0x20000, 0x2000000, 0x4000000, 0x8000000, 0x20000000, 0x40000000)
MS_BIND, MS_REC, MS_PRIVATE, PR_SET_PDEATHSIG = 0x1000, 0x4000, 1 << 18, 1
GATEWAY, OPERATOR = "169.254.0.1", "203.0.113.1"
libc = ctypes.CDLL(None, use_errno=True)


def checked(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mount(point, kind, source="none", flags=0, options=None):
    checked(libc.mount(source.encode(), point.encode(), kind and kind.encode(), flags, options and options.encode()))


def separate(more=0):
    """Own mounts and network, and more."""
    checked(libc.unshare(CLONE_NEWNS | CLONE_NEWNET | more))
    mount("/", None, flags=MS_REC | MS_PRIVATE)


def overlay(lower, directory, point):
    """What is written below the point goes to the directory."""
    for part in ("upper", "work"):
        os.makedirs(f"{directory}/{part}", exist_ok=True)
    mount(point, "overlay", options=f"lowerdir={lower},upperdir={directory}/upper,workdir={directory}/work")


def mac_of(address):
    return "02:00:" + ":".join(f"{int(part):02x}" for part in address.split("."))


def connect(address, link):
    """To the network of who started this, which routes."""
    here = f"""link set lo up
        link add eth0 address {mac_of(address)} type veth peer name {link} netns {os.getppid()}
        address add {address}/32 dev eth0
        link set eth0 up
        route add default via {GATEWAY} dev eth0 onlink"""
    there = f"""address add {GATEWAY}/32 dev {link}
        link set {link} up
        route replace {address}/32 dev {link} src {OPERATOR}"""
    subprocess.run(["ip", "-batch", "-"], input=here, text=True, check=True)
    subprocess.run(["nsenter", f"--net=/proc/{os.getppid()}/ns/net", "ip", "-batch", "-"], input=there, text=True, check=True)


class Cgroups:
    """The machine's own, in every hierarchy of the host. Not there where this user may make none."""

    def __init__(self):
        with open("/proc/self/mounts", encoding="ascii") as file:
            mounts = [line.split()[1:4] for line in file]
        self.mounts = [(point, kind, options) for point, kind, options in mounts if kind in ("cgroup", "cgroup2")]
        self.paths = [f"{point}/memories-machine-{os.getpid()}" for point, _, _ in self.mounts]
        try:
            for path in self.paths:
                os.mkdir(path)
        except OSError:
            self.remove()

    def enter(self):
        for path in self.paths:
            for setting in ("cpuset.cpus", "cpuset.mems"):  # a new one of version 1 has none
                if os.path.exists(f"{path}/{setting}") and not os.path.exists(f"{path}/cgroup.controllers"):
                    with open(f"{os.path.dirname(path)}/{setting}", encoding="ascii") as file:
                        _write(f"{path}/{setting}", file.read())
            _write(f"{path}/cgroup.procs", "0")

    def show(self):
        """To the process that is in them, as all there are."""
        if not self.paths:
            return
        checked(libc.unshare(CLONE_NEWCGROUP))
        mount("/sys/fs/cgroup", "tmpfs", options="mode=755")
        for point, kind, options in self.mounts:
            os.makedirs(point, exist_ok=True)
            subprocess.run(["mount", "-t", kind, *(["-o", options] if kind == "cgroup" else []), "none", point], check=True)
            if kind == "cgroup2":
                self._delegate(point)

    @staticmethod
    def _delegate(point):
        """With version 2, only what has no processes can have controllers below."""
        os.mkdir(f"{point}/init")
        _write(f"{point}/init/cgroup.procs", "0")
        with open(f"{point}/cgroup.controllers", encoding="ascii") as file:
            for controller in file.read().split():
                _write(f"{point}/cgroup.subtree_control", f"+{controller}")

    def remove(self):
        for path in self.paths:
            for directory, _, _ in os.walk(path, topdown=False):
                for _ in range(100):  # dying processes hold them for a moment, and nothing tells when they are gone
                    try:
                        os.rmdir(directory)
                        break
                    except OSError:
                        time.sleep(0.05)
        self.paths = []


def _write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def wait_for(first):
    """Not in a thread: there can't be any once children are in another process namespace."""
    ended, events = os.pidfd_open(first), select.poll()
    events.register(ended, select.POLLIN)
    events.register(0, select.POLLIN)
    while True:
        for source, _ in events.poll():
            if source == ended:
                os.waitpid(first, 0)
                return
            if not os.read(0, 4096):
                os.kill(first, signal.SIGKILL)
                events.unregister(0)


def fork_first():
    """Returns in a process that is the first of its own and in cgroups of its own; all others end with it. Who calls waits for
    that, hands SIGTERM on (which is blocked until then), and kills it when its own standard input is closed."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    cgroups = Cgroups()
    checked(libc.unshare(CLONE_NEWPID))
    first = os.fork()
    if first == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        cgroups.enter()
        checked(libc.unshare(CLONE_NEWNS | CLONE_NEWIPC))
        mount("/run", "tmpfs")
        try:
            mount("/proc", "proc")
        except PermissionError:  # to a user whose own view of it is limited
            pass
        return cgroups

    signal.signal(signal.SIGTERM, lambda *_: os.kill(first, signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    wait_for(first)
    cgroups.remove()
    os._exit(0)
