"""Keys: made, found, changed, rotated, revoked, and known to the ring."""

from collections.abc import Callable

import msgspec
import pytest
from sqlalchemy import select

from clearway.keys.model import KeyChange, KeySpec
from clearway.keys.secret import digest, is_wellformed
from clearway.ledger.keyring import KeyCache
from clearway.ledger.protocol import KeyRing, Ledger, LedgerError, NotInLedger
from clearway.ledger.schema import key_secrets, keys
from clearway.ledger.store import Store
from tests.ledger.conftest import Place
from tests.ledger.stories import TestClock

NAMES = [
    pytest.param("", id="empty"),
    pytest.param("x" * 101, id="long"),
    pytest.param("a\nb", id="control"),
    pytest.param("a\0b", id="nul"),
    pytest.param(" a", id="space"),
    pytest.param("cw-AbCdEf", id="looks-like-a-key"),
]


def test_key_comes_back_as_asked(store: Store) -> None:
    """Every field of the request is kept; the secret is well-formed and only its hash is stored."""
    ledger: Ledger = store
    spec = KeySpec(
        name="Ünal's laptop",
        owner=True,
        expires_us=2_000_000_000_000_000,
        models=("claude-*", "x"),
        endpoints=("messages",),
        upstreams=("api",),
        tags=("team", "é"),
        strict=True,
    )

    made = ledger.create_key(spec)

    assert is_wellformed(made.secret)
    assert made.secret.startswith(made.key.prefix)
    assert made.key == ledger.show_key(made.key.id)
    assert msgspec.structs.asdict(spec).items() <= msgspec.structs.asdict(made.key).items()


def test_secret_is_not_stored(store: Store, place: Place) -> None:
    """Neither the rows nor, with SQLite, any byte of the files hold more of a secret than its prefix."""
    secrets = [store.create_key(KeySpec(name="a")).secret, store.rotate_key("a", 0).secret]
    with store.database.reading() as connection:
        tables = [connection.execute(select(table)).all() for table in (keys, key_secrets)]
    store.close()

    kept = str(tables).encode() + b"".join(path.read_bytes() for path in place.data_dir.glob("*"))

    for secret in secrets:
        assert secret[9:].encode() not in kept
        assert str(digest(secret)).encode() in kept


def test_every_ref_finds_its_key(store: Store) -> None:
    """By id, the beginning of an id, the name, and the displayed prefix."""
    key = store.create_key(KeySpec(name="laptop")).key

    for ref in (key.id, key.id[:8], key.id[:20], key.name, key.prefix):
        assert key == store.show_key(ref)


@pytest.mark.parametrize("ref", ["", "nobody", "0", "%", "_" * 8, "0198%", "a\0b", "\ud800", "x" * 9999])
def test_unknown_ref(store: Store, ref: str) -> None:
    """What finds nothing says so, whatever it holds."""
    store.create_key(KeySpec(name="laptop"))

    with pytest.raises(NotInLedger, match="no key goes by"):
        store.show_key(ref)


def test_several_by_one_ref(store: Store) -> None:
    """A beginning that two ids share is refused."""
    first = store.create_key(KeySpec(name="a")).key
    store.create_key(KeySpec(name="b"))

    with pytest.raises(NotInLedger, match="several keys"):
        store.show_key(first.id[:8])


def test_pasted_secret_is_not_repeated(store: Store) -> None:
    """Who looks a key up by its secret does not read the secret in the error."""
    secret = store.create_key(KeySpec(name="a")).secret

    with pytest.raises(NotInLedger) as refused:
        store.show_key(secret)

    assert secret[9:] not in str(refused.value)


@pytest.mark.parametrize("name", NAMES)
def test_bad_names(store: Store, name: str) -> None:
    """Names can be shown, typed and told from prefixes; also after a change."""
    store.create_key(KeySpec(name="good"))

    with pytest.raises(LedgerError, match="name"):
        store.create_key(KeySpec(name=name))
    with pytest.raises(LedgerError, match="name"):
        store.update_key("good", KeyChange(name=name))

    assert [key.name for key in store.list_keys()] == ["good"]


def test_name_is_taken_while_its_key_lives(store: Store) -> None:
    """Two live keys never share a name; a revoked one gives it back."""
    first = store.create_key(KeySpec(name="a")).key
    store.create_key(KeySpec(name="b"))

    with pytest.raises(LedgerError, match="'a' is taken"):
        store.create_key(KeySpec(name="a"))
    with pytest.raises(LedgerError, match="'a' is taken"):
        store.update_key("b", KeyChange(name="a"))

    store.revoke_key("a")
    second = store.create_key(KeySpec(name="a")).key

    assert second == store.show_key("a")
    assert first.id == store.show_key(first.id).id
    assert ["b", "a"] == [key.name for key in store.list_keys()]
    assert ["a", "b", "a"] == [key.name for key in store.list_keys(revoked=True)]


def test_change_leaves_the_rest(store: Store) -> None:
    """Only what is named changes; an expiry can be taken away."""
    key = store.create_key(KeySpec(name="a", expires_us=5, models=("m",), tags=("t",))).key

    changed = store.update_key("a", KeyChange(models=("n", "o"), expires_us=None))

    assert changed == msgspec.structs.replace(key, models=("n", "o"), expires_us=None)
    assert changed == store.show_key("a")
    assert changed == store.update_key("a", KeyChange())


def test_revoked_for_good(store: Store, clock: TestClock) -> None:
    """A revoked key cannot be changed or rotated, and stays revoked at its first time."""
    store.create_key(KeySpec(name="a"))
    revoked = store.revoke_key("a")
    clock.forward(5)

    assert revoked.revoked_us == clock.us - 5_000_000
    assert revoked == store.revoke_key("a")
    with pytest.raises(LedgerError, match="revoked"):
        store.update_key("a", KeyChange(owner=True))
    with pytest.raises(LedgerError, match="revoked"):
        store.rotate_key("a", 60)
    for act in (store.revoke_key, lambda ref: store.update_key(ref, KeyChange()), lambda ref: store.rotate_key(ref, 0)):
        with pytest.raises(NotInLedger):
            act("nobody")


def test_rotation_overlaps(store: Store, clock: TestClock) -> None:
    """Old secrets end after the overlap, never later than an earlier rotation said."""
    first = store.create_key(KeySpec(name="a"))
    second = store.rotate_key("a", 100)
    third = store.rotate_key("a", 1_000)
    ring = KeyCache(store)
    ring.reload()

    ends = []
    for made in (first, second, third):
        found = ring.find(digest(made.secret))
        assert found is not None
        ends.append(found[1].expires_us)

    assert ends == [clock.us + 100_000_000, clock.us + 1_000_000_000, None]
    assert third.key.prefix == store.show_key("a").prefix
    assert first.key.id == third.key.id
    with pytest.raises(LedgerError, match="negative"):
        store.rotate_key("a", -1)


def test_ring_follows_this_process(store: Store) -> None:
    """A change made here is known to the ring when the call returns."""
    cache = KeyCache(store)
    ring: KeyRing = cache
    cache.start()

    made = store.create_key(KeySpec(name="a"))
    found = ring.find(digest(made.secret))
    assert found is not None
    assert found[0] == made.key

    store.update_key("a", KeyChange(strict=True))
    found = ring.find(digest(made.secret))
    assert found is not None
    assert found[0].strict

    store.revoke_key("a")
    found = ring.find(digest(made.secret))
    assert found is not None
    assert found[0].revoked_us is not None
    assert ring.find(digest("cw-nobody")) is None


def test_ring_follows_other_processes(open_store: Callable[[], Store]) -> None:
    """`refresh` sees every kind of change that another process made."""
    here, there = open_store(), open_store()
    cache = KeyCache(here)
    cache.start()

    made = there.create_key(KeySpec(name="a"))
    assert cache.find(digest(made.secret)) is None
    cache.refresh()
    assert cache.find(digest(made.secret)) is not None

    rotated = there.rotate_key("a", 0)
    cache.refresh()
    assert cache.find(digest(rotated.secret)) is not None

    there.update_key("a", KeyChange(name="b"))
    cache.refresh()
    found = cache.find(digest(rotated.secret))
    assert found is not None
    assert found[0].name == "b"

    there.revoke_key("b")
    cache.refresh()
    found = cache.find(digest(rotated.secret))
    assert found is not None
    assert found[0].revoked_us is not None


def test_ring_forgets(store: Store, clock: TestClock) -> None:
    """A month after its end a secret is no longer held in memory."""
    store.create_key(KeySpec(name="a"))
    store.create_key(KeySpec(name="b"))
    store.rotate_key("a", 0)
    store.revoke_key("b")
    cache = KeyCache(store)
    cache.reload()
    assert len(cache) == 3

    clock.forward(31 * 86_400)
    cache.reload()

    assert len(cache) == 1


def test_ring_keeps_what_it_knows_when_the_ledger_is_gone(store: Store) -> None:
    """A database that cannot be read leaves the keys as they were."""
    cache = KeyCache(store)
    cache.start()
    made = store.create_key(KeySpec(name="a"))
    with store.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE keys RENAME TO lost")

    with pytest.raises(LedgerError, match="cannot be used"):
        cache.refresh()

    assert cache.find(digest(made.secret)) is not None
