#!/usr/bin/env python3
"""A machine that boots: systemd and cloud-init of a root file system that memories-machine-root has made, in
systemd-nspawn.

    nspawn_machine.py ROOT DIRECTORY ADDRESS LINK [BYTES]

DIRECTORY keeps what the machine writes over ROOT, and its console. Its network, processes and cgroups are its own; LINK is the
other end of its interface. BYTES: it has a second disk of that size, /dev/sdf. What it is to do it asks its metadata service
(metadata.py). SIGTERM shuts it down; when its standard input is closed, its power is cut.
"""

import fcntl
import os
import subprocess
import sys

import host

DATA = "/var/lib/memories"
LOOP_CLR_FD = 0x4C01


def attach_disk(directory, size):
    """A loop device: the machine's block devices are the host's. It is detached when nobody has it open any more: being asked
    to when it is open more than once, the kernel does it then. This process has it open for as long as it lives."""
    path = f"{directory}/disk"
    if not os.path.exists(path):
        with open(path, "wb") as file:
            file.truncate(size)
    found = subprocess.run(["losetup", "--find", "--show", path], stdout=subprocess.PIPE, text=True, check=True)
    device = found.stdout.strip()
    opened = [os.open(device, os.O_RDWR | os.O_CLOEXEC) for _ in range(2)]
    fcntl.ioctl(opened[0], LOOP_CLR_FD)
    return device


def command(root, directory, disk):
    """As root of the host, but for its clock; containers need the key ring and BPF."""
    binds = [f"--bind={disk}:/dev/sdf", f"--bind={disk}"] if disk else [f"--bind={directory}/data:{DATA}"]
    return ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--machine=" + os.path.basename(directory),
            "--directory=" + root, f"--network-namespace-path={directory}/network", "--resolv-conf=off", "--timezone=off",
            "--link-journal=no", "--capability=all", "--drop-capability=CAP_SYS_TIME",
            "--system-call-filter=add_key keyctl bpf", "--console=pipe", "--kill-signal=SIGRTMIN+3", *binds]


def main():
    golden, directory, address, link, *size = sys.argv[1:]
    root = f"{directory}/root"
    for needed in (root, f"{directory}/data"):
        os.makedirs(needed, exist_ok=True)
    with open(f"{directory}/network", "ab"):
        pass
    host.separate()
    host.overlay(golden, directory, root)
    host.mount(f"{directory}/network", None, "/proc/self/ns/net", host.MS_BIND)
    host.connect(address, link)
    disk = attach_disk(directory, int(size[0])) if size else None
    host.fork_first()
    console = os.open(f"{directory}/console", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(console, 1)
    os.dup2(console, 2)
    environment = {"PATH": os.environ["PATH"], "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "yes"}
    words = command(root, directory, disk)
    os.execvpe(words[0], words, environment)


if __name__ == "__main__":
    main()
