"""Brings the schema up to date, and refuses one that is newer than the program.

Owns the decision; the changes themselves are in `migrations/versions`. An empty
database gets the schema at once, as the revisions would have made it (a test compares
the two; Alembic's "Building an Up to Date Database from Scratch"). Alembic is imported
only when a schema has to change: it costs more time than the rest of a start.
Used by ledger/store.
"""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, func, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from clearway.ledger.database import Database, unusable
from clearway.ledger.directory import prepare_file
from clearway.ledger.protocol import LedgerError
from clearway.ledger.schema import whole

HEAD = "0002"
"""The revision that this program reads and writes."""
VERSIONS = Path(__file__).parent / "migrations" / "versions"

_LOCK = 0x636C6561
"""Any number, the same in every gateway: two that start together migrate one after the other."""


def bring_up_to_date(database: Database, *, head: str = HEAD, versions: Path = VERSIONS) -> None:
    """Migrate to `head` where the schema is behind, in one transaction.

    Raises:
        LedgerError: The schema is newer, is not Clearway's, or a step failed; then nothing has changed.
    """
    try:
        with database.reading() as connection:
            found = _revision(connection)
        if _is_current(found, head):
            return
        if database.file is not None and found is not None:
            _back_up(database.file, head)
        with database.writing() as connection:
            if database.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            # Another gateway may have been faster.
            found = _revision(connection)
            if found is None and (head, versions) == (HEAD, VERSIONS):
                _make(connection)
            elif not _is_current(found, head):
                _migrate(connection, head, versions)
    except SQLAlchemyError as error:
        raise LedgerError(f"the ledger could not be brought to version {head}; {unusable(error)}") from error


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _is_current(found: str | None, head: str) -> bool:
    if found is None or found == head:
        return found == head
    if not re.fullmatch(r"\d{4}", found):
        raise LedgerError(f"the database belongs to another program (schema {found!r})")
    if found > head:
        raise LedgerError(
            f"the ledger was made by a newer Clearway (schema {found}, this program knows {head}); "
            "install that version, or use another data directory"
        )
    return False


def _back_up(file: Path, head: str) -> None:
    backup = file.with_name(f"{file.name}.before-{head}")
    if backup.exists():
        # Left by an earlier try: it holds the state before the first one.
        return
    draft = backup.with_name(f"{backup.name}.draft")
    draft.unlink(missing_ok=True)
    prepare_file(draft)
    try:
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(draft)) as target:
            source.backup(target)
    except sqlite3.Error as error:
        draft.unlink(missing_ok=True)
        raise LedgerError(
            f"no copy of the ledger could be made before bringing it to version {head}: {error}"
        ) from error
    draft.replace(backup)


def _make(connection: Connection) -> None:
    # Nothing is looked for first: what is there already is not ours, and must not be taken for it.
    whole(connection.dialect.name).create_all(connection, checkfirst=False)
    # As Alembic makes it.
    version = Table("alembic_version", MetaData(), Column("version_num", String(32), nullable=False))
    version.append_constraint(PrimaryKeyConstraint(version.c.version_num, name="alembic_version_pkc"))
    version.create(connection)
    connection.execute(version.insert(), {"version_num": HEAD})


def _migrate(connection: Connection, head: str, versions: Path) -> None:
    from alembic.config import Config  # noqa: PLC0415 needed once in the life of a schema
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415 as above
    from alembic.script import ScriptDirectory  # noqa: PLC0415 as above

    script = ScriptDirectory(str(versions.parent), version_locations=[str(versions)])
    context = EnvironmentContext(
        Config(),
        script,
        fn=lambda revision, _: script._upgrade_revs(head, revision),  # noqa: SLF001 as its documentation does
        destination_rev=head,
    )
    with context:
        # Both databases can undo a change of the schema; Alembic believes that of PostgreSQL only.
        context.configure(connection=connection, transactional_ddl=True)
        context.run_migrations()
