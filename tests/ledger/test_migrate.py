"""The schema: made, checked, migrated whole or not at all."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from clearway.ledger.database import Database
from clearway.ledger.migrate import HEAD, VERSIONS, bring_up_to_date
from clearway.ledger.protocol import LedgerError
from clearway.ledger.schema import whole
from clearway.ledger.store import Store
from tests.ledger.conftest import Place
from tests.ledger.stories import Story, keep_stories, new_ids

NEXT = '''
"""A later schema."""
from alembic import op
import sqlalchemy as sa
revision = "0003"
down_revision = "0002"
def upgrade():
    op.add_column("keys", sa.Column("note", sa.Text))
    op.execute({statement!r})
'''
# Not the text of a table: a column that was added later stands in another place there.
SQLITE = """
SELECT 'column', t.name, c.cid, c.name, c.type, c."notnull", c.dflt_value, c.pk
FROM sqlite_master AS t JOIN pragma_table_xinfo(t.name) AS c WHERE t.type = 'table'
UNION ALL SELECT 'reference', t.name, r.id, r."from", r."table", r."to", r.on_delete, r.on_update
FROM sqlite_master AS t JOIN pragma_foreign_key_list(t.name) AS r WHERE t.type = 'table'
UNION ALL SELECT type, tbl_name, 0, name, sql, 0, NULL, 0 FROM sqlite_master WHERE type != 'table'
ORDER BY 1, 2, 3, 4
"""
POSTGRESQL = """
SELECT 'column', table_name, ordinal_position, column_name, data_type, character_maximum_length, collation_name,
       is_nullable, column_default, is_identity
FROM information_schema.columns WHERE table_schema = current_schema()
UNION ALL SELECT 'index', tablename, 0, indexname, replace(indexdef, schemaname || '.', ''), NULL, NULL, '', NULL, ''
FROM pg_indexes WHERE schemaname = current_schema()
UNION ALL SELECT 'constraint', CAST(conrelid AS regclass)::text, 0, conname, pg_get_constraintdef(pg_constraint.oid),
       NULL, NULL, '', NULL, ''
FROM pg_constraint WHERE connamespace = CAST(current_schema() AS regnamespace)
ORDER BY 1, 2, 3, 4
"""
OPEN = """
import sys
from pathlib import Path
from clearway.core.clock import SystemClock
from clearway.core.ids import IdMaker
from clearway.ledger.migrate import bring_up_to_date
from clearway.ledger.store import Store
for _ in "made", "opened again":
    store = Store.open("sqlite", Path(sys.argv[1]), clock=SystemClock(), ids=IdMaker(SystemClock()))
    print("alembic" in sys.modules)
    store.close()
bring_up_to_date(store.database, head="0003", versions=Path(sys.argv[2]))
print("alembic" in sys.modules)
"""


def copied_versions(tmp_path: Path) -> Path:
    """Ours, in another place: they are taken one after the other there."""
    folder = tmp_path / "scripts" / "versions"
    folder.mkdir(parents=True)
    for file in VERSIONS.glob("r*.py"):
        (folder / file.name).write_text(file.read_text())
    return folder


def later_versions(tmp_path: Path, statement: str) -> Path:
    """Ours and one more, whose second step is `statement`."""
    folder = copied_versions(tmp_path)
    (folder / "r0003_next.py").write_text(NEXT.format(statement=statement))
    return folder


def columns_of_keys(database: Database) -> list[str]:
    """To see whether the change was made."""
    with database.reading() as connection:
        return [column["name"] for column in inspect(connection).get_columns("keys")]


def made_of(database: Database) -> list[tuple[object, ...]]:
    """Everything in the database, as the database itself describes it."""
    question = SQLITE if database.file is not None else POSTGRESQL
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(text(question))]


def test_made_at_once_is_as_made_in_steps(store: Store, other_place: Place, tmp_path: Path) -> None:
    """An empty database gets what all revisions, one after the other, make."""
    with closing(Database.open(other_place.url, other_place.data_dir)) as in_steps:
        bring_up_to_date(in_steps, versions=copied_versions(tmp_path))
        expected = made_of(in_steps)

    assert len(expected) > 5
    assert expected == made_of(store.database)


def test_schema_is_what_the_revisions_make(store: Store) -> None:
    """`schema.py` and the sum of all revisions are the same."""
    with store.database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = compare_metadata(context, whole(store.database.dialect.name))

    assert differences == []


def test_head_is_the_last_revision() -> None:
    """The number that the program compares is that of its newest revision."""
    script = ScriptDirectory(str(VERSIONS.parent), version_locations=[str(VERSIONS)])

    assert script.get_current_head() == HEAD


def test_reopening_keeps_everything(open_store: Callable[[], Store]) -> None:
    """A current ledger is opened as it is."""
    (one,) = new_ids(1)
    keep_stories(open_store(), [Story(one)])

    assert open_store().exchange(one).exchange.outcome == "ok"


def test_newer_schema_is_refused(open_store: Callable[[], Store]) -> None:
    """An older program leaves a newer ledger alone and says what to do."""
    with open_store().database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(LedgerError, match="made by a newer Clearway"):
        open_store()


def test_schema_of_another_program_is_refused(open_store: Callable[[], Store]) -> None:
    """A database in which another program keeps its revisions is not touched."""
    with open_store().database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'ab12cd34ef56'"))

    with pytest.raises(LedgerError, match="another program"):
        open_store()


def test_migration_is_whole(store: Store, tmp_path: Path) -> None:
    """A step forward keeps the rows; with SQLite a private copy of the old file stays."""
    (one,) = new_ids(1)
    keep_stories(store, [Story(one)])

    bring_up_to_date(store.database, head="0003", versions=later_versions(tmp_path, "UPDATE keys SET note = ''"))

    assert "note" in columns_of_keys(store.database)
    assert store.exchange(one).exchange.outcome == "ok"
    if store.database.file is not None:
        backup = store.database.file.with_name("ledger.db.before-0003")
        assert backup.stat().st_mode & 0o777 == 0o600
        with closing(sqlite3.connect(backup)) as copy:
            assert copy.execute("SELECT id FROM exchanges").fetchall() == [(one,)]
            assert copy.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]


def test_failed_migration_changes_nothing(store: Store, tmp_path: Path) -> None:
    """When a later statement fails, the earlier ones are undone."""
    versions = later_versions(tmp_path, "UPDATE nowhere SET note = ''")

    for _ in range(2):
        with pytest.raises(LedgerError, match="could not be brought to version 0003"):
            bring_up_to_date(store.database, head="0003", versions=versions)

    assert "note" not in columns_of_keys(store.database)
    bring_up_to_date(store.database)


def test_alembic_is_imported_for_a_change_only(tmp_path: Path) -> None:
    """Neither making a ledger nor opening a current one costs the import of Alembic."""
    versions = later_versions(tmp_path, "UPDATE keys SET note = ''")
    command = [sys.executable, "-c", OPEN, str(tmp_path / "data"), str(versions)]

    done = subprocess.run(command, check=True, capture_output=True, text=True, env={})

    assert ["False", "False", "True"] == done.stdout.split()
