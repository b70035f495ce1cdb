"""OpenAI's official SDK for Python, in Responses, through the gateway; for Chat Completions see tests/chat."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.outside import Outside
from tests.clients.stage import OLDER, Stage, response
from tests.clients.weather import KEPT, REPORT, TOLD

pytestmark = [pytest.mark.client, pytest.mark.timeout(180)]

SCRIPT = Path(__file__).parent / "python" / "with_openai.py"
INVALID = "invalid_request_error"
REFUSED = {
    "unknown_key": ["AuthenticationError", 401, "invalid_api_key", "authentication_error", None],
    "poor": ["RateLimitError", 429, "insufficient_quota", "insufficient_quota", None],
    "refused": ["BadRequestError", 400, "unsupported_parameter", INVALID, "background"],
    "unreachable": ["APIConnectionError", None, None, None, None],
}


def test_everything(bare_stage: Stage, outside: Outside, common_programs: Path) -> None:
    """Whole, streamed, by its helpers, in loops and as forms; what fails is the SDK's own error.

    In a loop the items go back as they came, and what was thought with them, to the byte; by the SDK's own loop, too.
    """
    poor = bare_stage.gateway.new_key(f"{bare_stage.key_name} poor", "--budget", "0.000001usd/day")
    said: dict[str, Any] = json.loads(outside.run(common_programs / "python", SCRIPT, bare_stage.asked(poor=poor)))

    assert response() == said["whole"] == said["helped"]
    assert [response()] * 2 == said["later"]
    told = {"pieces": [TOLD[:5], TOLD[5:]], "ends": ["response.created", "response.completed"]}
    assert {**response(), **told, "is_numbered": True, "is_told_twice": True} == said["streamed"]
    assert response(2, length=11) == said["loop"] == said["loop_streamed"]
    assert response(2, length=11, thought="") == said["loop_unstored"]
    assert response(2, length=11, model=OLDER) == said["older"]
    assert response(2) == said["tools"] == said["tools_streamed"]
    assert [KEPT] * 6 == bare_stage.model.loops
    assert ["enabled"] * 3 == [turn.thinks for turn in bare_stage.model.turns if turn.asked["model"] == OLDER]
    assert [REPORT] * 3 == said["parsed"]
    assert REFUSED == {name: said[name] for name in REFUSED}
    bare_stage.check_ledger(wire="responses")
