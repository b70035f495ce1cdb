"""Sessions of the admin API: their tokens, and the rules of when one is over.

Owns the times, how a token is made and hashed, and what proves that a page of ours
asks (CSRF). Pure but for randomness. Source: OWASP, "Session Management Cheat Sheet"
and "Cross-Site Request Forgery Prevention Cheat Sheet" (read 2026-11-27).
Used by ledger/session_records and server/admin.
"""

import hashlib
import hmac
import secrets
from typing import Literal

import msgspec

IDLE_S = 30 * 60
"""A session that is not used for so long is over."""
LIFE_S = 12 * 3600
"""No session lives longer."""
LINK_S = 5 * 60
"""A sign-in link that is not used for so long is void."""
SEEN_EVERY_S = 60
"""Use is noted this often at most: a session may be over so much before `IDLE_S`."""

How = Literal["link", "password"]
"""What a session began with."""
Why = Literal["signed_out", "revoked", "password_changed"]
"""Why a session was ended before its time."""

_TOKEN_BYTES = 32
_S = 1_000_000


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One signed-in browser. Times are UTC microseconds."""

    id: str
    how: How
    began_us: int
    seen_us: int
    """When it was last used, give or take a minute."""
    expires_us: int
    """Its absolute end, however much it is used."""
    ended_us: int | None = None
    ended_why: Why | None = None


def is_over(session: Session, now_us: int) -> bool:
    """Whether the session no longer counts."""
    return (
        session.ended_us is not None
        or now_us >= session.expires_us
        or now_us >= session.seen_us + IDLE_S * _S
        # A clock that was set back does not lengthen a session.
        or now_us < session.began_us - SEEN_EVERY_S * _S
    )


def is_worth_noting(session: Session, now_us: int) -> bool:
    """Whether its use is to be noted again."""
    return now_us >= session.seen_us + SEEN_EVERY_S * _S


def new_token() -> str:
    """A token of full entropy: of a session or a link."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def digest(token: str) -> bytes:
    """What is kept of a token: full entropy needs no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def csrf_token(token: str) -> str:
    """What a page must show beside the session's cookie: no other session's, and not the token itself."""
    return hmac.new(token.encode("utf-8", "surrogatepass"), b"clearway csrf", hashlib.sha256).hexdigest()


def is_csrf_token(shown: str, token: str) -> bool:
    """Whether a page has shown it; in constant time."""
    return hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), csrf_token(token).encode())
