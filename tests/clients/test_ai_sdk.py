"""Vercel's AI SDK through the gateway, by its providers for OpenAI, for compatible servers and for OpenRouter."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.outside import Outside
from tests.clients.stage import OLDER, Stage
from tests.clients.weather import KEPT, REPORT, TOLD, USED, thought

pytestmark = [pytest.mark.client, pytest.mark.timeout(180)]

SCRIPT = Path(__file__).parent / "node" / "with-ai-sdk.mjs"


def test_everything(stage: Stage, outside: Outside, node_program: Path, node_modules: Path) -> None:
    """Whole, in steps, streamed and as objects, with usage; thoughts are shown by all providers but OpenAI's.

    That for OpenRouter sends them back with their signatures. Those that the others drop the gateway puts back, so
    that an older model, which would refuse a loop without them, thinks on in one.
    """
    said: dict[str, Any] = json.loads(outside.run(node_program, SCRIPT, node_modules, stage.asked()))

    thoughts = [thought(number)["thinking"] for number in range(3)]
    whole = {"text": TOLD, "thoughts": thoughts[:1], "steps": 1, "usage": USED}
    loop = {"text": TOLD, "thoughts": thoughts, "steps": 3, "usage": [3 * tokens for tokens in USED]}
    expected = {"whole": whole, "loop": loop, "streamed": loop, "object": REPORT, "output": REPORT}
    blind = {
        "whole": {**whole, "thoughts": [None]},
        **{name: {**loop, "thoughts": [None] * 3} for name in ("loop", "streamed")},
    }
    assert {**expected, **blind} == said["openai"]
    assert expected == said["compatible"]
    assert expected == said["openrouter"]
    assert loop == said["older"]
    assert [KEPT] * 7 == stage.model.loops
    assert ["enabled"] * 3 == [turn.thinks for turn in stage.model.turns if turn.asked["model"] == OLDER]
    refused = said["refused"]
    assert (True, 401, False) == (refused["is_its_own"], refused["statusCode"], refused["isRetryable"])
    assert refused["message"].startswith("Clearway: ")
    stage.check_ledger()
