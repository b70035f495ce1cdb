"""Pages of exchanges, one exchange, and the indexes behind both."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, event

from clearway.keys.model import KeySpec
from clearway.ledger.protocol import ExchangeQuery, LedgerError, NotInLedger, UsageQuery
from clearway.ledger.store import Store
from tests.ledger.stories import START_US, Story, keep, keep_stories, new_ids

INDEXED = [
    pytest.param(
        lambda store: store.exchanges(ExchangeQuery(limit=5)),
        "sqlite_autoindex_exchanges_1|exchanges_pkey",
        id="newest",
    ),
    pytest.param(
        lambda store: store.exchanges(ExchangeQuery(before="0199")), "autoindex_exchanges|exchanges_pkey", id="before"
    ),
    pytest.param(
        lambda store: store.exchanges(ExchangeQuery(after="0199")), "autoindex_exchanges|exchanges_pkey", id="after"
    ),
    pytest.param(lambda store: store.exchanges(ExchangeQuery(key="laptop")), "exchanges_key", id="key"),
    pytest.param(lambda store: store.exchanges(ExchangeQuery(session="s")), "exchanges_session", id="session"),
    pytest.param(lambda store: store.exchanges(ExchangeQuery(run="r")), "exchanges_run", id="run"),
    pytest.param(lambda store: store.usage(UsageQuery(run="r")), "exchanges_run", id="usage-of-run"),
    pytest.param(lambda store: store.usage(UsageQuery(since_us=START_US + 1)), "exchanges_admitted", id="usage-since"),
]


def test_newest_first_in_pages(store: Store) -> None:
    """Pages by `before` go back, by `after` forth, and together they are everything once."""
    ids = new_ids(7)
    keep_stories(store, [Story(one) for one in ids])

    back: list[str] = []
    while page := store.exchanges(ExchangeQuery(limit=3, before=back[-1] if back else None)):
        back += [row.id for row in page]
    forth: list[str] = [ids[0]]
    while page := store.exchanges(ExchangeQuery(limit=2, after=forth[-1])):
        forth += [row.id for row in page]

    assert ids == back[::-1]
    assert ids == forth


def test_filters(store: Store) -> None:
    """Each filter leaves what it names, and all must hold."""
    key = store.create_key(KeySpec(name="laptop")).key
    one, two, three = new_ids(3)
    keep_stories(
        store,
        [
            Story(one, key_id=key.id, session_id="s", run_id="r"),
            Story(two, session_id="s", instance_id="other", outcome="denied"),
            Story(three, request_model="opus", response_model="claude-opus"),
        ],
    )

    def ids(**query: str) -> list[str]:
        return [row.id for row in store.exchanges(ExchangeQuery(**query))]  # type: ignore[arg-type]  # text fields only

    assert ids(key="laptop") == ids(key=key.id) == [one]
    assert ids(session="s") == [two, one]
    assert ids(session="s", run="r") == [one]
    assert ids(instance="other") == ids(outcome="denied") == [two]
    assert ids(model="opus") == ids(model="claude-opus") == [three]
    assert ids(key="nobody") == ids(session="a\0\ud800") == []
    assert store.exchanges(ExchangeQuery(key="laptop"))[0].key_name == "laptop"


def test_running_exchange_is_listed(store: Store) -> None:
    """What runs is there, without an outcome."""
    (one,) = new_ids(1)
    story = Story(one)
    keep(store, story.admission, story.start, story.progress)

    detail = store.exchange(one)

    assert (detail.exchange.outcome, detail.exchange.ended_us, detail.exchange.output_tokens) == (None, None, None)
    assert (detail.attempts[0].outcome, detail.attempts[0].output_tokens) == (None, 10)


def test_by_the_beginning_of_an_id(store: Store) -> None:
    """A beginning that is unique finds; one that is shared, short or unknown does not."""
    one, two = new_ids(1)[0], new_ids(1, START_US + 100_000_000_000)[0]
    keep_stories(store, [Story(one), Story(two)])

    assert store.exchange(one[:12]).exchange.id == one
    assert store.exchange(two).exchange.id == two
    with pytest.raises(NotInLedger, match="no exchange"):
        store.exchange(one[:7])
    for ref in ("", "\0" * 9, "%%%%%%%%", "ffffffff", one + "0"):
        with pytest.raises(NotInLedger, match="no exchange"):
            store.exchange(ref)


def test_shared_beginning(store: Store) -> None:
    """Two exchanges of one moment need more of the id."""
    one, two = new_ids(2)
    keep_stories(store, [Story(one), Story(two)])

    with pytest.raises(NotInLedger, match="several exchanges"):
        store.exchange(one[:8])


def test_limit_is_positive(store: Store) -> None:
    """A page of nothing is a mistake."""
    with pytest.raises(LedgerError, match="at least 1"):
        store.exchanges(ExchangeQuery(limit=0))


@pytest.mark.parametrize(("ask", "index"), INDEXED)
def test_questions_use_an_index(store: Store, ask: Callable[[Store], object], index: str) -> None:
    """What people ask most reads an index and, for pages, does not sort."""
    key = store.create_key(KeySpec(name="laptop")).key
    keep_stories(store, [Story(one, key_id=key.id, session_id="s", run_id="r") for one in new_ids(50)])
    with statements() as asked:
        ask(store)
    statement, parameters = asked[-1]

    with store.database.reading() as connection:
        if store.database.file is None:
            # A table this small is read whole otherwise.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
        explain = "EXPLAIN" if store.database.file is None else "EXPLAIN QUERY PLAN"
        plan = str(connection.exec_driver_sql(f"{explain} {statement}", parameters).all())

    assert any(name in plan for name in index.split("|")), plan
    if "ORDER BY exchanges.id" in statement:
        assert "TEMP B-TREE" not in plan
        assert "Sort" not in plan


@contextmanager
def statements() -> Iterator[list[tuple[str, tuple[object, ...]]]]:
    """Collects what is sent to any database."""
    asked: list[tuple[str, tuple[object, ...]]] = []

    def listen(*arguments: Connection | str | tuple[object, ...]) -> None:
        statement, parameters = arguments[2], arguments[3]
        if isinstance(statement, str) and isinstance(parameters, tuple) and statement.startswith("SELECT"):
            asked.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", listen)
