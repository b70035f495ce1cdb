"""What the driver gets: few statements, and in them what there is."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from clearway.core.clock import SystemClock
from clearway.core.ids import IdMaker
from clearway.ledger.store import Store
from tests.ledger.stories import Story, keep_stories, new_ids


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """On SQLite, whose driver tells what it runs."""
    clock = SystemClock()
    with Store.open("sqlite", tmp_path / "data", clock=clock, ids=IdMaker(clock)) as opened:
        yield opened


@pytest.fixture
def told(store: Store) -> list[str]:
    """The INSERTs that are run from now on."""
    seen: list[str] = []
    with store.database.driving() as cursor:
        connection = cursor.connection
        assert isinstance(connection, sqlite3.Connection)
        connection.set_trace_callback(lambda text: seen.append(text) if text.startswith("INSERT") else None)
    return seen


def columns_of(statement: str) -> list[str]:
    """The columns that values are given for."""
    found = re.match(r"INSERT INTO \w+ \((.*?)\) VALUES", statement)
    assert found is not None
    return found[1].split(", ")


def test_what_is_not_there_is_left_out(store: Store, told: list[str]) -> None:
    """No NULL is handed over, and what is left out is NULL all the same."""
    ids = new_ids(3)
    keep_stories(store, [Story(one) for one in ids])

    assert [2, 1, 2, 1] == [statement.count("), (") + 1 for statement in told]
    for statement in told:
        assert "NULL" not in statement.partition(" ON CONFLICT ")[0]
        assert {"error_code", "error_type"}.isdisjoint(columns_of(statement))
    assert [None] * 3 == [store.exchange(one).exchange.error_code for one in ids]


def test_a_column_that_one_row_fills_is_there_for_all(store: Store, told: list[str]) -> None:
    """Rows of one batch go together, however different they are."""
    plain, failed = (Story(one) for one in new_ids(2))
    measure = msgspec.structs.replace(failed.settlement.measure, error_type="overloaded_error", stop_reason=None)
    failed.settlement = msgspec.structs.replace(failed.settlement, measure=measure)
    keep_stories(store, [plain, failed])

    assert len(told) == 2
    assert {"error_type", "stop_reason"} <= set(columns_of(told[0]))
    kept = [store.exchange(story.admission.id).exchange for story in (plain, failed)]
    assert [(None, "end_turn"), ("overloaded_error", None)] == [(one.error_type, one.stop_reason) for one in kept]
