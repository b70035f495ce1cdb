"""The tables, for SQLite and PostgreSQL alike.

Owns names, types and indexes. Ids are text (UUIDv7), times UTC microseconds,
durations microseconds, money nano-dollars; NULL means "not known", never 0. The
columns follow `ExchangeRow`, `AttemptRow` (ledger/protocol.py) and `Key` (keys/model.py).

How each table grows:

- `exchanges`: one row per request, about 600 bytes with its indexes.
- `attempts`: one row per try, nearly always one per exchange, about 300 bytes.
- `keys`: one row per key ever made; a revoked one stays, exchanges refer to it.
- `key_secrets`: one row per live secret; rotation deletes those that are over.
- `instances`: one row per start of a gateway.
- `windows`: one row per change of a window's use, 32 in a fifth of its length at most;
  pruned after 90 days, and over 100,000 rows.
- `audit`: one row per change of keys, sessions and the password, about 500 bytes; kept for good.
- `sessions`: one row per sign-in; those over for 30 days go with the next one.
- `sign_in_links`: one row per link that is not used yet; those that are void go with the next one.
- `admin_password`: one row at most.
- `identity`: one row at most.
- `objects`: one row per file and batch that a key made and has not deleted, about 300 bytes.

No foreign key leads from exchanges and attempts to other tables: a record that
points nowhere must never make a whole batch fail. A change here needs a revision
in `migrations/versions`; a test compares the two.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    and_,
    false,
    text,
)
from sqlalchemy.types import TypeEngine

ID: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared byte by byte on both databases, so that ids sort by time everywhere."""

metadata = MetaData()

_ONLY = "only"
"""Of a partial index: which rows it has."""


def _measure_columns() -> list[Column[object]]:
    """What was seen of an answer; the same for an exchange and an attempt."""
    return [
        Column("ended_us", BigInteger),
        Column("outcome", Text),
        Column("status", BigInteger),
        Column("error_type", Text),
        Column("error_code", Text),
        Column("response_model", Text),
        Column("response_id", Text),
        Column("upstream_request_id", Text),
        Column("stop_reason", Text),
        Column("response_bytes", BigInteger, nullable=False, server_default=text("0")),
        Column("first_byte_us", BigInteger),
        Column("first_token_us", BigInteger),
        Column("total_us", BigInteger),
        Column("input_tokens", BigInteger),
        Column("cache_read_tokens", BigInteger),
        Column("cache_write_5m_tokens", BigInteger),
        Column("cache_write_1h_tokens", BigInteger),
        Column("output_tokens", BigInteger),
        Column("thinking_tokens", BigInteger),
        Column("web_search_requests", BigInteger),
        Column("web_fetch_requests", BigInteger),
        Column("service_tier", Text),
        Column("speed", Text),
        Column("inference_geo", Text),
        Column("iterations", Text),
        Column("estimated", Boolean, nullable=False, server_default=false()),
        Column("billing", Text),
        Column("cost_nano", BigInteger),
        Column("estimate_nano", BigInteger),
        Column("unpriced", Boolean, nullable=False, server_default=false()),
        Column("price_version", Text),
        # True where `outcome` is the sweep's guess: only then may the truth still replace it.
        Column("swept", Boolean, nullable=False, server_default=false()),
    ]


exchanges = Table(
    "exchanges",
    metadata,
    Column("id", ID, primary_key=True),
    Column("instance_id", ID, nullable=False),
    Column("admitted_us", BigInteger, nullable=False),
    Column("wire", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("key_id", ID),
    Column("client_credential", Boolean, nullable=False),
    Column("run_id", Text),
    Column("session_id", Text),
    Column("agent_id", Text),
    Column("parent_agent_id", Text),
    Column("client_name", Text),
    Column("client_version", Text),
    Column("client_request_id", Text),
    Column("request_model", Text),
    Column("stream", Boolean),
    Column("request_bytes", BigInteger, nullable=False),
    Column("upstream", Text),
    Column("kind", Text),
    Column("attempts", BigInteger, nullable=False, server_default=text("0")),
    *_measure_columns(),
)

Index("exchanges_admitted", exchanges.c.admitted_us)
# Lists are ordered by id, which is the order of time: no sorting for a filtered page.
for _name in ("key_id", "session_id", "run_id"):
    _given = exchanges.c[_name].is_not(None)
    Index(f"exchanges_{_name.removesuffix('_id')}", exchanges.c[_name], exchanges.c.id, info={_ONLY: _given})
Index("exchanges_open", exchanges.c.instance_id, info={_ONLY: exchanges.c.outcome.is_(None)})

attempts = Table(
    "attempts",
    metadata,
    Column("exchange_id", ID, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("upstream", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("model", Text),
    Column("started_us", BigInteger, nullable=False),
    *_measure_columns(),
)

keys = Table(
    "keys",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("owner", Boolean, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger),
    Column("revoked_us", BigInteger),
    # JSON lists: read whole, never searched.
    Column("models", Text, nullable=False),
    Column("endpoints", Text, nullable=False),
    Column("upstreams", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("strict", Boolean, nullable=False),
    # Counts the changes of this key. The sum over all keys tells whether anything changed.
    Column("revision", BigInteger, nullable=False, server_default=text("1")),
    Column("budgets", Text, nullable=False, server_default=text("'[]'")),
    Column("requests_per_minute", BigInteger),
    Column("input_tokens_per_minute", BigInteger),
    Column("output_tokens_per_minute", BigInteger),
    Column("parallel", BigInteger),
    Column("counts_estimates", Boolean, nullable=False, server_default=false()),
    Column("caches", Boolean),
)
Index("keys_live_name", keys.c.name, unique=True, info={_ONLY: keys.c.revoked_us.is_(None)})

key_secrets = Table(
    "key_secrets",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("key_id", ID, ForeignKey("keys.id"), nullable=False, index=True),
    Column("expires_us", BigInteger),
)

instances = Table(
    "instances",
    metadata,
    Column("id", ID, primary_key=True),
    Column("version", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("started_us", BigInteger, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
)

# Runs of `ledger/window_states.py: WindowRun`.
windows = Table(
    "windows",
    metadata,
    Column("credential_id", ID, primary_key=True),
    Column("window", ID, primary_key=True),
    Column("first_us", BigInteger, primary_key=True, autoincrement=False),
    Column("seen_us", BigInteger, nullable=False),
    Column("upstream", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("account", Text),
    Column("status", Text),
    Column("began_ppm", BigInteger),
    Column("used_ppm", BigInteger),
    Column("threshold_ppm", BigInteger),
    Column("resets_us", BigInteger),
    Column("is_claim", Boolean, nullable=False),
    # A JSON object: read whole, never searched.
    Column("notes", Text),
)
Index("windows_seen", windows.c.seen_us)

alerts = Table(
    "alerts",
    metadata,
    Column("subject", Text, primary_key=True),
    # Where the period begins, or a window ends; 0: it never does.
    Column("since_us", BigInteger, primary_key=True, autoincrement=False),
    Column("permille", BigInteger, primary_key=True, autoincrement=False),
    Column("told_us", BigInteger, nullable=False),
)

# What is on its way to webhooks; a few rows at any time.
alert_messages = Table(
    "alert_messages",
    metadata,
    Column("message_id", ID, primary_key=True),
    # A hash: addresses of webhooks are secrets, often.
    Column("receiver", ID, primary_key=True),
    Column("instance_id", ID, nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", ID, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("key_id", ID),
    Column("session_id", ID),
    Column("what", Text, nullable=False),
    Column("subject_id", ID),
    Column("subject_name", Text),
    # JSON objects: read whole, never searched.
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", ID, primary_key=True),
    Column("token_hash", LargeBinary, nullable=False),
    Column("how", Text, nullable=False),
    Column("began_us", BigInteger, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger),
    Column("ended_why", Text),
)
Index("sessions_token_hash", sessions.c.token_hash, unique=True)

sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("expires_us", BigInteger, nullable=False),
)

admin_password = Table(
    "admin_password",
    metadata,
    # Always 1: there is one password.
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("encoded", Text, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
)

# What tells this ledger from others, made where counters outside of it need a name.
identity = Table(
    "identity",
    metadata,
    # Always 1: there is one.
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("id", ID, nullable=False),
)

objects = Table(
    "objects",
    metadata,
    Column("id", ID, primary_key=True),
    Column("upstream", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("key_id", ID, nullable=False),
    Column("exchange_id", ID, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    # JSON list of `ledger.ownership.Share`: read whole, never searched.
    Column("held", Text),
    Column("charged_us", BigInteger),
)
Index("objects_of_key", objects.c.key_id, objects.c.kind, objects.c.exchange_id, objects.c.id)
Index(
    "objects_uncharged",
    objects.c.exchange_id,
    info={_ONLY: and_(objects.c.kind == "batch", objects.c.charged_us.is_(None))},
)


def whole(dialect: str) -> MetaData:
    """The schema with what one database calls by a name of its own: the rows of partial indexes.

    Only who makes tables needs that, and naming a dialect imports it: PostgreSQL's would be
    a tenth of the time of a start.

    Args:
        dialect: `sqlite` or `postgresql`.
    """
    for table in metadata.tables.values():
        for index in table.indexes:
            if _ONLY in index.info:
                index.dialect_kwargs[f"{dialect}_where"] = index.info[_ONLY]
    return metadata
