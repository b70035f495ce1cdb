"""pydantic-ai through the gateway."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.outside import Outside
from tests.clients.stage import MODEL, OLDER, Stage
from tests.clients.weather import KEPT, REPORT, TOLD, thought

pytestmark = [pytest.mark.client, pytest.mark.timeout(180)]

SCRIPT = Path(__file__).parent / "python" / "with_pydantic_ai.py"


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


def test_everything(stage: Stage, outside: Outside, common_programs: Path) -> None:
    """Whole, streamed, in loops and as forms, with thoughts and usage.

    Its model for OpenRouter keeps their signatures: in a loop the thoughts go back as they were. The one for
    OpenAI drops these. The gateway puts them back, so that an older model, which would refuse a loop without
    them, thinks on in one.
    """
    said: dict[str, Any] = json.loads(outside.run(common_programs / "python", SCRIPT, stage.asked()))

    kept = _run(requests=3, model=f"anthropic/{MODEL}", signed=True)
    assert _run() == said["whole"] == said["image"]
    assert _run(requests=3) == said["loop"]
    assert kept == said["kept"]
    assert _run(REPORT, 3) == said["form"]
    assert _run(REPORT) == said["native"]
    assert {"pieces": [TOLD[:5], TOLD[5:]], "tokens": [2730, 150], "form": REPORT} == said["streamed"]
    assert _run(requests=3, model=OLDER) == said["older"]
    assert ["ModelAuthenticationError", 401] == said["refused"]
    assert ["enabled"] * 3 == [turn.thinks for turn in stage.model.turns if turn.asked["model"] == OLDER]
    assert [KEPT] * 5 == stage.model.loops
    stage.check_ledger()
