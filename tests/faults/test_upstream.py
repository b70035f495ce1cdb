"""Every row of the table `Upstream`, in every way to ask: three cells, seen from three sides."""

import pytest

from tests.faults.scenarios import HASTY, UPSTREAM
from tests.faults.seen import ask, differences, scene
from tests.faults.stage import FaultStage
from tests.faults.table import Asked, Row, read

ROWS = read("Upstream")
CASES = [pytest.param(row, asked, id=f"{row.id}-{asked.name}") for row in ROWS for asked in row.asked]


def test_every_row_is_played() -> None:
    """No row without a scenario, and no scenario without a row."""
    assert {row.id for row in ROWS} == set(UPSTREAM.by_id)


@pytest.mark.timeout(45)
@pytest.mark.parametrize(("row", "asked"), CASES)
def test_failure(row: Row, asked: Asked, request: pytest.FixtureRequest) -> None:
    """The client, the upstream and the ledger see what the row says; the next request is answered."""
    stage: FaultStage = request.getfixturevalue("hasty" if row.id in HASTY else "patient")
    for plays in UPSTREAM.by_id[row.id]:
        for play in plays(asked):
            seen = ask(scene(stage, row, asked), play)

            assert {} == differences(row, seen)
