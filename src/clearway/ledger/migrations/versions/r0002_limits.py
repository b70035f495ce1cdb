"""Limits and budgets of keys; windows, alerts, owners of files and batches; what the admin API keeps.

Written out in full: it must stay as it is when `ledger/schema.py` moves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make what this release keeps besides."""
    _limit_keys()
    _make_windows()
    _make_alerts()
    _make_administration()
    _make_objects()
    _make_identity()


def _limit_keys() -> None:
    op.add_column("keys", sa.Column("budgets", sa.Text, nullable=False, server_default=sa.text("'[]'")))
    for name in ("requests_per_minute", "input_tokens_per_minute", "output_tokens_per_minute", "parallel"):
        op.add_column("keys", sa.Column(name, sa.BigInteger))
    op.add_column("keys", sa.Column("counts_estimates", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("keys", sa.Column("caches", sa.Boolean))


def _make_windows() -> None:
    op.create_table(
        "windows",
        sa.Column("credential_id", _id(), primary_key=True),
        sa.Column("window", _id(), primary_key=True),
        sa.Column("first_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("seen_us", sa.BigInteger, nullable=False),
        sa.Column("upstream", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("account", sa.Text),
        sa.Column("status", sa.Text),
        sa.Column("began_ppm", sa.BigInteger),
        sa.Column("used_ppm", sa.BigInteger),
        sa.Column("threshold_ppm", sa.BigInteger),
        sa.Column("resets_us", sa.BigInteger),
        sa.Column("is_claim", sa.Boolean, nullable=False),
        sa.Column("notes", sa.Text),
    )
    op.create_index("windows_seen", "windows", ["seen_us"])


def _make_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("since_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("permille", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("told_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "alert_messages",
        sa.Column("message_id", _id(), primary_key=True),
        sa.Column("receiver", _id(), primary_key=True),
        sa.Column("instance_id", _id(), nullable=False),
        sa.Column("made_us", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )


def _make_objects() -> None:
    op.create_table(
        "objects",
        sa.Column("id", _id(), primary_key=True),
        sa.Column("upstream", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key_id", _id(), nullable=False),
        sa.Column("exchange_id", _id(), nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("held", sa.Text),
        sa.Column("charged_us", sa.BigInteger),
    )
    op.create_index("objects_of_key", "objects", ["key_id", "kind", "exchange_id", "id"])
    only = sa.text("kind = 'batch' AND charged_us IS NULL")
    op.create_index("objects_uncharged", "objects", ["exchange_id"], sqlite_where=only, postgresql_where=only)


def _make_identity() -> None:
    op.create_table(
        "identity",
        sa.Column("place", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", _id(), nullable=False),
    )


def _id() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _make_administration() -> None:
    op.create_table(
        "audit",
        sa.Column("id", _id(), primary_key=True),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("key_id", _id()),
        sa.Column("session_id", _id()),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("subject_id", _id()),
        sa.Column("subject_name", sa.Text),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("id", _id(), primary_key=True),
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("how", sa.Text, nullable=False),
        sa.Column("began_us", sa.BigInteger, nullable=False),
        sa.Column("seen_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
        sa.Column("ended_us", sa.BigInteger),
        sa.Column("ended_why", sa.Text),
    )
    op.create_index("sessions_token_hash", "sessions", ["token_hash"], unique=True)
    op.create_table(
        "sign_in_links",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "admin_password",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("encoded", sa.Text, nullable=False),
        sa.Column("changed_us", sa.BigInteger, nullable=False),
    )
