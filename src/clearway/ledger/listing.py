"""Exchanges and attempts as they are kept: pages, and one exchange with its attempts.

Used by ledger/store and ledger/desk.
"""

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, Select, or_, select, tuple_

from clearway.ledger.administration import AttemptQuery
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

_RUNNING = "running"
_SEARCHED = (
    *(
        exchanges.c[name]
        for name in (
            "id",
            "path",
            "key_id",
            "run_id",
            "session_id",
            "agent_id",
            "client_name",
            "client_request_id",
            "request_model",
            "response_model",
            "upstream",
            "error_type",
            "error_code",
            "response_id",
            "upstream_request_id",
        )
    ),
    keys.c.name,
)
"""Labels: what is in them was checked before it was kept (`gateway/labels.py`)."""


def page(connection: Connection, query: ExchangeQuery) -> list[ExchangeRow]:
    """Newest first; with `after`, oldest first.

    Raises:
        LedgerError: The limit is not positive.
    """
    if query.limit < 1:
        raise LedgerError("the limit of a list is at least 1")
    statement = _rows().where(*filters(connection, query)).limit(query.limit)
    statement = statement.where(*_narrowed(query))
    if query.before is not None:
        statement = statement.where(exchanges.c.id < text(query.before))
    if query.after is not None:
        statement = statement.where(exchanges.c.id > text(query.after)).order_by(exchanges.c.id)
    else:
        statement = statement.order_by(exchanges.c.id.desc())
    return [_exchange(row) for row in connection.execute(statement).mappings()]


def attempts_page(connection: Connection, query: AttemptQuery) -> list[AttemptRow]:
    """Those of the newest exchanges first, the last one of each first."""
    own = attempts.c
    statement = select(attempts).order_by(own.exchange_id.desc(), own.number.desc()).limit(query.limit)
    wanted = {
        "exchange_id": text(query.exchange),
        "upstream": text(query.upstream),
        "outcome": text(query.outcome),
        "status": query.status,
        "error_type": text(query.error_type),
    }
    statement = statement.where(*(own[name] == value for name, value in wanted.items() if value is not None))
    if query.model is not None:
        model = text(query.model)
        statement = statement.where(or_(own.model == model, own.response_model == model))
    if query.since_us is not None:
        statement = statement.where(own.started_us >= query.since_us)
    if query.until_us is not None:
        statement = statement.where(own.started_us < query.until_us)
    if query.before is not None:
        exchange, number = query.before
        statement = statement.where(tuple_(own.exchange_id, own.number) < (text(exchange), number))
    return [_attempt(row) for row in connection.execute(statement).mappings()]


def _narrowed(query: ExchangeQuery) -> list[ColumnElement[bool]]:
    """The conditions that only lists have."""
    where: list[ColumnElement[bool]] = []
    if query.outcome == _RUNNING:
        where.append(exchanges.c.outcome.is_(None))
    elif query.outcome is not None:
        where.append(exchanges.c.outcome == text(query.outcome))
    if query.status is not None:
        where.append(exchanges.c.status == query.status)
    wanted = {"endpoint": query.endpoint, "error_type": query.error_type, "billing": query.billing}
    where += [exchanges.c[name] == text(value) for name, value in wanted.items() if value is not None]
    if query.text is not None:
        # Escaped: `%` and `_` are letters like any others.
        searched = text(query.text) or ""
        where.append(or_(*(column.icontains(searched, autoescape=True) for column in _SEARCHED)))
    return where


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
