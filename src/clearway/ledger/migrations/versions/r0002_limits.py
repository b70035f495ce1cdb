"""Limits and budgets of keys; windows that were observed.

Written out in full: it must stay as it is when `ledger/schema.py` moves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give keys their limits, and windows a place."""
    _limit_keys()
    _make_windows()
    _make_alerts()


def _limit_keys() -> None:
    op.add_column("keys", sa.Column("budgets", sa.Text, nullable=False, server_default=sa.text("'[]'")))
    for name in ("requests_per_minute", "input_tokens_per_minute", "output_tokens_per_minute", "parallel"):
        op.add_column("keys", sa.Column(name, sa.BigInteger))
    op.add_column("keys", sa.Column("counts_estimates", sa.Boolean, nullable=False, server_default=sa.false()))


def _make_windows() -> None:
    identity = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "windows",
        sa.Column("credential_id", identity, primary_key=True),
        sa.Column("window", identity, primary_key=True),
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
