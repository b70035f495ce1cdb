"""Windows in the tables: runs of what was seen, each window's last one being its state.

Owns the statements and the bounds: `KEEP_US` and `MOST_ROWS`. All functions run inside
the caller's transaction. Used by ledger/store.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection, RowMapping, and_, bindparam, delete, func, insert, or_, select

from clearway.core.window import MILLION
from clearway.ledger.forecast import HOUR_US, LONGEST_SPAN_US, MINUTE_US
from clearway.ledger.protocol import WindowPoint, WindowQuery
from clearway.ledger.rows import text
from clearway.ledger.schema import windows
from clearway.ledger.window_states import SHOWN_US, Key, WindowRun, label_of

KEEP_US = 90 * 24 * HOUR_US
MOST_ROWS = 100_000
MOST_POINTS = 10_000
"""Of one answer to a question for the history."""

_SKEW_US = 5 * MINUTE_US
"""Clocks of machines that share a database may differ by so much."""
_NAMES = WindowRun.__struct_fields__
_MAKE_WAY = delete(windows).where(
    windows.c.credential_id == bindparam("of"),
    windows.c.window == bindparam("at"),
    or_(windows.c.first_us == bindparam("begun_us"), windows.c.first_us > bindparam("ahead_us")),
)


def keep(connection: Connection, runs: Iterable[WindowRun]) -> None:
    """Write runs, new ones and such as were drawn out; no two of one beginning."""
    rows = [
        {name: getattr(run, name) for name in _NAMES}
        | {"notes": msgspec.json.encode(run.notes).decode() if run.notes else None}
        for run in runs
    ]
    if not rows:
        return
    # What was seen at a time that has not come yet goes as well: the clock was wrong, and has been set right.
    ways = [
        {
            "of": row["credential_id"],
            "at": row["window"],
            "begun_us": row["first_us"],
            "ahead_us": row["seen_us"] + _SKEW_US,
        }
        for row in rows
    ]
    connection.execute(_MAKE_WAY, ways)
    connection.execute(insert(windows), rows)


def recent(connection: Connection, now_us: int) -> dict[Key, list[WindowRun]]:
    """Of each window what states are made of: the last run, and those of the last span, as they were seen."""
    last = (
        select(windows.c.credential_id, windows.c.window, func.max(windows.c.first_us).label("first_us"))
        .where(windows.c.seen_us > now_us - SHOWN_US)
        .group_by(windows.c.credential_id, windows.c.window)
        .subquery()
    )
    is_last = and_(*(last.c[name] == windows.c[name] for name in ("credential_id", "window", "first_us")))
    query = (
        select(windows)
        .join_from(windows, last, is_last, isouter=True)
        .where((last.c.first_us.is_not(None)) | (windows.c.seen_us > now_us - LONGEST_SPAN_US))
        .order_by(windows.c.first_us)
    )
    found: dict[Key, list[WindowRun]] = defaultdict(list)
    for row in connection.execute(query).mappings():
        found[row["credential_id"], row["window"]].append(_run(row))
    return dict(found)


def history(connection: Connection, query: WindowQuery) -> list[WindowPoint]:
    """The newest runs that fit, oldest first."""
    wanted = select(windows).order_by(windows.c.first_us.desc()).limit(max(0, min(query.limit, MOST_POINTS)))
    if query.credential_id is not None:
        wanted = wanted.where(windows.c.credential_id == text(query.credential_id))
    if query.window is not None:
        wanted = wanted.where(windows.c.window == text(query.window))
    if query.since_us is not None:
        wanted = wanted.where(windows.c.seen_us >= query.since_us)
    if query.until_us is not None:
        wanted = wanted.where(windows.c.first_us < query.until_us)
    rows: Sequence[RowMapping] = connection.execute(wanted).mappings().all()
    return [_point(_run(row)) for row in reversed(rows)]


def prune(connection: Connection, now_us: int, most: int = MOST_ROWS) -> int:
    """Forget what is over the bounds; returns how many rows."""
    pruned = connection.execute(delete(windows).where(windows.c.seen_us < now_us - KEEP_US)).rowcount
    by_age = select(windows.c.seen_us).order_by(windows.c.seen_us.desc()).offset(most).limit(1)
    newest_too_many = connection.execute(by_age).scalar()
    if newest_too_many is not None:
        pruned += connection.execute(delete(windows).where(windows.c.seen_us <= newest_too_many)).rowcount
    return pruned


def _run(row: RowMapping) -> WindowRun:
    fields = {name: row[name] for name in _NAMES}
    notes = fields["notes"]
    fields["notes"] = msgspec.json.decode(str(notes), type=dict[str, str]) if notes else {}
    return msgspec.convert(fields, WindowRun)


def _point(run: WindowRun) -> WindowPoint:
    return WindowPoint(
        credential_id=run.credential_id,
        credential_label=label_of(run.kind, run.credential_id),
        upstream=run.upstream,
        window=run.window,
        first_us=run.first_us,
        seen_us=run.seen_us,
        status=run.status,
        began=None if run.began_ppm is None else run.began_ppm / MILLION,
        utilization=None if run.used_ppm is None else run.used_ppm / MILLION,
        resets_us=run.resets_us,
    )
