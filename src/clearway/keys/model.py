"""What a key is. Pure values; the ledger keeps them, `keys/policy.py` judges by them."""

import msgspec

from clearway.core.budget import Budget


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A credential that we issued, without its secret. Times are UTC microseconds."""

    id: str
    name: str
    prefix: str
    """The first characters of its newest secret, for display: `cw-AbCdEf`."""
    owner: bool = False
    created_us: int
    expires_us: int | None = None
    revoked_us: int | None = None
    models: tuple[str, ...] = ()
    """Patterns (`fnmatch`, on the model asked for and the model sent); empty: all."""
    endpoints: tuple[str, ...] = ()
    """`messages`, `count_tokens`, `models`, `files`, `batches`, `relay`; empty: all of these.
    `metrics`, where it is named: `/metrics`."""
    upstreams: tuple[str, ...] = ()
    """Names of upstreams; empty: all."""
    tags: tuple[str, ...] = ()
    strict: bool = False
    budgets: tuple[Budget, ...] = ()
    """All must hold."""
    requests_per_minute: int | None = None
    input_tokens_per_minute: int | None = None
    """The whole prompt but for cache reads, as the API's own limits count."""
    output_tokens_per_minute: int | None = None
    parallel: int | None = None
    """Requests at one moment."""
    counts_estimates: bool = False
    """Budgets in USD also count the list price of traffic that a plan pays, or nobody."""
    caches: bool | None = None
    """Cache breakpoints are set in translated requests that have none; null: as `openai.caches` says."""


class KeySpec(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for when a key is made."""

    name: str
    owner: bool = False
    expires_us: int | None = None
    models: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    upstreams: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    strict: bool = False
    budgets: tuple[Budget, ...] = ()
    requests_per_minute: int | None = None
    input_tokens_per_minute: int | None = None
    output_tokens_per_minute: int | None = None
    parallel: int | None = None
    counts_estimates: bool = False
    caches: bool | None = None


class KeyChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an update changes; a field that is left UNSET stays as it was."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    owner: bool | msgspec.UnsetType = msgspec.UNSET
    expires_us: int | msgspec.UnsetType | None = msgspec.UNSET
    models: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    endpoints: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    upstreams: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    tags: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    strict: bool | msgspec.UnsetType = msgspec.UNSET
    budgets: tuple[Budget, ...] | msgspec.UnsetType = msgspec.UNSET
    requests_per_minute: int | msgspec.UnsetType | None = msgspec.UNSET
    input_tokens_per_minute: int | msgspec.UnsetType | None = msgspec.UNSET
    output_tokens_per_minute: int | msgspec.UnsetType | None = msgspec.UNSET
    parallel: int | msgspec.UnsetType | None = msgspec.UNSET
    counts_estimates: bool | msgspec.UnsetType = msgspec.UNSET
    caches: bool | msgspec.UnsetType | None = msgspec.UNSET


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key with its secret, the only time that the secret is seen."""

    key: Key
    secret: str
    """`cw-…`. Plain text on purpose: its one use is to be shown. Never log it."""

    def __repr__(self) -> str:
        return f"NewKey(key={self.key!r}, secret=***)"


class KeySecret(msgspec.Struct, frozen=True, kw_only=True):
    """One secret of a key; a key has several while a rotation overlaps."""

    hash: bytes
    """SHA-256 of the whole secret text: full entropy needs no slow hash."""
    key_id: str
    expires_us: int | None = None
    """When this secret ends though the key lives on (rotation); None: with the key."""
