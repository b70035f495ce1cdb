"""Sessions in the ledger: begun once by a link or the password, ended on time and by hand."""

from pathlib import Path

import pytest

from clearway.keys import session as rules
from clearway.keys.session import IDLE_S, LIFE_S, LINK_S
from clearway.ledger.administration import COMMAND, AuditQuery
from clearway.ledger.desk import Desk
from clearway.ledger.protocol import NotInLedger
from clearway.ledger.store import Store
from tests.ledger.stories import TestClock

_S = 1_000_000


@pytest.fixture
def desk(store: Store, clock: TestClock) -> Desk:
    """On both databases, with a clock that stands still."""
    return Desk(store.database, clock, store.ids)


def begin(store: Store, desk: Desk) -> str:
    """A session's token."""
    begun = desk.use_link(store.make_link())
    assert begun is not None
    return begun[1]


def test_a_link_works_once(store: Store, desk: Desk) -> None:
    """The second to use it gets nothing, nor does who guesses."""
    token = store.make_link()

    assert desk.use_link(token[:-1]) is None
    assert desk.use_link(token) is not None
    assert desk.use_link(token) is None
    assert desk.use_link("") is None


@pytest.mark.parametrize(("after_s", "works"), [(LINK_S - 1, True), (LINK_S, False), (LINK_S * 100, False)])
def test_a_link_is_void_after_minutes(store: Store, desk: Desk, clock: TestClock, after_s: int, works: bool) -> None:  # noqa: FBT001  # a row of a table
    """Five of them."""
    token = store.make_link()
    clock.us += after_s * _S

    assert works == (desk.use_link(token) is not None)


@pytest.mark.parametrize(("after_s", "lives"), [(IDLE_S - 1, True), (IDLE_S, False)])
def test_an_idle_session_ends(store: Store, desk: Desk, clock: TestClock, after_s: int, lives: bool) -> None:  # noqa: FBT001  # likewise
    """After half an hour; a look that is no use does not prolong it."""
    token = begin(store, desk)
    clock.us += (after_s // 2) * _S
    desk.find_session(token, note=False)
    clock.us += (after_s - after_s // 2) * _S

    assert lives == (desk.find_session(token, note=True) is not None)
    assert lives == bool(desk.sessions())


def test_a_used_session_ends_all_the_same(store: Store, desk: Desk, clock: TestClock) -> None:
    """After twelve hours, however busy."""
    token = begin(store, desk)
    lived_s = 0
    while desk.find_session(token, note=True) is not None:
        clock.us += 600 * _S
        lived_s += 600

    assert LIFE_S == lived_s


def test_a_clock_that_is_set_back(store: Store, desk: Desk, clock: TestClock) -> None:
    """It lengthens no session."""
    token = begin(store, desk)
    clock.us -= 86_400 * _S

    assert desk.find_session(token, note=True) is None


def test_ended_by_hand(store: Store, desk: Desk) -> None:
    """One ends, the other goes on; it cannot end twice."""
    first, second = begin(store, desk), begin(store, desk)
    session = desk.find_session(first, note=False)
    assert session is not None
    desk.end_session(session.id, "revoked", by=COMMAND)

    assert desk.find_session(first, note=True) is None
    assert desk.find_session(second, note=True) is not None
    with pytest.raises(NotInLedger):
        desk.end_session(session.id, "revoked", by=COMMAND)


@pytest.mark.parametrize("encoded", ["$argon2id$another", None], ids=["changed", "removed"])
def test_ended_by_another_password(store: Store, desk: Desk, encoded: str | None) -> None:
    """A changed or removed password ends every session and voids every link."""
    store.set_password("$argon2id$one")
    token, link = begin(store, desk), store.make_link()
    assert desk.use_password("$argon2id$one") is not None
    store.set_password(encoded)

    assert desk.find_session(token, note=True) is None
    assert [] == desk.sessions()
    assert desk.use_link(link) is None
    assert desk.use_password("$argon2id$one") is None


def test_only_hashes_are_kept(store: Store, desk: Desk, tmp_path: Path) -> None:
    """Neither the token of a session nor that of a link is in any file."""
    tokens = [store.make_link(), begin(store, desk)]
    store.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())

    for token in tokens:
        assert token.encode() not in kept


def test_every_step_is_noted(store: Store, desk: Desk) -> None:
    """Links, sessions and passwords are in the audit log, and nothing of their secrets."""
    token = begin(store, desk)
    session = desk.find_session(token, note=False)
    assert session is not None
    desk.end_session(session.id, "signed_out", by=COMMAND)
    store.set_password("$argon2id$one")
    store.set_password(None)
    store.set_password(None)
    changes = desk.audit(AuditQuery())

    assert ["password.remove", "password.set", "session.end", "session.begin", "link.create"] == [
        change.what for change in changes
    ]
    assert session.id == changes[3].subject_id == changes[3].session_id
    assert "argon2id" not in str(changes)
    assert token not in str(changes)


def test_tokens() -> None:
    """Each is new; the CSRF token is the session's own and gives nothing away."""
    first, second = rules.new_token(), rules.new_token()

    assert first != second
    assert len(first) >= 43
    assert rules.is_csrf_token(rules.csrf_token(first), first)
    assert not rules.is_csrf_token(rules.csrf_token(first), second)
    assert first not in rules.csrf_token(first)
