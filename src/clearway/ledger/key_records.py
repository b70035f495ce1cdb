"""Keys and their secrets in the tables.

Owns how a key is found by what a person types, and what each change writes. All
functions run inside the caller's transaction. Used by ledger/store and ledger/desk.
"""

from collections.abc import Mapping

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from clearway.core.budget import Budget
from clearway.keys import secret as secrets
from clearway.keys.model import Key, KeyChange, KeySecret, KeySpec, NewKey
from clearway.ledger.administration import KeyQuery, KeyUse
from clearway.ledger.protocol import LedgerError, NotInLedger
from clearway.ledger.rows import text
from clearway.ledger.schema import exchanges, key_secrets, keys

SHORTEST_REF = 8
"""Characters of the beginning of an id that is accepted instead of the whole."""
NAME_CHARACTERS = 100

_REMEMBERED_US = 30 * 86_400 * 1_000_000
_LISTS = dict.fromkeys(("models", "endpoints", "upstreams", "tags"), tuple[str, ...]) | {"budgets": tuple[Budget, ...]}


def create(connection: Connection, spec: KeySpec, *, key_id: str, now_us: int) -> NewKey:
    """Make a key with its first secret. Raises LedgerError."""
    value = secrets.generate()
    fields = msgspec.structs.asdict(spec) | {"name": _checked_name(spec.name)}
    _checked_limits(fields)
    key = Key(id=key_id, prefix=secrets.display_prefix(value), created_us=now_us, **fields)
    row = _columns(fields) | {"id": key.id, "prefix": key.prefix, "created_us": now_us}
    try:
        connection.execute(insert(keys), row)
    except IntegrityError as error:
        raise _taken(key.name) from error
    connection.execute(insert(key_secrets), {"hash": secrets.digest(value), "key_id": key.id, "expires_us": None})
    return NewKey(key=key, secret=value)


def listed(connection: Connection, *, revoked: bool) -> list[Key]:
    """Keys by creation."""
    query = select(keys).order_by(keys.c.created_us, keys.c.id)
    if not revoked:
        query = query.where(keys.c.revoked_us.is_(None))
    return [_key(row) for row in connection.execute(query).mappings()]


def page(connection: Connection, query: KeyQuery) -> list[KeyUse]:
    """Keys with their last use, by their ids, which is the order of creation."""
    statement = _with_use().order_by(keys.c.id).limit(query.limit)
    if not query.revoked:
        statement = statement.where(keys.c.revoked_us.is_(None))
    if query.after is not None:
        statement = statement.where(keys.c.id > text(query.after))
    if query.text is not None:
        searched = text(query.text) or ""
        columns = (keys.c.id, keys.c.name, keys.c.prefix, keys.c.tags)
        statement = statement.where(or_(*(column.icontains(searched, autoescape=True) for column in columns)))
    return [_use(row) for row in connection.execute(statement).mappings()]


def use(connection: Connection, key_id: str) -> KeyUse:
    """One key with its last use. Raises NotInLedger."""
    row = connection.execute(_with_use().where(keys.c.id == text(key_id))).mappings().first()
    if row is None:
        raise NotInLedger("there is no key of that id")
    return _use(row)


def _with_use() -> Select[tuple[object, ...]]:
    # One look into the index for each key.
    of_key = exchanges.c.key_id == keys.c.id
    last = select(exchanges.c.admitted_us).where(of_key).order_by(exchanges.c.id.desc()).limit(1)
    return select(keys, last.scalar_subquery().label("used_us"))


def _use(row: RowMapping) -> KeyUse:
    return KeyUse(key=_key(row), used_us=row["used_us"])


def find(connection: Connection, ref: str) -> Key:
    """The one key that goes by an id, a live name, a displayed prefix, the
    beginning of an id, or the name of a revoked key, in this order.

    Raises:
        NotInLedger: None does, or several do.
    """
    ref = text(ref) or ""
    ways: list[ColumnElement[bool]] = [
        keys.c.id == ref,
        (keys.c.name == ref) & keys.c.revoked_us.is_(None),
        keys.c.prefix == ref,
        keys.c.name == ref,
    ]
    if len(ref) >= SHORTEST_REF:
        ways.insert(3, keys.c.id.startswith(ref, autoescape=True))
    for way in ways:
        found = [_key(row) for row in connection.execute(select(keys).where(way).limit(2)).mappings()]
        if len(found) == 1:
            return found[0]
        if found:
            raise NotInLedger(f"several keys go by {_shown(ref)!r}; use the whole id (clearway keys list)")
    raise NotInLedger(f"no key goes by {_shown(ref)!r}; see: clearway keys list")


def change(connection: Connection, ref: str, wanted: KeyChange) -> Key:
    """Change a key. Raises NotInLedger, or LedgerError for a revoked key or a taken name."""
    key = _live(find(connection, ref))
    fields = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not msgspec.UNSET}
    if "name" in fields:
        fields["name"] = _checked_name(fields["name"])
    _checked_limits(fields)
    try:
        _update(connection, key.id, _columns(fields))
    except IntegrityError as error:
        raise _taken(fields["name"]) from error
    return msgspec.structs.replace(key, **fields)


def revoke(connection: Connection, ref: str, *, now_us: int) -> Key:
    """End a key; one that was revoked before stays as it was. Raises NotInLedger."""
    key = find(connection, ref)
    if key.revoked_us is not None:
        return key
    _update(connection, key.id, {"revoked_us": now_us})
    return msgspec.structs.replace(key, revoked_us=now_us)


def rotate(connection: Connection, ref: str, overlap_s: int, *, now_us: int) -> NewKey:
    """Give a key a new secret. Raises NotInLedger, or LedgerError for a revoked key."""
    if overlap_s < 0:
        raise LedgerError("the overlap of a rotation cannot be negative")
    key = _live(find(connection, ref))
    value = secrets.generate()
    prefix = secrets.display_prefix(value)
    of_key = key_secrets.c.key_id == key.id
    over = key_secrets.c.expires_us <= now_us - _REMEMBERED_US
    connection.execute(delete(key_secrets).where(of_key, over))
    ends_us = now_us + overlap_s * 1_000_000
    # A secret that ends earlier by an earlier rotation still does.
    later = or_(key_secrets.c.expires_us.is_(None), key_secrets.c.expires_us > ends_us)
    connection.execute(update(key_secrets).where(of_key, later).values(expires_us=ends_us))
    connection.execute(insert(key_secrets), {"hash": secrets.digest(value), "key_id": key.id, "expires_us": None})
    _update(connection, key.id, {"prefix": prefix})
    return NewKey(key=msgspec.structs.replace(key, prefix=prefix), secret=value)


def with_secrets(connection: Connection, *, now_us: int) -> list[tuple[Key, KeySecret]]:
    """Every secret that is in force or ended in the last 30 days, with its key."""
    since_us = now_us - _REMEMBERED_US
    query = (
        select(keys, key_secrets.c.hash, key_secrets.c.expires_us.label("secret_expires_us"))
        .join_from(key_secrets, keys)
        .where(
            or_(keys.c.revoked_us.is_(None), keys.c.revoked_us > since_us),
            or_(key_secrets.c.expires_us.is_(None), key_secrets.c.expires_us > since_us),
        )
    )
    return [
        (_key(row), KeySecret(hash=bytes(row["hash"]), key_id=row["id"], expires_us=row["secret_expires_us"]))
        for row in connection.execute(query).mappings()
    ]


def revision(connection: Connection) -> int:
    """A number that grows with every change of any key."""
    total = cast(func.coalesce(func.sum(keys.c.revision), 0), BigInteger)
    return int(connection.execute(select(total)).scalar_one())


def ids_by_name(connection: Connection, ref: str) -> list[str]:
    """Ids of all keys, live or revoked, whose id or name is `ref`."""
    ref = text(ref) or ""
    query = select(keys.c.id).where(or_(keys.c.id == ref, keys.c.name == ref))
    return list(connection.execute(query).scalars())


def _update(connection: Connection, key_id: str, columns: dict[str, object]) -> None:
    bumped = columns | {"revision": keys.c.revision + 1}
    connection.execute(update(keys).where(keys.c.id == key_id).values(bumped))


def _columns(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: msgspec.json.encode(value).decode() if name in _LISTS else value for name, value in fields.items()}


def _key(row: RowMapping) -> Key:
    fields = {name: row[name] for name in Key.__struct_fields__}
    for name, kind in _LISTS.items():
        fields[name] = msgspec.json.decode(str(row[name]), type=kind)
    return msgspec.convert(fields, Key)


def _live(key: Key) -> Key:
    if key.revoked_us is not None:
        raise LedgerError(f"the key {key.name!r} was revoked for good; create a new one")
    return key


def _taken(name: str) -> LedgerError:
    return LedgerError(f"the name {name!r} is taken by a live key; revoke that one or choose another name")


_MOST = 1_000_000_000
_MOST_BUDGETS = 16
_MOST_AMOUNT = 10**21
_NUMBERS = ("requests_per_minute", "input_tokens_per_minute", "output_tokens_per_minute", "parallel")


def _checked_limits(fields: Mapping[str, object]) -> None:
    """Raise LedgerError where a limit could not be kept."""
    for name in _NUMBERS:
        value = fields.get(name)
        if isinstance(value, int) and not 1 <= value <= _MOST:
            raise LedgerError(f"{name} is a whole number from 1 to {_MOST:,}, or nothing")
    budgets = fields.get("budgets")
    if isinstance(budgets, tuple):
        if len(budgets) > _MOST_BUDGETS:
            raise LedgerError(f"a key has {_MOST_BUDGETS} budgets at most")
        if any(not 1 <= budget.amount <= _MOST_AMOUNT for budget in budgets):
            raise LedgerError(f"the amount of a budget is from 1 to {_MOST_AMOUNT:,}")


def _checked_name(name: str) -> str:
    # A name that looks like a prefix would be ambiguous, and may be a pasted secret.
    if secrets.looks_ours(name):
        raise LedgerError(f"a key's name cannot begin with {secrets.PREFIX}")
    if not name or len(name) > NAME_CHARACTERS or not name.isprintable() or name != name.strip():
        raise LedgerError(f"a key's name has 1 to {NAME_CHARACTERS} printable characters, no space at its ends")
    return name


def _shown(ref: str) -> str:
    # Somebody may have pasted the secret itself: it must not come back in an error.
    return secrets.display_prefix(ref) if secrets.looks_ours(ref) else ref
