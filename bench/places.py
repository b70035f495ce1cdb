"""What the bench measures between and with: the upstream, nginx, the gateway.

Each place is a process (tree) on one core; what loads it and what answers it
share the other. Linux only. Used by bench/run.py, bench/cases and bench/soak.py.
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

from bench import proc
from tests.gateway_process import GatewayProcess, anthropic

HERE = Path(__file__).parent
PLACE_CORE = 0
LOAD_CORE = 1
MAX_BODY = 200_000_000
_PATIENCE_S = 10.0

# As an operator would set it who wants speed and looks at nothing: kept-alive connections on both sides, no log,
# answers handed on as they come, bodies held in memory and not in files. Whether bodies are held at all
# (`proxy_request_buffering`) makes no difference that can be measured.
NGINX = """\
{user}daemon off;
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


class Failed(Exception):
    """Requests went wrong, so that what was measured means nothing; the text says which."""


@dataclass(frozen=True, slots=True)
class Fake:
    """The upstream, and where the bench's own programs are."""

    port: int
    programs: Path


@dataclass(frozen=True, slots=True)
class Place:
    """Something that stands between load and upstream."""

    name: str
    port: int
    pid: int
    key: str
    """The gateway's; nginx hands it on unread."""
    fake: Fake
    home: Path
    """For what a case must write down."""
    ready_s: float
    """From its start until it accepts requests."""
    limited_key: str
    """Likewise, with budgets and limits that nothing here reaches."""

    @property
    def programs(self) -> Path:
        """Where what bench/*.c became is."""
        return self.fake.programs

    def cpu_s(self) -> float:
        """User and system time of the process tree so far, threads and all, in seconds."""
        return sum(proc.cpu_s(pid) for pid in proc.tree(self.pid))

    def memory_kb(self) -> int:
        """Proportional set size of the process tree."""
        return sum(proc.pss_kb(pid) for pid in proc.tree(self.pid))


def need(program: str, package: str) -> str:
    """Where a program is."""
    found = shutil.which(program, path="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
    if found is None:
        raise Missing(f"{program} is missing: install the package `{package}`")
    return found


@contextmanager
def upstream(home: Path) -> Iterator[Fake]:
    """The fake API, compiled here with the bench's other programs."""
    if not {PLACE_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        raise Missing("two cores are needed, one for what is measured and one for the rest")
    compiler = [need("cc", "gcc"), "-O2", "-D_GNU_SOURCE"]
    for name in ("upstream", "streams"):
        subprocess.run([*compiler, "-o", str(home / name), str(HERE / f"{name}.c")], check=True)
    port = _free_port()
    with _running([str(home / "upstream"), str(port)], port, LOAD_CORE):
        yield Fake(port, home)


@contextmanager
def nginx(home: Path, fake: Fake) -> Iterator[Place]:
    """The limit: a reverse proxy that looks at nothing."""
    port = _free_port()
    config = home / "nginx.conf"
    # Started by root, its worker would be somebody who may not write here.
    user = "" if os.geteuid() else "user root;\n"
    config.write_text(NGINX.format(user=user, home=home, upstream=fake.port, port=port))
    command = [need("nginx", "nginx"), "-p", str(home), "-e", str(home / "error.log"), "-c", str(config)]
    began = time.monotonic()
    with _running(command, port, PLACE_CORE) as pid:
        yield Place("nginx", port, pid, "cw-" + "0" * 49, fake, home, time.monotonic() - began, "cw-" + "0" * 49)


@contextmanager
def clearway(home: Path, fake: Fake, *, pinned: bool = True) -> Iterator[Place]:
    """Our gateway as it is started every day: key, ledger and usage on. Bodies up to `MAX_BODY`; the soak shows
    wrong keys all the time, which would be slowed down.
    """
    config = f"[server]\nmax_body = {MAX_BODY}\nwrong_keys_per_minute = 0\n{anthropic(f'http://127.0.0.1:{fake.port}')}"
    credential = {"UPSTREAM_CREDENTIAL": "sk-ant-dummy", "CLEARWAY_LOG__LEVEL": "warning"}
    began = time.monotonic()
    with GatewayProcess(home, config, environment=credential) as gateway:
        ready_s = time.monotonic() - began
        if pinned:
            proc.pin(gateway.pid, PLACE_CORE)
        port = int(gateway.url.rsplit(":", 1)[1])
        free, limited = gateway.new_key("bench"), gateway.new_key("limited", *LIMITS)
        yield Place("clearway", port, gateway.pid, free, fake, home, ready_s, limited)


LIMITS = (*("--budget", "100000usd/day", "--rpm", "900000000", "--input-tpm", "900000000", "--parallel", "100000"),)
PLACES = {"nginx": nginx, "clearway": clearway}


@contextmanager
def _running(command: list[str], port: int, core: int) -> Iterator[int]:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        _wait_listening(process, port)
        proc.pin(process.pid, core)
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
            time.sleep(0.002)
        else:
            return
    raise Missing(f"{process.args!r} did not start")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
