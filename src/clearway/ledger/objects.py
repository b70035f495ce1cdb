"""Owners of files and batches in the tables.

Each write is a transaction of its own, durable when the call returns: a client
must not have an id before it is known whose it is. Grows with what keys make and
do not delete. Used by compose, for gateway/objects.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from clearway.keys.model import Key
from clearway.ledger import key_records
from clearway.ledger.database import Database, unusable
from clearway.ledger.ownership import Owned, PageQuery, Share
from clearway.ledger.schema import exchanges, objects
from clearway.wire.messages.objects import Kind

_MOMENT = 14
"""Characters of an id that tell its millisecond."""
_CHUNK = 500
"""Values in one statement: below the bounds of every SQLite."""


class OwnerTable:
    """Implements `ledger.ownership.Ownership`.

    Args:
        database: Of the ledger, open.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def own(self, owned: Owned) -> bool:
        """Note an owner; False where somebody else owns that id already."""
        try:
            with self._using(writing=True) as connection:
                connection.execute(insert(objects), _row(owned))
        except IntegrityError:
            return self.find(owned.kind, owned.id, owned.key_id) is not None
        return True

    def find(self, kind: Kind, object_id: str, key_id: str) -> Owned | None:
        """An object of this key."""
        return next(iter(self.find_all(kind, frozenset((object_id,)), key_id)), None)

    def find_all(self, kind: Kind, object_ids: frozenset[str], key_id: str) -> list[Owned]:
        """Those of `object_ids` that this key owns."""
        ids = sorted(object_ids)
        own = select(objects).where(objects.c.kind == kind, objects.c.key_id == key_id)
        with self._using() as connection:
            return [
                _owned(row)
                for start in range(0, len(ids), _CHUNK)
                for row in connection.execute(own.where(objects.c.id.in_(ids[start : start + _CHUNK]))).mappings()
            ]

    def page(self, query: PageQuery) -> list[Owned]:
        """A page, newest first."""
        wanted = select(objects).where(
            objects.c.kind == query.kind,
            objects.c.key_id == query.key_id,
            objects.c.upstream.in_(query.upstreams),
        )
        if query.after is not None:
            wanted = wanted.where(_beyond(query.after, older=True))
        if query.before is not None:
            wanted = wanted.where(_beyond(query.before, older=False))
        is_backwards = query.before is not None
        place = (objects.c.exchange_id, objects.c.id)
        order = [column.asc() if is_backwards else column.desc() for column in place]
        with self._using() as connection:
            rows = connection.execute(wanted.order_by(*order).limit(query.limit)).mappings().all()
        found = [_owned(row) for row in rows]
        return found[::-1] if is_backwards else found

    def forget(self, owned: Owned) -> None:
        """It is no more."""
        with self._using(writing=True) as connection:
            connection.execute(delete(objects).where(_this(owned)))

    def charged(self, owned: Owned, now_us: int) -> bool:
        """Note that what a batch used is in the ledger; False where that was noted before."""
        change = update(objects).where(_this(owned), objects.c.charged_us.is_(None)).values(charged_us=now_us)
        with self._using(writing=True) as connection:
            return connection.execute(change).rowcount > 0

    def uncharged(self) -> list[tuple[Owned, Key]]:
        """Batches whose use is not known yet, with the keys that made them.

        Of one whose use was written just before an end of the process it is noted now.
        """
        with self._using(writing=True) as connection:
            rows = (
                connection.execute(
                    select(objects)
                    .where(objects.c.kind == "batch", objects.c.charged_us.is_(None))
                    .order_by(objects.c.exchange_id)
                )
                .mappings()
                .all()
            )
            if not rows:
                return []
            keys = {key.id: key for key in key_records.listed(connection, revoked=True)}
            found = [_owned(row) for row in rows if row["key_id"] in keys]
            return [(owned, keys[owned.key_id]) for owned in found if not _is_charged(connection, owned)]

    @contextmanager
    def _using(self, *, writing: bool = False) -> Iterator[Connection]:
        try:
            with self._database.writing() if writing else self._database.reading() as connection:
                yield connection
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise unusable(error) from error


def _is_charged(connection: Connection, owned: Owned) -> bool:
    """Whether the exchanges that have what it used are there; all were written at once, or none."""
    # Their ids have the moment of the batch's own (gateway/objects/charge): few are looked at.
    moment = owned.exchange_id[:_MOMENT]
    known = select(exchanges.c.ended_us).where(
        exchanges.c.id >= f"{moment}7",
        exchanges.c.id < f"{moment}8",
        exchanges.c.endpoint == "batches",
        exchanges.c.method == "GET",
        exchanges.c.response_id == owned.id,
        exchanges.c.upstream == owned.upstream,
        exchanges.c.outcome == "ok",
    )
    ended_us = connection.execute(known.limit(1)).scalar()
    if ended_us is not None:
        connection.execute(update(objects).where(_this(owned)).values(charged_us=ended_us))
    return ended_us is not None


def _beyond(place: tuple[str, str], *, older: bool) -> ColumnElement[bool]:
    exchange_id, object_id = place
    if older:
        return or_(
            objects.c.exchange_id < exchange_id,
            and_(objects.c.exchange_id == exchange_id, objects.c.id < object_id),
        )
    return or_(
        objects.c.exchange_id > exchange_id,
        and_(objects.c.exchange_id == exchange_id, objects.c.id > object_id),
    )


def _this(owned: Owned) -> ColumnElement[bool]:
    return and_(objects.c.upstream == owned.upstream, objects.c.id == owned.id, objects.c.key_id == owned.key_id)


def _row(owned: Owned) -> dict[str, object]:
    return {
        "upstream": owned.upstream,
        "id": owned.id,
        "kind": owned.kind,
        "key_id": owned.key_id,
        "exchange_id": owned.exchange_id,
        "created_us": owned.created_us,
        "held": msgspec.json.encode(owned.held).decode() if owned.held else None,
        "charged_us": owned.charged_us,
    }


def _owned(row: RowMapping) -> Owned:
    return Owned(
        kind=row["kind"],
        id=row["id"],
        upstream=row["upstream"],
        key_id=row["key_id"],
        exchange_id=row["exchange_id"],
        created_us=row["created_us"],
        held=() if row["held"] is None else msgspec.json.decode(row["held"], type=tuple[Share, ...]),
        charged_us=row["charged_us"],
    )
