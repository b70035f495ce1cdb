"""The official SDK for Node against the real gateway, with a key in both places where it may stand."""

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.gateway_process import SIM, GatewayProcess

pytestmark = [pytest.mark.client, pytest.mark.timeout(90)]

MODEL = "claude-sonnet-5-5"
SCRIPT = Path(__file__).parent / "node" / "sdk.mjs"
ONE_BLOCK = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
]


def test_everything(
    node_program: Path, node_modules: Path, tmp_path: Path, start_gateway: Callable[..., GatewayProcess]
) -> None:
    """Messages, streams, tools, counting, models and errors come out as the SDK's own values; the ledger agrees."""
    gateway = start_gateway(SIM)
    variables = {"HOME": str(tmp_path), "BASE_URL": gateway.url, "KEY": gateway.new_key("node"), "MODEL": MODEL}
    command = [str(node_program), str(SCRIPT), str(node_modules)]

    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60, check=False)

    assert 0 == done.returncode, done.stderr
    said = json.loads(done.stdout)
    for seen in (said["x-api-key"], said["bearer"]):
        _check(seen)
    rows = gateway.settled(22)
    assert {"node"} == {row["key_name"] for row in rows}
    told = [seen[name]["usage"] for seen in said.values() for name in ("whole", "folded", "called", "followed")]
    kept = [row for row in rows if row["endpoint"] == "messages" and row["outcome"] == "ok" and row["status"] == 200]
    # The plain stream's usage is not told by the script: it is the same as that of `whole`.
    told += [seen["whole"]["usage"] for seen in said.values()]
    for name in ("input_tokens", "output_tokens"):
        assert Counter(usage[name] for usage in told) == Counter(row[name] for row in kept)


def _check(seen: dict[str, Any]) -> None:
    assert seen["whole"] == seen["folded"]
    assert "end_turn" == seen["whole"]["stop_reason"]
    assert ONE_BLOCK == list(dict.fromkeys(name for name in seen["events"] if name != "ping"))
    assert "tool_use" == seen["called"]["stop_reason"]
    content = seen["called"]["content"]
    assert [("weather", {"city": "Z\u00fcrich"})] == [
        (block["name"], block["input"]) for block in content if block["type"] == "tool_use"
    ]
    assert "end_turn" == seen["followed"]["stop_reason"]
    assert seen["counted"] == seen["whole"]["usage"]["input_tokens"]
    assert MODEL in seen["models"]
    assert MODEL == seen["model"]
    assert {"name": "NotFoundError", "status": 404, "type": "not_found_error"} == seen["unknown"]
    assert {"name": "BadRequestError", "status": 400, "type": "invalid_request_error"} == seen["invalid"]
    assert (529, "overloaded_error") == (seen["overloaded"]["status"], seen["overloaded"]["type"])
    assert seen["broken"]
    assert {"name": "AuthenticationError", "status": 401, "type": "authentication_error"} == seen["mistyped"]
