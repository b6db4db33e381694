#!/usr/bin/env python3
"""watch_http.py - which of some addresses answer, all the time: watch_http.py RESULT ADDRESS…

Asks them one after the other, again and again, until SIGTERM; those that are to go stand before those that come, for then
no round can miss both one that has gone meanwhile and the one that had come before that. RESULT has, as JSON, how many rounds there were ("rounds"), how
many addresses answered in the worst of them ("fewest"), and how often each did not ("failures").
"""
import http.client
import json
import os
import signal
import sys
import time


def answers(address):
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def write(path, result):
    with open(path + ".new", "w", encoding="ascii") as file:
        json.dump(result, file)
    os.replace(path + ".new", path)


def main(path, addresses):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    result = {"rounds": 0, "fewest": len(addresses), "failures": dict.fromkeys(addresses, 0)}
    while True:
        up = [address for address in addresses if answers(address)]
        result["rounds"] += 1
        result["fewest"] = min(result["fewest"], len(up))
        for address in addresses:
            result["failures"][address] += address not in up
        write(path, result)
        time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
