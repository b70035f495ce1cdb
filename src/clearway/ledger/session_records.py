"""Sessions, sign-in links and the admin password in their tables.

Only hashes of tokens are kept. All functions run inside the caller's transaction.
Used by ledger/store and ledger/desk.
"""

import msgspec
from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from clearway.keys.session import LIFE_S, LINK_S, How, Session, Why, is_over
from clearway.ledger.schema import admin_password, sessions, sign_in_links

_S = 1_000_000
_REMEMBERED_US = 30 * 86_400 * _S
_THE_ONE = 1


def make_link(connection: Connection, token_hash: bytes, *, now_us: int) -> None:
    """Keep a sign-in link; those that are void go."""
    connection.execute(delete(sign_in_links).where(sign_in_links.c.expires_us <= now_us))
    connection.execute(insert(sign_in_links), {"token_hash": token_hash, "expires_us": now_us + LINK_S * _S})


def use_link(connection: Connection, token_hash: bytes, *, now_us: int) -> bool:
    """Take a link away; False: there is none (any more). Of two who use it at once, one gets True."""
    is_it = sign_in_links.c.token_hash == token_hash
    gone = connection.execute(delete(sign_in_links).where(is_it, sign_in_links.c.expires_us > now_us))
    return gone.rowcount == 1


def begin(connection: Connection, session_id: str, token_hash: bytes, how: How, *, now_us: int) -> Session:
    """A session begins; those that have been over for long go."""
    connection.execute(delete(sessions).where(sessions.c.expires_us <= now_us - _REMEMBERED_US))
    session = Session(id=session_id, how=how, began_us=now_us, seen_us=now_us, expires_us=now_us + LIFE_S * _S)
    connection.execute(insert(sessions), msgspec.structs.asdict(session) | {"token_hash": token_hash})
    return session


def find(connection: Connection, token_hash: bytes) -> Session | None:
    """The session of a token, over or not."""
    row = connection.execute(select(sessions).where(sessions.c.token_hash == token_hash)).mappings().first()
    return None if row is None else _session(row)


def see(connection: Connection, session_id: str, *, now_us: int) -> None:
    """It is being used."""
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(seen_us=now_us))


def live(connection: Connection, *, now_us: int) -> list[Session]:
    """Those that count, the oldest first."""
    rows = connection.execute(select(sessions).where(sessions.c.ended_us.is_(None)).order_by(sessions.c.id)).mappings()
    return [session for session in map(_session, rows) if not is_over(session, now_us)]


def end(connection: Connection, session_id: str, why: Why, *, now_us: int) -> bool:
    """End one; False: none of that id lives."""
    if session_id not in {session.id for session in live(connection, now_us=now_us)}:
        return False
    statement = update(sessions).where(sessions.c.id == session_id, sessions.c.ended_us.is_(None))
    return connection.execute(statement.values(ended_us=now_us, ended_why=why)).rowcount == 1


def password(connection: Connection, *, hold: bool = False) -> str | None:
    """As argon2 encodes it; None: there is none. `hold`: it stays so until the transaction ends."""
    statement = select(admin_password.c.encoded)
    return connection.execute(statement.with_for_update() if hold else statement).scalar()


def set_password(connection: Connection, encoded: str | None, *, now_us: int) -> bool:
    """Set it, or take it away, and void every session and link; False: there was none to take away."""
    had_one = connection.execute(delete(admin_password)).rowcount > 0
    if encoded is None and not had_one:
        return False
    if encoded is not None:
        connection.execute(insert(admin_password), {"id": _THE_ONE, "encoded": encoded, "changed_us": now_us})
    connection.execute(delete(sign_in_links))
    ended: dict[str, object] = {"ended_us": now_us, "ended_why": "password_changed"}
    connection.execute(update(sessions).where(sessions.c.ended_us.is_(None)).values(ended))
    return had_one


def renew_password(connection: Connection, old: str, new: str) -> None:
    """The same password, encoded as is usual now."""
    connection.execute(update(admin_password).where(admin_password.c.encoded == old).values(encoded=new))


def _session(row: RowMapping) -> Session:
    return msgspec.convert({name: row[name] for name in Session.__struct_fields__}, Session)
