"""OpenAI's Agents SDK, over Chat Completions, through the gateway."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.outside import Outside
from tests.clients.stage import OLDER, Stage
from tests.clients.weather import KEPT, REPORT, TOLD, USED

pytestmark = [pytest.mark.client, pytest.mark.timeout(180)]

SCRIPT = Path(__file__).parent / "python" / "with_agents.py"


def test_everything(stage: Stage, outside: Outside, common_programs: Path) -> None:
    """Whole, watched, in loops and as forms, with usage.

    Thoughts are items of its own that it does not send back. The gateway puts them back, so that an older model,
    which would refuse a loop without them, thinks on in one.
    """
    said: dict[str, Any] = json.loads(outside.run(common_programs / "python", SCRIPT, stage.asked()))

    whole = {"output": TOLD, "items": ["ReasoningItem", "MessageOutputItem"], "usage": USED, "requests": 1}
    two, one = ["ToolCallItem"] * 2 + ["ToolCallOutputItem"] * 2, ["ToolCallItem", "ToolCallOutputItem"]
    items = ["ReasoningItem", *two, "ReasoningItem", *one, "ReasoningItem", "MessageOutputItem"]
    loop = {"output": TOLD, "items": items, "usage": [3 * tokens for tokens in USED], "requests": 3}
    assert whole == said["whole"]
    assert loop == said["loop"]
    assert {"pieces": [TOLD[:5], TOLD[5:]], "output": TOLD, "tokens": 2880} == said["streamed"]
    assert {**loop, "output": REPORT} == said["form"]
    assert loop == said["older"]
    assert ["AuthenticationError", 401] == said["refused"]
    assert [KEPT] * 4 == stage.model.loops
    assert ["enabled"] * 3 == [turn.thinks for turn in stage.model.turns if turn.asked["model"] == OLDER]
    stage.check_ledger()
