"""OpenAI's official SDK for Node, in both of its formats, through the gateway."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.outside import Outside
from tests.clients.stage import MODEL, OLDER, Stage, response
from tests.clients.weather import KEPT, REPORT, TOLD, USED, thought

pytestmark = [pytest.mark.client, pytest.mark.timeout(180)]

SCRIPTS = Path(__file__).parent / "node"
ROLES = ["user", "assistant", "tool", "tool", "assistant", "tool", "assistant"]
INVALID = "invalid_request_error"
REFUSED: dict[str, tuple[object, ...]] = {
    "unknown_key": ("AuthenticationError", 401, "invalid_api_key", "authentication_error", None),
    "poor": ("RateLimitError", 429, "insufficient_quota", "insufficient_quota", None),
    "unknown_model": ("NotFoundError", 404, "model_not_found", INVALID, None),
    "refused": ("BadRequestError", 400, "unsupported_value", INVALID, "n"),
    "unreachable": ("APIConnectionError", None, None, None, None),
}
"""Each is asked for once; the SDK would try those with a status twice more."""


def test_chat(stage: Stage, bare_stage: Stage, outside: Outside, node_program: Path, node_modules: Path) -> None:
    """Whole, streamed, by its helpers, in loops and as forms; what fails is the SDK's own error, at once.

    Thoughts are kept where a program sends messages back as they came; the stream helper keeps a block whole only
    where blocks come whole. What it and `runTools` drop the gateway puts back, so that an older model, which would
    refuse a loop without it, thinks on in one.
    """
    poor = stage.gateway.new_key(f"{stage.key_name} poor", "--budget", "0.000001usd/day")
    asked = stage.asked(poor=poor, other=bare_stage.place)
    said: dict[str, Any] = json.loads(outside.run(node_program, SCRIPTS / "with-openai.mjs", node_modules, asked))

    whole = {"text": TOLD, "finish_reason": "stop", "usage": USED, "model": MODEL}
    assert {**whole, "thought": thought(0)["thinking"]} == said["whole"]
    assert {"text": TOLD, "tokens": 960} == said["streamed"]
    assert whole.items() <= said["helped"].items()
    assert [TOLD[:5], TOLD[5:]] == said["helped"]["pieces"]
    assert {"answer": TOLD, "roles": ROLES, "tokens": 2880} == said["tools"] == said["older"]
    assert {"answer": TOLD, "roles": ROLES, "tokens": 0} == said["tools_streamed"]
    assert [TOLD] * 3 == [said["kept"], said["kept_in_part"], said["kept_in_blocks"]]
    assert [KEPT] * 4 == stage.model.loops
    assert [KEPT] * 2 == bare_stage.model.loops
    assert ["enabled"] * 3 == [turn.thinks for turn in stage.model.turns if turn.asked["model"] == OLDER]
    assert [REPORT] * 3 == said["parsed"]
    assert [MODEL, "model", "number"] in said["models"]
    stage.upstream.wait_left()
    _check_failures(said, REFUSED)
    stage.check_ledger(left=1)
    bare_stage.check_ledger()


def test_responses(bare_stage: Stage, outside: Outside, node_program: Path, node_modules: Path) -> None:
    """Whole, streamed, by its helpers, in loops and as forms; what fails is the SDK's own error, at once.

    In a loop the items go back as they came, and what was thought with them, to the byte; by the SDK's own loop, too.
    """
    poor = bare_stage.gateway.new_key(f"{bare_stage.key_name} poor", "--budget", "0.000001usd/day")
    script, left = SCRIPTS / "with-openai-responses.mjs", bare_stage.upstream.left_early
    said: dict[str, Any] = json.loads(outside.run(node_program, script, node_modules, bare_stage.asked(poor=poor)))

    assert response() == said["whole"] == said["helped"]
    ends = ["response.created", "response.completed"]
    assert {"pieces": [TOLD[:5], TOLD[5:]], "ends": ends, "is_numbered": True} == said["streamed"]
    assert response(2, length=11) == said["loop"] == said["loop_streamed"]
    assert response(2, length=11, model=OLDER) == said["older"]
    assert response(2) == said["tools"] == said["tools_streamed"]
    assert [KEPT] * 5 == bare_stage.model.loops
    assert ["enabled"] * 3 == [turn.thinks for turn in bare_stage.model.turns if turn.asked["model"] == OLDER]
    assert [REPORT] * 3 == said["parsed"]
    bare_stage.upstream.wait_left(left + 1)
    failures = {name: REFUSED[name] for name in ("unknown_key", "poor", "unreachable")}
    background = ("BadRequestError", 400, "unsupported_parameter", INVALID, "background")
    _check_failures(said, {**failures, "refused": background})
    bare_stage.check_ledger("responses", left=1)


def _check_failures(said: dict[str, Any], expected: dict[str, tuple[object, ...]]) -> None:
    parts = ("name", "status", "code", "type", "param", "sent")
    assert {name: (*one, 1) for name, one in expected.items()} == {
        name: tuple(said[name][part] for part in parts) for name in expected
    }
    assert "APIUserAbortError" == said["aborted"]["name"]
