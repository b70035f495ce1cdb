"""A ledger with very many rows, made within seconds.

Owns copying one real exchange many times over, by SQL, into a database that nobody
has open: the rows have every column that the program writes, spread over past time.
Used by tests/chaos and bench/kills.py.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

_EVERY_MS = 1000
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)"
# A UUIDv7 (RFC 9562, section 5.7) whose time is `ms` and whose tail is the number.
_ID = "printf('%08x-%04x-7000-8000-%012x', ms >> 16, ms & 0xffff, i)"
_NEW = f"(SELECT i, first.admitted_us / 1000 - i * {_EVERY_MS} AS ms FROM n, first)"  # noqa: S608  # numbers of ours


def fill(data_dir: Path, count: int, *, left_open: int = 0) -> None:
    """Add `count` exchanges with an attempt each, like the oldest one there is.

    Args:
        data_dir: Of a gateway that has ended, with one settled exchange at least.
        count: How many.
        left_open: How many of them look as a kill leaves them.
    """
    with closing(sqlite3.connect(data_dir / "ledger.db", isolation_level=None)) as ledger:
        ledger.execute("PRAGMA synchronous = OFF")
        first = "first AS (SELECT * FROM exchanges ORDER BY id LIMIT 1)"
        ledger.execute("BEGIN")
        for table, key in (("exchanges", "id"), ("attempts", "exchange_id")):
            names = [name for _, name, *_ in ledger.execute(f"PRAGMA table_info({table})")]
            values = {name: f"t.{name}" for name in names}
            values[key] = _ID
            is_open = "i <= :left_open"
            values |= {name: f"CASE WHEN {is_open} THEN NULL ELSE t.{name} END" for name in ("outcome", "ended_us")}
            moment = "admitted_us" if table == "exchanges" else "started_us"
            values[moment] = "ms * 1000"
            ledger.execute(
                # Newest last, as they would have come: the index grows at its end.
                f"INSERT INTO {table} ({', '.join(values)}) {_NUMBERS}, {first} "  # noqa: S608  # names from the schema
                f"SELECT {', '.join(values.values())} FROM {_NEW}, (SELECT * FROM {table} "
                f"WHERE {key} = (SELECT id FROM first)) AS t ORDER BY i DESC",
                {"count": count, "left_open": left_open},
            )
        ledger.execute("COMMIT")
