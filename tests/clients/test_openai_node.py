"""OpenAI's official SDK for Node, in Chat Completions, through the gateway."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.outside import Outside
from tests.clients.stage import MODEL, OLDER, Stage
from tests.clients.weather import KEPT, REPORT, TOLD, USED, thought

pytestmark = [pytest.mark.client, pytest.mark.timeout(180)]

SCRIPT = Path(__file__).parent / "node" / "with-openai.mjs"
ROLES = ["user", "assistant", "tool", "tool", "assistant", "tool", "assistant"]
INVALID = "invalid_request_error"
REFUSED = {
    "unknown_key": ("AuthenticationError", 401, "invalid_api_key", "authentication_error", None),
    "poor": ("RateLimitError", 429, "insufficient_quota", "insufficient_quota", None),
    "unknown_model": ("NotFoundError", 404, "model_not_found", INVALID, None),
    "refused": ("BadRequestError", 400, "unsupported_value", INVALID, "n"),
    "unreachable": ("APIConnectionError", None, None, None, None),
}
"""Each is asked for once; the SDK would try those with a status twice more."""


def test_everything(stage: Stage, outside: Outside, node_program: Path, node_modules: Path) -> None:
    """Whole, streamed, by its helpers, in loops and as forms; what fails is the SDK's own error, at once.

    Thoughts are kept where a program sends messages back as they came; the stream helper keeps a block whole only
    where blocks come whole. What it and `runTools` drop the gateway puts back, so that an older model, which would
    refuse a loop without it, thinks on in one.
    """
    poor = stage.gateway.new_key(f"{stage.key_name} poor", "--budget", "0.000001usd/day")
    said: dict[str, Any] = json.loads(outside.run(node_program, SCRIPT, node_modules, stage.asked(poor=poor)))

    whole = {"text": TOLD, "finish_reason": "stop", "usage": USED, "model": MODEL}
    assert {**whole, "thought": thought(0)["thinking"]} == said["whole"]
    assert {"text": TOLD, "tokens": 960} == said["streamed"]
    assert whole.items() <= said["helped"].items()
    assert [TOLD[:5], TOLD[5:]] == said["helped"]["pieces"]
    assert {"answer": TOLD, "roles": ROLES, "tokens": 2880} == said["tools"] == said["older"]
    assert {"answer": TOLD, "roles": ROLES, "tokens": 0} == said["tools_streamed"]
    assert [TOLD] * 3 == [said["kept"], said["kept_in_part"], said["kept_in_blocks"]]
    assert [KEPT] * 6 == stage.model.loops
    assert ["enabled"] * 3 == [turn.thinks for turn in stage.model.turns if turn.asked["model"] == OLDER]
    assert [REPORT] * 3 == said["parsed"]
    assert [MODEL, "model", "number"] in said["models"]
    for name, expected in REFUSED.items():
        assert (*expected, 1) == tuple(said[name][part] for part in ("name", "status", "code", "type", "param", "sent"))
    assert "APIUserAbortError" == said["aborted"]["name"]
    stage.upstream.wait_left()
    stage.check_ledger(left=1)
