"""What happens to ourselves has the outcome that `docs/failures.md` promises, cell by cell."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import clocks, ends, limits, stores
from tests.faults.scene import Seen
from tests.faults.table import Row, read

ROWS = read("Ourselves")
SCENARIOS: dict[str, Callable[[Path], Seen]] = {
    "killed": ends.killed,
    "told-to-end": ends.told_to_end,
    "told-twice": ends.told_twice,
    "disk-full": stores.disk_full,
    "database-locked": stores.database_locked,
    "server-restarted": stores.server_restarted,
    "server-read-only": stores.server_read_only,
    "too-many-connections": limits.too_many_connections,
    "too-many-exchanges": limits.too_many_exchanges,
    "too-much-memory": limits.too_much_memory,
    "clock-forward": clocks.forward,
    "clock-back": clocks.back,
}


def test_every_row_is_played() -> None:
    """No row without its scenario, and none the other way round."""
    assert list(SCENARIOS) == [row.id for row in ROWS]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("row", [pytest.param(row, id=row.id) for row in ROWS])
def test_ourselves(row: Row, tmp_path: Path) -> None:
    """The row holds, in every cell."""
    seen = SCENARIOS[row.id](tmp_path)

    assert row.client == seen.client
    assert row.ledger == seen.ledger
    assert row.further == {
        "what runs": (seen.runs,),
        "health and ready": seen.health,
        "afterwards": seen.afterwards,
    }
