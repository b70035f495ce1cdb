"""`GET /metrics`: who may read, and the answer.

On loopback nobody needs a key, unless a proxy says that it stands in between, or a page of
another origin asks; elsewhere it takes an owner key, or one whose endpoints name `metrics` (keys/policy). A key that
is shown is judged in any case. Owns no number: the page has them (observe/page).
Used by server/app.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from clearway.core.clock import Clock
from clearway.core.errors import NotAllowed, NotAuthenticated
from clearway.core.fields import Fields
from clearway.gateway.authenticate import authenticate
from clearway.gateway.headers import first, known_of
from clearway.gateway.wrong_keys import WrongKeys
from clearway.keys import policy
from clearway.ledger.protocol import KeyRing
from clearway.server.sources import SOURCE

log = structlog.get_logger()

Page = Callable[[str], Awaitable[tuple[str, bytes]]]
"""Type of the content and content, for what the client accepts."""


class MetricsDoor:
    """An ASGI application.

    Args:
        page: Has the text.
        ring: The keys in force.
        clock: The time, for expiry.
        key_required: Every request needs a key (off loopback, or behind a proxy).
        wrong: Slows down whoever guesses.
    """

    def __init__(self, page: Page, ring: KeyRing, clock: Clock, *, key_required: bool, wrong: WrongKeys) -> None:
        self._page = page
        self._ring = ring
        self._clock = clock
        self._key_required = key_required
        self._wrong = wrong

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401  # ASGI's signature
        """Answer.

        Raises:
            NotAuthenticated: There is no key where one is needed, or it is wrong.
            NotAllowed: The key is good, but not for this.
        """
        fields = Fields.of(scope["headers"])
        self._let_in(fields, scope["extensions"][SOURCE])
        content_type, text = await self._page(first(fields, b"accept") or "")
        headers = [
            (b"content-type", content_type.encode()),
            (b"content-length", b"%d" % len(text)),
            (b"x-content-type-options", b"nosniff"),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text, "more_body": False})

    def _let_in(self, fields: Fields, source: str) -> None:
        # A page of a configured origin (`server.cors_origins`) may call on this machine, and is not its owner.
        required = self._key_required or known_of(fields.names).was_forwarded or b"origin" in fields.names
        try:
            caller = authenticate(
                fields,
                self._ring,
                now_us=self._clock.now_us(),
                key_required=required,
                wrong=self._wrong,
                source=source,
            )
        except NotAuthenticated as error:
            log.info("not_authenticated", reason=error.code, path="/metrics")
            raise
        if caller.key is not None:
            verdict = policy.may_read_metrics(caller.key)
            if isinstance(verdict, policy.Deny):
                raise NotAllowed(verdict.reason, hint=verdict.hint)
