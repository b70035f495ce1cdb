"""What the ledger keeps, in pages: exchanges, attempts, sums, changes.

Cursors are the last row's place, so that what comes meanwhile moves nothing. Used by
server/admin/routes.
"""

import msgspec
from msgspec.structs import asdict, replace

from clearway.ledger.administration import AttemptQuery, AuditQuery
from clearway.ledger.days import local
from clearway.ledger.protocol import ExchangeDetail, ExchangeQuery, LedgerError, UsageQuery
from clearway.server.admin.answers import Attempts, Audit, Exchanges, Usage
from clearway.server.admin.asks import AttemptPage, AuditPage, ExchangePage, UsageSums
from clearway.server.admin.decode import cut, read_cursor
from clearway.server.admin.failures import Refused
from clearway.server.admin.parts import Asked, Parts, expect

_WITHIN_S = 2.0


def exchanges(parts: Parts, asked: Asked) -> Exchanges:
    """A page of exchanges, the newest first."""
    page = expect(asked.query, ExchangePage)
    query = replace(ExchangeQuery(limit=page.limit + 1, before=_before(page.cursor), text=page.q), **_filters(page))
    rows, following = cut(parts.ledger.exchanges(query, within_s=_WITHIN_S), page.limit, lambda row: (row.id,))
    return Exchanges(exchanges=rows, next=following)


def exchange(parts: Parts, asked: Asked) -> ExchangeDetail:
    """One exchange with its attempts."""
    return parts.ledger.exchange(asked.id)


def attempts(parts: Parts, asked: Asked) -> Attempts:
    """A page of attempts."""
    page = expect(asked.query, AttemptPage)
    place = read_cursor(page.cursor, 2)
    if place is not None and not (place[1].isdecimal() and len(place[1]) < len("1000000000")):
        raise Refused("invalid_value", "cursor is none of this list's")
    before = None if place is None else (place[0], int(place[1]))
    query = replace(AttemptQuery(limit=page.limit + 1, before=before), **_filters(page))
    rows, following = cut(parts.desk.attempts(query), page.limit, lambda row: (row.exchange_id, str(row.number)))
    return Attempts(attempts=rows, next=following)


def usage(parts: Parts, asked: Asked) -> Usage:
    """Sums by group."""
    sums = expect(asked.query, UsageSums)
    zone = _known(sums.timezone or parts.timezone)
    query = UsageQuery(
        by=tuple(dict.fromkeys(sums.by)),
        since_us=sums.since_us,
        until_us=sums.until_us,
        key=sums.key,
        model=sums.model,
        session=sums.session,
        run=sums.run,
        instance=sums.instance,
        upstream=sums.upstream,
        client=sums.client,
        timezone=zone,
        limit=sums.limit + 1,
    )
    rows = parts.ledger.usage(query, within_s=_WITHIN_S)
    # The newest are kept where there are too many, and they come last.
    kept = rows[-sums.limit :] if set(query.by) & {"hour", "day", "week", "month"} else rows[: sums.limit]
    return Usage(usage=tuple(kept), timezone=zone, is_whole=len(kept) == len(rows))


def _known(zone: str) -> str:
    try:
        local(zone, 0)
    except LedgerError as error:
        raise Refused("invalid_value", f"timezone: {error}") from error
    return zone


def audit(parts: Parts, asked: Asked) -> Audit:
    """A page of changes, the newest first."""
    page = expect(asked.query, AuditPage)
    query = replace(AuditQuery(limit=page.limit + 1, before=_before(page.cursor)), **_filters(page))
    rows, following = cut(parts.desk.audit(query), page.limit, lambda row: (row.id,))
    return Audit(changes=rows, next=following)


def _before(cursor: str | None) -> str | None:
    place = read_cursor(cursor, 1)
    return None if place is None else place[0]


def _filters(page: msgspec.Struct) -> dict[str, object]:
    """They have the same names in the ledger's question; the search, which has another one, is no filter."""
    return {name: value for name, value in asdict(page).items() if name not in {"limit", "cursor", "q"}}
