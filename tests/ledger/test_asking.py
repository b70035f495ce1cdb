"""A person's question may take so long, and no longer; what it was asked with is as before."""

import time

import pytest
from sqlalchemy import text

from clearway.ledger.administration import TookTooLong
from clearway.ledger.asking import reading
from clearway.ledger.protocol import LedgerError
from clearway.ledger.store import Store

ENDLESS = text("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n")
LONG = text("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 300000) SELECT count(*) FROM n")


def test_broken_off(store: Store) -> None:
    """In its time, with words for a person; again and again on the same connections."""
    for _ in range(6):
        began = time.monotonic()
        with pytest.raises(TookTooLong, match="ask for less"), reading(store.database, 0.2) as connection:
            connection.execute(ENDLESS)

        assert time.monotonic() - began < 5


def test_only_what_is_bounded(store: Store) -> None:
    """A connection that was bounded is not when it is used again."""
    for _ in range(4):
        with reading(store.database, 0.001) as connection, pytest.raises(Exception, match=r"interrupted|cancel"):
            connection.execute(ENDLESS)
    for _ in range(4):
        with reading(store.database) as connection:
            assert 300_000 == connection.execute(LONG).scalar()


def test_other_failures_are_told_as_such(store: Store) -> None:
    """What is wrong for another reason took no time."""
    with pytest.raises(LedgerError) as raised, reading(store.database, 1) as connection:
        connection.execute(text("SELECT nothing FROM nowhere"))

    assert not isinstance(raised.value, TookTooLong)
