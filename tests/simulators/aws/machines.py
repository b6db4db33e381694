"""Machines behind the simulated instances: each one runs the user data that it was given, with what this host has (machine.py),
or, where there is a root file system for that, with a systemd and a cloud-init of its own (nspawn_machine.py).

The network namespace of the simulator, which tests/aws.sh makes, is the internet: it routes between the machines, translates
public addresses to private ones, and lets in what the security groups say. The operator's address there is 203.0.113.1.
"""

import os
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
GIB = 1 << 30


def _rule(rule):
    """One of a security group's rules, in nft's words."""
    protocol, first, last, source = rule
    words = [f"ip saddr {source}"] if ":" not in source else None
    if words is None or protocol == "icmpv6":
        return None
    if protocol in ("tcp", "udp"):
        words.append(f"{protocol} dport {first}-{last}")
    elif protocol == "icmp":
        words.append("meta l4proto icmp")
    return " ".join(words) + " accept"


class Machines:
    def __init__(self, directory, root):
        self.directory, self.root = directory, root
        self.processes = {}  # instance id -> its machine
        self.numbers = 0     # given out, of addresses and of links

    def public_address(self):
        self.numbers += 1
        return f"198.51.100.{self.numbers % 250 + 1}"

    def command(self, instance, directory):
        link, disks = f"machine{self.numbers}", instance["volumes"][1:]
        if self.root:
            return ["nspawn_machine.py", self.root, directory, instance["address"], link,
                    *(str(int(disk["Ebs"]["VolumeSize"]) * GIB) for disk in disks)]
        return ["machine.py", *(["--no-disks"] if disks else []), directory, instance["address"], link]

    def start(self, instance):
        directory = os.path.join(self.directory, instance["id"])
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, "user-data"), "wb") as file:
            file.write(instance["data"])
        with open(os.path.join(directory, "launch-index"), "w", encoding="ascii") as file:
            file.write(f"{instance['index']}\n")
        self.numbers += 1
        program, *words = self.command(instance, directory)
        self.processes[instance["id"]] = subprocess.Popen([sys.executable, os.path.join(HERE, program), *words],
                                                          stdin=subprocess.PIPE)

    def is_up(self, instance):
        process = self.processes.get(instance["id"])
        return process is not None and process.poll() is None

    def stop(self, instance):
        if self.is_up(instance):
            self.processes[instance["id"]].send_signal(signal.SIGTERM)

    def remove(self, instance):
        process = self.processes.pop(instance["id"], None)
        if process:
            process.stdin.close()
            process.wait()
        shutil.rmtree(os.path.join(self.directory, instance["id"]), ignore_errors=True)

    def apply_rules(self, world):
        """After every change of instances' addresses or of security groups."""
        translations, chains, jumps = [], [], []
        for (region, kind), things in world.objects.items():
            for instance in things.values() if kind == "instance" else ():
                if instance["state"] in ("shutting-down", "terminated"):
                    continue
                groups = world.objects.get((region, "securityGroup"), {})
                rules = [_rule(rule) for group in instance["groups"] for rule in groups.get(group, {}).get("rules", [])]
                chain = instance["id"].replace("-", "_")
                chains.append(f"chain {chain} {{ {'; '.join(rule for rule in rules if rule)}; drop; }}")
                jumps.append(f"{instance['address']} : jump {chain}")
                if instance["public"]:
                    translations.append(f"{instance['public']} : {instance['address']}")
        text = "table ip aws {}\ndelete table ip aws\ntable ip aws {\n" + "\n".join(chains)
        if translations:
            text += f"""
                chain translate {{
                    type nat hook output priority -100;
                    dnat to ip daddr map {{ {', '.join(translations)} }}
                }}"""
        for hook in ("output", "forward") if jumps else ():
            text += f"""
                chain {hook} {{
                    type filter hook {hook} priority 0;
                    ct state established,related accept
                    ip daddr vmap {{ {', '.join(jumps)} }}
                }}"""
        subprocess.run(["nft", "-f", "-"], input=text + "\n}\n", text=True, check=True)
