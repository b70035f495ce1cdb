"""A request of another format on its walk: it goes on as one of Messages.

Owns what every pure translator must be told, and the fields of what is sent, which is
ours and says so; what is one format's own is in the spokes beside this file. From here
the walk is the same: another body to send, another sink.
Used by gateway/pipeline.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

import msgspec

from clearway import __version__
from clearway.core.clock import Clock
from clearway.core.errors import NotAllowed
from clearway.core.exchange import Wire
from clearway.core.fields import Fields, Headers
from clearway.core.secret import Secret
from clearway.gateway.admit import Walk
from clearway.gateway.answer_sink import AnswerSink, Backing, Translation
from clearway.gateway.counted import CountSink
from clearway.gateway.decode import Asked
from clearway.gateway.follow_up import Following
from clearway.gateway.headers import CREDENTIALS, is_ours
from clearway.gateway.route import Router, Target
from clearway.gateway.thoughts import Thoughts
from clearway.ledger.installation import keyed_hash
from clearway.upstreams.protocol import Upstream
from clearway.wire.body import Peek
from clearway.wire.hub.kept import Recall
from clearway.wire.hub.models import Abilities, AbilityTable
from clearway.wire.hub.names import model_of
from clearway.wire.hub.pausing import Fold
from clearway.wire.hub.plan import NO_PLAN, Plan
from clearway.wire.hub.teller import Teller
from clearway.wire.hub.typed import Json

_WITHOUT_SAMPLING = "2026-10-21"
"""The first version of the API that refuses `temperature` and its like for every model."""
_AGENT = f"clearway/{__version__}".encode()
_AT_ONCE = 512 * 1024
"""Bytes of a body that are translated between two turns of the loop; 3 ms."""
_READ_AGAIN = 4 * 1024 * 1024
"""Bytes of a body that are translated once more, on the loop, to find what a refusal is about; 25 ms."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What translating is set to."""

    abilities: AbilityTable
    secret: Secret
    """The installation's: hides who asks."""
    names: Mapping[str, str] = {}
    """Models by the names of OpenAI's."""
    caches: bool = True
    total_s: float = 3600.0
    """How long an answer may take with all that continues it."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a spoke is told beside the request."""

    model: str
    """As it is asked for upstream."""
    abilities: Abilities
    created: int
    """The answer's, in seconds since 1970."""
    hide: Callable[[str], str]
    """Makes a name that cannot be read of who asks."""
    owner: str
    """Whose thoughts are carried: a key, or a credential that the client brought."""
    is_strict: bool
    caches: bool
    recall: Recall | None
    find_item: Callable[[str], bytes | None]
    """Finds an item of an earlier response by its id."""
    keep_item: Callable[[str, bytes], None]
    """Takes the items of this one."""
    plain: bytes | bytearray
    """The request itself, for whoever must read it again."""
    headers: Headers
    exchange_id: str


class Made(msgspec.Struct, kw_only=True):
    """What a spoke makes of a request."""

    body: bytes
    name: str
    """The model, as the client calls it."""
    warnings: bytes
    max_tokens: int | None = None
    betas: tuple[str, ...] = ()
    plan: Plan = NO_PLAN
    may_pause: bool = False
    teller: Teller | None = None
    """Tells the answer; None: it is a number of tokens."""
    finds: Callable[[str], str | None] | None = None
    """Says how the client would name a place in `body`."""


class Spoke(Protocol):
    """One format; pure, so that it can be asked in a thread."""

    def make(self, members: Json, known: Known) -> Made:
        """The request that is sent upstream, and how its answer is told; uses `members` up.

        Raises:
            Refusal: Something of the request cannot be served.
        """
        ...

    def count(self, members: Json, known: Known) -> Made:
        """The request that counts its tokens; uses `members` up.

        Raises:
            Refusal: Something of it cannot be served.
        """
        ...


class Translator:
    """Translates requests.

    Args:
        settings: How.
        spokes: What makes each format's, when the first request comes in it: the modules are many.
        router: Knows aliases and upstreams.
        clock: The time.
        thoughts: What models thought, for clients that drop it.
    """

    def __init__(
        self,
        settings: Settings,
        spokes: Mapping[Wire, Callable[[], Spoke]],
        router: Router,
        clock: Clock,
        thoughts: Thoughts,
    ) -> None:
        self._settings = settings
        self._make = spokes
        self._spokes: dict[Wire, Spoke] = {}
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
        size, known = len(walk.asked.plain), self._known(walk, model, targets, own=own)
        spoke = self._spokes.get(walk.call.wire) or await self._first(walk.call.wire)
        make = spoke.count if walk.call.endpoint == "count_tokens" else spoke.make
        members = walk.asked.members
        # A large one apart, so that nobody waits for the conversation of another.
        made = make(members, known) if size <= _AT_ONCE else await asyncio.to_thread(make, members, known)
        # It is several times as large as its bytes, and the answer may take long.
        members.clear()
        if size > _READ_AGAIN:
            made.finds = None
        return self._goes_on(walk, made, known, own=own), targets

    async def _first(self, wire: Wire) -> Spoke:
        # What is imported for it must not hold up others' answers.
        spoke = self._spokes[wire] = await asyncio.to_thread(self._make[wire])
        return spoke

    def _goes_on(self, walk: Walk, made: Made, known: Known, *, own: bool) -> Walk:
        fields = _fields(walk.call.headers, made, own=own)
        peek = Peek(model=known.model, stream=made.teller is not None, max_tokens=made.max_tokens)
        asked = Asked(made.body, made.body, peek, readable=True, ours=fields)
        translation = Translation(name=made.name, model=known.model, plan=made.plan, warnings=made.warnings)
        if made.teller is None:
            counting = CountSink(walk.sink, walk.exchange.id, translation)
            return Walk(walk.exchange, walk.call, walk.caller, asked, counting)
        fold = Fold() if made.may_pause else None
        backing = Backing(keep=partial(self._thoughts.keep, known.owner), fold=fold)
        if made.finds is not None:
            backing.finds = made.finds
        sink = AnswerSink(walk.sink, walk.exchange.id, translation, made.teller, self._clock, backing)
        walk.exchange.last_words = sink.last_words
        tell = None if known.is_strict else sink.warn
        total_s = self._settings.total_s
        follow = Following(asked, walk.exchange.id, self._clock, total_s=total_s, fold=fold, tell=tell)
        return Walk(walk.exchange, walk.call, walk.caller, asked, sink, follow)

    def _owner(self, walk: Walk, *, own: bool) -> str:
        key = walk.caller.key
        if key is not None or not own:
            return "" if key is None else key.id
        brought = _brought(walk.call.headers)
        return keyed_hash(self._settings.secret, "thoughts", brought[0]) if brought else ""

    def _known(self, walk: Walk, model: str, targets: Sequence[Target], *, own: bool) -> Known:
        key, owner = walk.caller.key, self._owner(walk, own=own)
        key_id = "" if key is None else key.id

        def hide(person: str) -> str:
            named = f"{key_id}\0{person}".encode("utf-8", "surrogatepass")
            return keyed_hash(self._settings.secret, "chat-user", named)

        abilities = self._settings.abilities.of(model)
        if abilities.sampling and any(target.upstream.api_version >= _WITHOUT_SAMPLING for target in targets):
            abilities = msgspec.structs.replace(abilities, sampling=False)
        return Known(
            model=model,
            abilities=abilities,
            created=self._clock.now_us() // 1_000_000,
            hide=hide,
            owner=owner,
            is_strict=key is not None and key.strict,
            caches=self._settings.caches if key is None or key.caches is None else key.caches,
            recall=self._thoughts.of(owner),
            find_item=partial(self._thoughts.find_item, owner),
            keep_item=partial(self._thoughts.keep_item, owner),
            plain=walk.asked.plain,
            headers=walk.call.headers,
            exchange_id=walk.exchange.id,
        )


def _fields(headers: Headers, made: Made, *, own: bool) -> Fields:
    """The fields of the request that is sent: ours. Of the client's only what is meant for the
    API goes along, and its own credential where it pays.
    """
    fields = [
        (b"content-type", b"application/json"),
        (b"accept", b"application/json" if made.teller is None else b"text/event-stream"),
        (b"accept-encoding", b"identity"),
        (b"user-agent", _AGENT),
    ]
    fields += [(b"anthropic-beta", beta.encode()) for beta in made.betas]
    fields += [field for field in headers if field[0] == b"anthropic-beta"]
    if own:
        fields += [(b"x-api-key", value.strip().rsplit(b" ", 1)[-1]) for value in _brought(headers)[:1]]
    return Fields.of(fields)


def _brought(headers: Headers) -> list[bytes]:
    """The client's own credentials."""
    return [value for name, value in headers if name in CREDENTIALS and not is_ours(value)]
