"""SIGHUP at a terminal: one that was closed ends the gateway that was started there."""

import os
import pty
import signal
import subprocess
from pathlib import Path

from tests.gateway_process import PROGRAM, GatewayProcess
from tests.relay.stage import wait_until


def _at_terminal(gateway: GatewayProcess, number: int) -> subprocess.Popen[bytes]:
    # A session of its own, whose controlling terminal is the first that it opens (setsid(2)).
    name = os.ttyname(number)
    line = f'exec {PROGRAM} serve --port 0 <"{name}" >"{name}" 2>>"{gateway.home}/serve.log"'
    return subprocess.Popen(["sh", "-c", line], env=gateway.environment, cwd=gateway.home, start_new_session=True)


def test_a_closed_terminal_ends_it(tmp_path: Path) -> None:
    """A window that is closed leaves no gateway behind; while it is open SIGHUP reloads."""
    gateway = GatewayProcess(tmp_path)
    terminal, child = pty.openpty()
    with _at_terminal(gateway, child) as process:
        try:
            said = b""
            while b"log --follow" not in said:
                said += os.read(terminal, 4096)
            # The test itself must not hold it.
            os.close(child)
            os.kill(process.pid, signal.SIGHUP)
            wait_until(lambda: "configuration_reloaded" in gateway.log, "it was read again")

            assert process.poll() is None
            os.close(terminal)
            assert 0 == process.wait(15)
        finally:
            process.kill()
