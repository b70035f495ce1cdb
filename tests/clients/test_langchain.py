"""LangChain's `ChatOpenAI` (langchain-openai) and agents, over both of OpenAI's formats, through the gateway."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.outside import Outside
from tests.clients.stage import MODEL, OLDER, Stage
from tests.clients.weather import KEPT, REPORT, TOLD

pytestmark = [pytest.mark.client, pytest.mark.timeout(180)]

SCRIPT = Path(__file__).parent / "python" / "with_langchain.py"
USAGE: dict[str, Any] = {
    "input_tokens": 910,
    "output_tokens": 50,
    "total_tokens": 960,
    "input_token_details": {"cache_read": 700, "cache_creation": 200},
    "output_token_details": {"reasoning": 20},
}


def test_chat(stage: Stage, outside: Outside, common_programs: Path) -> None:
    """Whole, streamed, in loops, by agents and as forms: all come out as LangChain's own values, usage included.

    It drops thoughts. The gateway puts them back, so that an older model, which would refuse a loop without them,
    thinks on in one.
    """
    said = outside.run(common_programs / "python", SCRIPT, stage.asked(wire="chat"))

    details = {name: {"audio": 0, **USAGE[name]} for name in USAGE if name.endswith("details")}
    _check(stage, "chat", said, {"usage": USAGE | details, "finish_reason": "stop"})


def test_responses(bare_stage: Stage, outside: Outside, common_programs: Path) -> None:
    """The same in its mode for Responses, where it sends thoughts back as they came."""
    said = outside.run(common_programs / "python", SCRIPT, bare_stage.asked(wire="responses"))

    _check(bare_stage, "responses", said, {"usage": USAGE, "finish_reason": "completed"})


def _check(stage: Stage, wire: str, printed: str, expected: dict[str, object]) -> None:
    said: dict[str, Any] = json.loads(printed)
    whole = {"text": TOLD, "model": MODEL, **expected}
    assert whole == said["whole"] == said["later"]
    assert {**whole, "pieces": 2} == said["streamed"]
    assert {**whole, "messages": 7} == said["loop"]
    assert {**whole, "messages": 7, "model": OLDER} == said["older"]
    assert [TOLD, TOLD] == said["agent"]
    assert [REPORT, REPORT] == said["structured"]
    assert TOLD == said["image"]
    assert "OpenAIAuthenticationError" == said["refused"]
    assert ["enabled"] * 3 == [turn.thinks for turn in stage.model.turns if turn.asked["model"] == OLDER]
    assert [KEPT] * 4 == stage.model.loops
    stage.check_ledger(wire)
