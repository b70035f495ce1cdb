"""The recorded requests of other programs: accepted, or refused for a reason that is written down.

`refused.json` has the id of each that is refused, the parameter that is told, and why it is right to
refuse it; every other one must be accepted, and what goes upstream must be a request by the SDK's
types. What they continue (`previous_response_id`, `item_reference`) is taken to be kept and empty.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from clearway.wire.hub.notes import Refusal
from tests.responses.requesting import ask, sent

REFUSED = Path(__file__).with_name("refused.json")
FEWEST = 450
MODELS = ("claude-sonnet-5-5", "claude-sonnet-4-5")


def _requests(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path in sorted((folder / "openai.responses").glob("*.json")):
        recorded = json.loads(path.read_bytes())
        body = (recorded["request"] or {}).get("body")
        if isinstance(body, dict):
            found.append((recorded["id"], body))
    return found


def _kept(body: dict[str, Any]) -> dict[str, Any]:
    items = [item for item in body.get("input") or () if isinstance(item, dict)]
    ids = [item["id"] for item in items if item.get("type") == "item_reference"]
    return {name: {"type": "message", "role": "assistant", "content": "kept"} for name in ids}


@pytest.mark.recordings
@pytest.mark.timeout(180)
@pytest.mark.parametrize("model", MODELS)
def test_recorded_requests(recordings: Path, model: str) -> None:
    """Each is accepted, on a new and on an older model, or refused as the file says."""
    refused: dict[str, str] = {}
    requests = _requests(recordings)
    for name, body in requests:
        fields = {member: value for member, value in body.items() if member != "model"}
        try:
            translated = ask(model, history=[], references=_kept(body), **fields)
        except Refusal as error:
            refused[name] = error.param
            continue
        sent(translated)

    assert len(requests) - len(refused) >= FEWEST
    assert {name: told["param"] for name, told in json.loads(REFUSED.read_bytes()).items()} == refused
