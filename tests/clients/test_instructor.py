"""instructor through the gateway."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.outside import Outside
from tests.clients.stage import Stage
from tests.clients.weather import REPORT, USED

pytestmark = [pytest.mark.client, pytest.mark.timeout(180)]

SCRIPT = Path(__file__).parent / "python" / "with_instructor.py"


def test_everything(stage: Stage, outside: Outside, instructor_programs: Path) -> None:
    """A form in each of its modes, by a forced call, by a schema and in words; as it fills, too.

    Newer models cannot be forced to call, and are held to the schema of the tool instead.
    """
    said: dict[str, Any] = json.loads(outside.run(instructor_programs / "python", SCRIPT, stage.asked()))

    made = {name: {"form": REPORT, "usage": USED} for name in ("TOOLS", "TOOLS_STRICT", "JSON_SCHEMA", "JSON")}
    assert made == said["forms"] == said["older"]
    assert REPORT == said["partial"][-1]
    assert "Clearway: " in said["refused"]
    by_schema, by_call = {"type": "json_schema"}, {"type": "tool", "name": "Report"}
    held = [_held(turn.asked) for turn in stage.model.turns]
    assert [by_schema] * 3 + [None] + [by_call] * 2 + [by_schema, None] + [by_schema] == held
    stage.check_ledger()


def _held(asked: dict[str, Any]) -> object:
    """What holds the model to a form."""
    if "output_config" in asked:
        return {"type": asked["output_config"]["format"]["type"]}
    return asked.get("tool_choice")
