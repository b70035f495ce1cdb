"""What starting costs, counted in modules: the same on any machine, however busy.

The interpreter itself tells what it imports (`PYTHONPROFILEIMPORTTIME`, python(1)), so the
real program is looked at. Each budget is what was counted and some tenth more: whoever
exceeds one imports later, or says here what for. Third parties that look for packages which
are there for development only count as well.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Desk
from tests.cli.exchanges import store_with_history
from tests.gateway_process import GatewayProcess, passthrough

LOUD = {"PYTHONPROFILEIMPORTTIME": "1"}
_LINE = re.compile(r"^import time: +\d+ \| +\d+ \| +(\S+)$", re.MULTILINE)
NEVER = {"mitmproxy", "genai_prices", "alembic", "mako", "psycopg", "hypothesis", "pytest", "typer.rich_utils"}
NEVER |= {"prometheus_client", "opentelemetry", "valkey"}
"""What is done often needs none of these: captures, new prices, another schema, PostgreSQL, drawn help, metrics,
shared counters."""
SERVER = {"starlette", "uvicorn", "uvloop", "httptools"}
STORE = {"sqlalchemy", "structlog"}
"""structlog takes `rich` and `asyncio` along, Typer pydantic."""
SERVING = SERVER - {"starlette"} | STORE | {"sqlalchemy.dialects.sqlite", "clearway.upstreams.passthrough"}
NOT_SERVING = {
    "starlette": "answers on the control socket, and to pages of other origins",
    "sqlalchemy.dialects.postgresql": "is for the other store",
    "clearway.server.admin": "answers the owner's own questions over HTTP",
    "argon2": "is for who signs in with the password",
    "clearway.gateway.chat": "is for clients that speak Chat Completions",
    "clearway.gateway.responses": "is for clients that speak Responses",
    "clearway.upstreams.replay": "is for gateways that have one",
    "clearway.upstreams.sim": "is for gateways that have one",
}.keys()


def _imported(said: str) -> set[str]:
    return set(_LINE.findall(said))


def _check(found: set[str], budget: int, never: set[str]) -> None:
    assert "encodings.utf_8" in found
    assert set() == {name for name in found if name in never or name.partition(".")[0] in never}
    assert len(found) <= budget


HEAVY = NEVER | SERVER | STORE
COMMANDS = [
    pytest.param(["--version"], 35, HEAVY | {"typer", "msgspec"}, id="version"),
    pytest.param(["--help"], 200, HEAVY | {"rich", "asyncio", "ssl", "pydantic"}, id="help"),
    pytest.param(["lgo"], 310, HEAVY | {"rich", "asyncio", "ssl"}, id="mistyped"),
    pytest.param(["config", "show"], 390, HEAVY | {"asyncio", "ssl"}, id="config"),
    pytest.param(["serve", "--help"], 340, HEAVY, id="help-of-a-command"),
    pytest.param(["env", "claude-code"], 400, HEAVY | {"asyncio"}, id="env"),
    pytest.param(["log"], 615, NEVER | SERVER, id="log"),
    pytest.param(["usage", "--json"], 615, NEVER | SERVER, id="usage"),
    pytest.param(["keys", "list"], 615, NEVER | SERVER, id="keys"),
]


@pytest.mark.parametrize(("arguments", "budget", "never"), COMMANDS)
def test_a_command_imports_what_it_needs(desk: Desk, arguments: list[str], budget: int, never: set[str]) -> None:
    """Help comes at once because nothing heavy is imported for it; who only reads needs no server."""
    with store_with_history(desk.data_dir):
        pass
    done = desk.run(*arguments, **LOUD)

    assert (2 if arguments == ["lgo"] else 0) == done.returncode
    _check(_imported(done.stderr), budget, never)


@pytest.fixture
def loud_gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway as most are, on a new data directory, that tells what it imports."""
    with GatewayProcess(tmp_path, passthrough("http://127.0.0.1:9"), environment=LOUD) as gateway:
        yield gateway


def test_serving_needs_what_it_serves_with(loud_gateway: GatewayProcess) -> None:
    """A start, the first of all included, waits for the server, the store it uses, and little besides."""
    found = _imported(loud_gateway.log)

    assert set() == SERVING - found
    _check(found, 850, NEVER | NOT_SERVING)


def test_the_rest_is_imported_when_it_is_asked_for(loud_gateway: GatewayProcess) -> None:
    """What a start leaves out is there for those who need it: the control socket's application for a command."""
    started = _imported(loud_gateway.log)
    loud_gateway.cli("keys", "list")
    found = _imported(loud_gateway.log) - started

    assert {"clearway.server.control", "starlette"} <= found
    assert "clearway.server.admin.app" not in found
    assert found.isdisjoint(NEVER | NOT_SERVING - {"starlette"})
    assert len(found) <= 50
