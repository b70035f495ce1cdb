"""What only the admin API asks of the ledger: pages of keys and attempts, searches, the audit log."""

import pytest

from clearway.core.budget import Budget
from clearway.core.exchange import Outcome
from clearway.keys.model import KeyChange, KeySpec
from clearway.ledger.administration import Actor, AttemptQuery, AuditQuery, KeyQuery
from clearway.ledger.desk import Desk
from clearway.ledger.protocol import ExchangeQuery, LedgerError, NotInLedger
from clearway.ledger.store import Store
from tests.ledger.stories import START_US, Story, TestClock, keep_stories, new_ids

HOSTILE = ["%", "_", "\\", "/", "'", "''; DROP TABLE keys; --", "\0", "a\0b", "\ud800", "\u00df", "x" * 9999]


@pytest.fixture
def desk(store: Store) -> Desk:
    """On both databases."""
    return Desk(store.database, store.clock, store.ids)


def test_keys_in_pages(store: Store, desk: Desk) -> None:
    """The oldest first, each once; revoked ones on demand; the last use with each."""
    made = [store.create_key(KeySpec(name=f"k{number}")).key for number in range(5)]
    store.revoke_key("k1")
    keep_stories(
        store,
        [Story(one, key_id=made[2].id, admitted_us=START_US + index) for index, one in enumerate(new_ids(3))],
    )

    first = desk.keys(KeyQuery(limit=3))
    rest = desk.keys(KeyQuery(limit=3, after=first[-1].key.id))
    every = desk.keys(KeyQuery(revoked=True))

    assert ["k0", "k2", "k3"] == [use.key.name for use in first]
    assert ["k4"] == [use.key.name for use in rest]
    assert ["k0", "k1", "k2", "k3", "k4"] == [use.key.name for use in every]
    assert [None, START_US + 2, None] == [use.used_us for use in first]
    assert first[1] == desk.key(made[2].id)
    with pytest.raises(NotInLedger):
        desk.key("k2")


@pytest.mark.parametrize("text", ["MACHINE", "laptop", "50%", "a_b"])
def test_keys_by_text(store: Store, desk: Desk, text: str) -> None:
    """In the name or a tag, whatever the case; wildcards are letters."""
    for name, tag in (("machine", "x"), ("other", "laptop"), ("50%", "y"), ("a_b", "z"), ("500", "axb")):
        store.create_key(KeySpec(name=name, tags=(tag,)))

    found = desk.keys(KeyQuery(text=text))

    assert 1 == len(found)
    assert text.lower() in (found[0].key.name, *found[0].key.tags)


@pytest.mark.parametrize("word", HOSTILE, ids=repr)
def test_hostile_words(store: Store, desk: Desk, word: str) -> None:
    """In every text of every question: nothing is found, nothing breaks, nothing is gone."""
    key = store.create_key(KeySpec(name="laptop")).key
    keep_stories(store, [Story(one, key_id=key.id) for one in new_ids(2)])
    for field in ("text", "key", "model", "session", "run", "upstream", "client", "endpoint", "error_type", "outcome"):
        found = store.exchanges(ExchangeQuery(**{field: word}))  # type: ignore[arg-type]  # each is a text

        assert [] == found or (field, word) in {("text", "_"), ("text", "/")}, field
    for field in ("exchange", "upstream", "model", "outcome", "error_type"):
        assert [] == desk.attempts(AttemptQuery(**{field: word}))  # type: ignore[arg-type]  # likewise
    for field in ("what", "source", "subject"):
        assert [] == desk.audit(AuditQuery(**{field: word}))  # type: ignore[arg-type]  # likewise
    assert [] == desk.keys(KeyQuery(text=word))
    assert 1 == len(desk.keys(KeyQuery()))
    assert 2 == len(store.exchanges(ExchangeQuery()))


def test_attempts_in_pages(store: Store, desk: Desk) -> None:
    """Those of the newest exchanges first, each once."""
    ids = new_ids(5)
    keep_stories(store, [Story(one) for one in ids])

    found: list[str] = []
    place: tuple[str, int] | None = None
    while page := desk.attempts(AttemptQuery(limit=2, before=place, upstream="api", model="m", status=200)):
        found += [one.exchange_id for one in page]
        place = (page[-1].exchange_id, page[-1].number)

    assert list(reversed(ids)) == found
    assert [] == desk.attempts(AttemptQuery(since_us=START_US + 10**9))
    assert 1 == len(desk.attempts(AttemptQuery(exchange=ids[0])))


def test_changes_are_noted_with_who(store: Store, desk: Desk, clock: TestClock) -> None:
    """In the order of time, with what differs before and after; what failed leaves no row."""
    boss = Actor(source="api", key_id="the-boss")
    key = store.create_key(KeySpec(name="laptop", budgets=(Budget(amount=5, unit="tokens", period="day"),))).key
    clock.forward(1)
    store.update_key("laptop", KeyChange(name="desktop", parallel=4), by=boss)
    clock.forward(1)
    with pytest.raises(LedgerError):
        store.create_key(KeySpec(name="desktop"), by=boss)
    store.rotate_key("desktop", 60, by=boss)
    store.revoke_key("desktop", by=boss)
    store.revoke_key("desktop", by=boss)
    changes = desk.audit(AuditQuery())
    late = desk.audit(AuditQuery(since_us=START_US + 2_000_000))

    assert ["key.revoke", "key.rotate", "key.update", "key.create"] == [change.what for change in changes]
    assert [None, "the-boss", "the-boss", "the-boss"] == [change.key_id for change in reversed(changes)]
    assert {"name": "laptop", "parallel": None} == changes[2].before
    assert {"name": "desktop", "parallel": 4} == changes[2].after
    assert [{"amount": 5, "unit": "tokens", "period": "day"}] == changes[3].after["budgets"]
    assert {key.id} == {change.subject_id for change in changes}
    assert changes[:2] == late
    assert changes[1:] == desk.audit(AuditQuery(before=changes[0].id))
    assert changes[2:3] == desk.audit(AuditQuery(what="key.update", source="api", subject=key.id))


def test_last_heard(store: Store, desk: Desk) -> None:
    """The newest success and failure of each upstream, whatever came between; read once."""
    ids = new_ids(5)
    outcomes: list[Outcome] = ["upstream_error", "ok", "upstream_error", "client_closed", "interrupted"]
    stories = [
        Story(one, outcome=outcome, admitted_us=START_US + index)
        for index, (one, outcome) in enumerate(zip(ids, outcomes, strict=True))
    ]
    keep_stories(store, stories)
    ended = {row.exchange_id: row.ended_us for row in desk.attempts(AttemptQuery(limit=9))}
    (upstream,) = {row.upstream for row in desk.attempts(AttemptQuery(limit=9))}

    heard = desk.last_heard()

    assert {upstream} == set(heard)
    assert (ended[ids[1]], ended[ids[2]]) == (heard[upstream].succeeded_us, heard[upstream].failed_us)
    keep_stories(store, [Story(one, outcome="ok", admitted_us=START_US + 9) for one in new_ids(1)])
    assert heard is desk.last_heard()
