"""Every route of the admin API, as data: what is not in this table is not there.

Routing, checks, `/openapi.json`, the reference and the matrix of tests are made from
it. Used by server/admin/app and server/admin/openapi.
"""

import re

import msgspec

from clearway.ledger.protocol import ExchangeDetail
from clearway.observe.protocol import Update
from clearway.server.admin import accounts, feed, keys, lists, pages, password, sign_in
from clearway.server.admin.access import Auth, Csrf
from clearway.server.admin.answers import (
    Attempts,
    Audit,
    BudgetList,
    Exchanges,
    KeyAnswer,
    Keys,
    NewKeyAnswer,
    PasswordAnswer,
    Sessions,
    StatusAnswer,
    Upstreams,
    Usage,
    Visit,
    Windows,
)
from clearway.server.admin.asks import (
    AttemptPage,
    AuditPage,
    Empty,
    ExchangePage,
    KeyPage,
    KeyRevision,
    KeyWish,
    NewPassword,
    Rotation,
    SignIn,
    UsageSums,
)
from clearway.server.admin.parts import Handler, Streamer

_ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SMALL = 1_000
_BODY = 64_000


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path."""

    method: str
    path: str
    """`{id}` stands for an id."""
    summary: str
    handler: Handler | None = None
    stream: Streamer | None = None
    """In place of a handler: an answer that goes on."""
    auth: Auth = "owner"
    csrf: Csrf = "read"
    max_body: int = 0
    """Bytes; 0: none is taken."""
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    answer: object = None
    """None: nothing, or what `media_type` says."""
    media_type: str = "application/json"
    status: int = 200
    is_slowed: bool = False
    """Failures make the next attempt wait."""
    conflicts: bool = False
    """It may contradict what is kept (409)."""
    needs_extra: bool = False
    """It needs packages that may be missing (501)."""
    pattern: re.Pattern[str] | None = None
    """Made from the path where it has an id."""

    @property
    def has_id(self) -> bool:
        """The path names one thing."""
        return "{id}" in self.path


def _route(**fields: object) -> Route:
    route: Route = msgspec.structs.replace(Route(method="GET", path="", summary=""), **fields)
    if not route.has_id:
        return route
    before, after = map(re.escape, route.path.split("{id}"))
    return msgspec.structs.replace(route, pattern=re.compile(f"{before}({_ID}){after}", re.ASCII))


def get(path: str, summary: str, **fields: object) -> Route:
    """A route that changes nothing."""
    return _route(method="GET", path=path, summary=summary, **fields)


def write(method: str, path: str, summary: str, **fields: object) -> Route:
    """A route that changes something."""
    return _route(**({"method": method, "path": path, "summary": summary, "csrf": "write"} | fields))


_PAGE: dict[str, object] = {"auth": "anyone", "csrf": "none"}

ROUTES: tuple[Route, ...] = (
    get("/admin/sign-in", "The sign-in page.", handler=pages.sign_in_page, media_type="text/html", **_PAGE),
    get("/admin/sign-in.js", "Its script.", handler=pages.sign_in_script, media_type="text/javascript", **_PAGE),
    get("/admin/sign-in.css", "Its style.", handler=pages.sign_in_style, media_type="text/css", **_PAGE),
    get("/admin/api/session", "Who asks, and the CSRF token of a session.", handler=sign_in.visit, answer=Visit),
    write(
        "POST",
        "/admin/api/session",
        "Sign in with a one-time link or the password: sets the session's cookie.",
        handler=sign_in.sign_in,
        auth="anyone",
        csrf="sign_in",
        body=SignIn,
        max_body=8_000,
        answer=Visit,
        status=201,
        is_slowed=True,
    ),
    write("DELETE", "/admin/api/session", "Sign out.", handler=sign_in.sign_out, auth="session", status=204),
    get("/admin/api/sessions", "The sessions that live.", handler=sign_in.list_sessions, answer=Sessions),
    write("DELETE", "/admin/api/sessions/{id}", "End any session.", handler=sign_in.end_session, status=204),
    get("/admin/api/password", "Whether there is a password.", handler=password.tell, answer=PasswordAnswer),
    write(
        "PUT",
        "/admin/api/password",
        "Set the password that signs in. Every session ends.",
        handler=password.change,
        body=NewPassword,
        max_body=8_000,
        status=204,
        needs_extra=True,
    ),
    write(
        "DELETE",
        "/admin/api/password",
        "Remove the password: only links sign in then. Where there was one, every session ends.",
        handler=password.remove,
        status=204,
    ),
    get("/admin/api/status", "This gateway.", handler=accounts.status, answer=StatusAnswer),
    get("/admin/api/keys", "Keys, the oldest first.", handler=keys.list_keys, query=KeyPage, answer=Keys),
    write(
        "POST",
        "/admin/api/keys",
        "Make a key. Its secret is in this answer and nowhere else.",
        handler=keys.create,
        body=KeyWish,
        max_body=_BODY,
        answer=NewKeyAnswer,
        status=201,
        conflicts=True,
    ),
    get("/admin/api/keys/{id}", "One key.", handler=keys.show, answer=KeyAnswer),
    write(
        "PATCH",
        "/admin/api/keys/{id}",
        "Change a key. What is left out stays.",
        handler=keys.change,
        body=KeyRevision,
        max_body=_BODY,
        answer=KeyAnswer,
        conflicts=True,
    ),
    write(
        "POST",
        "/admin/api/keys/{id}/revoke",
        "End a key for good.",
        handler=keys.revoke,
        body=Empty,
        max_body=_SMALL,
        answer=KeyAnswer,
    ),
    write(
        "POST",
        "/admin/api/keys/{id}/rotate",
        "Give a key a new secret. It is in this answer and nowhere else.",
        handler=keys.rotate,
        body=Rotation,
        max_body=_SMALL,
        answer=NewKeyAnswer,
        conflicts=True,
    ),
    get("/admin/api/budgets", "Every budget in force.", handler=keys.list_budgets, answer=BudgetList),
    get(
        "/admin/api/exchanges",
        "Exchanges, the newest first.",
        handler=lists.exchanges,
        query=ExchangePage,
        answer=Exchanges,
    ),
    get("/admin/api/exchanges/{id}", "One exchange, its attempts.", handler=lists.exchange, answer=ExchangeDetail),
    get(
        "/admin/api/attempts",
        "Attempts, those of the newest exchanges first.",
        handler=lists.attempts,
        query=AttemptPage,
        answer=Attempts,
    ),
    get("/admin/api/usage", "Tokens and costs, summed.", handler=lists.usage, query=UsageSums, answer=Usage),
    get("/admin/api/upstreams", "The state of each upstream.", handler=accounts.upstreams, answer=Upstreams),
    get("/admin/accounts", "The same.", handler=accounts.upstreams, answer=Upstreams),
    get("/admin/api/windows", "Windows of subscriptions, as observed.", handler=accounts.windows, answer=Windows),
    get("/admin/api/audit", "Every change, the newest first.", handler=lists.audit, query=AuditPage, answer=Audit),
    get(
        "/admin/api/feed",
        "What happens, as it happens: server-sent events, each an `Update`.",
        stream=feed.follow,
        answer=Update,
        media_type="text/event-stream",
    ),
    get("/openapi.json", "This API, as OpenAPI 3.1 describes it.", answer=dict[str, object]),
)

METHODS: dict[str, dict[str, Route]] = {}
"""By path and method, where the path has no id."""
PATTERNS: list[tuple[re.Pattern[str], dict[str, Route]]] = []
"""By the pattern of paths with an id."""


def _index() -> None:
    by_path: dict[str, dict[str, Route]] = {}
    for route in ROUTES:
        by_path.setdefault(route.path, {})[route.method] = route
    for path, methods in by_path.items():
        first = next(iter(methods.values()))
        if first.pattern is None:
            METHODS[path] = methods
        else:
            PATTERNS.append((first.pattern, methods))


_index()


def find(path: str) -> tuple[dict[str, Route], str]:
    """The routes of a path by method, and the id in it; nothing where it is no path of ours."""
    if path in METHODS:
        return METHODS[path], ""
    for pattern, methods in PATTERNS:
        if match := pattern.fullmatch(path):
            return methods, match[1]
    return {}, ""
