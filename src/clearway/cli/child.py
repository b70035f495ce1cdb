"""One command on this terminal: started, sent our signals, waited for.

Used by cli/running.
"""

import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

from clearway.cli.failures import report

_NOT_FOUND, _NOT_EXECUTABLE, _SIGNAL_BASE = 127, 126, 128
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)


def run_child(command: list[str], environ: Mapping[str, str]) -> int:
    """Run `command` to its end and return its exit code, 128 + n for signal n.

    The terminal is the command's. What the terminal sends to both of us (Ctrl-C and
    the quit key) is not sent again; other signals are passed on.
    """
    with _signals() as (arrived, awake):
        try:
            child = subprocess.Popen(command, env=environ)  # noqa: S603  # the command that we were asked to run
        except FileNotFoundError:
            report(f"there is no command {command[0]}")
            return _NOT_FOUND
        except OSError as error:
            report(f"{command[0]} cannot be run: {(error.strerror or 'unknown').lower()}")
            return _NOT_EXECUTABLE
        code = _wait(child, arrived, awake)
    return code if code >= 0 else _SIGNAL_BASE - code


@contextmanager
def _signals() -> Iterator[tuple[list[int], socket.socket]]:
    """Signals that arrive, kept in a list; the socket is readable when there are new ones.

    Set up before the command starts, so that none is lost.
    """
    arrived: list[int] = []
    handled = (*_FORWARDED, *_FROM_TERMINAL)
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        ours.setblocking(False)  # noqa: FBT003  # the standard library's signature
        theirs.setblocking(False)  # noqa: FBT003
        before = {number: signal.signal(number, lambda number, _: arrived.append(number)) for number in handled}
        wakeup = signal.set_wakeup_fd(theirs.fileno())
        try:
            yield arrived, ours
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)


def _wait(child: "subprocess.Popen[bytes]", arrived: list[int], awake: socket.socket) -> int:
    over, ending = socket.socketpair()

    def wait() -> None:
        child.wait()
        ending.close()

    # A thread waits, so that a signal just before the wait is not kept back by it.
    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    from_terminal = sys.stdin.isatty()
    with closing(over):
        while True:
            while arrived:
                number = arrived.pop(0)
                if not (from_terminal and number in _FROM_TERMINAL):
                    child.send_signal(number)
            ready, _, _ = select.select([over, awake], [], [])
            if over in ready:
                waiting.join()
                return child.returncode
            awake.recv(4096)
