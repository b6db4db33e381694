#!/usr/bin/env python3
"""A machine: boots with user data as cloud-init does, and runs units as systemd does, as far as the project's own user data
(plugins/common/cloud_config.c) uses the two.

    machine.py [--no-disks] DIRECTORY ADDRESS LINK
    machine.py --write-files DIRECTORY

DIRECTORY has the user data, and keeps what the machine writes to /etc, /opt, /usr/local, /var/lib and /var/log, where it sees
layers of its own over this host's; /var/lib/memories is a directory, for containers' layers can't lie over layers. Its network,
processes and, where this user may make them, cgroups are its own, too; LINK is the other end of its interface. Packages can't be
installed: their programs are this host's. --no-disks: what finds and mounts a second disk is left out. --write-files: that
alone, as the machine's cloud-init does when it is called. SIGTERM shuts it down; when its standard input is closed, its power is
cut.
"""

import ctypes
import gzip
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time

OWN = ("/etc", "/opt", "/usr/local", "/var/lib", "/var/log")
UNITS = "/etc/systemd/system"
DATA = "/var/lib/memories"
CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = (
    0x20000, 0x2000000, 0x4000000, 0x8000000, 0x20000000, 0x40000000)
MS_BIND, MS_REC, MS_PRIVATE, PR_SET_PDEATHSIG = 0x1000, 0x4000, 1 << 18, 1
GATEWAY, OPERATOR = "169.254.0.1", "203.0.113.1"
libc = ctypes.CDLL(None, use_errno=True)

# Programs of a machine that this one has not.
STUBS = {"systemctl": "printf '%s\\n' \"$*\" >\"$MACHINE/control\"",
         "cloud-init": f"[ \"$*\" = 'single --name write_files --frequency always' ] && exec '{os.path.abspath(__file__)}' "
                       "--write-files \"$MACHINE\"",
         "dpkg-query": "exit 0", "apt-get": "echo 'there is nothing to install from' >&2; exit 100",
         "curl": "echo 'there is no internet' >&2; exit 6"}


def checked(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def separate(directory):
    """Own names, and own layers over the directories that a machine writes to."""
    checked(libc.unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWNET))
    checked(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    for own in OWN:
        layer = os.path.join(directory, "disk" + own.replace("/", "-"))
        os.makedirs(layer + "/upper", exist_ok=True)
        os.makedirs(layer + "/work", exist_ok=True)
        options = f"lowerdir={own},upperdir={layer}/upper,workdir={layer}/work"
        checked(libc.mount(b"overlay", own.encode(), b"overlay", 0, options.encode()))
    os.makedirs(directory + "/data", exist_ok=True)
    os.makedirs(DATA, exist_ok=True)
    checked(libc.mount((directory + "/data").encode(), DATA.encode(), None, MS_BIND, None))


def connect(address, link):
    """To the network of who started this, which routes."""
    here = f"""link set lo up
        link add eth0 type veth peer name {link} netns {os.getppid()}
        address add {address}/32 dev eth0
        link set eth0 up
        route add default via {GATEWAY} dev eth0 onlink"""
    there = f"""address add {GATEWAY}/32 dev {link}
        link set {link} up
        route replace {address}/32 dev {link} src {OPERATOR}"""
    subprocess.run(["ip", "-batch", "-"], input=here, text=True, check=True)
    subprocess.run(["nsenter", f"--net=/proc/{os.getppid()}/ns/net", "ip", "-batch", "-"], input=there, text=True, check=True)


class Cgroups:
    """The machine's own, in every hierarchy: what its containers are counted in, below one that the host knows."""

    def __init__(self):
        self.mounts = []  # (mount point, file system, options)
        with open("/proc/self/mounts", encoding="ascii") as file:
            for _, point, kind, options, *_ in map(str.split, file):
                if kind in ("cgroup", "cgroup2"):
                    self.mounts.append((point, kind, options if kind == "cgroup" else "rw"))
        self.paths = [f"{point}/memories-machine-{os.getpid()}" for point, _, _ in self.mounts]

    def make(self):
        """Whether this user may."""
        try:
            for path in self.paths:
                os.mkdir(path)
        except OSError:
            self.remove()
        return bool(self.paths)

    def enter(self):
        """From then on they look like all there is."""
        for path in self.paths:
            above = os.path.dirname(path)
            for setting in ("cpuset.cpus", "cpuset.mems"):
                if os.path.exists(f"{path}/{setting}"):
                    with open(f"{above}/{setting}", encoding="ascii") as file, open(f"{path}/{setting}", "w", encoding="ascii") as to:
                        to.write(file.read())
            leaf = path
            if os.path.exists(f"{path}/cgroup.subtree_control"):  # there, processes live in leaves only
                leaf = f"{path}/init"
                os.mkdir(leaf)
            with open(f"{leaf}/cgroup.procs", "w", encoding="ascii") as file:
                file.write("0")
        checked(libc.unshare(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWIPC))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", "/sys/fs/cgroup"], check=True)
        for point, kind, options in self.mounts:
            os.makedirs(point, exist_ok=True)
            subprocess.run(["mount", "-t", kind, "-o", options, "none", point], check=True)
            if os.path.exists(f"{point}/cgroup.subtree_control"):
                with open(f"{point}/cgroup.controllers", encoding="ascii") as file:
                    for controller in file.read().split():
                        with open(f"{point}/cgroup.subtree_control", "w", encoding="ascii") as to:
                            to.write(f"+{controller}")

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


def become_first():
    """Everything that follows is in the machine: it is its first process, with which all others end."""
    cgroups = Cgroups()
    has_cgroups = cgroups.make()
    checked(libc.unshare(CLONE_NEWPID))
    first = os.fork()
    if first:
        signal.signal(signal.SIGTERM, lambda *_: os.kill(first, signal.SIGTERM))
        os.close(0)
        os.waitpid(first, 0)
        cgroups.remove()
        os._exit(0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if has_cgroups:
        cgroups.enter()
        for kind, point in (("proc", "/proc"), ("tmpfs", "/run")):
            subprocess.run(["mount", "-t", kind, "none", point], check=True)


class Unit(threading.Thread):
    """A service that runs, and what becomes of it."""

    def __init__(self, name):
        super().__init__(daemon=True)
        self.name, self.process, self.ended = name, None, threading.Event()
        self.settings = {"Environment": []}
        with open(f"{UNITS}/{name}", encoding="utf-8") as file:
            for line in file:
                key, equals, value = line.rstrip("\n").partition("=")
                if equals and key == "Environment":
                    self.settings[key] += shlex.split(value)
                elif equals:
                    self.settings[key] = value

    def words(self, text):
        plain = (word.replace("\\n", "\n").replace("%%", "%") for word in shlex.split(text))
        return [word.replace("$$", "$") for word in plain]

    def begin(self, command, log):
        environment = dict(os.environ)
        environment.update(word.replace("%%", "%").partition("=")[::2] for word in self.settings["Environment"])

        def prepare():
            os.setsid()
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

        return subprocess.Popen(self.words(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                                cwd=self.settings.get("WorkingDirectory", "/"), preexec_fn=prepare)

    def run_once(self):
        output = self.settings.get("StandardOutput", "append:/dev/null").removeprefix("append:")
        with open(output, "ab") as log:
            if "ExecStartPre" in self.settings and self.begin(self.settings["ExecStartPre"], log).wait():
                return 1
            try:
                self.process = self.begin(self.settings["ExecStart"], log)
            except OSError as problem:
                log.write(f"{problem}\n".encode())
                return 203
            return self.process.wait()

    def run(self):
        restart, pause_s = self.settings.get("Restart", "no"), int(self.settings.get("RestartSec", "100ms")[:-2]) / 1000
        while not self.ended.is_set():
            code = self.run_once()
            if restart == "no" or (restart == "on-failure" and code == 0):
                return
            self.ended.wait(pause_s)

    def stop(self, way=signal.SIGTERM):
        self.ended.set()
        for signal_number, wait_s in ((way, int(self.settings.get("TimeoutStopSec", "90000ms")[:-2]) / 1000),
                                      (signal.SIGKILL, 5)):
            if self.process and self.process.poll() is None:
                try:
                    os.killpg(self.process.pid, signal_number)
                    self.process.wait(wait_s)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    pass


class Machine:
    def __init__(self, directory, has_disks):
        self.directory, self.has_disks = directory, has_disks
        self.units, self.lock = {}, threading.Lock()

    def user_data(self):
        with open(f"{self.directory}/user-data", "rb") as file:
            data = file.read()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        kind, _, document = data.decode().partition("\n")
        if kind != "#cloud-config":
            raise ValueError(f"user data begins with {kind!r}")
        return json.loads(document)

    def write_files(self, given):
        for file in given.get("write_files", []):
            os.makedirs(os.path.dirname(file["path"]), exist_ok=True)
            with open(file["path"], "w", encoding="utf-8") as to:
                to.write(file["content"])
            os.chmod(file["path"], int(file["permissions"], 8))

    def make_programs(self):
        programs = f"{self.directory}/programs"
        os.makedirs(programs, exist_ok=True)
        if not os.path.exists(f"{self.directory}/control"):
            os.mkfifo(f"{self.directory}/control")
        for name, text in STUBS.items():
            with open(f"{programs}/{name}", "w", encoding="ascii") as file:
                file.write(f"#!/bin/sh\n{text}\n")
            os.chmod(f"{programs}/{name}", 0o755)
        os.environ.clear()
        os.environ.update(MACHINE=self.directory, PATH=f"{programs}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")

    # ---- systemctl ----

    def control(self, line):
        verb, *words = line.split()
        names = [word for word in words if not word.startswith("--")]
        with self.lock:
            for name in names:
                wanted = f"{UNITS}/multi-user.target.wants/{name}"
                if verb == "enable" and not os.path.islink(wanted):
                    os.makedirs(os.path.dirname(wanted), exist_ok=True)
                    os.symlink(f"{UNITS}/{name}", wanted)
                if verb == "start" and not (name in self.units and self.units[name].is_alive()):
                    self.units[name] = Unit(name)
                    self.units[name].start()
                if verb == "disable":
                    if os.path.islink(wanted):
                        os.unlink(wanted)
                    if "--now" in words and name in self.units:
                        self.units.pop(name).stop()

    def listen(self):
        with open(os.open(f"{self.directory}/control", os.O_RDWR), encoding="utf-8") as control:
            for line in control:
                self.control(line)

    # ---- Boot and shutdown ----

    def boot(self):
        given, booted = self.user_data(), os.path.exists(f"{self.directory}/booted")
        name = given["hostname"].encode()
        checked(libc.sethostname(name, len(name)))
        if self.has_disks:
            for command in given.get("bootcmd", []):
                subprocess.run(command, check=True)
        if not booted:
            self.write_files(given)
            with open(f"{self.directory}/booted", "w", encoding="ascii"):
                pass
            for command in given.get("runcmd", []):
                subprocess.run(command, check=True)
        else:
            for name in sorted(os.listdir(f"{UNITS}/multi-user.target.wants")):
                if name.startswith("memories-"):
                    self.control(f"start {name}")

    def stop(self, way):
        with self.lock:
            stopping = [threading.Thread(target=unit.stop, args=(way,)) for unit in self.units.values()]
            for thread in stopping:
                thread.start()
            for thread in stopping:
                thread.join()


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    machine = Machine(words[0], "--no-disks" not in sys.argv)
    if "--write-files" in sys.argv:
        machine.write_files(machine.user_data())
        return
    separate(machine.directory)
    connect(*words[1:])
    become_first()
    machine.make_programs()

    def end(way):
        machine.stop(way)
        os._exit(0)

    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=end, args=(signal.SIGTERM,)).start())
    threading.Thread(target=machine.listen, daemon=True).start()
    threading.Thread(target=machine.boot, daemon=True).start()
    while sys.stdin.buffer.read1(4096):
        pass
    end(signal.SIGKILL)


if __name__ == "__main__":
    main()
