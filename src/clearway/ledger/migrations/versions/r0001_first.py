"""The first schema: exchanges, attempts, keys, their secrets, instances.

Written out in full: it must stay as it is when `ledger/schema.py` moves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables and indexes."""
    _make_exchanges()
    _make_attempts()
    _make_keys()
    op.create_table(
        "instances",
        sa.Column("id", _id(), primary_key=True),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False),
        sa.Column("started_us", sa.BigInteger, nullable=False),
        sa.Column("seen_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
    )


def _make_exchanges() -> None:
    op.create_table(
        "exchanges",
        sa.Column("id", _id(), primary_key=True),
        sa.Column("instance_id", _id(), nullable=False),
        sa.Column("admitted_us", sa.BigInteger, nullable=False),
        sa.Column("wire", sa.Text, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("key_id", _id()),
        sa.Column("client_credential", sa.Boolean, nullable=False),
        sa.Column("run_id", sa.Text),
        sa.Column("session_id", sa.Text),
        sa.Column("agent_id", sa.Text),
        sa.Column("parent_agent_id", sa.Text),
        sa.Column("client_name", sa.Text),
        sa.Column("client_version", sa.Text),
        sa.Column("client_request_id", sa.Text),
        sa.Column("request_model", sa.Text),
        sa.Column("stream", sa.Boolean),
        sa.Column("request_bytes", sa.BigInteger, nullable=False),
        sa.Column("upstream", sa.Text),
        sa.Column("kind", sa.Text),
        sa.Column("attempts", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        *_measure(),
    )
    op.create_index("exchanges_admitted", "exchanges", ["admitted_us"])
    _partial_index("exchanges_key", "exchanges", ["key_id", "id"], "key_id IS NOT NULL")
    _partial_index("exchanges_session", "exchanges", ["session_id", "id"], "session_id IS NOT NULL")
    _partial_index("exchanges_run", "exchanges", ["run_id", "id"], "run_id IS NOT NULL")
    _partial_index("exchanges_open", "exchanges", ["instance_id"], "outcome IS NULL")


def _make_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("exchange_id", _id(), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("upstream", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("model", sa.Text),
        sa.Column("started_us", sa.BigInteger, nullable=False),
        *_measure(),
    )


def _make_keys() -> None:
    op.create_table(
        "keys",
        sa.Column("id", _id(), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("owner", sa.Boolean, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger),
        sa.Column("revoked_us", sa.BigInteger),
        sa.Column("models", sa.Text, nullable=False),
        sa.Column("endpoints", sa.Text, nullable=False),
        sa.Column("upstreams", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("strict", sa.Boolean, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False, server_default=sa.text("1")),
    )
    _partial_index("keys_live_name", "keys", ["name"], "revoked_us IS NULL", unique=True)
    op.create_table(
        "key_secrets",
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column("key_id", _id(), sa.ForeignKey("keys.id"), nullable=False),
        sa.Column("expires_us", sa.BigInteger),
    )
    op.create_index("ix_key_secrets_key_id", "key_secrets", ["key_id"])


def _id() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _measure() -> list[sa.Column[object]]:
    big, text = sa.BigInteger, sa.Text
    return [
        sa.Column("ended_us", big),
        sa.Column("outcome", text),
        sa.Column("status", big),
        sa.Column("error_type", text),
        sa.Column("error_code", text),
        sa.Column("response_model", text),
        sa.Column("response_id", text),
        sa.Column("upstream_request_id", text),
        sa.Column("stop_reason", text),
        sa.Column("response_bytes", big, nullable=False, server_default=sa.text("0")),
        sa.Column("first_byte_us", big),
        sa.Column("first_token_us", big),
        sa.Column("total_us", big),
        sa.Column("input_tokens", big),
        sa.Column("cache_read_tokens", big),
        sa.Column("cache_write_5m_tokens", big),
        sa.Column("cache_write_1h_tokens", big),
        sa.Column("output_tokens", big),
        sa.Column("thinking_tokens", big),
        sa.Column("web_search_requests", big),
        sa.Column("web_fetch_requests", big),
        sa.Column("service_tier", text),
        sa.Column("speed", text),
        sa.Column("inference_geo", text),
        sa.Column("iterations", text),
        sa.Column("estimated", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("billing", text),
        sa.Column("cost_nano", big),
        sa.Column("estimate_nano", big),
        sa.Column("unpriced", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("price_version", text),
        sa.Column("swept", sa.Boolean, nullable=False, server_default=sa.false()),
    ]


def _partial_index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    only = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=only, postgresql_where=only)
