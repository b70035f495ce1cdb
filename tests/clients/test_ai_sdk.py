"""Vercel's AI SDK, over both of OpenAI's formats and by several providers, through the gateway."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.outside import Outside
from tests.clients.stage import OLDER, Stage
from tests.clients.weather import KEPT, REPORT, TOLD, USED, thought

pytestmark = [pytest.mark.client, pytest.mark.timeout(180)]

SCRIPT = Path(__file__).parent / "node" / "with-ai-sdk.mjs"
THOUGHTS = [thought(number)["thinking"] for number in range(len(KEPT) + 1)]
WHOLE = {"text": TOLD, "thoughts": THOUGHTS[:1], "steps": 1, "usage": USED}
LOOP = {"text": TOLD, "thoughts": THOUGHTS, "steps": 3, "usage": [3 * tokens for tokens in USED]}
EXPECTED = {"whole": WHOLE, "loop": LOOP, "goes_on": TOLD, "streamed": LOOP, "object": REPORT, "output": REPORT}
BLIND = {
    **EXPECTED,
    "whole": {**WHOLE, "thoughts": [None]},
    **{name: {**LOOP, "thoughts": [None] * 3} for name in ("loop", "streamed")},
}
"""Where thoughts are not shown."""


def test_chat(stage: Stage, bare_stage: Stage, outside: Outside, node_program: Path, node_modules: Path) -> None:
    """Whole, in steps that go on, streamed and as objects, with usage; all providers but OpenAI's show thoughts.

    That for OpenRouter sends them back with their signatures. Those that the others drop the gateway puts back, so
    that an older model, which would refuse a loop without them, thinks on in one.
    """
    asked = stage.asked(wire="chat", other=bare_stage.place)
    said: dict[str, Any] = json.loads(outside.run(node_program, SCRIPT, node_modules, asked))

    assert BLIND == said["openai"]
    assert EXPECTED == said["compatible"] == said["openrouter"]
    assert [KEPT] * 7 == stage.model.loops
    assert [KEPT] * 3 == bare_stage.model.loops
    _check(stage, "chat", said)
    bare_stage.check_ledger("chat")


def test_responses(stage: Stage, bare_stage: Stage, outside: Outside, node_program: Path, node_modules: Path) -> None:
    """The same over Responses, which OpenAI's provider speaks by default.

    It sends items back by their ids alone, which the gateway knows for a while. When it is told that the model
    thinks and that nothing is stored, it shows thoughts, and sends them back as they came.
    """
    asked = bare_stage.asked(wire="responses", other=stage.place)
    said: dict[str, Any] = json.loads(outside.run(node_program, SCRIPT, node_modules, asked))

    assert BLIND == said["openai"]
    assert EXPECTED == said["keeps"]
    assert [KEPT] * 3 == stage.model.loops
    assert [KEPT] * 4 == bare_stage.model.loops
    _check(bare_stage, "responses", said)
    stage.check_ledger("responses")


def _check(stage: Stage, wire: str, said: dict[str, Any]) -> None:
    assert LOOP == said["older"]
    assert ["enabled"] * 3 == [turn.thinks for turn in stage.model.turns if turn.asked["model"] == OLDER]
    refused = said["refused"]
    assert (True, 401, False) == (refused["is_its_own"], refused["statusCode"], refused["isRetryable"])
    assert refused["message"].startswith("Clearway: ")
    stage.check_ledger(wire)
