"""What only the admin API asks: pages of keys, attempts and changes; sessions, links, the password.

Owns the way from such a question to a transaction. Every method may be called from
any thread. Implements `ledger.administration.Deskwork`; used by compose.
"""

from collections.abc import Mapping

from sqlalchemy import Connection

from clearway.core.clock import Clock
from clearway.core.ids import IdMaker
from clearway.keys import session as rules
from clearway.keys.session import How, Session, Why
from clearway.ledger import audit_records, key_records, last_attempts, listing, session_records
from clearway.ledger.administration import Actor, AttemptQuery, AuditQuery, AuditRow, KeyQuery, KeyUse, LastHeard
from clearway.ledger.asking import reading, writing
from clearway.ledger.audit_records import Note, Subject
from clearway.ledger.database import Database
from clearway.ledger.protocol import AttemptRow, NotInLedger

WITHIN_S = 2.0
"""How long a statement of a person's search may take."""


class Desk:
    """One for the process.

    Args:
        database: Of the ledger, open; the store closes it.
        clock: The time.
        ids: Maker of ids.
    """

    def __init__(self, database: Database, clock: Clock, ids: IdMaker) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._last_heard: Mapping[str, LastHeard] | None = None

    def keys(self, query: KeyQuery) -> list[KeyUse]:
        """A page of keys. Raises TookTooLong."""
        with reading(self._database, WITHIN_S) as connection:
            return key_records.page(connection, query)

    def key(self, key_id: str) -> KeyUse:
        """One key, by its whole id. Raises NotInLedger."""
        with reading(self._database, WITHIN_S) as connection:
            return key_records.use(connection, key_id)

    def attempts(self, query: AttemptQuery) -> list[AttemptRow]:
        """A page of attempts. Raises TookTooLong."""
        with reading(self._database, WITHIN_S) as connection:
            return listing.attempts_page(connection, query)

    def last_heard(self) -> Mapping[str, LastHeard]:
        """See `Deskwork.last_heard`."""
        if self._last_heard is None:
            with reading(self._database, WITHIN_S) as connection:
                self._last_heard = last_attempts.last_heard(connection)
        return self._last_heard

    def audit(self, query: AuditQuery) -> list[AuditRow]:
        """A page of changes. Raises TookTooLong."""
        with reading(self._database, WITHIN_S) as connection:
            return audit_records.page(connection, query)

    def use_link(self, token: str) -> tuple[Session, str] | None:
        """Begin a session by a sign-in link, and void the link."""
        with writing(self._database) as connection:
            if not session_records.use_link(connection, rules.digest(token), now_us=self._clock.now_us()):
                return None
            return self._begin(connection, "link")

    def use_password(self, encoded: str) -> tuple[Session, str] | None:
        """Begin a session for who has shown the password that is encoded so, if it still is the password."""
        with writing(self._database) as connection:
            if session_records.password(connection, hold=True) != encoded:
                return None
            return self._begin(connection, "password")

    def find_session(self, token: str, *, note: bool) -> Session | None:
        """The live session of a token; noted as used, where `note` says so."""
        now_us = self._clock.now_us()
        with reading(self._database, WITHIN_S) as connection:
            session = session_records.find(connection, rules.digest(token))
        if session is None or rules.is_over(session, now_us):
            return None
        if note and rules.is_worth_noting(session, now_us):
            with writing(self._database) as connection:
                session_records.see(connection, session.id, now_us=now_us)
        return session

    def sessions(self) -> list[Session]:
        """Those that live."""
        with reading(self._database, WITHIN_S) as connection:
            return session_records.live(connection, now_us=self._clock.now_us())

    def end_session(self, session_id: str, why: Why, *, by: Actor) -> None:
        """End a session. Raises NotInLedger where none of that id lives."""
        with writing(self._database) as connection:
            if not session_records.end(connection, session_id, why, now_us=self._clock.now_us()):
                raise NotInLedger("no session of that id lives")
            self._note(connection, Note(what="session.end", subject=Subject(id=session_id), after={"why": why}), by)

    def password(self) -> str | None:
        """The admin password as argon2 encodes it; None: there is none."""
        with reading(self._database, WITHIN_S) as connection:
            return session_records.password(connection)

    def renew_password(self, old: str, new: str) -> None:
        """Put another encoding of the same password in place of `old`."""
        with writing(self._database) as connection:
            session_records.renew_password(connection, old, new)

    def _begin(self, connection: Connection, how: How) -> tuple[Session, str]:
        token = rules.new_token()
        session = session_records.begin(
            connection, self._ids.new(), rules.digest(token), how, now_us=self._clock.now_us()
        )
        by = Actor(source="api", session_id=session.id)
        self._note(connection, Note(what="session.begin", subject=Subject(id=session.id), after={"how": how}), by)
        return session, token

    def _note(self, connection: Connection, change: Note, by: Actor) -> None:
        audit_records.note(connection, change, by, row_id=self._ids.new(), now_us=self._clock.now_us())
