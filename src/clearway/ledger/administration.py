"""What the admin API asks of the ledger, beside what the commands ask.

Who changed what is a value that is handed in with each change (`Actor`). Implemented
by ledger/store and ledger/desk; used by server/admin.
"""

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from clearway.keys.model import Key, KeyChange, KeySpec, NewKey
from clearway.keys.session import Session, Why
from clearway.ledger.protocol import (
    AttemptRow,
    ExchangeDetail,
    ExchangeQuery,
    ExchangeRow,
    LedgerError,
    UsageQuery,
    UsageRow,
)

Source = Literal["cli", "api", "gateway"]
"""Where a change came from: a command, the admin API, the gateway itself at its first start."""

What = Literal[
    "key.create",
    "key.update",
    "key.revoke",
    "key.rotate",
    "link.create",
    "session.begin",
    "session.end",
    "password.set",
    "password.remove",
]
"""What was changed; an open list."""


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who changes something."""

    source: Source
    key_id: str | None = None
    """The owner key that was shown."""
    session_id: str | None = None
    """The session that was used."""


COMMAND = Actor(source="cli")
"""Whoever may open the data directory."""


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """One change, as it is kept for good."""

    id: str
    at_us: int
    """UTC microseconds."""
    source: str
    """`cli`, `api` or `gateway`."""
    key_id: str | None = None
    """The owner key by which it was made."""
    session_id: str | None = None
    """The session by which it was made."""
    what: str
    """`key.create`, `key.update`, `key.revoke`, `key.rotate`, `link.create`, `session.begin`,
    `session.end`, `password.set`, `password.remove`; an open list."""
    subject_id: str | None = None
    """The id of what was changed."""
    subject_name: str | None = None
    """Its name at that time."""
    before: dict[str, object] = {}
    """What was changed, as it was; never a secret."""
    after: dict[str, object] = {}
    """What was changed, as it is since; never a secret."""


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which changes to list, newest first."""

    limit: int = 50
    before: str | None = None
    """The id of a change: list older ones only."""
    what: str | None = None
    source: str | None = None
    subject: str | None = None
    """Id or name of what was changed."""
    since_us: int | None = None
    until_us: int | None = None


class AttemptQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which attempts to list, newest exchanges first."""

    limit: int = 50
    before: tuple[str, int] | None = None
    """An exchange's id and a number: list what comes behind that attempt only."""
    exchange: str | None = None
    upstream: str | None = None
    model: str | None = None
    outcome: str | None = None
    status: int | None = None
    error_type: str | None = None
    since_us: int | None = None
    until_us: int | None = None


class KeyQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which keys to list, the oldest first."""

    limit: int = 100
    after: str | None = None
    """A key's id: list younger ones only."""
    revoked: bool = False
    """Revoked ones too."""
    text: str | None = None
    """In the name, the id, the displayed prefix or a tag."""


class KeyUse(msgspec.Struct, frozen=True, kw_only=True):
    """A key, and when an exchange was last made with it."""

    key: Key
    used_us: int | None = None


class TookTooLong(LedgerError):
    """The database was not done within the time that was given."""


class LastHeard(msgspec.Struct, kw_only=True):
    """What was heard of one upstream last. Times are UTC microseconds; None: nothing that is known."""

    succeeded_us: int | None = None
    failed_us: int | None = None
    failure: str | None = None
    """Our own code, or the type that its answer told."""
    failure_status: int | None = None


class Keyholder(Protocol):
    """Keys, as far as an actor changes them, and sums. Implemented by ledger/store."""

    def create_key(self, spec: KeySpec, *, by: Actor) -> NewKey:
        """Make a key. Raises LedgerError where the name is taken by a live key."""
        ...

    def update_key(self, ref: str, change: KeyChange, *, by: Actor) -> Key:
        """Change a key. Raises NotInLedger, LedgerError."""
        ...

    def revoke_key(self, ref: str, *, by: Actor) -> Key:
        """End a key for good. Raises NotInLedger."""
        ...

    def rotate_key(self, ref: str, overlap_s: int, *, by: Actor) -> NewKey:
        """Give a key a new secret. Raises NotInLedger, LedgerError."""
        ...

    def set_password(self, encoded: str | None, *, by: Actor) -> bool:
        """Set the admin password or remove it; ends all sessions. False: there was none to remove."""
        ...

    def usage(self, query: UsageQuery, *, within_s: float) -> list[UsageRow]:
        """Sums by group. Raises TookTooLong."""
        ...

    def exchanges(self, query: ExchangeQuery, *, within_s: float) -> list[ExchangeRow]:
        """A page of exchanges. Raises TookTooLong."""
        ...

    def exchange(self, ref: str) -> ExchangeDetail:
        """One exchange with its attempts. Raises NotInLedger."""
        ...


class Deskwork(Protocol):
    """Pages, sessions and the audit log. Implemented by ledger/desk."""

    def keys(self, query: KeyQuery) -> list[KeyUse]:
        """A page of keys."""
        ...

    def key(self, key_id: str) -> KeyUse:
        """One key, by its whole id. Raises NotInLedger."""
        ...

    def attempts(self, query: AttemptQuery) -> list[AttemptRow]:
        """A page of attempts. Raises TookTooLong."""
        ...

    def last_heard(self) -> Mapping[str, LastHeard]:
        """By name of the upstream, from before this process; read once. Raises TookTooLong."""
        ...

    def audit(self, query: AuditQuery) -> list[AuditRow]:
        """A page of changes. Raises TookTooLong."""
        ...

    def use_link(self, token: str) -> tuple[Session, str] | None:
        """Begin a session by a sign-in link, and void the link: the session and its token.
        None: there is no such link (any more).
        """
        ...

    def use_password(self, encoded: str) -> tuple[Session, str] | None:
        """Begin a session for who has shown the password that is encoded so, if it still
        is the password: the session and its token.
        """
        ...

    def find_session(self, token: str, *, note: bool) -> Session | None:
        """The live session of a token; None: there is none.

        Args:
            token: As the cookie holds it.
            note: This is use: the session lives on.
        """
        ...

    def sessions(self) -> list[Session]:
        """Those that live."""
        ...

    def end_session(self, session_id: str, why: Why, *, by: Actor) -> None:
        """End a session. Raises NotInLedger where none of that id lives."""
        ...

    def password(self) -> str | None:
        """The admin password as argon2 encodes it; None: there is none."""
        ...

    def renew_password(self, old: str, new: str) -> None:
        """Put another encoding of the same password in place of `old`."""
        ...
