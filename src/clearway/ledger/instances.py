"""Gateways with a lease, and the sweep of what dead ones left open.

Owns the `instances` table. An exchange belongs to the instance that admitted it;
when that one is dead, its open exchanges end as `interrupted` and are charged
with what was noted last. Used by ledger/writer, on its thread.
"""

from collections import defaultdict
from collections.abc import Sequence
from operator import itemgetter

import msgspec
from sqlalchemy import Connection, RowMapping, and_, bindparam, insert, or_, select, update

from clearway.core.exchange import Measure
from clearway.ledger.rows import MEASURED, measure_row, named
from clearway.ledger.schema import attempts, exchanges, instances

RENEW_S = 10.0
"""How often a living gateway says so."""
LEASE_S = 30.0
"""After this silence it counts as dead. Clocks of machines that share a database
may differ by the rest, 20 s; a gateway that was swept in error writes the truth
over the sweep's guess when the exchange ends."""

_UNMEASURED = named(MEASURED, measure_row(Measure()))
_CHUNK = 500
_ADDED = (
    "response_bytes",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "thinking_tokens",
    "web_search_requests",
    "web_fetch_requests",
)
_PAID = ("cost_nano", "estimate_nano")


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One start of a gateway."""

    id: str
    version: str
    pid: int


def register(connection: Connection, instance: Instance, now_us: int) -> None:
    """Begin the lease."""
    row = {
        "id": instance.id,
        "version": instance.version,
        "pid": instance.pid,
        "started_us": now_us,
        "seen_us": now_us,
        "expires_us": now_us + int(LEASE_S * 1_000_000),
    }
    connection.execute(insert(instances), row)


def renew(connection: Connection, instance_id: str, now_us: int) -> None:
    """Say that the instance lives."""
    change = {"seen_us": now_us, "expires_us": now_us + int(LEASE_S * 1_000_000)}
    connection.execute(update(instances).where(instances.c.id == instance_id).values(change))


def retire(connection: Connection, instance_id: str, now_us: int) -> None:
    """End the lease in good order."""
    change = {"seen_us": now_us, "expires_us": now_us}
    connection.execute(update(instances).where(instances.c.id == instance_id).values(change))


def sweep(connection: Connection, *, me: str, now_us: int, alone: bool) -> int:
    """End what dead instances left open; returns how many exchanges.

    Args:
        connection: Inside a transaction.
        me: The instance that sweeps; its own exchanges are left alone.
        now_us: The time, against which leases are judged.
        alone: True for the owner of a data directory: every other instance is dead.
    """
    dead = or_(instances.c.id.is_(None), instances.c.expires_us <= now_us)
    left = (
        select(exchanges.c.id, exchanges.c.admitted_us, instances.c.seen_us)
        .join_from(exchanges, instances, instances.c.id == exchanges.c.instance_id, isouter=True)
        .where(exchanges.c.outcome.is_(None), exchanges.c.instance_id != me)
    )
    # Sorted here: asked for an order, SQLite walks all ids instead of the index of open exchanges.
    found = sorted(connection.execute(left if alone else left.where(dead)).mappings(), key=itemgetter("id"))
    for start in range(0, len(found), _CHUNK):
        _sweep_chunk(connection, found[start : start + _CHUNK])
    return len(found)


def _sweep_chunk(connection: Connection, found: Sequence[RowMapping]) -> None:
    ids = [row["id"] for row in found]
    tries: dict[str, list[RowMapping]] = defaultdict(list)
    query = select(attempts).where(attempts.c.exchange_id.in_(ids)).order_by(attempts.c.number)
    for attempt in connection.execute(query).mappings():
        tries[attempt["exchange_id"]].append(attempt)
    ended_exchanges, ended_attempts = [], []
    for exchange in found:
        own = tries[exchange["id"]]
        ended_us = _last_sign_of_life(exchange, own)
        ended_exchanges.append(_ended_exchange(exchange, own, ended_us))
        ended_attempts += [_ended_attempt(attempt, ended_us) for attempt in own if attempt["outcome"] is None]
    this_exchange = and_(exchanges.c.id == bindparam("at_id"), exchanges.c.outcome.is_(None))
    connection.execute(update(exchanges).where(this_exchange), ended_exchanges)
    if ended_attempts:
        this_attempt = and_(
            attempts.c.exchange_id == bindparam("at_id"),
            attempts.c.number == bindparam("at_number"),
            attempts.c.outcome.is_(None),
        )
        connection.execute(update(attempts).where(this_attempt), ended_attempts)


def _last_sign_of_life(exchange: RowMapping, tries: Sequence[RowMapping]) -> int:
    seen = [_int(exchange["admitted_us"]), _int(exchange["seen_us"])]
    for attempt in tries:
        seen += [_int(attempt["started_us"]) + _int(attempt["total_us"]), _int(attempt["ended_us"])]
    return max(seen)


def _ended_exchange(exchange: RowMapping, tries: Sequence[RowMapping], ended_us: int) -> dict[str, object]:
    columns: dict[str, object] = {
        "at_id": exchange["id"],
        "outcome": "interrupted",
        "swept": True,
        "attempts": len(tries),
        "upstream": None,
        "kind": None,
    }
    columns.update(_UNMEASURED)
    if tries:
        # As a settlement would: the measure of the last attempt, with durations from
        # admission. One that was begun after usage was seen must not hide that usage.
        last = next((attempt for attempt in reversed(tries) if attempt["input_tokens"] is not None), tries[-1])
        columns |= {name: last[name] for name in ("upstream", "kind", *MEASURED)}
        columns |= _sums([attempt for attempt in tries if attempt["input_tokens"] is not None])
        before_us = _int(last["started_us"]) - _int(exchange["admitted_us"])
        for name in ("first_byte_us", "first_token_us"):
            if last[name] is not None:
                columns[name] = max(0, before_us + _int(last[name]))
    columns["ended_us"] = ended_us
    columns["total_us"] = ended_us - _int(exchange["admitted_us"])
    return columns


def _sums(paid: Sequence[RowMapping]) -> dict[str, object]:
    """What an answer used that paused and was made by several attempts."""
    if len(paid) < 2:  # noqa: PLR2004  # the one is there already
        return {}
    told: dict[str, object] = {"iterations": None}
    told |= {name: sum(_int(attempt[name]) for attempt in paid) for name in _ADDED}
    told |= {name: any(attempt[name] for attempt in paid) for name in ("estimated", "unpriced")}
    for name in _PAID:
        is_known = not told["unpriced"] and paid[-1][name] is not None
        told[name] = sum(_int(attempt[name]) for attempt in paid) if is_known else None
    return told


def _ended_attempt(attempt: RowMapping, ended_us: int) -> dict[str, object]:
    return {
        "at_id": attempt["exchange_id"],
        "at_number": attempt["number"],
        "outcome": "interrupted",
        "swept": True,
        "ended_us": ended_us,
        "total_us": ended_us - _int(attempt["started_us"]),
    }


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0
