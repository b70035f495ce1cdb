"""The memory of windows: bounds, changes told, what a restart and a broken database leave."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from clearway.core.fields import Fields
from clearway.core.ids import IdMaker
from clearway.core.secret import Secret
from clearway.core.window import Reading
from clearway.ledger.forecast import HOUR_US
from clearway.ledger.protocol import LedgerError, WindowQuery, WindowState
from clearway.ledger.store import Store
from clearway.observe.windows import MOST_CREDENTIALS, Windows
from tests.ledger.stories import START_US, TestClock

SECRET = Secret("s" * 64)
LOGIN = b"sk-ant-oat01-" + b"dummy" * 8
UNIFIED = b"anthropic-ratelimit-unified-"
RESET_S = START_US // 1_000_000 + 7200


@pytest.fixture
def clock() -> TestClock:
    """Stands still until it is moved."""
    return TestClock()


@pytest.fixture
def store(tmp_path: Path, clock: TestClock) -> Iterator[Store]:
    """An empty ledger."""
    with Store.open("sqlite", tmp_path, clock=clock, ids=IdMaker(clock)) as opened:
        yield opened


def head(used: str = "0.5", *, status: str = "allowed", window: str = "5h") -> Fields:
    """Of an answer."""
    fields = (("status", status), ("utilization", used), ("reset", str(RESET_S)))
    return Fields.of(
        [(b"date", b"today")]
        + [(UNIFIED + f"{window}-{what}".encode(), value.encode("latin-1")) for what, value in fields]
    )


def used(states: list[WindowState]) -> dict[str, float | None]:
    """By window."""
    return {state.window: state.utilization for state in states}


def test_the_same_again_is_the_last_value_with_a_new_age(store: Store, clock: TestClock) -> None:
    """What an answer repeats is not read again, but seen again; other windows keep their age."""
    windows = Windows(SECRET, store, clock)
    windows.saw("u", LOGIN, head(window="7d"))
    windows.saw("u", LOGIN, head())
    clock.forward(60)
    windows.saw("u", LOGIN, head())
    ages = {state.window: state.age_us for state in windows.states()}

    assert {"5h": 0, "7d": 60_000_000} == ages
    windows.write()
    assert windows.states() == store.windows()


def test_a_head_without_windows_is_nothing(store: Store, clock: TestClock) -> None:
    """Nor is a quota answer that says nothing."""
    windows = Windows(SECRET, store, clock)
    windows.saw("u", LOGIN, Fields.of([(b"date", b"today"), (b"anthropic-ratelimit-tokens-limit", b"5")]))
    windows.heard("u", LOGIN, None, [])

    assert [] == windows.states()


def test_remembered_over_a_restart(store: Store, clock: TestClock) -> None:
    """The next process goes on where this one ended, under the same names; with another secret names differ."""
    before = Windows(SECRET, store, clock, own={"api": Secret("dummy-key")})
    before.saw("u", LOGIN, head("0.2"))
    before.saw("api", None, head("0.3"))
    before.close()
    clock.forward(3600)
    after = Windows(SECRET, store, clock, own={"api": Secret("dummy-key")})
    after.load()
    assert before.states() == after.states()
    after.saw("u", LOGIN, head("0.4"))
    rates = {state.upstream: state.rate_per_hour for state in after.states()}
    assert rates["u"] == pytest.approx(0.2)
    other = Windows(Secret("t" * 64), store, clock)
    other.saw("u", LOGIN, head())

    assert other.states()[0].credential_id not in {state.credential_id for state in after.states()}


def test_bounds(store: Store, clock: TestClock) -> None:
    """Ever new credentials and windows push out what was seen longest ago."""
    windows = Windows(SECRET, store, clock)
    windows.saw("u", LOGIN, head())
    for number in range(1000):
        clock.forward(1)
        readings = [Reading(window=f"w{part}_{number}", utilization_ppm=1) for part in range(40)]
        windows.heard("u", b"other-%d" % (number % 100), None, readings)
    states = windows.states()
    windows.write()

    assert len({state.credential_id for state in states}) <= MOST_CREDENTIALS
    assert len(states) <= 512
    assert "5h" not in used(states)
    assert len(store.window_history(WindowQuery(limit=10_000))) <= 2048
    again = Windows(SECRET, store, clock)
    again.load()
    assert len(again.states()) <= 512


async def test_changes_are_told(store: Store, clock: TestClock) -> None:
    """Each change once, with the state that came of it; the same again is none. Never within the call."""
    told: list[WindowState] = []
    windows = Windows(SECRET, store, clock, on_change=told.append)
    windows.saw("u", LOGIN, head("0.5"))
    assert [] == told
    await asyncio.sleep(0)
    windows.saw("u", LOGIN, head("0.5"))
    await asyncio.sleep(0)
    assert [0.5] == [state.utilization for state in told]
    windows.saw("u", LOGIN, head("0.5", status="rejected"))
    windows.saw("u", LOGIN, head("0.9", status="rejected"))
    await asyncio.sleep(0)

    assert ("rejected", 0.9) == (told[-1].status, told[-1].utilization)
    assert len(told) <= 3


async def test_a_listener_that_fails_fails_alone(store: Store, clock: TestClock) -> None:
    """What it raises is the event loop's to log; the look is not disturbed."""
    caught: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: caught.append(context["exception"]))

    def fail(_: WindowState) -> None:
        raise ValueError("scripted")

    windows = Windows(SECRET, store, clock, on_change=fail)
    windows.saw("u", LOGIN, head())
    await asyncio.sleep(0)

    assert ["ValueError('scripted')"] == [repr(one) for one in caught]
    assert {"5h": 0.5} == used(windows.states())


def test_a_database_that_cannot_be_written(tmp_path: Path, clock: TestClock) -> None:
    """What was seen stays in hand and is written later; meanwhile it is tried every half minute only."""
    store = Store.open("sqlite", tmp_path, clock=clock, ids=IdMaker(clock))
    windows = Windows(SECRET, store, clock)
    windows.saw("u", LOGIN, head("0.1"))
    with store.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE windows RENAME TO elsewhere")
    with pytest.raises(LedgerError):
        windows.write()
    windows.saw("u", LOGIN, head("0.2"))
    windows.write()
    windows.close()
    with store.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO windows")
    windows.write()
    assert [] == store.windows()
    clock.forward(31)
    windows.write()

    assert {"5h": 0.2} == used(store.windows())
    store.close()


def test_the_gateways_own_credential(store: Store, clock: TestClock) -> None:
    """It is known by what it is; an upstream whose credential is not known, by its name. A login is called one."""
    windows = Windows(SECRET, store, clock, own={"api": Secret("dummy-key"), "plan": Secret(LOGIN.decode())})
    for upstream in ("api", "plan", "agent"):
        windows.saw(upstream, None, head())
    windows.saw("passed", LOGIN, head())
    labels = {state.upstream: state.credential_label.rpartition(" ")[0] for state in windows.states()}

    # The same login is one credential, whichever way it goes; the way it went last is shown.
    assert {"api": "api key", "passed": "login", "agent": "upstream"} == labels
    windows.spend({"api": Secret("another-dummy-key")})
    windows.saw("api", None, head())

    assert 2 == [state.upstream for state in windows.states()].count("api")


def test_an_account_is_only_a_hash(store: Store, clock: TestClock) -> None:
    """An exchanged login of the same account takes the place of the old one; the account's name is nowhere."""
    account = (b"anthropic-organization-id", b"0192f0c1-aaaa")
    windows = Windows(SECRET, store, clock)
    windows.saw("u", LOGIN, Fields.of([*head("0.5"), account]))
    clock.forward(60)
    windows.saw("u", LOGIN + b"2", Fields.of([*head("0.6"), account]))
    clock.forward(60)

    assert {"5h": 0.6} == used(windows.states())
    windows.write()
    rows = store.recent_windows(clock.now_us())
    assert 2 == len(rows)
    assert "0192f0c1" not in repr(rows)
    assert LOGIN.decode() not in repr(rows)
    # A head of an absurd account is of none.
    windows.saw("u", LOGIN + b"3", Fields.of([*head("0.7"), (account[0], b"x" * 1000)]))
    assert 2 == len(windows.states())


def test_a_clock_that_goes_back(store: Store, clock: TestClock) -> None:
    """No age is negative, and what is seen then counts from then."""
    windows = Windows(SECRET, store, clock)
    clock.forward(86_400)
    windows.saw(
        "u", LOGIN, msgspec.structs.replace(head("0.5"), values=(b"x", b"allowed", b"0.5", b"%d" % (RESET_S + 86_400)))
    )
    windows.write()
    clock.forward(-86_400)
    assert [0] == [state.age_us for state in windows.states()]
    windows.saw("u", LOGIN, head("0.4"))
    windows.write()
    clock.forward(60)

    for states in (windows.states(), store.windows()):
        assert {"5h": 0.4} == used(states)
        assert [60_000_000] == [state.age_us for state in states]
        assert states[0].resets_us == START_US + 2 * HOUR_US
