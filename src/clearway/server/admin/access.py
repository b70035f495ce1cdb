"""Who asks, and whether they may: owner keys, sessions, and pages of other sites.

A key in a header is no browser's doing. A cookie comes along unasked: with it nothing
is answered to a page of another origin, and nothing changed without the session's
token besides. Sources: W3C Fetch Metadata; RFC 6454; OWASP, "Cross-Site Request
Forgery Prevention Cheat Sheet" (read 2026-11-27). Used by server/admin/app.
"""

from typing import Literal

from clearway.core.errors import LimitExceeded, NotAuthenticated
from clearway.core.fields import Headers
from clearway.gateway.authenticate import authenticate
from clearway.keys.session import is_csrf_token
from clearway.server.admin.failures import Refused, of_gateway, wait
from clearway.server.admin.parts import Parts, Visitor
from clearway.server.admin.sign_in import cookie_name

Auth = Literal["anyone", "owner", "session"]
"""`anyone`: no credential is looked at. `owner`: an owner key or a session. `session`: a session only."""
Csrf = Literal["none", "read", "write", "sign_in"]
"""What is asked of a browser. `none`: nothing. `read`: with a session, no page of another
origin. `write`: with a session, a page of ours that shows the token. `sign_in`: no page of
another origin, whoever asks.
"""

CHALLENGE = ((b"www-authenticate", b'Bearer realm="clearway"'),)
CSRF_HEADER = b"x-clearway-csrf"
_UNASKED = frozenset({b"same-origin", b"none"})
"""`none`: typed, or a bookmark."""


def find_key(parts: Parts, headers: Headers, *, now_us: int, source: str) -> Visitor | None:
    """Who shows a key; None: nobody does.

    Raises:
        Refused: The key is wrong or over, or is not an owner's.
    """
    try:
        caller = authenticate(headers, parts.ring, now_us=now_us, key_required=False, wrong=parts.wrong, source=source)
    except LimitExceeded as error:
        raise wait("slow_down", str(error), error.retry_after_s or 1) from error
    except NotAuthenticated as error:
        refusal = of_gateway(error)
        raise Refused(refusal.code, str(refusal), hint=refusal.hint, headers=CHALLENGE) from error
    key = caller.key
    if key is None:
        return None
    if not key.owner:
        hint = "the owner can make one that may: clearway keys create NAME --owner"
        raise Refused("not_allowed", f"the key {key.prefix}… is not an owner's", hint=hint)
    return Visitor(key=key)


def find_session(parts: Parts, headers: Headers) -> Visitor | None:
    """Who shows the cookie of a live session; waits for the database."""
    token = cookie_of(parts, headers)
    session = None if token is None else parts.desk.find_session(token, note=True)
    return None if session is None or token is None else Visitor(session=session, token=token)


def cookie_of(parts: Parts, headers: Headers) -> str | None:
    """The session's token, as the browser sent it; None where there is none, or more than one."""
    wanted = cookie_name(parts)
    found = [
        value.strip()
        for name, field in headers
        if name == b"cookie"
        for own, _, value in (part.partition("=") for part in field.decode("latin-1").split(";"))
        if own.strip() == wanted
    ]
    return found[0] if len(found) == 1 and found[0] else None


def check_origin(parts: Parts, headers: Headers, csrf: Csrf, visitor: Visitor | None) -> None:
    """Judge where a request comes from.

    Raises:
        Refused: A browser sends it for a page that is not ours.
    """
    has_session = visitor is not None and visitor.session is not None
    if csrf == "none" or not (has_session or csrf == "sign_in"):
        return
    fields = dict(headers)
    site, origin = fields.get(b"sec-fetch-site"), fields.get(b"origin")
    if (site is not None and site not in _UNASKED) or (origin is not None and not _is_ours(parts, origin, fields)):
        raise Refused("cross_site", "this comes from a page of another origin")
    if csrf != "write" or visitor is None:
        return
    if origin is None and site != b"same-origin":
        raise Refused("cross_site", "the request does not say which page it comes from", hint="send Origin")
    if not is_csrf_token(fields.get(CSRF_HEADER, b"").decode("latin-1"), visitor.token):
        hint = "send `csrf` of GET /admin/api/session as x-clearway-csrf"
        raise Refused("cross_site", "the session's CSRF token is missing or wrong", hint=hint)


def _is_ours(parts: Parts, origin: bytes, fields: dict[bytes, bytes]) -> bool:
    # `Host` was checked at the door: it is a name of ours.
    scheme = b"https" if parts.is_secure else b"http"
    return origin.lower() == scheme + b"://" + fields.get(b"host", b"").lower()
