"""What is observed: one message of the live feed as it goes to everybody who watches, and
who hears of windows.

Each line of `GET /feed` on the control socket is one `Update` as JSON; an empty
line is a heartbeat. Written by the gateway, read by `clearway log --follow`.
"""

from contextlib import AbstractContextManager
from typing import Literal, Protocol

import msgspec

from clearway.core.fields import Fields
from clearway.core.window import Reading
from clearway.ledger.protocol import ExchangeRow

What = Literal["admitted", "first_token", "settled"]


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """What just happened to one exchange."""

    what: What
    exchange: ExchangeRow
    """The exchange as it is known at this moment; whole once it is settled."""


class Cooling(msgspec.Struct, frozen=True, kw_only=True):
    """An upstream that is left alone for a while."""

    upstream: str
    model: str | None
    """None: for every model."""
    why: str
    """`upstreams/health.py: Failure`."""
    left_s: float
    """For how long still, in seconds."""
    told: bool
    """The upstream said so; otherwise it is a guess."""


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A budget as the gateway counts it."""

    key_id: str | None
    """None: the whole gateway's."""
    budget: str
    """`5usd/day`."""
    spent: int
    """Nano-dollars, or tokens."""
    held: int
    """By what runs."""
    resets_us: int | None
    """None: never."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers at the control socket: `GET /status`.

    The defaults stand for what a gateway of another version does not tell.
    """

    pid: int
    url: str
    version: str
    instance_id: str
    started_us: int
    upstreams: tuple[dict[str, str], ...] = ()
    healthy: bool = True
    """False while the ledger cannot be written."""
    open_exchanges: int = 0
    cooling: tuple[Cooling, ...] = ()
    budgets: tuple[Counted, ...] = ()


class Subscription(Protocol):
    """One who watches."""

    @property
    def dropped(self) -> int:
        """Updates that were lost so far because nobody took them."""
        ...

    async def next(self, wait_s: float) -> list[Update]:
        """The updates since the last call; an empty list after `wait_s` without any."""
        ...


class Subscriptions(Protocol):
    """Where one can begin to watch."""

    def subscribe(self) -> AbstractContextManager[Subscription]:
        """Watch from now on, until the context is left."""
        ...


class WindowWatch(Protocol):
    """Remembers what answers say; returns at once."""

    def saw(self, upstream: str, credential: bytes | None, fields: Fields) -> None:
        """The head of an answer came, and it names windows.

        Args:
            upstream: Who answered.
            credential: Of the client; None where the gateway paid with its own.
            fields: Of the head.
        """
        ...

    def heard(self, upstream: str, credential: bytes | None, account: bytes | None, readings: list[Reading]) -> None:
        """An answer told of windows in its body.

        Args:
            upstream: Who answered.
            credential: As with `saw`.
            account: What the upstream calls the account, where it said so.
            readings: What was told.
        """
        ...
