"""The audit log in its table: what each change writes, and how it is read.

All functions run inside the caller's transaction, so that no change is kept without
its row, and no row without its change. Used by ledger/store and ledger/desk.
"""

import msgspec
from sqlalchemy import Connection, RowMapping, insert, or_, select

from clearway.keys.model import Key
from clearway.ledger.administration import Actor, AuditQuery, AuditRow, What
from clearway.ledger.rows import text
from clearway.ledger.schema import audit


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What is changed."""

    id: str | None = None
    name: str | None = None


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One change; never a secret in it."""

    what: What
    subject: Subject = Subject()
    before: dict[str, object] = {}
    after: dict[str, object] = {}


def note(connection: Connection, change: Note, by: Actor, *, row_id: str, now_us: int) -> None:
    """Keep a change."""
    row = {
        "id": row_id,
        "at_us": now_us,
        "source": by.source,
        "key_id": by.key_id,
        "session_id": by.session_id,
        "what": change.what,
        "subject_id": change.subject.id,
        "subject_name": text(change.subject.name),
        "before": msgspec.json.encode(change.before).decode(),
        "after": msgspec.json.encode(change.after).decode(),
    }
    connection.execute(insert(audit), row)


def page(connection: Connection, query: AuditQuery) -> list[AuditRow]:
    """Changes, newest first."""
    statement = select(audit).order_by(audit.c.id.desc()).limit(query.limit)
    for name, value in (("what", query.what), ("source", query.source)):
        if value is not None:
            statement = statement.where(audit.c[name] == text(value))
    if query.subject is not None:
        subject = text(query.subject)
        statement = statement.where(or_(audit.c.subject_id == subject, audit.c.subject_name == subject))
    if query.before is not None:
        statement = statement.where(audit.c.id < text(query.before))
    if query.since_us is not None:
        statement = statement.where(audit.c.at_us >= query.since_us)
    if query.until_us is not None:
        statement = statement.where(audit.c.at_us < query.until_us)
    return [_change(row) for row in connection.execute(statement).mappings()]


def made(key: Key) -> Note:
    """A key is new."""
    fields = _plain(key)
    return Note(what="key.create", subject=_subject(key), after={n: v for n, v in fields.items() if v})


def changed(before: Key, after: Key) -> Note:
    """A key is no longer as it was."""
    old, new = _plain(before), _plain(after)
    differ = [name for name in old if old[name] != new[name]]
    return Note(
        what="key.update",
        subject=_subject(after),
        before={name: old[name] for name in differ},
        after={name: new[name] for name in differ},
    )


def revoked(key: Key) -> Note:
    """A key was ended."""
    return Note(
        what="key.revoke", subject=_subject(key), before={"revoked_us": None}, after={"revoked_us": key.revoked_us}
    )


def rotated(before: Key, after: Key, overlap_s: int) -> Note:
    """A key has a new secret."""
    return Note(
        what="key.rotate",
        subject=_subject(after),
        before={"prefix": before.prefix},
        after={"prefix": after.prefix, "overlap_s": overlap_s},
    )


def _subject(key: Key) -> Subject:
    return Subject(id=key.id, name=key.name)


def _plain(key: Key) -> dict[str, object]:
    fields: dict[str, object] = msgspec.to_builtins(key)
    return fields


def _change(row: RowMapping) -> AuditRow:
    fields = {name: row[name] for name in AuditRow.__struct_fields__}
    for name in ("before", "after"):
        fields[name] = msgspec.json.decode(str(row[name]), type=dict[str, object])
    return msgspec.convert(fields, AuditRow)
