"""Sign-ins that fail make the next one wait; the right one is found out by nobody's clock."""

from collections.abc import Iterator
from statistics import median
from time import perf_counter

import pytest

from clearway.keys import password
from clearway.keys.password import PasswordError
from clearway.server.admin.slowdown import Slowdown
from tests.admin.door import Door, ledger, new_link, signed_in
from tests.gateway_process import SIM, GatewayProcess
from tests.ledger.stories import TestClock

PASSWORD = "correct horse battery staple"  # noqa: S105  # of these tests alone
MINE, THEIRS = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def clock() -> TestClock:
    """Stands still until it is moved."""
    return TestClock()


def fail(slowdown: Slowdown, times: int, address: str = MINE) -> list[int]:
    """So many attempts that fail, at once."""
    return [slowdown.begin(address) for _ in range(times)]


def test_a_source_waits_longer_and_longer(clock: TestClock) -> None:
    """Five are free, then the waiting doubles up to five minutes."""
    slowdown = Slowdown(clock)
    waits = fail(slowdown, 5)
    for _ in range(12):
        wait_s = slowdown.begin(MINE)
        waits.append(wait_s)
        clock.forward(wait_s)
        assert 0 == slowdown.begin(MINE)

    assert [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300] == waits


def test_many_at_once_are_no_way_round(clock: TestClock) -> None:
    """An attempt counts when it begins, not when it has failed."""
    assert [0] * 5 + [1] * 20 == fail(Slowdown(clock), 25)


def test_others_do_not_wait(clock: TestClock) -> None:
    """Who comes from elsewhere is not slowed by one source's failures."""
    slowdown = Slowdown(clock)
    fail(slowdown, 25)

    assert 0 == slowdown.begin(THEIRS)


def test_all_together_wait(clock: TestClock) -> None:
    """Thirty in a minute from anywhere are enough; then everybody waits for the minute to pass."""
    slowdown = Slowdown(clock)
    for number in range(30):
        assert 0 == slowdown.begin(f"192.0.2.{number}")
    assert 60 == slowdown.begin("198.51.100.1")
    clock.forward(60)

    assert 0 == slowdown.begin("198.51.100.1")


def test_the_right_one_is_forgiven(clock: TestClock) -> None:
    """A success clears the source."""
    slowdown = Slowdown(clock)
    fail(slowdown, 4)
    slowdown.begin(MINE)
    slowdown.succeeded(MINE)

    assert [0] * 5 == fail(slowdown, 5)


def test_forgotten_after_a_while(clock: TestClock) -> None:
    """A quarter of an hour without failures makes a source new."""
    slowdown = Slowdown(clock)
    fail(slowdown, 6)
    clock.forward(902)

    assert [0] * 5 == fail(slowdown, 5)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "", True),
    ],
)
def test_what_a_source_is(clock: TestClock, one: str, other: str, is_same: bool) -> None:  # noqa: FBT001  # a row of a table
    """Of IPv6 the network, since whoever has one address of it has them all."""
    slowdown = Slowdown(clock)
    fail(slowdown, 5, one)

    assert is_same == (slowdown.begin(other) > 0)


def test_it_does_not_grow(clock: TestClock) -> None:
    """A thousand sources are remembered."""
    slowdown = Slowdown(clock)
    for number in range(5000):
        clock.forward(3)
        slowdown.begin(f"2001:db8:0:{number:x}::1")

    assert len(slowdown._sources) == 1024  # noqa: SLF001  # nothing else tells
    assert len(slowdown._together) <= 30  # noqa: SLF001


@pytest.mark.parametrize("text", ["", "short", "x" * 11, "x" * 513])
def test_what_is_no_password(text: str) -> None:
    """Too short, too long."""
    with pytest.raises(PasswordError):
        password.encode(text)


def test_passwords() -> None:
    """The same characters sign in, however they are composed; nothing else does."""
    encoded = password.encode("na\u00efve passwords")

    assert encoded.startswith("$argon2id$")
    assert password.is_it("nai\u0308ve passwords", encoded)
    assert not password.is_it("naive passwords", encoded)
    assert not password.is_it("", encoded)
    assert not password.is_it("\ud800", encoded)
    assert not password.is_it("na\u00efve passwords", None)
    assert not password.is_it("na\u00efve passwords", "no encoding")
    assert not password.is_outdated(encoded)


@pytest.mark.timeout(60)
def test_no_password_takes_as_long_as_a_wrong_one() -> None:
    """So that nobody learns whether there is one."""
    encoded = password.encode(PASSWORD)
    password.is_it("warm", None)
    times: dict[str | None, list[float]] = {encoded: [], None: []}
    for _ in range(4):
        for kept, taken in times.items():
            began = perf_counter()
            password.is_it("something else", kept)
            taken.append(perf_counter() - began)

    assert 0.5 < median(times[None]) / median(times[encoded]) < 2


@pytest.fixture
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """With a password."""
    with GatewayProcess(tmp_path_factory.mktemp("guarded"), SIM) as made:
        ledger(made).set_password(password.encode(PASSWORD))
        yield made


def test_the_password_signs_in(gateway: GatewayProcess) -> None:
    """And another, once it was changed; what was signed in before is over."""
    page = signed_in(gateway, {"password": PASSWORD})
    assert "password" == page.get("session")["session"]["how"]
    ledger(gateway).set_password(password.encode(PASSWORD + "!"))
    door = Door(gateway.url)
    old, new = (door.ask("POST", "/admin/api/session", {"password": shown}) for shown in (PASSWORD, PASSWORD + "!"))

    assert "invalid_key" == page.ask("GET", "/admin/api/session").code
    assert ("wrong_sign_in", 201) == (old.code, new.status)


def test_what_was_wrong_is_not_told(gateway: GatewayProcess) -> None:
    """A wrong password, a wrong link, a password where there is none: the same words."""
    door = Door(gateway.url)
    wrong = [door.ask("POST", "/admin/api/session", shown) for shown in ({"password": "x" * 20}, {"link": "x" * 43})]
    ledger(gateway).set_password(None)
    wrong.append(door.ask("POST", "/admin/api/session", {"password": PASSWORD}))

    assert {401} == {answer.status for answer in wrong}
    assert 1 == len({answer.body for answer in wrong})
    assert all("set-cookie" not in answer.headers for answer in wrong)


def test_guessing_is_slow(gateway: GatewayProcess) -> None:
    """After some failures also the right password has to wait, and is told how long; keys go on."""
    door = Door(gateway.url)
    codes = [door.ask("POST", "/admin/api/session", {"password": f"wrong-{n:>10}"}).code for n in range(12)]
    refused = door.ask("POST", "/admin/api/session", {"password": PASSWORD})
    page = new_link(gateway)

    assert "slow_down" in codes
    assert ("slow_down", 429) == (refused.code, refused.status)
    assert int(refused.headers["retry-after"]) >= 1
    assert page
    assert "x" * 3 not in gateway.log
    assert "wrong-" not in gateway.log
    assert gateway.log.count("sign_in_failed") == codes.count("wrong_sign_in")
