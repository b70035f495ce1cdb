"""OpenAI's Agents SDK, over both of OpenAI's formats, through the gateway."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.outside import Outside
from tests.clients.stage import OLDER, Stage
from tests.clients.weather import KEPT, REPORT, TOLD, USED

pytestmark = [pytest.mark.client, pytest.mark.timeout(180)]

SCRIPT = Path(__file__).parent / "python" / "with_agents.py"


def test_chat(stage: Stage, outside: Outside, common_programs: Path) -> None:
    """Whole, watched, in loops that go on and as forms, with usage.

    Thoughts are items of its own that it does not send back. The gateway puts them back, so that an older model,
    which would refuse a loop without them, thinks on in one.
    """
    _check(stage, "chat", outside.run(common_programs / "python", SCRIPT, stage.asked(wire="chat")))


def test_responses(bare_stage: Stage, outside: Outside, common_programs: Path) -> None:
    """The same over what it speaks by default, where it sends thoughts back as they came."""
    said = outside.run(common_programs / "python", SCRIPT, bare_stage.asked(wire="responses"))

    _check(bare_stage, "responses", said)


def _check(stage: Stage, wire: str, printed: str) -> None:
    said: dict[str, Any] = json.loads(printed)
    whole = {"output": TOLD, "items": ["ReasoningItem", "MessageOutputItem"], "usage": USED, "requests": 1}
    two, one = ["ToolCallItem"] * 2 + ["ToolCallOutputItem"] * 2, ["ToolCallItem", "ToolCallOutputItem"]
    made = ["ReasoningItem", *two, "ReasoningItem", *one, "ReasoningItem", "MessageOutputItem"]
    loop = {"output": TOLD, "items": made, "usage": [3 * tokens for tokens in USED], "requests": 3}
    assert whole == said["whole"]
    assert loop == said["loop"]
    assert {"pieces": [TOLD[:5], TOLD[5:]], "output": TOLD, "tokens": 2880} == said["streamed"]
    assert {"output": TOLD, "length": 12} == said["talk"]
    assert {**loop, "output": REPORT} == said["form"]
    assert loop == said["older"]
    assert ["AuthenticationError", 401] == said["refused"]
    assert [KEPT] * 6 == stage.model.loops
    assert ["enabled"] * 3 == [turn.thinks for turn in stage.model.turns if turn.asked["model"] == OLDER]
    stage.check_ledger(wire)
