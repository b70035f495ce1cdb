"""Transactions as the ledger's two faces use them: within a time, with errors for people.

Owns the mapping of drivers' errors. Used by ledger/store and ledger/desk.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from clearway.ledger.administration import TookTooLong
from clearway.ledger.database import Database, ran_out_of_time, unusable


@contextmanager
def reading(database: Database, within_s: float | None = None) -> Iterator[Connection]:
    """A connection for reading.

    Args:
        database: Where.
        within_s: How long one statement may take; None: as long as it wants.

    Raises:
        TookTooLong: The database was not done in that time.
        LedgerError: It cannot be used.
    """
    try:
        with database.reading(within_s) as connection:
            yield connection
    except SQLAlchemyError as error:
        if within_s is not None and ran_out_of_time(error):
            raise TookTooLong(f"this takes the ledger more than {within_s:g} s; ask for less") from error
        raise unusable(error) from error


@contextmanager
def writing(database: Database) -> Iterator[Connection]:
    """A connection for writing: committed at the end. Raises LedgerError."""
    try:
        with database.writing() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise unusable(error) from error
