"""Limits and budgets of keys.

Written out in full: it must stay as it is when `ledger/schema.py` moves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give keys their limits."""
    _limit_keys()
    _make_alerts()


def _limit_keys() -> None:
    op.add_column("keys", sa.Column("budgets", sa.Text, nullable=False, server_default=sa.text("'[]'")))
    for name in ("requests_per_minute", "input_tokens_per_minute", "output_tokens_per_minute", "parallel"):
        op.add_column("keys", sa.Column(name, sa.BigInteger))
    op.add_column("keys", sa.Column("counts_estimates", sa.Boolean, nullable=False, server_default=sa.false()))


def _make_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("since_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("permille", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("told_us", sa.BigInteger, nullable=False),
    )
