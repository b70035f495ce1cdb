"""Every row of the table `Client`, in every way to ask: three cells, seen from three sides."""

import time

import msgspec
import pytest

from tests.faults.scenarios import CLIENT, HASTY
from tests.faults.seen import after, differences, scene
from tests.faults.stage import ALWAYS, FaultStage
from tests.faults.table import Asked, Row, read

ROWS = read("Client")
CASES = [pytest.param(row, asked, id=f"{row.id}-{asked.name}") for row in ROWS for asked in row.asked]


def test_every_row_is_played() -> None:
    """No row without a scenario, and no scenario without a row."""
    assert {row.id for row in ROWS} == set(CLIENT.by_id)


@pytest.mark.parametrize(("row", "asked"), CASES)
def test_failure(row: Row, asked: Asked, request: pytest.FixtureRequest) -> None:
    """The client, the upstream and the ledger see what the row says; the next request is answered."""
    stage: FaultStage = request.getfixturevalue("hasty" if row.id in HASTY else "patient")
    played = scene(stage, row, asked)
    if row.id in CLIENT.nameless:
        played = msgspec.structs.replace(played, model=ALWAYS)
    for part in CLIENT.by_id[row.id]:
        with stage.client() as client:
            since = time.monotonic()
            heard = part(played, client)
            seen = after(played, client, heard, time.monotonic() - since)

        assert {} == differences(row, seen)
