"""What was spent before a budget began to be kept, on both databases."""

from clearway.ledger.spending import Spent, total
from clearway.ledger.store import Store
from tests.ledger.stories import START_US, Story, keep_stories, new_ids

HOUR_US = 3_600_000_000


def test_nothing_was_spent(store: Store) -> None:
    """An empty ledger has spent nothing."""
    assert {} == store.spent_by_key(since_us=0, before_us=START_US)
    assert Spent(0, 0, 0) == total([])


def test_by_key_and_in_all(store: Store) -> None:
    """By the key, and by requests without one: money really billed, list prices, and tokens of every kind."""
    ids = new_ids(5)
    keep_stories(
        store,
        [
            Story(ids[0], key_id="a", nano=7),
            Story(ids[1], key_id="a", nano=5, billing="plan"),
            Story(ids[2], key_id="b", nano=10**15),
            Story(ids[3], key_id="b", nano=None),
            Story(ids[4], nano=3),
        ],
    )
    spent = store.spent_by_key(since_us=START_US, before_us=START_US + HOUR_US)

    assert {"a": Spent(7, 5, 120), "b": Spent(10**15, 0, 120), None: Spent(3, 0, 60)} == spent
    assert Spent(10**15 + 10, 5, 300) == total(spent.values())


def test_only_of_its_time(store: Store) -> None:
    """By admission from the period's beginning on; and what ends later is counted elsewhere, once."""
    ids = new_ids(3)
    stories = [
        Story(one, key_id="a", nano=nano, admitted_us=START_US + at_us)
        for one, nano, at_us in zip(ids, (1, 10, 100), (-HOUR_US, 0, HOUR_US), strict=True)
    ]
    keep_stories(store, stories)

    def nano(since_us: int, before_us: int) -> int:
        return total(store.spent_by_key(since_us=since_us, before_us=before_us).values()).billed_nano

    ended_us = stories[1].settlement.ended_us
    assert 111 == nano(0, START_US + 2 * HOUR_US)
    assert 110 == nano(START_US, START_US + 2 * HOUR_US)
    assert 10 == nano(START_US, ended_us + 1)
    assert 0 == nano(START_US, ended_us)
