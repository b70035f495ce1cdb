"""The two collections: the recorded one beside the project, and a handful of our own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.recordings.far import Far, OwnUpstream, ReplayProgram
from tests.recordings.recorded import Recorded, read

OWN = Path(__file__).parent / "own"
FEWEST_RECORDED = 560


@dataclass(frozen=True, slots=True)
class Collection:
    """Recordings, and how to put them behind a gateway."""

    folder: Path
    recorded: list[Recorded]
    at_least: int
    """So many must go through."""
    start: Callable[[], Far]
    """Starts an upstream that answers from them and ends with the test."""

    def has_passed(self, count: int, record: Callable[[str, object], None]) -> None:
        """State how many exchanges went through, and fail where they are too few."""
        record("exchanges", count)
        print(f"{count} exchanges went through, of {len(self.recorded)} in {self.folder.name}")  # noqa: T201  # shown by -rP

        assert count >= self.at_least, f"{count} exchanges went through, {self.at_least} at least are expected"


@pytest.fixture(params=[pytest.param("recorded", marks=pytest.mark.recordings), "own"])
def collection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Collection]:
    """Each of the collections."""
    with ExitStack() as stack:
        if request.param == "own":
            recorded = read(OWN)
            served = sum((one.is_model_call or one.is_count) and one.status != 401 for one in recorded)
            yield Collection(OWN, recorded, served, lambda: stack.enter_context(OwnUpstream(recorded)))
            return
        folder: Path = request.getfixturevalue("recordings")
        program = folder.parent / "replay" / "replay.py"

        def start() -> Far:
            if not program.is_file():
                pytest.skip("no stand-in beside the recordings (../shared/replay/replay.py)")
            return stack.enter_context(ReplayProgram(program, folder, tmp_path / "requests.jsonl"))

        yield Collection(folder, read(folder), FEWEST_RECORDED, start)
