"""What the admin API answers: the types that encode it, and describe it.

A field's docstring is its description in `/openapi.json`. Rows of the ledger are
answered as they are (`ledger/protocol.py`). Times are UTC microseconds, durations
microseconds, money nano-dollars. What is asked is in `asks.py`. Used by server/admin.
"""

from typing import Literal

import msgspec

from clearway.core.budget import Period, Unit
from clearway.keys.model import Key
from clearway.ledger.administration import AuditRow
from clearway.ledger.protocol import AttemptRow, ExchangeRow, UsageRow


class BudgetAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A budget at this moment; amounts in nano-dollars, or tokens."""

    key_id: str | None
    """null: the whole gateway's."""
    key_name: str | None
    text: str
    """As it can be written: `5usd/day`."""
    amount: int
    unit: Unit
    period: Period
    spent: int
    held: int
    """By what runs."""
    left: int
    since_us: int
    """Where the period began; 0 for `total`."""
    resets_us: int | None
    """Where it ends; null: never."""
    is_loading: bool
    """What was spent before the budget was made is not counted yet: `spent` is too little, and `left` too much."""


class KeyAnswer(Key, frozen=True, kw_only=True):
    """A key, never its secret."""

    state: Literal["live", "expired", "revoked"]
    used_us: int | None
    """When an exchange was last admitted with it."""
    budget_states: tuple[BudgetAnswer, ...]


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """A page of keys, the oldest first."""

    keys: tuple[KeyAnswer, ...]
    next: str | None
    """The cursor of the next page; null: this is the last."""


class NewKeyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A key with its secret, the only time that it is shown."""

    key: KeyAnswer
    secret: str


class Exchanges(msgspec.Struct, frozen=True, kw_only=True):
    """A page of exchanges, the newest first."""

    exchanges: tuple[ExchangeRow, ...]
    next: str | None
    """The cursor of the next page; null: this is the last. What comes meanwhile does not move it."""


class Attempts(msgspec.Struct, frozen=True, kw_only=True):
    """A page of attempts."""

    attempts: tuple[AttemptRow, ...]
    next: str | None
    """The cursor of the next page; null: this is the last."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Sums by group: times ascending, then the dearest first."""

    usage: tuple[UsageRow, ...]
    timezone: str
    is_whole: bool
    """False where there are more groups than `limit`."""


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """A page of changes, the newest first."""

    changes: tuple[AuditRow, ...]
    next: str | None
    """The cursor of the next page; null: this is the last."""


class BudgetList(msgspec.Struct, frozen=True, kw_only=True):
    """Every budget that is in force, the gateway's first."""

    budgets: tuple[BudgetAnswer, ...]


class CoolingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """For how long an upstream, or a model there, is left alone."""

    model: str | None
    """null: every model."""
    why: str
    """`unreachable`, `credential`, `limited`, `overloaded`, `unavailable`, `failed`, `timeout`,
    `broken` or `no_model`."""
    until_us: int
    left_s: float
    told: bool
    """The upstream said so; otherwise it is a guess."""


class LastFailure(msgspec.Struct, frozen=True, kw_only=True):
    """How an upstream failed the last time."""

    at_us: int
    why: str | None
    """Our own error code, or the type that its answer told."""
    status: int | None
    """null: there was no answer."""


class UpstreamAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An upstream, and what it has done. Counters begin with the gateway's process."""

    name: str
    kind: str
    base_url: str | None
    models: tuple[str, ...]
    """Patterns of what it serves."""
    state: Literal["unused", "well", "failing", "limited", "cooling"]
    """`cooling`: left alone for a while; `limited`: for some models; `failing`: the last attempt failed."""
    last_success_us: int | None
    """Also from before the start; null: not in the last 100,000 attempts."""
    last_failure: LastFailure | None
    """Likewise."""
    answered: int
    """Attempts that were answered whole."""
    refused: int
    """Attempts whose request the upstream found wrong."""
    failed: int
    """Attempts in which the upstream failed."""
    left: int
    """Attempts that the client or the gateway ended."""
    cooling: tuple[CoolingAnswer, ...]
    windows: tuple[object, ...]
    """Those that were observed there; see `/admin/api/windows`."""


class Upstreams(msgspec.Struct, frozen=True, kw_only=True):
    """All configured upstreams, in their order."""

    counted_since_us: int
    """When the counters began: the start of the gateway."""
    upstreams: tuple[UpstreamAnswer, ...]


class Windows(msgspec.Struct, frozen=True, kw_only=True):
    """The windows of subscriptions, as they were observed."""

    windows: tuple[object, ...]


class StatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """This gateway."""

    version: str
    instance_id: str
    started_us: int
    now_us: int
    healthy: bool
    """False while the ledger cannot be written."""
    open_exchanges: int


class SessionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in browser."""

    id: str
    how: str
    """`link` or `password`."""
    began_us: int
    seen_us: int
    """When it was last used, give or take a minute."""
    expires_us: int
    """Its absolute end."""
    idle_s: int
    """Without use it ends after so long."""
    is_own: bool
    """It is the one that asks."""


class Sessions(msgspec.Struct, frozen=True, kw_only=True):
    """Those that live."""

    sessions: tuple[SessionAnswer, ...]


class PasswordAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a password signs in."""

    is_set: bool
    """False: only links do."""


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks."""

    key_id: str | None
    key_name: str | None
    session: SessionAnswer | None
    csrf: str | None
    """With a session: what a page sends as `x-clearway-csrf` to change anything."""
