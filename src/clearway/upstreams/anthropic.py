"""Anthropic, or whoever speaks its API, at the expense of the gateway's own credential.

The client's body and headers go on as they are, but for credentials and betas that
this upstream is configured not to see.
Wire facts: `x-api-key` or `authorization: Bearer` carries the credential;
`anthropic-beta` is a comma list that may be repeated (Anthropic API reference,
"API versioning" and "Beta headers", read 2026-08-22).
Used by compose, behind `upstreams/protocol.py`.
"""

from contextlib import AbstractAsyncContextManager

from clearway.config import model as config
from clearway.core.fields import Choice, Fields, Headers, Names, by_names
from clearway.core.secret import Secret
from clearway.upstreams.http import HttpClient
from clearway.upstreams.protocol import Kind, Pays, Reply, Request

_CREDENTIALS = frozenset({b"x-api-key", b"authorization"})
_BETA = b"anthropic-beta"


class AnthropicUpstream:
    """Sends with a credential of ours.

    Args:
        settings: Name, header for the credential, models, betas to withhold.
        credential: What is shown to the upstream.
        client: Connections to the upstream's origin; closed by `aclose`.

    Raises:
        ValueError: The credential cannot be sent in a header.
    """

    kind: Kind = "anthropic"
    pays: Pays = "gateway"

    def __init__(self, settings: config.Upstream, credential: Secret, client: HttpClient) -> None:
        value = credential.reveal()
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            raise ValueError(f"the credential of upstream {settings.name} is empty or holds blanks or other characters")
        self.name = settings.name
        self.models = settings.models
        self.api_version = settings.api_version
        self._credential = credential
        self._auth = settings.auth
        self._withheld = frozenset(beta.strip().encode() for beta in settings.withhold_betas)
        self._client = client
        self._with_ours = by_names(self._choose)
        """The fields of a head that hold no credential, and ours."""

    def open(self, request: Request) -> AbstractAsyncContextManager[Reply]:
        """See `protocol.Upstream.open`."""
        fields = Fields.of(request.headers)
        if self._withheld:
            fields = self._without_withheld(fields)
        headers = self._with_ours(fields.names).of(fields, self._value())
        return self._client.open(
            Request(method=request.method, target=request.target, headers=headers, body=request.body)
        )

    async def start(self) -> None:
        """Nothing to get ready: connections are made when they are needed."""

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _value(self) -> bytes:
        value = self._credential.reveal().encode("ascii")
        return value if self._auth == "x-api-key" else b"Bearer " + value

    def _choose(self, names: Names) -> Choice:
        ours = b"x-api-key" if self._auth == "x-api-key" else b"authorization"
        return Choice(names, [name.lower() not in _CREDENTIALS for name in names], ours)

    def _without_withheld(self, headers: Headers) -> Fields:
        """The fields without the withheld betas; one of which nothing is left is left out."""
        kept: list[tuple[bytes, bytes]] = []
        for name, value in headers:
            if name.lower() != _BETA:
                kept.append((name, value))
            elif (left := self._left_of(value)) is not None:
                kept.append((name, left))
        return Fields.of(kept)

    def _left_of(self, value: bytes) -> bytes | None:
        betas = value.split(b",")
        kept = [beta for beta in betas if beta.strip() not in self._withheld]
        if len(kept) == len(betas):
            return value
        if not any(beta.strip() for beta in kept):
            return None
        return b",".join(kept).strip()
