"""What the admin API is asked: the types that decode queries and bodies, and describe them.

A field's docstring is its description in `/openapi.json`. Times are UTC microseconds,
money nano-dollars. What comes back is in `answers.py`. Used by server/admin.
"""

from typing import Annotated, Literal

import msgspec

from clearway.core.budget import Period, Unit
from clearway.ledger.protocol import UsageBy

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
    caches: bool | None = None
    """Cache breakpoints are set in translated requests that have none; null: as `openai.caches` says."""


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
    caches: bool | msgspec.UnsetType | None = msgspec.UNSET


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


class NewPassword(_Body, frozen=True, kw_only=True):
    """The password that signs in from now on."""

    password: Annotated[str, msgspec.Meta(min_length=12, max_length=512)]
    """12 to 512 characters, counted as Unicode's NFKC has them."""


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
