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


def test_chat(stage: Stage, bare_stage: Stage, outside: Outside, common_programs: Path) -> None:
    """Whole, streamed, in loops and as forms, with thoughts and usage.

    Its model for OpenRouter keeps their signatures: in a loop the thoughts go back as they were. The one for
    OpenAI drops these. The gateway puts them back, so that an older model, which would refuse a loop without
    them, thinks on in one.
    """
    asked = stage.asked(wire="chat", other=bare_stage.place)
    said: dict[str, Any] = json.loads(outside.run(common_programs / "python", SCRIPT, asked))

    assert _run(requests=3, model=f"anthropic/{MODEL}", signed=True) == said["otherwise"]
    assert [KEPT] == bare_stage.model.loops
    _check(stage, "chat", said)
    bare_stage.check_ledger("chat")


def test_responses(stage: Stage, bare_stage: Stage, outside: Outside, common_programs: Path) -> None:
    """The same over Responses, where it sends thoughts back sealed, as they came, when told that the model thinks.

    As it is, it drops them and says them as text, even where it knows none; the gateway puts them back instead.
    """
    asked = bare_stage.asked(wire="responses", other=stage.place)
    said: dict[str, Any] = json.loads(outside.run(common_programs / "python", SCRIPT, asked))

    for done in (part for part in said.values() if "thoughts" in part):
        assert done["thoughts"] == [[text, sealed] for text, sealed in done["thoughts"] if sealed.startswith(SEALED)]
        done["thoughts"] = [[text, None] for text, _ in done["thoughts"]]
    assert {**_run(requests=3), "thoughts": [["", None]] * 3} == said["otherwise"]
    assert [KEPT] == stage.model.loops
    assert "<think>" not in str([turn.asked for turn in stage.model.turns])
    _check(bare_stage, "responses", said)
    stage.check_ledger("responses")


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
    assert [KEPT] * 4 == stage.model.loops
    assert ["enabled"] * 3 == [turn.thinks for turn in stage.model.turns if turn.asked["model"] == OLDER]
    stage.check_ledger(wire)
