"""at_terminal.py - runs a command on a pseudo-terminal and types Ctrl-C once it has printed a text

usage: at_terminal.py TEXT COMMAND [ARGUMENT...]    (TEXT "": nothing is typed)
"""
import os
import pty
import signal
import sys

awaited, seen = sys.argv[1].encode(), b""


def read(terminal):
    global awaited, seen
    piece = os.read(terminal, 65536)
    seen += piece
    if awaited and awaited in seen:
        awaited = b""
        os.write(terminal, b"\x03")
    return piece


# A shell lets its background commands ignore it.
signal.signal(signal.SIGINT, signal.SIG_DFL)
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[2:], read)))
