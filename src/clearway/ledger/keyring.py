"""The keys in force, in memory: one look-up by hash for each request.

Owns the copy; the database is the truth. Grows with the number of live secrets,
and of those that ended in the last 30 days: their owners are told why. `find`
never waits: a new copy takes the place of the old one at once.
Used by gateway/authenticate; kept fresh by ledger/store and ledger/writer.
"""

from collections.abc import Callable

from clearway.keys.model import Key, KeySecret
from clearway.ledger.store import Store


class KeyCache:
    """Implements `ledger.protocol.KeyRing`.

    Args:
        store: Where the keys are kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_hash: dict[bytes, tuple[Key, KeySecret]] = {}
        self._by_id: dict[str, Key] = {}
        self._watchers: list[Callable[[], None]] = []
        self._revision = -1

    def start(self) -> None:
        """Read the keys, and from now on again whenever this process changes one.

        Raises:
            LedgerError: The database cannot be read.
        """
        self._store.subscribe(self.reload)
        self.reload()

    def find(self, secret_hash: bytes) -> tuple[Key, KeySecret] | None:
        """The key that a secret's SHA-256 belongs to."""
        return self._by_hash.get(secret_hash)

    def by_id(self, key_id: str) -> Key | None:
        """The key as it is now, revoked lately or not; None: not known."""
        return self._by_id.get(key_id)

    def unrevoked(self) -> list[Key]:
        """Those that are not over for good."""
        return [key for key in self._by_id.values() if key.revoked_us is None]

    def subscribe(self, watcher: Callable[[], None]) -> None:
        """Have `watcher` called after each change, on the thread that has read it."""
        self._watchers.append(watcher)

    def reload(self) -> None:
        """Read all keys anew. Raises LedgerError; the old copy then stays."""
        revision, secrets = self._store.key_secrets()
        self._by_id = {key.id: key for key, _ in secrets}
        self._by_hash = {secret.hash: (key, secret) for key, secret in secrets}
        self._revision = revision
        for watcher in self._watchers:
            watcher()

    def refresh(self) -> None:
        """Read the keys where another process changed one. Raises LedgerError."""
        if self._store.key_revision() != self._revision:
            self.reload()

    def __len__(self) -> int:
        return len(self._by_hash)
