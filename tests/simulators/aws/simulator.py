#!/usr/bin/env python3
"""Amazon Web Services, as far as the provider needs it, on a loopback port.

    simulator.py --port-file FILE [--models DIRECTORY] [--policy FILE] [--latency MS]
                 [--machines DIRECTORY [--machine-root ROOT]]

Standard library only. It checks signatures, parameters (against the vendor's own description where --models has it),
states, dependencies, limits, tokens and tags, and gives errors as AWS does. The one account has the access key
AKIASIMULATOR with the secret "simulated secret".

A test steers it at /simulator/…: PUT faults (faults.py), PUT settings (world.py), PUT metrics ([[namespace, name, instance,
seconds ago, value]]), PUT logs ([[group, stream, seconds ago, text]]), PUT policy (a document of IAM), GET calls, DELETE
calls, GET state, GET world (what state leaves out, too), DELETE world, PUT stranger ({"vpc": id}: a security group of
somebody else's in there, {"vpc": id, "group": id}: one whose rules name that group, {"vpc": id, "subnet": id, "group": id}: an
interface; {}: they are gone), GET held (faults.py), GET
requests, GET actions (that are simulated), GET permissions (that were needed; policy.py). It ends when its standard input is
closed. With --machines the instances are machines that run their user data (machines.py), with --machine-root booted ones that
ask their metadata service for it (metadata.py).
"""

import argparse
import json
import os
import socket
import sys
import threading
import time
import types
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import catalog  # noqa: E402
import ec2  # noqa: E402
import elsewhere  # noqa: E402
import faults  # noqa: E402
import instances  # noqa: E402
import machines  # noqa: E402
import metadata  # noqa: E402
import model  # noqa: E402
import policy  # noqa: E402
import services  # noqa: E402
import signature  # noqa: E402
import wire  # noqa: E402
from world import World  # noqa: E402

VERSIONS = {"2016-11-15": "ec2", "2011-06-15": "sts", "2010-05-08": "iam", "2010-03-31": "sns"}
TARGETS = {"GraniteServiceVersion20100801": "monitoring", "Logs_20140328": "logs", "AmazonSSM": "ssm",
           "ServiceQuotasV20190624": "servicequotas"}
NAMESPACES = {"sts": "https://sts.amazonaws.com/doc/2011-06-15/", "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
              "sns": "http://sns.amazonaws.com/doc/2010-03-31/"}
UNSIGNED = {"AssumeRoleWithWebIdentity"}
REROUTING = {"RunInstances", "StartInstances", "StopInstances", "TerminateInstances", "AuthorizeSecurityGroupIngress",
             "RevokeSecurityGroupIngress"}


class Account(World):
    """The world, and what the requests to it have in common."""

    def __init__(self, options):
        super().__init__()
        self.faults = faults.Faults()
        self.models = model.Models(options.models)
        self.policy = policy.Policy(options.policy) if options.policy else None
        self.permissions = set()  # that the calls so far needed
        self.latency_s = options.latency / 1000
        self.calls = []       # (service, action, code)
        self.requests = []    # {"service", "action", "parameters"}
        self.caller = None
        self.machines = machines.Machines(options.machines, options.machine_root) if options.machines else None
        self.late = []        # zones where the next launch fails after its reply

    def take_late_failure(self, zone):
        rule = self.faults.take("launch", zone)
        return rule and rule.get("code", "Server.InsufficientInstanceCapacity")

    def handler(self, service, action):
        if service == "ec2":
            for module in (ec2, instances, catalog):
                if action[:1].isupper() and hasattr(module, action):
                    return getattr(module, action)
            return None
        return getattr(services, f"{service}_{action}", None)

    @staticmethod
    def actions():
        """All that are simulated: [service, action]."""
        own = [["ec2", name] for module in (ec2, instances, catalog) for name, thing in vars(module).items()
               if name[:1].isupper() and isinstance(thing, types.FunctionType) and thing.__module__ == module.__name__]
        return own + [name.split("_") for name in vars(services) if name.count("_") == 1 and name.split("_")[1][:1].isupper()]

    def zone_of(self, action, parameters):
        if action != "RunInstances":
            return None
        try:
            return self.kind("subnet")[parameters["NetworkInterface"][0]["SubnetId"]]["zone"]
        except (KeyError, IndexError):
            return None

    def perform(self, service, action, parameters, region, rule):
        handler = self.handler(service, action)
        if not handler:
            raise wire.Failure("InvalidAction", f"The action {action} is not simulated.")
        self.hide_ms = rule.get("ms", 0) if rule and rule["kind"] in ("invisible", "reset_after", "hold") else 0
        if service == "ec2":
            catalog.fill(self)
        if parameters.get("DryRun") == "true":
            raise wire.Failure("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
        result = handler(self, parameters)
        if self.machines and action in REROUTING:
            self.machines.apply_rules(self)
        return result


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    account = None
    due = 0  # when the reply goes out: however long it takes to make it, a call takes the latency

    def log_message(self, format, *arguments):  # noqa: A002
        pass

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # ---- Replies ----

    def reply(self, status, body, content_type="text/xml", headers=()):
        data = body.encode()
        time.sleep(max(0, self.due - time.monotonic()))
        self.due = 0
        self.send_response_only(status)
        self.send_header("Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(self.account.now())))
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def fail(self, failure, service, protocol, request_id):
        headers = [("x-amzn-RequestId", request_id)]
        if protocol == "json":
            if service == "monitoring":
                kind = "Sender" if failure.status < 500 else "Receiver"
                headers.append(("x-amzn-query-error", f"{failure.code};{kind}"))
            self.reply(failure.status, wire.json_error(failure), "application/x-amz-json-1.1", headers)
        elif service == "ec2":
            self.reply(failure.status, wire.ec2_error(failure, request_id), headers=headers)
        else:
            self.reply(failure.status, wire.query_error(failure, request_id, NAMESPACES.get(service, "")), headers=headers)

    def succeed(self, result, service, action, protocol, request_id):
        headers = [("x-amzn-RequestId", request_id)]
        if protocol == "json":
            self.reply(200, wire.json_reply(result), "application/x-amz-json-1.1", headers)
        elif service == "ec2":
            self.reply(200, wire.ec2_reply(action, result, request_id), headers=headers)
        else:
            self.reply(200, wire.query_reply(action, result, request_id, NAMESPACES[service]), headers=headers)

    def await_hang_up(self):
        """Whoever is waiting for a reply sends nothing more: what can be read is the end."""
        with self.account.faults.lock:
            self.account.faults.held += 1
        try:
            self.connection.recv(1)
        except OSError:
            pass

    def hang_up(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close_connection = True
        self.connection.close()
        # What http.server does behind this must not fail.
        self.wfile = self.rfile = open(os.devnull, "r+b", buffering=0)

    # ---- Calls ----

    def read_call(self, body, headers):
        """(service, action, parameters, protocol)"""
        target = headers.get("x-amz-target")
        if target:
            prefix, _, action = target.partition(".")
            try:
                return TARGETS[prefix], action, json.loads(body or b"{}"), "json"
            except (KeyError, ValueError):
                raise wire.Failure("UnknownOperationException", f"{target} is not known") from None
        parameters = wire.parse_form(body.decode())
        action, version = parameters.pop("Action", None), parameters.pop("Version", None)
        if version not in VERSIONS:
            raise wire.Failure("InvalidAction", f"version {version} is not simulated")
        return VERSIONS[version], action, parameters, "ec2" if VERSIONS[version] == "ec2" else "query"

    def do_POST(self):
        account = self.account
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, _, query = self.path.partition("?")
        self.due = time.monotonic() + account.latency_s
        if elsewhere.answer(self, "POST", path, query, body):
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        service = action = None
        protocol = "query"
        with account.lock:
            request_id = account.new_id("request")
        try:
            service, action, parameters, protocol = self.read_call(body, headers)
            result = self.call(service, action, parameters, protocol, path, query, headers, body)
            code = "ok"
        except wire.Failure as failure:
            code, result = failure.code, failure
        except faults.Reset as reset:
            account.calls.append((service, action, "reset"))
            if isinstance(reset, faults.Hold):
                self.await_hang_up()
            self.hang_up()
            return
        account.calls.append((service, action, code))
        if isinstance(result, wire.Failure):
            self.fail(result, service, protocol, request_id)
        else:
            self.succeed(result, service, action, protocol, request_id)

    def call(self, service, action, parameters, protocol, path, query, headers, body):
        account = self.account
        with account.lock:
            region = "us-east-1"
            if action not in UNSIGNED:
                account.caller, region, signed_for = signature.check(account, "POST", path, query, headers, body)
                if signed_for != service:
                    raise wire.Failure("SignatureDoesNotMatch", f"signed for {signed_for}, not {service}", 403)
            if service == "iam" and region != "us-east-1":
                raise wire.Failure("SignatureDoesNotMatch", "Credential should be scoped to us-east-1", 403)
            account.region = "global" if service == "iam" else region
            account.models.check(service, action, parameters, protocol)
            account.requests.append({"service": service, "action": action, "parameters": parameters})
            if account.policy:
                account.permissions |= account.policy.check(account, service, action, parameters)
            rule = account.faults.take(action, account.zone_of(action, parameters))
        if rule and rule["kind"] == "slow":
            time.sleep(rule["ms"] / 1000)
        if rule and rule["kind"] == "reset_before":
            raise faults.Reset
        if rule:
            faults.raise_error(rule)
        try:
            with account.lock:
                account.region = "global" if service == "iam" else region
                return account.perform(service, action, parameters, region, rule)
        finally:
            if rule and rule["kind"] in ("reset_after", "hold"):
                raise faults.Hold if rule["kind"] == "hold" else faults.Reset

    # ---- Steering, and what is no POST ----

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path.startswith("/simulator/"):
            self.steer(path.rpartition("/")[2])
        elif not elsewhere.answer(self, "GET", path, query, b""):
            self.reply(404, "not found", "text/plain")

    def do_PUT(self):
        path = self.path.partition("?")[0]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not path.startswith("/simulator/"):
            if not elsewhere.answer(self, "PUT", path, "", body):
                self.reply(404, "not found", "text/plain")
            return
        given, account = json.loads(body), self.account
        with account.lock:
            if path.endswith("/faults"):
                account.faults.set(given)
            elif path.endswith("/settings"):
                unknown = set(given) - set(account.settings) - {"latency"}
                if unknown:
                    self.reply(400, f"unknown settings: {unknown}", "text/plain")
                    return
                account.latency_s = given.pop("latency", account.latency_s * 1000) / 1000
                account.settings.update(given)
            elif path.endswith("/stranger"):
                self.set_stranger(given)
            elif path.endswith("/metrics"):
                account.metrics += [(space, name, (("InstanceId", instance),), account.now() - ago, value)
                                    for space, name, instance, ago, value in given]
            elif path.endswith("/policy"):
                account.policy.statements = given["Statement"]
            elif path.endswith("/logs"):
                self.add_logs(given)
        self.reply(200, "", "text/plain")

    def set_stranger(self, given):
        """Something that somebody else has made."""
        account, vpc, group = self.account, given.get("vpc"), given.get("group")
        account.region = "us-west-2"
        if "subnet" in given:
            account.add("networkInterface", "eni", subnet=given["subnet"], vpc=vpc, address="10.0.0.99", groups=[group], public=False,
                        instance=None, until=None, description="AWS Lambda VPC ENI-stranger")
        elif vpc:
            rules = [["tcp", "22", "22", group]] if group else []
            account.add("securityGroup", "sg", vpc=vpc, name="stranger", description="of somebody else's", rules=rules)
        for kind, mark in (("securityGroup", ("name", "stranger")), ("networkInterface", ("instance", None))):
            for thing in [] if given else list(account.kind(kind).values()):
                if thing[mark[0]] == mark[1]:
                    del account.kind(kind)[thing["id"]]

    def add_logs(self, given):
        self.account.region = "us-west-2"
        for group, stream, ago, text in given:
            services.logs_PutLogEvents(self.account, {
                "logGroupName": group, "logStreamName": stream,
                "logEvents": [{"timestamp": int((self.account.now() - ago) * 1000), "message": text}]})

    def do_DELETE(self):
        with self.account.lock:
            self.account.calls.clear()
            self.account.requests.clear()
            if self.path.endswith("/world"):
                self.account.clear()
        self.reply(200, "", "text/plain")

    def steer(self, what):
        account = self.account
        with account.lock:
            if what == "calls":
                answer = [{"service": service, "action": action, "result": code} for service, action, code in account.calls]
            elif what == "requests":
                answer = account.requests
            elif what == "permissions":
                answer = sorted(account.permissions)
            elif what == "actions":
                answer = account.actions()
            elif what == "state":
                answer = self.state()
            elif what == "world":
                answer = self.state(True)
            elif what == "held":
                answer = account.faults.held
            else:
                self.reply(404, "not found", "text/plain")
                return
        self.reply(200, json.dumps(answer, default=repr), "application/json")

    def state(self, whole=False):
        """What costs something or stands in the way: {kind: [{id, tags, state}]}, without what is on its way out. The whole
        is that with what comes and goes with other things, and what has ended."""
        account, seen = self.account, {}
        for (region, kind), things in account.objects.items():
            account.region = region
            for thing in things.values():
                state = instances.settle(account, thing) if kind == "instance" else thing.get("state")
                state = ec2.nat_state(thing) if kind == "natGateway" else state
                own = thing.get("main") or (kind == "securityGroup" and thing["name"] == "default")
                left_out = kind == "networkInterface" or own or state in ("terminated", "deleted")
                if kind != "image" and (whole or not left_out):
                    seen.setdefault(kind, []).append({**{key: value for key, value in thing.items() if key != "data"},
                                                      "state": state, "region": region})
        return seen


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256  # a whole deployment's requests may come in the same moment

    def handle_error(self, request, client_address):
        """That somebody has gone without waiting for the reply is no error here."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port-file", required=True)
    parser.add_argument("--models")
    parser.add_argument("--machines", help="directory of their disks")
    parser.add_argument("--machine-root", help="what they boot; the metadata service is at its address then")
    parser.add_argument("--policy", help="document of IAM: all that the caller may do")
    parser.add_argument("--latency", type=float, default=0, help="milliseconds that each call takes")
    options = parser.parse_args()
    Handler.account = Account(options)
    if options.machine_root:
        metadata.serve(Handler.account)
    server = Server(("127.0.0.1", 0), Handler)
    draft = options.port_file + ".new"
    with open(draft, "w", encoding="ascii") as file:
        file.write(str(server.server_port))
    os.replace(draft, options.port_file)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while sys.stdin.buffer.read1(4096):
        pass


if __name__ == "__main__":
    main()
