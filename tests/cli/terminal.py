"""terminal.py - runs the program on a pseudo-terminal and looks at what arrives there"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
import unicodedata

program = sys.argv[1]
INTERRUPT = b"\x03"
NOTICE = "stopping after the operations under way"


class Screen:
    """As much of a terminal as the program may use: CR, LF, cursor up, clear to the end, colours."""

    def __init__(self, columns):
        self.columns, self.lines, self.row, self.column = columns, [""], 0, 0

    def feed(self, text):
        for control, up, clear, colour, character in re.findall(
                r"(\r|\n)|\x1b\[(\d+)A|(\x1b\[J)|(\x1b\[\d+m)|([^\x1b])", text):
            if control == "\r":
                self.column = 0
            elif control == "\n":
                self.row += 1
                if self.row == len(self.lines):
                    self.lines.append("")
            elif up:
                self.row = max(0, self.row - int(up))
            elif clear:
                self.lines = self.lines[:self.row] + [self.lines[self.row][:self.column]]
            elif character:
                self.put(character)

    def put(self, character):
        width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        assert self.column + width <= self.columns, f"line {self.lines[self.row]!r} wraps"
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[:self.column] + character + line[self.column + 1:]
        self.column += width

    def text(self):
        return "\n".join(self.lines)


def run(arguments, columns=60, rows=12, keys=(), environment=None):
    """keys: (text to wait for, what to type then). Returns what arrived, as text, and the exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update({"TERM": "xterm", "LC_ALL": "C.UTF-8"})
        os.environ.update(environment or {})
        if keys:
            os.environ["FAKE_HOLD"] = "1"  # until they have arrived
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a test run in the background inherits that it is ignored
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.execv(program, ["memories"] + arguments)
    keys, arrived, seen, deadline = list(keys), b"", 0, time.monotonic() + 300
    while True:
        assert time.monotonic() < deadline, f"{arguments} does not end"
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        arrived += piece
        if keys and keys[0][0].encode() in arrived[seen:]:
            seen = len(arrived)
            os.write(terminal, keys.pop(0)[1])
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    assert not keys, f"{arguments} ended before {keys[0][0]!r}: {arrived!r}"
    return arrived.decode(), code


def frames(text):
    return text.count("\x1b[J")


def check_region():
    for columns, environment in ((100, {}), (60, {}), (30, {}), (12, {}), (60, {"LC_ALL": "C"}), (60, {"NO_COLOR": "1"})):
        began = time.monotonic()
        text, code = run(["deploy", "slow"], columns, environment=environment)
        seconds = time.monotonic() - began
        assert code == 0
        # Every frame fits; when all is done nothing is left of them.
        head, result = text.split("100 operations in ")
        assert "Status: running" in result
        screen = Screen(columns)
        screen.feed(head)
        assert screen.text().strip() == "", screen.text()
        assert 3 <= frames(head) <= 10 * seconds + 2, f"{frames(head)} frames in {seconds} seconds"
        if columns >= 60:
            assert re.search(r"creating .*\d+ of 100  \d\.\d s", head)
            assert re.search(r"node/node\d+: starting etcd, größer", head)
        if "LC_ALL" in environment:
            assert "=" in head and "━" not in head
        assert ("\x1b[36m" in head) == ("NO_COLOR" not in environment)


def check_narrowed():
    """A region of wide lines on a terminal that becomes narrow is still removed whole: the wrapped rows are counted."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update({"TERM": "xterm", "LC_ALL": "C.UTF-8"})
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        os.environ["FAKE_HOLD"] = "1"  # until it is narrow
        os.execv(program, ["memories", "deploy", "slow"])
    arrived, narrowed = b"", False
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        arrived += piece
        if not narrowed and re.search(rb"[2-9]\d of 100", arrived):
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 20, 0, 0))
            narrowed = True
    os.waitpid(pid, 0)
    ups = [int(up) for up in re.findall(rb"\x1b\[(\d+)A", arrived)]
    # One or two lines; the two on the screen at that moment, more than 40 columns each, are 3 rows of 20 each.
    assert set(ups) <= {1, 2, 6} and ups.count(6) == 1, ups


def check_plain():
    for arguments, environment in ((["deploy", "slow", "--quiet"], {}), (["deploy", "slow"], {"TERM": "dumb"})):
        text, code = run(arguments, environment=environment)
        assert code == 0 and "\x1b" not in text, text
        assert ("creating" in text) == ("--quiet" not in arguments)


def check_lines_above():
    """A warning stays on the screen, above the region, and nothing of it is lost."""
    text, _ = run(["deploy", "loud"])
    screen = Screen(60)
    screen.feed(text)
    assert "memories: note: an even number of members" in screen.text()
    assert "failed: node/node2: no ?[31mroom?" in screen.text()


def check_interrupt():
    text, code = run(["deploy", "slow"], keys=[(" of 100", INTERRUPT)])
    assert code == 6, code
    assert NOTICE in text and "memories resume consensus-local" in text, text

    text, code = run(["deploy", "stubborn"], keys=[(" of 100", INTERRUPT), (NOTICE, INTERRUPT)])
    assert code == 130, code
    assert "stopped at once" in text

    text, code = run(["deploy", "slow"], keys=[("creating", INTERRUPT)], environment={"TERM": "dumb"})
    assert code == 6 and NOTICE in text, text

    text, code = run(["deploy", "slow", "--events"], keys=[("{", INTERRUPT)])
    assert code == 6 and NOTICE not in text, text

    text, code = run(["logs", "x", "--follow"], keys=[("more", INTERRUPT)])
    assert code == 0, code

    text, code = run(["logs", "x", "--follow"], keys=[("more", INTERRUPT)], environment={"NO_COLOR": "1"})
    assert "\x1b" not in text


def check_autoscale():
    """Decisions and progress are lines on one screen; Ctrl-C ends the loop, and cuts a scaling."""
    text, code = run(["autoscale", "x"], keys=[("something else", INTERRUPT)])
    assert code == 0 and "\x1b[J" not in text, (code, text)
    text, code = run(["autoscale", "slow"], 100, keys=[("creating", INTERRUPT)])
    assert code == 6 and "-> 7" in text and "memories resume consensus-local" in text, (code, text)
    text, code = run(["autoscale", "slow", "--once"])
    assert code == 0 and "100 operations in" in text, (code, text)


def check_signal():
    """SIGTERM is Ctrl-C; ignored signals stay ignored."""
    for number, before, expected in ((signal.SIGTERM, signal.SIG_DFL, 6), (signal.SIGHUP, signal.SIG_IGN, 0)):
        output, child_output = os.pipe()
        pid = os.fork()
        if pid == 0:
            signal.signal(number, before)
            if expected:
                os.environ["FAKE_HOLD"] = "1"  # until the signal has arrived
            os.dup2(child_output, 2)
            os.execv(program, ["memories", "deploy", "slow"])
        os.close(child_output)
        os.read(output, 1)  # it works now
        os.kill(pid, number)
        while os.read(output, 4096):
            pass
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert code == expected, (number, code)


for check in (check_region, check_narrowed, check_plain, check_lines_above, check_interrupt, check_autoscale,
              check_signal):
    check()
    print(f"ok: {check.__name__}")
