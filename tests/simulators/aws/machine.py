#!/usr/bin/env python3
"""A machine: boots with user data as cloud-init does, and runs units as systemd does, as far as the project's own user data
(plugins/common/cloud_config.c) uses the two.

    machine.py [--no-disks] DIRECTORY ADDRESS LINK
    machine.py --write-files DIRECTORY

DIRECTORY has the user data and the launch index, and keeps what the machine writes to /etc, /opt, /usr/local, /var/lib and /var/log, where it sees
layers of its own over this host's; /var/lib/memories is a directory, for containers' layers can't lie over layers. Its network,
processes and, where this user may make them, cgroups are its own, too; LINK is the other end of its interface. Packages can't be
installed: their programs are this host's. --no-disks: what finds and mounts a second disk is left out. --write-files: that
alone, as the machine's cloud-init does when it is called. SIGTERM shuts it down; when its standard input is closed, its power is
cut.
"""

import gzip
import json
import os
import shlex
import signal
import subprocess
import sys
import threading

import host

OWN = ("/etc", "/opt", "/usr/local", "/var/lib", "/var/log")
UNITS = "/etc/systemd/system"
DATA = "/var/lib/memories"

# Programs of a machine that this one has not.
STUBS = {"systemctl": "printf '%s\\n' \"$*\" >\"$MACHINE/control\"",
         "cloud-init": "case \"$*\" in\n"
                       f"'single --name write_files --frequency always') exec '{os.path.abspath(__file__)}' "
                       "--write-files \"$MACHINE\" ;;\n"
                       "'query ds.meta_data.ami-launch-index') exec cat \"$MACHINE/launch-index\" ;;\n"
                       "*) exit 1 ;;\nesac",
         "dpkg-query": "exit 0", "apt-get": "echo 'there is nothing to install from' >&2; exit 100",
         "curl": "echo 'there is no internet' >&2; exit 6"}


def separate(directory):
    """Own layers over the directories that a machine writes to."""
    host.separate(host.CLONE_NEWUTS)
    for own in OWN:
        host.overlay(own, directory + "/disk" + own.replace("/", "-"), own)
    os.makedirs(directory + "/data", exist_ok=True)
    os.makedirs(DATA, exist_ok=True)
    host.mount(DATA, None, directory + "/data", host.MS_BIND)


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
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
            os.setsid()
            host.libc.prctl(host.PR_SET_PDEATHSIG, signal.SIGKILL)

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

    def stop(self):
        self.ended.set()
        for signal_number, wait_s in ((signal.SIGTERM, int(self.settings.get("TimeoutStopSec", "90000ms")[:-2]) / 1000),
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
        if verb == "default":
            words = [name for name in sorted(os.listdir(f"{UNITS}/multi-user.target.wants")) if name.startswith("memories-")]
            verb = "start"
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
        name = given.get("hostname", "nameless").encode()
        host.checked(host.libc.sethostname(name, len(name)))
        os.makedirs("/var/lib/cloud/instance", exist_ok=True)
        for command in given.get("bootcmd", []):
            if self.has_disks or not any("find_data_disk" in word for word in command):
                subprocess.run(command, check=True)
        if not booted:
            self.write_files(given)
            with open(f"{self.directory}/booted", "w", encoding="ascii"):
                pass
            for command in given.get("runcmd", []):
                subprocess.run(command, check=True)
        else:
            with open(f"{self.directory}/control", "w", encoding="ascii") as control:
                control.write("default\n")  # behind what bootcmd has asked for

    def stop(self):
        with self.lock:
            stopping = [threading.Thread(target=unit.stop) for unit in self.units.values()]
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
    host.connect(*words[1:])
    host.fork_first().show()
    machine.make_programs()
    threading.Thread(target=machine.listen, daemon=True).start()
    threading.Thread(target=machine.boot, daemon=True).start()
    signal.sigwait([signal.SIGTERM])
    machine.stop()


if __name__ == "__main__":
    main()
