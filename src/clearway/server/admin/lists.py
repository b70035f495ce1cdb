"""What the ledger keeps, in pages: exchanges, attempts, sums, changes.

Cursors are the last row's place, so that what comes meanwhile moves nothing. Used by
server/admin/routes.
"""

from clearway.ledger.administration import AttemptQuery, AuditQuery
from clearway.ledger.days import local
from clearway.ledger.protocol import ExchangeDetail, ExchangeQuery, LedgerError, UsageQuery
from clearway.server.admin.answers import Attempts, Audit, Exchanges, Usage
from clearway.server.admin.asks import AttemptPage, AuditPage, ExchangePage, UsageSums
from clearway.server.admin.decode import cursor_of, read_cursor
from clearway.server.admin.failures import Refused
from clearway.server.admin.parts import Asked, Parts, expect

_WITHIN_S = 2.0


def exchanges(parts: Parts, asked: Asked) -> Exchanges:
    """A page of exchanges, the newest first."""
    page = expect(asked.query, ExchangePage)
    place = read_cursor(page.cursor, 1)
    query = ExchangeQuery(
        limit=page.limit + 1,
        before=None if place is None else place[0],
        key=page.key,
        model=page.model,
        session=page.session,
        run=page.run,
        instance=page.instance,
        outcome=page.outcome,
        upstream=page.upstream,
        client=page.client,
        endpoint=page.endpoint,
        status=page.status,
        error_type=page.error_type,
        billing=page.billing,
        since_us=page.since_us,
        until_us=page.until_us,
        text=page.q,
    )
    found = parts.ledger.exchanges(query, within_s=_WITHIN_S)
    rows = found[: page.limit]
    return Exchanges(exchanges=tuple(rows), next=cursor_of(rows[-1].id) if len(found) > len(rows) else None)


def exchange(parts: Parts, asked: Asked) -> ExchangeDetail:
    """One exchange with its attempts."""
    return parts.ledger.exchange(asked.id)


def attempts(parts: Parts, asked: Asked) -> Attempts:
    """A page of attempts."""
    page = expect(asked.query, AttemptPage)
    place = read_cursor(page.cursor, 2)
    if place is not None and not (place[1].isdecimal() and len(place[1]) < len("1000000000")):
        raise Refused("invalid_value", "cursor is none of this list's")
    query = AttemptQuery(
        limit=page.limit + 1,
        before=None if place is None else (place[0], int(place[1])),
        exchange=page.exchange,
        upstream=page.upstream,
        model=page.model,
        outcome=page.outcome,
        status=page.status,
        error_type=page.error_type,
        since_us=page.since_us,
        until_us=page.until_us,
    )
    found = parts.desk.attempts(query)
    rows = found[: page.limit]
    last = rows[-1] if len(found) > len(rows) else None
    return Attempts(attempts=tuple(rows), next=None if last is None else cursor_of(last.exchange_id, str(last.number)))


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
    place = read_cursor(page.cursor, 1)
    query = AuditQuery(
        limit=page.limit + 1,
        before=None if place is None else place[0],
        what=page.what,
        source=page.source,
        subject=page.subject,
        since_us=page.since_us,
        until_us=page.until_us,
    )
    found = parts.desk.audit(query)
    rows = found[: page.limit]
    return Audit(changes=tuple(rows), next=cursor_of(rows[-1].id) if len(found) > len(rows) else None)
