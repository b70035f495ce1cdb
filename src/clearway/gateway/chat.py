"""A request of Chat Completions on its walk: it goes on as one of Messages.

Owns what the pure translator must be told, and the fields of what is sent, which is
ours and says so. From here the walk is the same: another body to send, another sink.
Used by gateway/pipeline.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import get_args

import msgspec

from clearway import __version__
from clearway.core.clock import Clock
from clearway.core.errors import NotAllowed
from clearway.core.fields import Fields, Headers
from clearway.core.secret import Secret
from clearway.gateway.admit import Walk
from clearway.gateway.answer_sink import AnswerSink, Backing, Translation
from clearway.gateway.decode import Asked
from clearway.gateway.follow_up import Following
from clearway.gateway.headers import CREDENTIALS, first, is_ours
from clearway.gateway.route import Router, Target
from clearway.gateway.thoughts import Thoughts
from clearway.ledger.installation import keyed_hash
from clearway.upstreams.protocol import Upstream
from clearway.wire.body import Peek
from clearway.wire.chat.form import Reasoning
from clearway.wire.chat.names import model_of
from clearway.wire.chat.places import param_of
from clearway.wire.chat.request import Asking, Translated, translate
from clearway.wire.chat.teller import ChatTeller
from clearway.wire.hub.models import AbilityTable
from clearway.wire.hub.notes import Refusal
from clearway.wire.hub.pausing import Fold
from clearway.wire.hub.typed import read

_WITHOUT_SAMPLING = "2026-10-21"
"""The first version of the API that refuses `temperature` and its like for every model."""
_AGENT = f"clearway/{__version__}".encode()
_AT_ONCE = 512 * 1024
"""Bytes of a body that are translated between two turns of the loop; 3 ms."""
_READ_AGAIN = 4 * 1024 * 1024
"""Bytes of a body that are translated once more, on the loop, to find what a refusal is about; 25 ms."""
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
    total_s: float = 3600.0
    """How long an answer may take with all that continues it."""


class Chat:
    """Translates requests.

    Args:
        settings: How.
        router: Knows aliases and upstreams.
        clock: The time.
        thoughts: What models thought, for clients that drop it.
    """

    def __init__(self, settings: ChatSettings, router: Router, clock: Clock, thoughts: Thoughts) -> None:
        self._settings = settings
        self._thoughts = thoughts
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
        owner = self._owner(walk, own=own)
        plain, asking = walk.asked.plain, self._asking(walk, model, targets, owner)
        if len(plain) <= _AT_ONCE:
            translated = translate(read(plain), asking)
        else:
            # So that nobody waits for the conversation of one.
            translated = await asyncio.to_thread(lambda: translate(read(plain), asking))
        fold = Fold() if translated.may_pause else None
        backing = Backing(keep=partial(self._thoughts.keep, owner), fold=fold)
        if len(plain) <= _READ_AGAIN:
            backing.finds = partial(param_of, body=plain, asking=asking)
        teller = ChatTeller(translated.form, is_stream=translated.is_stream)
        name, plan, warnings = translated.form.model, translated.plan, translated.warnings
        translation = Translation(name=name, model=model, plan=plan, warnings=warnings)
        sink = AnswerSink(walk.sink, walk.exchange.id, translation, teller, self._clock, backing)
        walk.exchange.last_words = sink.last_words
        peek = Peek(model=model, stream=True, max_tokens=translated.max_tokens)
        body, fields = translated.body, _fields(walk.call.headers, translated, own=own)
        asked = Asked(body, body, peek, readable=True, ours=fields)
        tell = None if asking.is_strict else sink.warn
        total_s = self._settings.total_s
        follow = Following(asked, walk.exchange.id, self._clock, total_s=total_s, fold=fold, tell=tell)
        return Walk(walk.exchange, walk.call, walk.caller, asked, sink, follow), targets

    def _owner(self, walk: Walk, *, own: bool) -> str:
        """Whose thoughts are put back: those of the key, or of the credential that the client brought."""
        key = walk.caller.key
        if key is not None or not own:
            return "" if key is None else key.id
        brought = _brought(walk.call.headers)
        return keyed_hash(self._settings.secret, "thoughts", brought[0]) if brought else ""

    def _asking(self, walk: Walk, model: str, targets: Sequence[Target], owner: str) -> Asking:
        key = walk.caller.key
        key_id = "" if key is None else key.id

        def hide(person: str) -> str:
            named = f"{key_id}\0{person}".encode("utf-8", "surrogatepass")
            return keyed_hash(self._settings.secret, "chat-user", named)

        abilities = self._settings.abilities.of(model)
        if abilities.sampling and any(target.upstream.api_version >= _WITHOUT_SAMPLING for target in targets):
            abilities = msgspec.structs.replace(abilities, sampling=False)
        return Asking(
            model=model,
            abilities=abilities,
            created=self._clock.now_us() // 1_000_000,
            hide=hide,
            is_strict=key is not None and key.strict,
            caches=self._settings.caches if key is None or key.caches is None else key.caches,
            reasoning=self._reasoning(walk.call.headers),
            recall=self._thoughts.of(owner),
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
    ]
    fields += [(b"anthropic-beta", beta.encode()) for beta in translated.betas]
    fields += [field for field in headers if field[0] == b"anthropic-beta"]
    if own:
        fields += [(b"x-api-key", value.strip().rsplit(b" ", 1)[-1]) for value in _brought(headers)[:1]]
    return Fields.of(fields)


def _brought(headers: Headers) -> list[bytes]:
    """The client's own credentials."""
    return [value for name, value in headers if name in CREDENTIALS and not is_ours(value)]
