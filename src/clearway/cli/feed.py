"""Following a gateway's live feed across its restarts. Used by `clearway log --follow`."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from clearway.cli.access import find_socket
from clearway.cli.remote import RemoteLedger, Unreachable, read_feed
from clearway.cli.screen import note
from clearway.config.model import Config
from clearway.core.clock import SystemClock
from clearway.core.ids import IdMaker
from clearway.ledger.protocol import ExchangeQuery, ExchangeRow

_POLL_S = 0.25
"""Between two looks for a gateway that is not there."""
_PAGE = 500
_REMEMBERED = 10_000


def follow(
    config: Config, query: ExchangeQuery, shown: list[ExchangeRow], show: Callable[[list[ExchangeRow]], None]
) -> None:
    """Show every exchange when it has settled, once, until interrupted.

    Args:
        config: Says where the gateway's socket is.
        query: The filters that must hold.
        shown: What is on the screen already, oldest first.
        show: Called with new rows, oldest first.
    """
    seen = dict.fromkeys(row.id for row in shown if row.outcome is not None)
    running = {row.id for row in shown if row.outcome is None}
    # Ids sort by time: what is older than this was not asked for.
    floor = shown[-1].id if shown else IdMaker(SystemClock()).new()
    for row, is_live in _settled(config, query):
        if row.id not in seen and (is_live or row.id > floor or row.id in running):
            seen[row.id] = None
            show([row])
            if len(seen) > _REMEMBERED:
                del seen[next(iter(seen))]


def matches(row: ExchangeRow, query: ExchangeQuery) -> bool:
    """Whether a row that came by feed is one that the query would have listed."""
    return (
        (query.key is None or query.key in {row.key_name, row.key_id})
        and (query.model is None or query.model in {row.request_model, row.response_model})
        and (query.session is None or query.session == row.session_id)
        and (query.run is None or query.run == row.run_id)
        and (query.outcome is None or query.outcome == row.outcome)
    )


def _settled(config: Config, query: ExchangeQuery) -> Iterator[tuple[ExchangeRow, bool]]:
    """Settled exchanges from one gateway after the other, and whether each came live.

    When a feed opens, the newest rows are listed too, so that nothing falls
    between two gateways; the caller knows what it has seen.
    """
    data_dir = Path(config.server.data_dir)
    waiting = False
    while True:
        socket = find_socket(data_dir)
        if socket is None and not waiting:
            note(f"no gateway is running on {data_dir}; waiting for one")
            waiting = True
        if socket is not None:
            try:
                for row, is_live in _from_one(socket, query):
                    if row is not None:
                        yield row, is_live
                    elif waiting:
                        note("a gateway is here")
                        waiting = False
            except Unreachable:
                # It is starting, or has just ended: look again.
                pass
        time.sleep(_POLL_S)


def _from_one(socket: Path, query: ExchangeQuery) -> Iterator[tuple[ExchangeRow | None, bool]]:
    """None when the feed is open, then what was missed, then what happens."""
    is_open = False
    for update in read_feed(socket):
        if not is_open:
            is_open = True
            yield None, False
            page = msgspec.structs.replace(query, limit=_PAGE, before=None, after=None)
            for row in reversed(RemoteLedger(socket).exchanges(page)):
                if row.outcome is not None:
                    yield row, False
        elif update is not None and update.what == "settled" and matches(update.exchange, query):
            yield update.exchange, True
