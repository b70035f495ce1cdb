"""A fixed set of windows, one of each sort, as a gateway would have kept them."""

import msgspec

from clearway.core.window import Reading
from clearway.ledger.forecast import HOUR_US
from clearway.ledger.protocol import WindowState
from clearway.ledger.window_states import Key, Source, WindowRun, carried_on, states_of
from tests.cli.exchanges import START_US

NOW_US = START_US
_DAY_US = 24 * HOUR_US
_PLAN = Source("3f9a2c41" * 4, "login", "own-login", None)
_FULL = Source("c0ffee00" * 4, "login", "own-login", None)
_TEAM = Source("0badcafe" * 4, "api key", "a-team-with-a-long-name", None)

_SEEN: tuple[tuple[Source, str, str, float | None, int, int], ...] = (
    (_PLAN, "5h", "allowed_warning", 0.85, 2 * HOUR_US, 3 * 60_000_000),
    (_PLAN, "7d", "allowed", 0.23, 5 * _DAY_US, 3 * 60_000_000),
    (_PLAN, "7d_opus", "allowed", None, 5 * _DAY_US, 3 * 60_000_000),
    (_PLAN, "overage", "rejected", 0.0, 9 * _DAY_US, 3 * 60_000_000),
    (_FULL, "5h", "rejected", 1.02, HOUR_US // 2, 12_000_000),
    (_FULL, "7d", "rejected", 1.0, 2 * _DAY_US, 12_000_000),
    (_TEAM, "5h", "allowed", 0.97, -HOUR_US, 3 * HOUR_US),
    (_TEAM, "\x1b[31mred", "allowed", 0.5, HOUR_US, 3 * HOUR_US),
)
"""Who, window, status, used, reset from now, age."""


def runs() -> dict[Key, list[WindowRun]]:
    """As they are kept."""
    found: dict[Key, list[WindowRun]] = {}
    for source, window, status, used, resets_us, age_us in _SEEN:
        reading = Reading(
            window=window,
            status=status,
            utilization_ppm=None if used is None else round(used * 1_000_000),
            resets_us=NOW_US + resets_us,
        )
        found[source.credential_id, window] = [carried_on(None, source, reading, NOW_US - age_us)]
    return found


def moved(by_us: int) -> list[WindowRun]:
    """The same at another time."""
    return [
        msgspec.structs.replace(
            run, first_us=run.first_us + by_us, seen_us=run.seen_us + by_us, resets_us=(run.resets_us or 0) + by_us
        )
        for (run,) in runs().values()
    ]


def states() -> list[WindowState]:
    """As they are shown."""
    return states_of(runs(), NOW_US)
