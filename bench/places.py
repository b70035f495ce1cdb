"""What the bench measures between and with: the upstream, nginx, the gateway, and their CPU time.

Each place is a process (tree) on one core; what loads it and what answers it
share the other. Linux only: cores and CPU time are read from /proc.
Used by bench/run.py.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.gateway_process import GatewayProcess, anthropic

HERE = Path(__file__).parent
GATEWAY_CORE = 0
LOAD_CORE = 1
_TICKS = os.sysconf("SC_CLK_TCK")
_PATIENCE_S = 10.0

NGINX = """\
daemon off;
worker_processes 1;
pid {home}/nginx.pid;
error_log {home}/error.log crit;
worker_rlimit_nofile 65536;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  client_max_body_size 0;
  client_body_buffer_size 32m;
  keepalive_requests 1000000;
  upstream fake {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://fake;
      proxy_http_version 1.1;
      proxy_set_header connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


class Missing(Exception):
    """A program that the bench needs is not on this machine; the text says which."""


@dataclass(frozen=True, slots=True)
class Place:
    """Something that stands between load and upstream."""

    name: str
    port: int
    pid: int
    key: str
    """The gateway's; nginx hands it on unread."""

    def cpu_s(self) -> float:
        """User and system time of the process tree so far, in seconds."""
        return sum(_cpu_s(pid) for pid in _tree(self.pid))

    def memory_kb(self) -> int:
        """Proportional set size of the process tree."""
        return sum(_pss_kb(pid) for pid in _tree(self.pid))


def need(program: str, package: str) -> str:
    """Where a program is."""
    found = shutil.which(program, path="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
    if found is None:
        raise Missing(f"{program} is missing: install the package `{package}`")
    return found


def pin(pid: int, core: int) -> None:
    """Keep a process, its threads and its children on one core."""
    for one in _tree(pid):
        for task in Path(f"/proc/{one}/task").iterdir():
            os.sched_setaffinity(int(task.name), {core})


@contextmanager
def upstream(home: Path, *, events: int, gap_ms: float) -> Iterator[int]:
    """The fake API, compiled here; gives its port."""
    program = home / "upstream"
    command = [need("cc", "gcc"), "-O2", "-D_GNU_SOURCE", "-o", str(program), str(HERE / "upstream.c")]
    subprocess.run(command, check=True)
    port = _free_port()
    with _running([str(program), str(port), str(events), str(gap_ms)], port, LOAD_CORE):
        yield port


@contextmanager
def nginx(home: Path, upstream_port: int, key: str) -> Iterator[Place]:
    """The limit: a reverse proxy that looks at nothing."""
    port = _free_port()
    config = home / "nginx.conf"
    config.write_text(NGINX.format(home=home, upstream=upstream_port, port=port))
    command = [need("nginx", "nginx"), "-p", str(home), "-e", str(home / "error.log"), "-c", str(config)]
    with _running(command, port, GATEWAY_CORE) as pid:
        yield Place("nginx", port, pid, key)


@contextmanager
def clearway(home: Path, upstream_port: int) -> Iterator[Place]:
    """Our gateway as it is started every day: key, ledger and usage on."""
    config = anthropic(f"http://127.0.0.1:{upstream_port}")
    credential = {"UPSTREAM_CREDENTIAL": "sk-ant-dummy", "CLEARWAY_LOG__LEVEL": "warning"}
    with GatewayProcess(home, config, environment=credential) as gateway:
        pin(gateway.pid, GATEWAY_CORE)
        yield Place("clearway", int(gateway.url.rsplit(":", 1)[1]), gateway.pid, gateway.new_key("bench"))


@contextmanager
def _running(command: list[str], port: int, core: int) -> Iterator[int]:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        _wait_listening(process, port)
        pin(process.pid, core)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_PATIENCE_S)


def _wait_listening(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + _PATIENCE_S
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise Missing(f"{process.args!r} did not start")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in _tree(int(child)))]


def _cpu_s(pid: int) -> float:
    # proc(5): after the name, which may hold spaces, utime and stime are fields 14 and 15 of the line.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _pss_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
