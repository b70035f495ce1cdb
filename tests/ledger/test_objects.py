"""Owners of files and batches, on both databases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from clearway.keys.model import KeySpec
from clearway.ledger.objects import OwnerTable
from clearway.ledger.ownership import Owned, PageQuery, Share
from clearway.ledger.store import Store

OWNED = Owned(kind="file", id="file_a", upstream="api", key_id="k1", exchange_id="0001", created_us=5)
BATCH = msgspec.structs.replace(
    OWNED, kind="batch", id="msgbatch_a", held=(Share("claude-haiku-4-5", 10, 20), Share("other", 1, 2))
)


@pytest.fixture
def owners(store: Store) -> OwnerTable:
    """The table."""
    return OwnerTable(store.database)


def test_owned_and_forgotten(owners: OwnerTable) -> None:
    """What was noted is found by its key, of its kind, and by nobody else."""
    assert owners.own(OWNED)
    assert owners.own(BATCH)
    assert OWNED == owners.find("file", "file_a", "k1")
    assert BATCH == owners.find("batch", "msgbatch_a", "k1")
    assert None is owners.find("file", "file_a", "k2")
    assert None is owners.find("batch", "file_a", "k1")
    owners.forget(msgspec.structs.replace(OWNED, key_id="k2"))
    assert OWNED == owners.find("file", "file_a", "k1")
    owners.forget(OWNED)
    assert None is owners.find("file", "file_a", "k1")


def test_first_come(owners: OwnerTable) -> None:
    """An id has one owner at an upstream: the first; noting it again changes nothing."""
    assert owners.own(OWNED)
    assert owners.own(OWNED)
    assert not owners.own(msgspec.structs.replace(OWNED, key_id="k2"))
    assert owners.own(msgspec.structs.replace(OWNED, key_id="k2", upstream="other"))
    assert OWNED == owners.find("file", "file_a", "k1")


def test_many_at_once(owners: OwnerTable) -> None:
    """Of many that note one id, one owns it."""
    candidates = [msgspec.structs.replace(OWNED, key_id=f"k{number}") for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(owners.own, candidates))

    assert 1 == sum(outcomes)


def test_durable(owners: OwnerTable, open_store: Callable[[], Store]) -> None:
    """When it was noted, another connection sees it."""
    owners.own(BATCH)

    assert BATCH == OwnerTable(open_store().database).find("batch", "msgbatch_a", "k1")


def test_charged_once(owners: OwnerTable) -> None:
    """Only the first who notes it is told so."""
    owners.own(BATCH)

    assert [True, False] == [owners.charged(BATCH, 7), owners.charged(BATCH, 8)]
    found = owners.find("batch", "msgbatch_a", "k1")
    assert found is not None
    assert 7 == found.charged_us


def test_uncharged(owners: OwnerTable, store: Store) -> None:
    """Those whose use is not known, with their keys, revoked ones included; files never."""
    first, second = (store.create_key(KeySpec(name=name)).key for name in ("one", "two"))
    store.revoke_key("two")
    mine = msgspec.structs.replace(BATCH, key_id=first.id)
    theirs = msgspec.structs.replace(BATCH, key_id=second.id, id="msgbatch_b", exchange_id="0002")
    done = msgspec.structs.replace(BATCH, key_id=first.id, id="msgbatch_c")
    for owned in (mine, theirs, done, msgspec.structs.replace(OWNED, key_id=first.id)):
        owners.own(owned)
    owners.charged(done, 1)

    assert [(mine, "one"), (theirs, "two")] == [(owned, key.name) for owned, key in owners.uncharged()]


def test_pages(owners: OwnerTable) -> None:
    """Newest first, of one key and kind, at the upstreams that are named; forwards and backwards."""
    rows = [msgspec.structs.replace(OWNED, id=f"file_{number}", exchange_id=f"000{number // 2}") for number in range(6)]
    others = [
        msgspec.structs.replace(OWNED, id="file_x", key_id="k2"),
        msgspec.structs.replace(OWNED, id="file_y", upstream="other"),
        msgspec.structs.replace(BATCH, id="msgbatch_z"),
    ]
    for owned in rows + others:
        owners.own(owned)
    query = PageQuery(kind="file", key_id="k1", upstreams=("api",), limit=3)

    def ids(**changed: object) -> list[str]:
        return [owned.id for owned in owners.page(msgspec.structs.replace(query, **changed))]

    assert ["file_5", "file_4", "file_3"] == ids()
    assert ["file_2", "file_1", "file_0"] == ids(after=("0001", "file_3"))
    assert ["file_4", "file_3", "file_2"] == ids(before=("0000", "file_1"))
    assert ["file_5"] == ids(before=("0002", "file_4"))
    assert [] == ids(after=("0000", "file_0"))


def test_many_ids(owners: OwnerTable) -> None:
    """However many are asked for."""
    for number in range(3):
        owners.own(msgspec.structs.replace(OWNED, id=f"file_{number}"))
    wanted = frozenset(f"file_{number}" for number in range(2000))

    assert {"file_0", "file_1", "file_2"} == {owned.id for owned in owners.find_all("file", wanted, "k1")}
    assert [] == owners.find_all("file", frozenset(), "k1")
