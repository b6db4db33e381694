"""The instance metadata service, as an instance reaches it at 169.254.169.254: it is known by its address.

Without a token, too, in spite of what the instance asks for: cloud-init takes one only where the firmware is Amazon's.
"""

import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import host

ADDRESS = "169.254.169.254"
VERSIONS = ("2009-04-04", "2021-03-23", "latest")
TOKEN = "simulated-imds-token"


def tree(instance):
    """What there is below meta-data, as far as cloud-init and the agent look."""
    mac = host.mac_of(instance["address"])
    meta = {"ami-id": instance["image"], "ami-launch-index": str(instance["index"]), "instance-id": instance["id"],
            "instance-type": instance["type"], "local-ipv4": instance["address"], "mac": mac,
            "local-hostname": f"ip-{instance['address'].replace('.', '-')}.{instance['zone'][:-1]}.compute.internal",
            "placement": {"availability-zone": instance["zone"], "region": instance["zone"][:-1]},
            "network": {"interfaces": {"macs": {mac: {"mac": mac, "device-number": "0", "local-ipv4s": instance["address"],
                                                      "interface-id": "eni-0"}}}}}
    if instance["public"]:
        meta["public-ipv4"] = instance["public"]
    return {"meta-data": meta, "dynamic": {}, **({"user-data": instance["data"]} if instance["data"] else {})}


def listing(level):
    return "\n".join(name + ("/" if isinstance(value, dict) else "") for name, value in level.items())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world = None

    def log_message(self, format, *arguments):  # noqa: A002
        pass

    def reply(self, status, body):
        data = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def instance(self):
        with self.world.lock:
            return next((dict(one) for (_, kind), things in self.world.objects.items() if kind == "instance"
                         for one in things.values() if one["address"] == self.client_address[0]
                         and one["state"] in ("pending", "running", "stopping")), None)

    def do_PUT(self):
        seconds = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        self.reply(*((200, TOKEN) if self.path == "/latest/api/token" and seconds.isdigit() else (400, "")))

    def do_GET(self):
        if self.headers.get("X-aws-ec2-metadata-token", TOKEN) != TOKEN:
            return self.reply(401, "")
        version, *names = [urllib.parse.unquote(part) for part in self.path.split("/") if part] or [""]
        instance = self.instance()
        if not instance or version not in VERSIONS:
            return self.reply(*((404, "") if version else (200, "\n".join(VERSIONS))))
        level = tree(instance)
        for name in names:
            level = level.get(name) if isinstance(level, dict) else None
        if level is None:
            return self.reply(404, "")
        return self.reply(200, listing(level) if isinstance(level, dict) else level)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def serve(world):
    Handler.world = world
    threading.Thread(target=Server((ADDRESS, 80), Handler).serve_forever, daemon=True).start()
