"""Sessions: begun by a one-time link or the password, shown, ended.

Owns the cookie. That a sign-in fails is told in the same words whatever was wrong, and
takes as long. Source: RFC 6265bis, "Cookie Prefixes" and "SameSite". Used by
server/admin/routes and server/admin/access.
"""

import threading

from clearway.keys.session import IDLE_S, LIFE_S, Session, csrf_token
from clearway.server.admin.answers import SessionAnswer, Sessions, Visit
from clearway.server.admin.asks import SignIn
from clearway.server.admin.failures import Refused
from clearway.server.admin.parts import Asked, Parts, Told, expect

ONE_AT_A_TIME = threading.Lock()
"""Each look at a password, and each encoding, takes 64 MiB."""


def cookie_name(parts: Parts) -> str:
    """Cookies do not tell ports apart: where several gateways share a name, their cookies must not."""
    return "__Host-clearway" if parts.is_secure else f"clearway-{parts.port}"


def visit(parts: Parts, asked: Asked) -> Visit:  # noqa: ARG001  # the form of handlers
    """Who asks."""
    visitor = asked.visitor
    session = visitor.session
    return Visit(
        key_id=None if visitor.key is None else visitor.key.id,
        key_name=None if visitor.key is None else visitor.key.name,
        session=None if session is None else _answer(session, session),
        csrf=None if session is None else csrf_token(visitor.token),
    )


def sign_in(parts: Parts, asked: Asked) -> Told:
    """Begin a session."""
    shown = expect(asked.body, SignIn)
    if (shown.link is None) == (shown.password is None):
        raise Refused("invalid_value", "the body has either link or password")
    begun = _by_password(parts, shown.password) if shown.password is not None else parts.desk.use_link(shown.link or "")
    if begun is None:
        raise Refused("wrong_sign_in", "this does not sign in", hint="make a new link: clearway open")
    session, token = begun
    visit = Visit(key_id=None, key_name=None, session=_answer(session, session), csrf=csrf_token(token))
    return Told(visit, (_cookie(parts, token, LIFE_S),))


def sign_out(parts: Parts, asked: Asked) -> Told:
    """End the session that asks."""
    session = asked.visitor.session
    if session is not None:
        parts.desk.end_session(session.id, "signed_out", by=asked.visitor.actor)
    return signed_out(parts)


def signed_out(parts: Parts) -> Told:
    """Have the browser forget a session that is over."""
    return Told(None, (_cookie(parts, "", 0),))


def list_sessions(parts: Parts, asked: Asked) -> Sessions:
    """Those that live."""
    return Sessions(sessions=tuple(_answer(session, asked.visitor.session) for session in parts.desk.sessions()))


def end_session(parts: Parts, asked: Asked) -> None:
    """End any session."""
    parts.desk.end_session(asked.id, "revoked", by=asked.visitor.actor)


def _by_password(parts: Parts, shown: str) -> tuple[Session, str] | None:
    try:
        from clearway.keys import password  # noqa: PLC0415  # an extra (`password`)
    except ImportError:
        return None  # nor can one have been set
    encoded = parts.desk.password()
    with ONE_AT_A_TIME:
        if not password.is_it(shown, encoded) or encoded is None:
            return None
        if password.is_outdated(encoded):
            renewed = password.encode(shown)
            parts.desk.renew_password(encoded, renewed)
            encoded = renewed
    return parts.desk.use_password(encoded)


def _cookie(parts: Parts, token: str, lasts_s: int) -> tuple[bytes, bytes]:
    secure = "; Secure" if parts.is_secure else ""
    value = f"{cookie_name(parts)}={token}; Path=/; Max-Age={lasts_s}; HttpOnly; SameSite=Strict{secure}"
    return b"set-cookie", value.encode()


def _answer(session: Session, own: Session | None) -> SessionAnswer:
    return SessionAnswer(
        id=session.id,
        how=session.how,
        began_us=session.began_us,
        seen_us=session.seen_us,
        expires_us=session.expires_us,
        idle_s=IDLE_S,
        is_own=own is not None and own.id == session.id,
    )
