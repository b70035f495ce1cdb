"""The recorded requests of other programs: accepted, or refused for a reason that is written down.

`refused.json` has the id of each that is refused, and the parameter that is told; every other one
must be accepted, and what goes upstream must be a request by the SDK's types.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from clearway.wire.hub.names import DEFAULTS, model_of
from clearway.wire.hub.notes import Refusal
from tests.chat.asking import ask, sent

REFUSED = Path(__file__).with_name("refused.json")
FEWEST = 600
MODELS = ("claude-sonnet-5-5", "claude-sonnet-4-5")


def _requests(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path in sorted((folder / "openai.chat").glob("*.json")):
        recorded = json.loads(path.read_bytes())
        body = (recorded["request"] or {}).get("body")
        if isinstance(body, dict):
            found.append((recorded["id"], body))
    return found


@pytest.mark.recordings
@pytest.mark.timeout(180)
@pytest.mark.parametrize("model", MODELS)
def test_recorded_requests(recordings: Path, model: str) -> None:
    """Each is accepted, on a new and on an older model, or refused as the file says."""
    refused: dict[str, str] = {}
    requests = _requests(recordings)
    for name, body in requests:
        fields = {member: value for member, value in body.items() if member != "model"}
        known = model_of(body["model"], {}, DEFAULTS)
        try:
            translated = ask(known if known.startswith("claude-haiku") else model, **fields)
        except Refusal as error:
            refused[name] = error.param
            continue
        sent(translated)

    assert len(requests) - len(refused) >= FEWEST
    assert json.loads(REFUSED.read_bytes()) == refused
