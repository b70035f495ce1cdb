"""pydantic-ai, over both of OpenAI's formats, through the gateway."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.outside import Outside
from tests.clients.stage import MODEL, OLDER, Stage
from tests.clients.weather import KEPT, REPORT, TOLD, thought

pytestmark = [pytest.mark.client, pytest.mark.timeout(180)]

SCRIPT = Path(__file__).parent / "python" / "with_pydantic_ai.py"
SEALED = "cw1."


def test_chat(stage: Stage, outside: Outside, common_programs: Path) -> None:
    """Whole, streamed, in loops and as forms, with thoughts and usage.

    Its model for OpenRouter keeps their signatures: in a loop the thoughts go back as they were. The one for
    OpenAI drops these. The gateway puts them back, so that an older model, which would refuse a loop without
    them, thinks on in one.
    """
    said: dict[str, Any] = json.loads(outside.run(common_programs / "python", SCRIPT, stage.asked(wire="chat")))

    assert _run(requests=3, model=f"anthropic/{MODEL}", signed=True) == said["otherwise"]
    assert [KEPT] * 5 == stage.model.loops
    _check(stage, "chat", said)


def test_responses(bare_stage: Stage, outside: Outside, common_programs: Path) -> None:
    """The same over Responses, where it sends thoughts back sealed, as they came.

    It does so for models of which it knows that they think; when it is not told of this one, it goes on without
    signatures, with the summaries as text.
    """
    asked = bare_stage.asked(wire="responses")
    said: dict[str, Any] = json.loads(outside.run(common_programs / "python", SCRIPT, asked))

    for done in (part for part in said.values() if "thoughts" in part):
        assert done["thoughts"] == [[text, sealed] for text, sealed in done["thoughts"] if sealed.startswith(SEALED)]
        done["thoughts"] = [[text, None] for text, _ in done["thoughts"]]
    assert {**_run(requests=3), "thoughts": [["", None]] * 3} == said["otherwise"]
    assert [KEPT, [[], []], *[KEPT] * 3] == bare_stage.model.loops
    _check(bare_stage, "responses", said)


def _run(output: object = TOLD, requests: int = 1, *, model: str = MODEL, signed: bool = False) -> dict[str, object]:
    """What is to come of a run in which every answer has a thought."""
    thoughts = [thought(number) for number in range(requests)]
    return {
        "output": output,
        "usage": [910 * requests, 700 * requests, 50 * requests],
        "requests": requests,
        "thoughts": [[block["thinking"], block["signature"] if signed else None] for block in thoughts],
        "models": [model],
    }


def _check(stage: Stage, wire: str, said: dict[str, Any]) -> None:
    assert _run() == said["whole"] == said["image"]
    assert _run(requests=3) == said["loop"]
    assert _run(REPORT, 3) == said["form"]
    assert _run(REPORT) == said["native"]
    assert {"pieces": [TOLD[:5], TOLD[5:]], "tokens": [2730, 150], "form": REPORT} == said["streamed"]
    assert _run(requests=3, model=OLDER) == said["older"]
    assert ["ModelAuthenticationError", 401] == said["refused"]
    assert ["enabled"] * 3 == [turn.thinks for turn in stage.model.turns if turn.asked["model"] == OLDER]
    stage.check_ledger(wire)
