"""When each upstream was well last, and when it failed, as the ledger has it.

For what a new process cannot know itself. There is no index for it, which each attempt
would have to pay for: the newest attempts are walked, and no more. Used by ledger/desk.
"""

from sqlalchemy import Connection, func, select

from clearway.ledger.administration import LastHeard
from clearway.ledger.schema import attempts

MOST = 100_000
"""Attempts that are walked: less than half a second."""
_OK, _FAILED = "ok", "upstream_error"


def last_heard(connection: Connection) -> dict[str, LastHeard]:
    """By name of the upstream; without those that the newest attempts have not been at."""
    newest = (
        select(attempts.c.upstream, attempts.c.outcome, attempts.c.exchange_id)
        .order_by(attempts.c.exchange_id.desc())
        .limit(MOST)
        .subquery()
    )
    places = (
        select(newest.c.upstream, newest.c.outcome, func.max(newest.c.exchange_id))
        .where(newest.c.outcome.in_((_OK, _FAILED)))
        .group_by(newest.c.upstream, newest.c.outcome)
    )
    found: dict[str, LastHeard] = {}
    for upstream, outcome, exchange_id in connection.execute(places).all():
        its = attempts.c
        row = connection.execute(
            select(its.ended_us, its.error_code, its.error_type, its.status)
            .where(its.exchange_id == exchange_id, its.upstream == upstream, its.outcome == outcome)
            .order_by(its.number.desc())
            .limit(1)
        ).one()
        heard = found.setdefault(upstream, LastHeard())
        if outcome == _OK:
            heard.succeeded_us = row.ended_us
        else:
            heard.failed_us, heard.failure, heard.failure_status = (
                row.ended_us,
                row.error_code or row.error_type,
                row.status,
            )
    return found
