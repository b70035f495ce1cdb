"""Files that code of a model has made belong to the key whose request it was.

They are owned before the answer's last bytes go out, so that the next turn, which
tells them back, finds them. Used by gateway/relay.
"""

import asyncio

import structlog

from clearway.gateway.bookkeeping import Attempt, Exchange
from clearway.ledger.ownership import Owned
from clearway.ledger.protocol import LedgerError

log = structlog.get_logger()


async def own_made(exchange: Exchange, attempt: Attempt) -> None:
    """Note whose the files are that the watch has seen; what cannot be noted is nobody's."""
    owners, admission, upstream = exchange.books.owners, exchange.admission, attempt.target.upstream
    key_id = admission.key_id
    if owners is None or key_id is None or upstream.pays != "gateway":
        return
    made = [
        Owned(
            kind="file",
            id=file_id,
            upstream=upstream.name,
            key_id=key_id,
            exchange_id=exchange.id,
            created_us=admission.admitted_us,
        )
        for file_id in attempt.watch.files
    ]
    try:
        for owned in made:
            await asyncio.to_thread(owners.own, owned)
    except LedgerError:
        log.warning("made_files_not_owned", files=len(made), exchange_id=exchange.id)
