"""`GET /v1/models` and `GET /v1/models/{id}`: the upstream's list plus aliases.

Anthropic's shape with `anthropic-version`, OpenAI's without. A client that pays
for itself gets the upstream's own answer, untouched; only where it speaks OpenAI's
shape is that answer translated.

Growth: one list for each of the gateway's own upstreams, kept for five minutes.
"""

from collections.abc import Sequence
from urllib.parse import parse_qsl, unquote

import msgspec

from clearway import __version__
from clearway.core.clock import Clock
from clearway.core.errors import GatewayError, NotFound, UpstreamProtocolError, UpstreamRefusedUs
from clearway.gateway.admit import Walk
from clearway.gateway.bookkeeping import Attempt
from clearway.gateway.call import Call
from clearway.gateway.headers import CREDENTIALS, first, is_ours
from clearway.gateway.relay import EXCHANGE_HEADER, outcome_of, warn_of_refusal
from clearway.gateway.route import Router, Target
from clearway.keys import policy
from clearway.keys.model import Key
from clearway.limits.protocol import Estimate, Limiter
from clearway.upstreams.protocol import Request
from clearway.wire.messages.models import Entry, anthropic_page, openai_entry, openai_list, read_models, with_aliases

_KEEP_S = 300.0
_MAX_LIST = 4 * 1024 * 1024
_PREFIX = "/v1/models"
_VERSION = (b"anthropic-version", b"2023-06-01")
_OK, _NOT_FOUND = 200, 404
_REFUSED = (401, 402, 403)


class ModelList:
    """Answers for the list of models."""

    def __init__(self, router: Router, limiter: Limiter, clock: Clock) -> None:
        self._router = router
        self._limiter = limiter
        self._clock = clock
        self._kept: dict[str, tuple[float, list[Entry]]] = {}

    @staticmethod
    def answers(call: Call, targets: Sequence[Target]) -> bool:
        """False where the answer is the upstream's own and is relayed as it is."""
        speaks_anthropic = first(call.headers, b"anthropic-version") is not None
        return call.method in ("GET", "HEAD") and not (targets[0].upstream.pays == "client" and speaks_anthropic)

    async def serve(self, walk: Walk, targets: Sequence[Target]) -> None:
        """Answer from the upstreams' lists."""
        entries: dict[object, Entry] = {}
        for target in targets:
            for entry in await self._list(walk, target):
                entries.setdefault(entry["id"], entry)
        listed = list(entries.values())
        if targets[0].upstream.pays != "client":
            listed = with_aliases(listed, self._router.aliases)
        if walk.caller.key is not None:
            listed = [entry for entry in listed if self._may(walk.caller.key, str(entry["id"]))]
        body = msgspec.json.encode(_answer(walk.call, listed))
        walk.exchange.settle("ok", status=_OK)
        await walk.exchange.committed()
        exchange_id = (EXCHANGE_HEADER, walk.exchange.id.encode())
        length = (b"content-length", b"%d" % len(body))
        await walk.sink.start(_OK, [(b"content-type", b"application/json"), length, exchange_id])
        await walk.sink.finish(body)

    def _may(self, key: Key, name: str) -> bool:
        return isinstance(policy.may(key, models=(name, self._router.aliases.get(name))), policy.Allow)

    async def _list(self, walk: Walk, target: Target) -> list[Entry]:
        own = target.upstream.pays == "client"
        kept = self._kept.get(target.upstream.name)
        if kept is not None and not own and self._clock.monotonic() - kept[0] < _KEEP_S:
            return kept[1]
        held = self._limiter.reserve(walk.caller.key, Estimate(model=None, input_tokens=0, output_tokens=0))
        attempt = walk.exchange.begin(target, "billed", held)
        try:
            entries = await self._fetch(walk.call, target, attempt)
        except GatewayError as error:
            attempt.end(outcome_of(error), error)
            raise
        attempt.end("ok")
        if not own:
            self._kept[target.upstream.name] = (self._clock.monotonic(), entries)
        return entries

    @staticmethod
    async def _fetch(call: Call, target: Target, attempt: Attempt) -> list[Entry]:
        """Ask one upstream. It is our request, and says so; the client's credential
        goes along only where the client pays.
        """
        headers = [
            (name, value)
            for name, value in call.headers
            if target.upstream.pays == "client" and name in CREDENTIALS and not is_ours(value)
        ]
        agent = (b"user-agent", f"clearway/{__version__}".encode())
        headers += [agent, _VERSION, (b"accept", b"application/json"), (b"accept-encoding", b"identity")]
        name = target.upstream.name
        async with target.upstream.open(
            Request(method=b"GET", target=b"/v1/models?limit=1000", headers=headers)
        ) as reply:
            attempt.saw_head(reply.status, first(reply.headers, b"request-id"))
            if reply.status == _NOT_FOUND:
                return []  # a compatible vendor without a list
            if reply.status in _REFUSED and target.upstream.pays == "gateway":
                warn_of_refusal(name, reply.status, attempt.exchange.id)
                raise UpstreamRefusedUs(f"the upstream {name} refused the gateway's own credential ({reply.status})")
            if reply.status != _OK:
                raise UpstreamProtocolError(f"the upstream {name} answered {reply.status} to the list of models")
            body = bytearray()
            while not reply.ended and len(body) <= _MAX_LIST:
                body += await reply.read()
        attempt.response_bytes = len(body)
        try:
            return read_models(bytes(body))
        except ValueError as error:
            raise UpstreamProtocolError(f"the upstream {name} sent no list of models") from error


def _answer(call: Call, listed: list[Entry]) -> object:
    speaks_anthropic = first(call.headers, b"anthropic-version") is not None
    if call.path != _PREFIX:
        wanted = unquote(call.path[len(_PREFIX) + 1 :])
        entry = next((entry for entry in listed if entry["id"] == wanted), None)
        if entry is None:
            raise NotFound(f"there is no model {wanted[:80]!r} here", hint="GET /v1/models lists what there is")
        return entry if speaks_anthropic else openai_entry(entry)
    if not speaks_anthropic:
        return openai_list(listed)
    query = call.target.partition(b"?")[2].decode("latin-1")
    return anthropic_page(listed, dict(parse_qsl(query)))
