"""Pages of other origins that may call: the CORS protocol, with Starlette's middleware.

Owns what is allowed. Source: WHATWG Fetch, "CORS protocol". Used by server/app where
`server.cors_origins` names any.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware

from clearway.core.fields import Headers
from clearway.gateway.headers import first


class Cors(CORSMiddleware):
    """Answers preflights, and adds its fields to the answers of `app`.

    Args:
        app: The ASGI application.
        origins: Pages that may call.
    """

    def __init__(self, app: Callable[[Any, Any, Any], Awaitable[None]], origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=["request-id", "retry-after", "x-clearway-error", "x-clearway-exchange"],
        )

    def fields(self, headers: Headers) -> Headers:
        """What an answer that is no ASGI's must say so that a page of a configured origin may read it."""
        origin = first(headers, b"origin")
        if origin is None:
            return ()
        fields = MutableHeaders(raw=[])
        fields.update(self.simple_headers)
        if self.is_allowed_origin(origin):
            self.allow_explicit_origin(fields, origin)
        return fields.raw
