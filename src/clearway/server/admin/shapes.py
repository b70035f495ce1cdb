"""What the admin API is asked and answers: the types that decode, encode and describe it.

A field's docstring is its description in `/openapi.json`. Rows of the ledger are
answered as they are (`ledger/protocol.py`). Times are UTC microseconds, durations
microseconds, money nano-dollars. Used by server/admin alone.
"""

from typing import Annotated, Literal

import msgspec

from clearway.keys.model import Key, Period, Unit
from clearway.ledger.administration import AuditRow
from clearway.ledger.protocol import AttemptRow, ExchangeRow, UsageBy, UsageRow

_MOST = 10**15
_LAST_US = 253_402_300_799_000_000
"""The end of the year 9999."""

Id = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", max_length=36)]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Moment = Annotated[int, msgspec.Meta(ge=0, le=_LAST_US)]
Most = Annotated[int, msgspec.Meta(ge=1, le=_MOST)]
Cursor = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Page = Annotated[int, msgspec.Meta(ge=1, le=500)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Labels = Annotated[tuple[Label, ...], msgspec.Meta(max_length=100)]
EndpointName = Literal["messages", "count_tokens", "models", "relay"]
Endpoints = Annotated[tuple[EndpointName, ...], msgspec.Meta(max_length=4)]


class _Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of a query."""


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A JSON object."""


class BudgetWish(_Body, frozen=True, kw_only=True):
    """A budget to be set."""

    amount: Annotated[int, msgspec.Meta(ge=1, le=10**18)]
    """Integer nano-dollars, or tokens."""
    unit: Unit
    period: Period = "total"


BudgetText = Annotated[str, msgspec.Meta(min_length=1, max_length=60, examples=["5usd/day", "2Mtokens/month"])]
Budgets = Annotated[tuple[BudgetWish | BudgetText, ...], msgspec.Meta(max_length=20)]


class KeyWish(_Body, frozen=True, kw_only=True):
    """A key to be made."""

    name: Name
    """Unique among live keys; printable."""
    owner: bool = False
    """It belongs to the gateway's owner, and may use this API."""
    expires_us: Moment | None = None
    """When it ends; null: never."""
    models: Labels = ()
    """Patterns; empty: all models."""
    endpoints: Endpoints = ()
    """Empty: all."""
    upstreams: Labels = ()
    """Names of configured upstreams; empty: all."""
    tags: Labels = ()
    strict: bool = False
    """Refuse what could only be approximated."""
    budgets: Budgets = ()
    """All must hold; as an object or as text."""
    requests_per_minute: Most | None = None
    input_tokens_per_minute: Most | None = None
    output_tokens_per_minute: Most | None = None
    parallel: Most | None = None
    """Requests at one moment."""
    counts_estimates: bool = False
    """Budgets in USD also count the list price of traffic that a plan pays, or nobody."""


class KeyRevision(_Body, frozen=True, kw_only=True):
    """What to change of a key; what is left out stays. null takes a limit away."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    owner: bool | msgspec.UnsetType = msgspec.UNSET
    expires_us: Moment | msgspec.UnsetType | None = msgspec.UNSET
    models: Labels | msgspec.UnsetType = msgspec.UNSET
    endpoints: Endpoints | msgspec.UnsetType = msgspec.UNSET
    upstreams: Labels | msgspec.UnsetType = msgspec.UNSET
    tags: Labels | msgspec.UnsetType = msgspec.UNSET
    strict: bool | msgspec.UnsetType = msgspec.UNSET
    budgets: Budgets | msgspec.UnsetType = msgspec.UNSET
    requests_per_minute: Most | msgspec.UnsetType | None = msgspec.UNSET
    input_tokens_per_minute: Most | msgspec.UnsetType | None = msgspec.UNSET
    output_tokens_per_minute: Most | msgspec.UnsetType | None = msgspec.UNSET
    parallel: Most | msgspec.UnsetType | None = msgspec.UNSET
    counts_estimates: bool | msgspec.UnsetType = msgspec.UNSET


class Rotation(_Body, frozen=True, kw_only=True):
    """How a key gets a new secret."""

    overlap_s: Annotated[int, msgspec.Meta(ge=0, le=366 * 86_400)] = 86_400
    """How long the old secret goes on, in seconds. Default a day."""


class Empty(_Body, frozen=True, kw_only=True):
    """`{}`: a body that says nothing, so that a page of another site cannot send it unasked."""


class SignIn(_Body, frozen=True, kw_only=True):
    """One of both."""

    link: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    """What stands behind `#` in the link that `clearway open` prints."""
    password: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    """As `clearway password` has set it."""


class KeyPage(_Query, frozen=True, kw_only=True):
    """Which keys to list."""

    limit: Page = 100
    cursor: Cursor | None = None
    """`next` of the page before."""
    revoked: bool = False
    """Revoked ones too."""
    q: Label | None = None
    """In the name, the id, the displayed prefix or the tags."""


class ExchangePage(_Query, frozen=True, kw_only=True):
    """Which exchanges to list, newest first. All filters must hold."""

    limit: Page = 50
    cursor: Cursor | None = None
    """`next` of the page before."""
    q: Label | None = None
    """Anywhere in ids, names, models, paths and kinds of errors."""
    key: Label | None = None
    """A key's id or name."""
    model: Label | None = None
    """As asked for, or as it answered."""
    upstream: Label | None = None
    session: Label | None = None
    run: Label | None = None
    instance: Label | None = None
    client: Label | None = None
    """The client's name, as `claude-cli`."""
    endpoint: EndpointName | None = None
    outcome: Literal["ok", "client_closed", "upstream_error", "denied", "interrupted", "running"] | None = None
    status: Annotated[int, msgspec.Meta(ge=100, le=599)] | None = None
    error_type: Label | None = None
    billing: Literal["billed", "plan", "simulated"] | None = None
    since_us: Moment | None = None
    """Inclusive, by time of admission."""
    until_us: Moment | None = None
    """Exclusive."""


class AttemptPage(_Query, frozen=True, kw_only=True):
    """Which attempts to list, those of the newest exchanges first. All filters must hold."""

    limit: Page = 50
    cursor: Cursor | None = None
    """`next` of the page before."""
    exchange: Id | None = None
    upstream: Label | None = None
    model: Label | None = None
    """As sent, or as it answered."""
    outcome: Literal["ok", "client_closed", "upstream_error", "denied", "interrupted"] | None = None
    status: Annotated[int, msgspec.Meta(ge=100, le=599)] | None = None
    error_type: Label | None = None
    since_us: Moment | None = None
    """Inclusive, by the attempt's beginning."""
    until_us: Moment | None = None
    """Exclusive."""


class UsageSums(_Query, frozen=True, kw_only=True):
    """What to sum, and how to group it. All filters must hold."""

    by: Annotated[tuple[UsageBy, ...], msgspec.Meta(min_length=1, max_length=11)] = ("day",)
    """Separated by commas."""
    since_us: Moment | None = None
    """Inclusive, by time of admission."""
    until_us: Moment | None = None
    """Exclusive."""
    key: Label | None = None
    """A key's id or name."""
    model: Label | None = None
    session: Label | None = None
    run: Label | None = None
    instance: Label | None = None
    upstream: Label | None = None
    client: Label | None = None
    timezone: Annotated[str, msgspec.Meta(min_length=1, max_length=60)] | None = None
    """An IANA name; decides where hours, days, weeks and months begin. Default: `usage.timezone`."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=5000)] = 1000


class AuditPage(_Query, frozen=True, kw_only=True):
    """Which changes to list, newest first. All filters must hold."""

    limit: Page = 50
    cursor: Cursor | None = None
    """`next` of the page before."""
    what: Label | None = None
    """As `key.update`."""
    source: Literal["cli", "api", "gateway"] | None = None
    subject: Label | None = None
    """Id or name of what was changed."""
    since_us: Moment | None = None
    """Inclusive."""
    until_us: Moment | None = None
    """Exclusive."""


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
    """An upstream, and what it has done since this gateway was started."""

    name: str
    kind: str
    base_url: str | None
    models: tuple[str, ...]
    """Patterns of what it serves."""
    state: Literal["unused", "well", "failing", "limited", "cooling"]
    """`cooling`: left alone for a while; `limited`: for some models; `failing`: the last attempt failed."""
    last_success_us: int | None
    last_failure: LastFailure | None
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


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks."""

    key_id: str | None
    key_name: str | None
    session: SessionAnswer | None
    csrf: str | None
    """With a session: what a page sends as `x-clearway-csrf` to change anything."""
