"""The two faces of the ledger.

`Journal` is what the walk writes to: never waits, never fails a request.
`Ledger` is what people read and change: synchronous, used by the commands and
by the control socket, implemented by `ledger/store.py` on the database and by
`cli/remote.py` across the socket.
"""

from typing import Literal, Protocol

import msgspec

from clearway.core.exchange import Admission, AttemptEnd, AttemptStart, Progress, Settlement
from clearway.keys.model import Key, KeyChange, KeySecret, KeySpec, NewKey


class Journal(Protocol):
    """Where the walk tells what happens. All calls return at once."""

    @property
    def healthy(self) -> bool:
        """False while nothing can be written: new exchanges are refused."""
        ...

    def admit(self, admission: Admission) -> int:
        """Note an exchange; returns its place in the queue, for `committed`."""
        ...

    def begin(self, start: AttemptStart) -> None:
        """Note that a try begins."""
        ...

    def progress(self, progress: Progress) -> None:
        """Note what was seen so far of a running try."""
        ...

    def end(self, end: AttemptEnd) -> None:
        """Note that a try is over."""
        ...

    def settle(self, settlement: Settlement) -> None:
        """Note that an exchange is over; called once for each admission."""
        ...

    async def committed(self, place: int) -> bool:
        """Wait until everything up to `place` is durable; False: it failed."""
        ...


class KeyRing(Protocol):
    """The keys that are in force, in memory."""

    def find(self, secret_hash: bytes) -> tuple[Key, KeySecret] | None:
        """The key that a secret's SHA-256 belongs to. Constant time in practice:
        one look-up by hash.
        """
        ...

    def by_id(self, key_id: str) -> Key | None:
        """The key as it is now, revoked lately or not; None: not known."""
        ...


UsageBy = Literal["hour", "day", "week", "month", "model", "key", "session", "client", "upstream", "run", "total"]


class UsageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which exchanges to sum, and how to group them. All filters must hold."""

    by: tuple[UsageBy, ...] = ("day",)
    since_us: int | None = None
    """Inclusive, by time of admission."""
    until_us: int | None = None
    """Exclusive."""
    key: str | None = None
    """A key's id or name."""
    model: str | None = None
    session: str | None = None
    run: str | None = None
    instance: str | None = None
    upstream: str | None = None
    client: str | None = None
    timezone: str = "UTC"
    """An IANA name; decides where hours, days, weeks and months begin."""
    limit: int = 1000


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """The sum over one group."""

    group: dict[str, str | None]
    """By the names of `UsageQuery.by`: hour as `2026-11-21T14:00+01:00`, day as `2026-11-21`,
    week as `2026-W47` (ISO 8601, from Monday on), month as `2026-11`, key as its name."""
    exchanges: int
    errors: int
    """Exchanges whose outcome is neither `ok` nor `client_closed`."""
    input_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    thinking_tokens: int
    web_search_requests: int
    cost_nano: int
    """Money really billed."""
    estimate_nano: int
    """List price of plan and simulated traffic; never part of `cost_nano`."""
    unpriced: int
    """Exchanges with usage whose price is unknown: the sums lack them."""
    estimated: int
    """Exchanges whose output had to be estimated because they broke off."""
    total_us: int
    """Sum of the durations."""
    first_us: int
    last_us: int


class ExchangeQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which exchanges to list, newest first."""

    limit: int = 50
    before: str | None = None
    """An exchange id: list older ones only (ids sort by time)."""
    after: str | None = None
    """An exchange id: list newer ones only, oldest first."""
    key: str | None = None
    model: str | None = None
    session: str | None = None
    run: str | None = None
    instance: str | None = None
    outcome: str | None = None
    """`running`: those that are not over."""
    upstream: str | None = None
    client: str | None = None
    endpoint: str | None = None
    status: int | None = None
    error_type: str | None = None
    billing: str | None = None
    since_us: int | None = None
    """Inclusive, by time of admission."""
    until_us: int | None = None
    """Exclusive."""
    text: str | None = None
    """Anywhere in ids, names, models, paths and kinds of errors; upper and lower case are the same."""


class ExchangeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange as it is kept. None: not known (yet). Times in UTC
    microseconds, durations in microseconds, money in nano-dollars.
    """

    id: str
    instance_id: str
    admitted_us: int
    ended_us: int | None = None
    outcome: str | None = None
    """None while it runs."""
    wire: str
    endpoint: str
    method: str
    path: str
    key_id: str | None = None
    key_name: str | None = None
    client_credential: bool = False
    run_id: str | None = None
    session_id: str | None = None
    agent_id: str | None = None
    parent_agent_id: str | None = None
    client_name: str | None = None
    client_version: str | None = None
    client_request_id: str | None = None
    request_model: str | None = None
    stream: bool | None = None
    request_bytes: int = 0
    upstream: str | None = None
    kind: str | None = None
    attempts: int = 0
    status: int | None = None
    error_type: str | None = None
    error_code: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    upstream_request_id: str | None = None
    stop_reason: str | None = None
    response_bytes: int = 0
    first_byte_us: int | None = None
    first_token_us: int | None = None
    total_us: int | None = None
    input_tokens: int | None = None
    """This and the other usage fields are None where no usage was told."""
    cache_read_tokens: int | None = None
    cache_write_5m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    output_tokens: int | None = None
    thinking_tokens: int | None = None
    web_search_requests: int | None = None
    web_fetch_requests: int | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    iterations: str | None = None
    """JSON list of `core.usage.Iteration`, where there were any."""
    estimated: bool = False
    billing: str | None = None
    cost_nano: int | None = None
    estimate_nano: int | None = None
    unpriced: bool = False
    price_version: str | None = None


class AttemptRow(msgspec.Struct, frozen=True, kw_only=True):
    """One try as it is kept; units as in `ExchangeRow`."""

    exchange_id: str
    number: int
    upstream: str
    kind: str
    model: str | None = None
    started_us: int
    ended_us: int | None = None
    outcome: str | None = None
    status: int | None = None
    error_type: str | None = None
    error_code: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    upstream_request_id: str | None = None
    stop_reason: str | None = None
    response_bytes: int = 0
    first_byte_us: int | None = None
    first_token_us: int | None = None
    total_us: int | None = None
    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_5m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    output_tokens: int | None = None
    thinking_tokens: int | None = None
    web_search_requests: int | None = None
    web_fetch_requests: int | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    iterations: str | None = None
    estimated: bool = False
    billing: str | None = None
    cost_nano: int | None = None
    estimate_nano: int | None = None
    unpriced: bool = False
    price_version: str | None = None


class ExchangeDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange with its attempts, in order."""

    exchange: ExchangeRow
    attempts: tuple[AttemptRow, ...]


class WindowState(msgspec.Struct, frozen=True, kw_only=True):
    """One window of one credential: a subscription's rolling limit, as it was last seen
    in an answer that passed. Nothing is asked for it, so it is as old as it says.
    """

    credential_id: str
    """A keyed hash of the credential; never the credential, and nothing leads back."""
    credential_label: str
    """For people: the credential's kind and the beginning of its id, `login 3f9a2c41`."""
    upstream: str
    """Who told of it last."""
    window: str
    """`5h`, `7d`, `7d_opus`, `overage` and so on, as the provider's header fields spell it."""
    status: str | None = None
    """`allowed`, `allowed_warning`, `rejected`; an open list. Null: not told, or reset since."""
    utilization: float | None = None
    """Used fraction, 0 to 1 and sometimes more. Null: not told, or reset since it was seen."""
    last_utilization: float | None = None
    """The last one that was seen, also where the window has been reset since."""
    surpassed_threshold: float | None = None
    """The highest threshold of its own that the provider says is passed."""
    resets_us: int | None = None
    """When it begins anew, with nothing used."""
    seen_us: int
    """When it was told last."""
    age_us: int
    """How long ago that was."""
    is_over: bool = False
    """Its reset has passed since it was seen: what is used now is not known."""
    rate_per_hour: float | None = None
    """The fraction used in an hour, lately. Null: too little was seen."""
    runs_out_us: int | None = None
    """When nothing is left, if it goes on like this. Null: not before its reset, or it cannot be told."""
    decides: bool = False
    """Of the credential's windows this one decides: of several that reject the one that does
    so longest, otherwise the one that the provider names, otherwise the fullest.
    """
    notes: dict[str, str] = {}
    """What else was said of it, by the rest of the field's name: `disabled-reason`."""


class WindowQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of the windows' history to read, oldest first."""

    credential_id: str | None = None
    window: str | None = None
    since_us: int | None = None
    """Inclusive, by time of being seen."""
    until_us: int | None = None
    """Exclusive."""
    limit: int = 1000
    """The newest so many."""


class WindowPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a window's history: what was seen from `first_us` to `seen_us`."""

    credential_id: str
    credential_label: str
    upstream: str
    window: str
    first_us: int
    seen_us: int
    status: str | None = None
    began: float | None = None
    """Used fraction at its beginning."""
    utilization: float | None = None
    """At its end; a straight line leads there."""
    resets_us: int | None = None


class LedgerError(Exception):
    """A request to the ledger that cannot be met; the text is for a person."""


class NotInLedger(LedgerError):
    """No key or exchange goes by that name or id (or several do)."""


class Unusable(LedgerError):
    """The database cannot be reached, read or written; asking again later may help."""


class Ledger(Protocol):
    """What people read and change. `ref` is an id, a unique beginning of an id
    (8 characters at least), or, for keys, a name or a displayed prefix.
    """

    def create_key(self, spec: KeySpec) -> NewKey:
        """Make a key. Raises LedgerError where the name is taken by a live key."""
        ...

    def list_keys(self, *, revoked: bool = False) -> list[Key]:
        """Live keys by creation, with the revoked ones on demand."""
        ...

    def show_key(self, ref: str) -> Key:
        """One key. Raises NotInLedger."""
        ...

    def update_key(self, ref: str, change: KeyChange) -> Key:
        """Change a key; effective within a second everywhere. Raises NotInLedger."""
        ...

    def revoke_key(self, ref: str) -> Key:
        """End a key for good. Raises NotInLedger."""
        ...

    def rotate_key(self, ref: str, overlap_s: int) -> NewKey:
        """Give a key a new secret; the old one ends after `overlap_s` seconds.
        Raises NotInLedger, or LedgerError for a revoked key.
        """
        ...

    def usage(self, query: UsageQuery) -> list[UsageRow]:
        """Sums by group; times ascending, other groups by cost descending."""
        ...

    def exchanges(self, query: ExchangeQuery) -> list[ExchangeRow]:
        """A page of exchanges."""
        ...

    def exchange(self, ref: str) -> ExchangeDetail:
        """One exchange with its attempts. Raises NotInLedger."""
        ...

    def windows(self) -> list[WindowState]:
        """The windows of every credential, as they were last seen; a gateway writes
        what it sees within a second or two.
        """
        ...

    def window_history(self, query: WindowQuery) -> list[WindowPoint]:
        """How windows were used, oldest first; kept for 90 days."""
        ...

    def make_link(self) -> str:
        """The token of a new sign-in link, to be used once, soon."""
        ...

    def set_password(self, encoded: str | None) -> bool:
        """Set the admin password, as argon2 encodes it, or remove it; ends all sessions.
        False: there was none to remove.
        """
        ...
