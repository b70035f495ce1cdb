"""docs/recordings.md shows a recording that works."""

import json
import re
from pathlib import Path

from tests.replay.playing import make_replay, post, send, write

DOCUMENT = Path(__file__).parents[2] / "docs" / "recordings.md"


async def test_the_example_works(tmp_path: Path) -> None:
    """The file that is shown answers its own request, event by event."""
    (example,) = re.findall(r"^```json\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    recording = json.loads(example)
    replay = make_replay(write(tmp_path, recording), delays="recorded")
    status, headers, pieces = await send(replay, post(recording["request"]["body"]))

    assert status == 200
    assert headers == recording["response"]["headers"]
    assert len(pieces) == len(recording["response"]["sse_times_ms"])
    assert recording["response"]["sse"].encode() == b"".join(pieces)
