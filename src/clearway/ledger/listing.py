"""Exchanges as they are kept, a page or one with its attempts.

Used by ledger/store.
"""

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, Select, select

from clearway.ledger.key_records import SHORTEST_REF
from clearway.ledger.protocol import (
    AttemptRow,
    ExchangeDetail,
    ExchangeQuery,
    ExchangeRow,
    LedgerError,
    NotInLedger,
)
from clearway.ledger.rows import text
from clearway.ledger.schema import attempts, exchanges, keys
from clearway.ledger.sums import filters


def page(connection: Connection, query: ExchangeQuery) -> list[ExchangeRow]:
    """Newest first; with `after`, oldest first.

    Raises:
        LedgerError: The limit is not positive.
    """
    if query.limit < 1:
        raise LedgerError("the limit of a list is at least 1")
    statement = _rows().where(*filters(connection, query)).limit(query.limit)
    if query.outcome is not None:
        statement = statement.where(exchanges.c.outcome == text(query.outcome))
    if query.before is not None:
        statement = statement.where(exchanges.c.id < text(query.before))
    if query.after is not None:
        statement = statement.where(exchanges.c.id > text(query.after)).order_by(exchanges.c.id)
    else:
        statement = statement.order_by(exchanges.c.id.desc())
    return [_exchange(row) for row in connection.execute(statement).mappings()]


def detail(connection: Connection, ref: str) -> ExchangeDetail:
    """The one exchange with this id, or whose id begins so.

    Raises:
        NotInLedger: None does, or several do.
    """
    ref = text(ref) or ""
    found = connection.execute(_rows().where(exchanges.c.id == ref)).mappings().all()
    if not found and len(ref) >= SHORTEST_REF:
        found = connection.execute(_rows().where(_begins(ref)).order_by(exchanges.c.id).limit(2)).mappings().all()
    if not found:
        raise NotInLedger(f"no exchange goes by {ref!r}; give its id or at least {SHORTEST_REF} characters of it")
    if len(found) > 1:
        raise NotInLedger(f"several exchanges begin with {ref!r}; give more of the id")
    exchange = _exchange(found[0])
    own = select(attempts).where(attempts.c.exchange_id == exchange.id).order_by(attempts.c.number)
    return ExchangeDetail(
        exchange=exchange,
        attempts=tuple(_attempt(row) for row in connection.execute(own).mappings()),
    )


def _begins(ref: str) -> ColumnElement[bool]:
    # A range, for the index's sake; ids are ASCII, so DEL is behind all of them.
    return (exchanges.c.id >= ref) & (exchanges.c.id < f"{ref}\x7f")


def _rows() -> Select[tuple[object, ...]]:
    return select(exchanges, keys.c.name.label("key_name")).join_from(
        exchanges, keys, keys.c.id == exchanges.c.key_id, isouter=True
    )


def _exchange(row: RowMapping) -> ExchangeRow:
    return msgspec.convert({name: row[name] for name in ExchangeRow.__struct_fields__}, ExchangeRow)


def _attempt(row: RowMapping) -> AttemptRow:
    return msgspec.convert({name: row[name] for name in AttemptRow.__struct_fields__}, AttemptRow)
