"""Windows in the tables, on both databases: kept, found again, bounded; and the secret that names credentials."""

import os
import stat
from pathlib import Path

import msgspec
import pytest

from clearway.core.secret import Secret
from clearway.core.window import Reading
from clearway.ledger import window_records
from clearway.ledger.forecast import HOUR_US
from clearway.ledger.installation import FILE_NAME, installation_secret, keyed_hash
from clearway.ledger.protocol import LedgerError, WindowQuery
from clearway.ledger.store import Store
from clearway.ledger.window_records import KEEP_US
from clearway.ledger.window_states import Source, WindowRun, carried_on
from tests.ledger.stories import START_US, TestClock

ME = Source("a" * 32, "login", "own-login", "b" * 32)
RESET = START_US + 3 * HOUR_US


def seen(at_us: int = START_US, used: float = 0.5, *, window: str = "5h", source: Source = ME) -> WindowRun:
    """A run of one look."""
    reading = Reading(
        window=window,
        status="allowed",
        utilization_ppm=round(used * 1_000_000),
        resets_us=RESET,
        threshold_ppm=250_000,
        is_claim=True,
        notes={"in-use": "true"},
    )
    return carried_on(None, source, reading, at_us)


def test_kept_whole(store: Store, clock: TestClock) -> None:
    """Every field comes back, absent ones included; a run that is drawn out stays one row."""
    bare = carried_on(None, msgspec.structs.replace(ME, account=None), Reading(window="7d", status="allowed"), START_US)
    run = seen()
    store.keep_windows([run, bare])
    run.seen_us += 60_000_000
    store.keep_windows([run])

    assert {("a" * 32, "5h"): [run], ("a" * 32, "7d"): [bare]} == store.recent_windows(clock.now_us())
    clock.forward(120)
    five, week = store.windows()
    assert ("5h", 0.5, 60_000_000, True) == (five.window, five.utilization, five.age_us, five.decides)
    assert {"in-use": "true"} == five.notes
    assert ("7d", None, None, None) == (week.window, week.utilization, week.resets_us, week.rate_per_hour)


def test_the_last_one_is_the_state_however_old(store: Store, clock: TestClock) -> None:
    """Of old runs only the last is read; of the last day all."""
    old = [seen(START_US - days * 24 * HOUR_US, used) for days, used in ((9, 0.1), (8, 0.2), (7, 0.3))]
    recent = [seen(START_US - hours * HOUR_US, used, window="7d") for hours, used in ((30, 0.1), (20, 0.2), (1, 0.3))]
    store.keep_windows([*old, *recent])
    found = store.recent_windows(clock.now_us())

    assert [old[-1]] == found["a" * 32, "5h"]
    assert recent[1:] == found["a" * 32, "7d"]


def test_history(store: Store) -> None:
    """Oldest first, the newest so many; by credential, window and time."""
    other = msgspec.structs.replace(ME, credential_id="c" * 32)
    runs = [seen(START_US + hour * HOUR_US, hour / 10) for hour in range(5)]
    store.keep_windows([*runs, seen(window="7d"), seen(source=other)])

    def used(query: WindowQuery) -> list[float | None]:
        return [point.utilization for point in store.window_history(query)]

    mine = WindowQuery(credential_id="a" * 32, window="5h")
    assert [0.0, 0.1, 0.2, 0.3, 0.4] == used(mine)
    assert [0.3, 0.4] == used(msgspec.structs.replace(mine, limit=2))
    assert [0.1, 0.2] == used(
        msgspec.structs.replace(mine, since_us=START_US + HOUR_US, until_us=START_US + 3 * HOUR_US)
    )
    assert 7 == len(used(WindowQuery()))
    assert [] == used(WindowQuery(limit=0))
    assert [] == used(WindowQuery(limit=-1))
    assert [] == used(WindowQuery(window="'; DROP TABLE windows; --\x00\ud800"))
    (point, *_) = store.window_history(mine)
    assert ("login aaaaaaaa", RESET, 0.0) == (point.credential_label, point.resets_us, point.began)


def test_pruned_by_age_and_number(store: Store, clock: TestClock) -> None:
    """Neither grows for ever."""
    store.keep_windows([seen(START_US - KEEP_US - 1), seen(START_US - KEEP_US + 1, window="7d")])
    assert 1 == store.prune_windows()
    store.keep_windows(seen(START_US + second * 1_000_000) for second in range(10))
    with store.database.writing() as connection:
        assert 7 == window_records.prune(connection, clock.now_us(), most=4)

    assert 4 == len(store.window_history(WindowQuery()))
    assert 0 == store.prune_windows()


def test_a_clock_that_was_wrong(store: Store, clock: TestClock) -> None:
    """What was seen a day ahead of its time gives way when the clock is set right."""
    wrong = seen(START_US + 24 * HOUR_US, 0.9)
    store.keep_windows([wrong, seen(START_US + 24 * HOUR_US, 0.9, window="7d")])
    right = seen(START_US, 0.4)
    store.keep_windows([right])
    found = store.recent_windows(clock.now_us())

    assert [right] == found["a" * 32, "5h"]
    assert 1 == len(found["a" * 32, "7d"])


def test_secret_is_made_once(tmp_path: Path) -> None:
    """Random, private, the same from then on; what is given instead makes no file."""
    before = os.umask(0)
    try:
        first = installation_secret(tmp_path)
    finally:
        os.umask(before)
    other = tmp_path / "other"
    other.mkdir()

    assert 64 == len(first.reveal())
    assert first == installation_secret(tmp_path)
    assert 0o600 == stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode)
    assert first != installation_secret(other)
    given = Secret("g" * 32)
    assert given == installation_secret(tmp_path / "nowhere", given)
    assert [FILE_NAME] == sorted(path.name for path in tmp_path.glob("*secret*"))


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 31, b"\n" * 64])
def test_secret_that_is_none(tmp_path: Path, content: bytes) -> None:
    """An empty or short one is refused: hashes would be guesses."""
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(LedgerError, match="too short for an installation's secret"):
        installation_secret(tmp_path)
    with pytest.raises(LedgerError, match="too short"):
        installation_secret(tmp_path, Secret(content.decode().strip()))


def test_secret_that_somebody_planted(tmp_path: Path) -> None:
    """A link is not followed, nor written through."""
    (tmp_path / "elsewhere").write_bytes(b"x" * 64)
    (tmp_path / FILE_NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LedgerError):
        installation_secret(tmp_path)


def test_keyed_hash() -> None:
    """The same under the same secret for the same purpose, and nothing like it otherwise."""
    one, other = Secret("1" * 32), Secret("2" * 32)
    found = {
        keyed_hash(one, "credential", b"value"),
        keyed_hash(other, "credential", b"value"),
        keyed_hash(one, "account", b"value"),
        keyed_hash(one, "credential", b"valuf"),
    }

    assert 4 == len(found)
    assert {32} == {len(one) for one in found}
    assert keyed_hash(one, "credential", b"value") in found
