"""What the admin API is made of, as compose hands it in, and what a handler is given.

Used by everything in server/admin.
"""

from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from typing import TypeVar

import msgspec

from clearway.core.clock import Clock
from clearway.core.fields import Headers
from clearway.gateway.wrong_keys import WrongKeys
from clearway.keys.model import Key
from clearway.keys.session import Session
from clearway.ledger.administration import Actor, Deskwork, Keyholder
from clearway.ledger.protocol import KeyRing
from clearway.limits.protocol import BudgetState
from clearway.observe.protocol import Status, Subscriptions
from clearway.upstreams.counts import Counts

T = TypeVar("T")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A configured upstream, as far as people may see it."""

    name: str
    kind: str
    base_url: str | None
    models: tuple[str, ...]


class Budgets(msgspec.Struct, frozen=True):
    """Every budget in force, at one moment."""

    states: Sequence[BudgetState]
    loading: Collection[tuple[str | None, int]] = ()
    """Keys (None: the gateway) and beginnings of periods of which not all that was spent is counted yet."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What stands behind the API."""

    ledger: Keyholder
    desk: Deskwork
    ring: KeyRing
    clock: Clock
    feed: Subscriptions
    status: Callable[[], Status]
    """Tells about the process, and what cools."""
    budgets: Callable[[], Budgets]
    """Waits a little for what is `loading`."""
    upstreams: Callable[[], tuple[Place, ...]]
    """As they are configured now."""
    wrong: WrongKeys
    """Slows down whoever guesses keys."""
    counts: Callable[[], dict[str, Counts]]
    """What each upstream has done."""
    is_serving: Callable[[], bool]
    """False while draining: whoever only watches is let go."""
    timezone: str
    port: int
    is_secure: bool
    """Browsers come by TLS."""
    windows: Callable[[], Sequence[object]] = tuple
    """The windows of subscriptions that were observed; each can be encoded as JSON, and may name its `upstream`."""


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: an owner key or a session."""

    key: Key | None = None
    session: Session | None = None
    token: str = ""
    """The session's; never shown."""

    def __repr__(self) -> str:
        return "Visitor(***)"

    @property
    def actor(self) -> Actor:
        """Who changes something."""
        return Actor(
            source="api",
            key_id=None if self.key is None else self.key.id,
            session_id=None if self.session is None else self.session.id,
        )


STRANGER = Visitor()


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request, decoded by the route's types."""

    visitor: Visitor = STRANGER
    id: str = ""
    """Of the path."""
    query: object = None
    body: object = None
    headers: Headers = ()


def expect(value: object, kind: type[T]) -> T:
    """What a route's types have decoded, for the type checker too."""
    if not isinstance(value, kind):
        raise TypeError(kind)
    return value


class Told(msgspec.Struct, frozen=True):
    """An answer with fields of its own."""

    value: object
    headers: Headers = ()


Handler = Callable[[Parts, Asked], object]
"""Called in a thread: it may wait for the database. Raises Refused, LedgerError."""
Streamer = Callable[[Parts, Asked], AsyncGenerator[bytes]]
"""Runs on the event loop."""
