"""Usage summed by group, in the database.

Owns the statement behind `clearway usage`: exact integers, the same on both
databases. Money that was billed and list prices of other traffic stay apart.
Used by ledger/store.
"""

from collections.abc import Callable, Mapping

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    case,
    cast,
    func,
    or_,
    select,
)

from clearway.ledger import buckets
from clearway.ledger.buckets import BUCKETS
from clearway.ledger.key_records import ids_by_name
from clearway.ledger.protocol import ExchangeQuery, LedgerError, UsageBy, UsageQuery, UsageRow
from clearway.ledger.rows import text
from clearway.ledger.schema import exchanges, keys

_ANSWERED = ("ok", "client_closed")
_SUMMED = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "thinking_tokens",
    "web_search_requests",
    "cost_nano",
    "estimate_nano",
    "total_us",
)
_Group = ColumnElement[int] | ColumnElement[str | None]
_GROUPS: Mapping[UsageBy, Callable[[], _Group]] = {
    "model": lambda: func.coalesce(exchanges.c.response_model, exchanges.c.request_model),
    # An exchange outlives the memory of its key's name only in a damaged ledger.
    "key": lambda: func.coalesce(keys.c.name, exchanges.c.key_id),
    "session": lambda: exchanges.c.session_id,
    "client": lambda: exchanges.c.client_name,
    "upstream": lambda: exchanges.c.upstream,
    "run": lambda: exchanges.c.run_id,
}


def usage(connection: Connection, query: UsageQuery) -> list[UsageRow]:
    """Sums by group. Where there are more groups than `limit`, the newest times
    and the dearest groups are kept.

    Raises:
        LedgerError: The time zone or a group is not known, or the limit is not positive.
    """
    if query.limit < 1:
        raise LedgerError("the limit of groups is at least 1")
    where = filters(connection, query)
    grouped = [by for by in dict.fromkeys(query.by) if by != "total"]
    for by in grouped:
        if by not in _GROUPS and by not in BUCKETS:
            known = ", ".join((*BUCKETS, "total", *_GROUPS))
            raise LedgerError(f"usage cannot be grouped by {by!r}; known are {known}")
    times = tuple(by for by in BUCKETS if by in grouped)
    columns: dict[str, _Group] = {}
    if times:
        ends = _range(connection, where)
        columns.update(buckets.columns(exchanges.c.admitted_us, times, query.timezone, ends))
    columns.update({by: _GROUPS[by]() for by in grouped if by in _GROUPS})
    rows = connection.execute(_statement(columns, where, times).limit(query.limit)).mappings().all()
    if times:
        # The newest were kept; they are shown the other way round, the dearest first within each.
        rows = sorted(rows, key=lambda row: tuple(row[f"by_{by}"] for by in times))
    return [_row(row, query) for row in rows if row["exchanges"]]


def filters(connection: Connection, query: UsageQuery | ExchangeQuery) -> list[ColumnElement[bool]]:
    """The conditions that sums and lists have in common.

    A model matches as it was asked for or as it answered.
    """
    where: list[ColumnElement[bool]] = []
    if query.key is not None:
        ids = ids_by_name(connection, query.key)
        # One id is compared by `=`, so that the index also gives the order.
        where.append(exchanges.c.key_id == ids[0] if len(ids) == 1 else exchanges.c.key_id.in_(ids))
    if query.model is not None:
        model = text(query.model)
        where.append(or_(exchanges.c.request_model == model, exchanges.c.response_model == model))
    if query.since_us is not None:
        where.append(exchanges.c.admitted_us >= query.since_us)
    if query.until_us is not None:
        where.append(exchanges.c.admitted_us < query.until_us)
    wanted = {
        "session_id": query.session,
        "run_id": query.run,
        "instance_id": query.instance,
        "upstream": query.upstream,
        "client_name": query.client,
    }
    return where + [exchanges.c[name] == text(value) for name, value in wanted.items() if value is not None]


def _range(connection: Connection, where: list[ColumnElement[bool]]) -> tuple[int, int]:
    # Two queries: each reads one end of the index, both ends at once read all of it.
    first, last = (
        connection.execute(select(end(exchanges.c.admitted_us)).where(*where)).scalar() for end in (func.min, func.max)
    )
    return int(first or 0), int(last or 0)


def _statement(
    columns: Mapping[str, _Group], where: list[ColumnElement[bool]], times: tuple[UsageBy, ...]
) -> Select[tuple[object, ...]]:
    # An inner query names the groups: PostgreSQL cannot tell that an expression
    # with parameters is the same in SELECT and in GROUP BY.
    names = (*_SUMMED, "admitted_us", "outcome", "unpriced", "estimated")
    source = exchanges.outerjoin(keys, keys.c.id == exchanges.c.key_id) if "key" in columns else exchanges
    inner = (
        select(
            *(column.label(f"by_{name}") for name, column in columns.items()), *(exchanges.c[name] for name in names)
        )
        .select_from(source)
        .where(*where)
        .subquery()
    )
    groups = [inner.c[f"by_{name}"] for name in columns]
    failed = and_(inner.c.outcome.is_not(None), inner.c.outcome.not_in(_ANSWERED))
    sums = {name: _total(inner.c[name]) for name in _SUMMED}
    counted = func.count()
    statement = select(
        *groups,
        counted.label("exchanges"),
        _total(case((failed, 1), else_=0)).label("errors"),
        _total(case((inner.c.unpriced, 1), else_=0)).label("unpriced"),
        _total(case((inner.c.estimated, 1), else_=0)).label("estimated"),
        func.min(inner.c.admitted_us).label("first_us"),
        func.max(inner.c.admitted_us).label("last_us"),
        *(column.label(name) for name, column in sums.items()),
    ).group_by(*groups)
    newest = [inner.c[f"by_{by}"].desc() for by in times]
    dearest = (sums["cost_nano"].desc(), sums["estimate_nano"].desc(), counted.desc(), func.min(inner.c.admitted_us))
    return statement.order_by(*newest, *dearest)


def _total(column: ColumnElement[int]) -> ColumnElement[int]:
    # The sum of BIGINT is NUMERIC in PostgreSQL; of nothing it is NULL everywhere.
    return cast(func.coalesce(func.sum(column), 0), BigInteger)


def _row(row: RowMapping, query: UsageQuery) -> UsageRow:
    group: dict[str, str | None] = {}
    for by in query.by:
        value = None if by == "total" else row[f"by_{by}"]
        if isinstance(value, int) and by in BUCKETS:
            group[by] = buckets.name_of(by, value, query.timezone)
        else:
            group[by] = None if value is None else str(value)
    numbers = {name: int(str(row[name])) for name in UsageRow.__struct_fields__ if name != "group"}
    return UsageRow(group=group, **numbers)
