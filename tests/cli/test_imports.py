"""What starting costs, counted in modules: the same on any machine, however busy.

The interpreter itself tells what it imports (`PYTHONPROFILEIMPORTTIME`, python(1)), so the
real program is looked at. Each budget is what was counted and some tenth more: whoever
exceeds one imports later, or says here what for. Third parties that look for packages which
are there for development only count as well.
"""

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Desk
from tests.cli.exchanges import store_with_history
from tests.gateway_process import SIM, GatewayProcess

LOUD = {"PYTHONPROFILEIMPORTTIME": "1"}
_LINE = re.compile(r"^import time: +\d+ \| +\d+ \| +(\S+)$", re.MULTILINE)
NEVER = {"mitmproxy", "genai_prices", "alembic", "mako", "psycopg", "hypothesis", "pytest", "typer.rich_utils"}
"""What is done often needs none of these: captures, new prices, another schema, PostgreSQL, drawn help."""
SERVER = {"starlette", "uvicorn", "uvloop", "httptools"}
STORE = {"sqlalchemy", "structlog"}
"""structlog takes `rich` and `asyncio` along."""


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
    pytest.param(["serve", "--help"], 400, HEAVY, id="help-of-a-command"),
    pytest.param(["env", "claude-code"], 400, HEAVY | {"asyncio"}, id="env"),
    pytest.param(["log"], 640, NEVER | SERVER, id="log"),
    pytest.param(["usage", "--json"], 640, NEVER | SERVER, id="usage"),
    pytest.param(["keys", "list"], 640, NEVER | SERVER, id="keys"),
]


@pytest.mark.parametrize(("arguments", "budget", "never"), COMMANDS)
def test_a_command_imports_what_it_needs(desk: Desk, arguments: list[str], budget: int, never: set[str]) -> None:
    """Help comes at once because nothing heavy is imported for it; who only reads needs no server."""
    with store_with_history(desk.data_dir):
        pass
    done = desk.run(*arguments, **LOUD)

    assert (2 if arguments == ["lgo"] else 0) == done.returncode
    _check(_imported(done.stderr), budget, never)


def test_serving_needs_what_it_serves_with(tmp_path: Path) -> None:
    """A start whose schema is up to date imports no migrations, and little besides server and store."""
    gateway = GatewayProcess(tmp_path, SIM, environment=LOUD)
    with gateway:
        pass
    first = gateway.log
    with gateway:
        pass
    second = gateway.log.removeprefix(first)

    # The first start makes the schema, so the search would find the machinery for it.
    assert "alembic" in _imported(first)
    _check(_imported(second), 860, NEVER)
