"""Limits and budgets of keys; owners of files and batches.

Written out in full: it must stay as it is when `ledger/schema.py` moves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give keys their limits, and objects their owners."""
    _limit_keys()
    _make_objects()


def _limit_keys() -> None:
    op.add_column("keys", sa.Column("budgets", sa.Text, nullable=False, server_default=sa.text("'[]'")))
    for name in ("requests_per_minute", "input_tokens_per_minute", "output_tokens_per_minute", "parallel"):
        op.add_column("keys", sa.Column(name, sa.BigInteger))
    op.add_column("keys", sa.Column("counts_estimates", sa.Boolean, nullable=False, server_default=sa.false()))


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


def _id() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
