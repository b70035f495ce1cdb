"""A request of Chat Completions on its walk: it goes on as one of Messages.

Owns what the pure translator must be told, and the fields of what is sent, which is
ours and says so. From here the walk is the same: another body to send, another sink.
Used by gateway/pipeline.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import get_args

import msgspec

from clearway import __version__
from clearway.core.clock import Clock
from clearway.core.errors import NotAllowed
from clearway.core.fields import Fields, Headers
from clearway.core.secret import Secret
from clearway.gateway.admit import Walk
from clearway.gateway.chat_sink import ChatSink
from clearway.gateway.decode import Asked
from clearway.gateway.headers import CREDENTIALS, first, is_ours
from clearway.gateway.route import Router, Target
from clearway.ledger.installation import keyed_hash
from clearway.upstreams.protocol import Upstream
from clearway.wire.body import Peek
from clearway.wire.chat.form import Reasoning
from clearway.wire.chat.names import model_of
from clearway.wire.chat.request import Asking, Translated, translate
from clearway.wire.hub.models import AbilityTable
from clearway.wire.hub.notes import Refusal
from clearway.wire.hub.typed import read

_VERSION = b"2023-06-01"
"""Of the API: what compatible vendors know too, and the last that takes sampling."""
_AGENT = f"clearway/{__version__}".encode()
_AT_ONCE = 512 * 1024
"""Bytes of a body that are translated between two turns of the loop; 3 ms."""
_REASONING = b"x-clearway-reasoning"


class ChatSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What translating is set to."""

    abilities: AbilityTable
    secret: Secret
    """The installation's: hides who asks."""
    names: Mapping[str, str] = {}
    """Models by the names of OpenAI's."""
    caches: bool = True
    reasoning: Reasoning = "default"


class Chat:
    """Translates requests.

    Args:
        settings: How.
        router: Knows aliases and upstreams.
        clock: The time.
    """

    def __init__(self, settings: ChatSettings, router: Router, clock: Clock) -> None:
        self._settings = settings
        self._router = router
        self._clock = clock

    async def translated(self, walk: Walk, upstreams: Sequence[Upstream]) -> tuple[Walk, Sequence[Target]]:
        """The walk that goes on, and whom to ask.

        Raises:
            Refusal: Something of the request cannot be served.
            NotAllowed: The key may not use the model; a login came that is only for its owner's client.
            NotFound: No upstream serves the model.
        """
        asked_for = walk.asked.peek.model or ""
        model = model_of(asked_for, self._router.aliases, self._settings.names)
        targets = self._router.candidates(walk.caller, upstreams, asked_for, sent=model)
        own = targets[0].upstream.pays == "client"
        if own and walk.caller.credential == "subscription":
            hint = "send an API key, or use the Messages API with the client that the login belongs to"
            raise NotAllowed("a subscription's login is not used for translated requests", hint=hint)
        plain, asking = walk.asked.plain, self._asking(walk, model)
        if len(plain) <= _AT_ONCE:
            translated = translate(read(plain), asking)
        else:
            # So that nobody waits for the conversation of one.
            translated = await asyncio.to_thread(lambda: translate(read(plain), asking))
        sink = ChatSink(walk.sink, walk.exchange.id, translated, model, self._clock)
        peek = Peek(model=model, stream=True, max_tokens=translated.max_tokens)
        body, fields = translated.body, _fields(walk.call.headers, translated, own=own)
        asked = Asked(body, body, peek, readable=True, ours=fields)
        return Walk(walk.exchange, walk.call, walk.caller, asked, sink), targets

    def _asking(self, walk: Walk, model: str) -> Asking:
        key = walk.caller.key
        owner = "" if key is None else key.id

        def hide(person: str) -> str:
            named = f"{owner}\0{person}".encode("utf-8", "surrogatepass")
            return keyed_hash(self._settings.secret, "chat-user", named)

        return Asking(
            model=model,
            abilities=self._settings.abilities.of(model),
            created=self._clock.now_us() // 1_000_000,
            hide=hide,
            is_strict=key is not None and key.strict,
            caches=self._settings.caches,
            reasoning=self._reasoning(walk.call.headers),
        )

    def _reasoning(self, headers: Headers) -> Reasoning:
        given = first(headers, _REASONING)
        if given is None:
            return self._settings.reasoning
        for known in get_args(Reasoning):
            if given.strip().lower() == known:
                return known  # type: ignore[no-any-return]  # one of them
        raise Refusal(_REASONING.decode(), f"expected one of {', '.join(get_args(Reasoning))}")


def _fields(headers: Headers, translated: Translated, *, own: bool) -> Fields:
    """The fields of the request that is sent: ours. Of the client's only what is meant for the
    API goes along, and its own credential where it pays.
    """
    fields = [
        (b"content-type", b"application/json"),
        (b"accept", b"text/event-stream"),
        (b"accept-encoding", b"identity"),
        (b"user-agent", _AGENT),
        (b"anthropic-version", _VERSION),
    ]
    fields += [(b"anthropic-beta", beta.encode()) for beta in translated.betas]
    fields += [field for field in headers if field[0] == b"anthropic-beta"]
    if own:
        brought = [value for name, value in headers if name in CREDENTIALS and not is_ours(value)]
        fields += [(b"x-api-key", value.strip().rsplit(b" ", 1)[-1]) for value in brought[:1]]
    return Fields.of(fields)
