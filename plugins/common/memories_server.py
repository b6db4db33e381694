#!/usr/bin/env python3
"""memories-server for nodes whose distribution has no package of it: the same answers, see memories-server(1)."""
import argparse
import http.server
import json
import os
import signal
import socket
import time

parser = argparse.ArgumentParser()
for option in ("listen", "port", "deployment", "node", "role", "data"):
    parser.add_argument("--" + option)
options = parser.parse_args()
started = time.monotonic()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        usable = not options.data or os.access(options.data, os.R_OK | os.W_OK | os.X_OK)
        if self.command not in ("GET", "HEAD"):
            self.close_connection = True
            return 405, {"error": "method not allowed"}
        if self.path.split("?")[0] == "/healthz":
            return (200, {"status": "ok"}) if usable else (503, {"status": "data directory not writable"})
        if self.path.split("?")[0] == "/v1/info":
            return 200, {"deployment": options.deployment, "node": options.node, "role": options.role,
                         "version": "@VERSION@", "uptime_s": int(time.monotonic() - started)}
        return 404, {"error": "not found"}

    def reply(self):
        self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 65536))
        status, document = self.answer()
        body = json.dumps(document, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        if status == 405:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = reply

    def log_message(self, *_arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in (options.listen or "") else socket.AF_INET
    daemon_threads = True


# Not sys.exit: raised while Python clears something away, its exception is ignored, and the server goes on.
signal.signal(signal.SIGTERM, lambda *_arguments: os._exit(0))
server = Server((options.listen or "127.0.0.1", int(options.port or 8000)), Handler)
print(f"memories-server @VERSION@ listens on {server.server_address[0]} port {server.server_port}", flush=True)
server.serve_forever()
