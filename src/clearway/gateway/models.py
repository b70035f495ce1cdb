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
from clearway.core.errors import GatewayError, NoSuchModel, UpstreamProtocolError, UpstreamRefusedUs
from clearway.gateway.admit import Walk
from clearway.gateway.bookkeeping import Attempt
from clearway.gateway.call import Call
from clearway.gateway.headers import CREDENTIALS, EXCHANGE_HEADER, first, is_ours
from clearway.gateway.relay import OWN_CREDENTIAL_REFUSED, Relay, outcome_of, warn_of_refusal
from clearway.gateway.route import Router, Target
from clearway.gateway.send import billing_of
from clearway.keys import policy
from clearway.keys.model import Key
from clearway.limits.held import NOTHING
from clearway.upstreams.protocol import Reply, Request
from clearway.wire.messages.models import Entry, anthropic_page, openai_entry, openai_list, read_models, with_aliases

_KEEP_S = 300.0
_MAX_LIST = 4 * 1024 * 1024
_PREFIX = "/v1/models"
_VERSION = (b"anthropic-version", b"2023-06-01")
_OK, _NOT_FOUND = 200, 404
_NO_STREAM_S = 3600.0


class ModelList:
    """Answers for the list of models."""

    def __init__(self, router: Router, clock: Clock) -> None:
        self._router = router
        self._clock = clock
        self._kept: dict[str, tuple[float, list[Entry]]] = {}

    @staticmethod
    def answers(call: Call, targets: Sequence[Target]) -> bool:
        """False where the answer is the upstream's own and is relayed as it is."""
        speaks_anthropic = first(call.headers, b"anthropic-version") is not None
        return call.method in ("GET", "HEAD") and not (targets[0].upstream.pays == "client" and speaks_anthropic)

    async def serve(self, walk: Walk, targets: Sequence[Target]) -> None:
        """Answer from the upstreams' lists; one that fails is left out while another answers.

        Raises:
            UpstreamError: None of them answered.
        """
        entries: dict[object, Entry] = {}
        failures: list[GatewayError] = []
        for target in targets:
            try:
                found = await self._list(walk, target)
            except GatewayError as error:
                failures.append(error)
                continue
            if found is None:
                return  # the client's own upstream refused, and its answer was relayed
            for entry in found:
                entries.setdefault(entry["id"], entry)
        if len(failures) == len(targets):
            raise failures[0]
        await self._tell(walk, list(entries.values()), with_own=targets[0].upstream.pays != "client")

    async def _tell(self, walk: Walk, listed: list[Entry], *, with_own: bool) -> None:
        if with_own:
            listed = with_aliases(listed, self._router.aliases)
        if walk.caller.key is not None:
            listed = [entry for entry in listed if self._may(walk.caller.key, str(entry["id"]))]
        body = msgspec.json.encode(_answer(walk.call, listed))
        walk.exchange.settle("ok", status=_OK)
        await walk.exchange.committed()
        exchange_id = (EXCHANGE_HEADER, walk.exchange.id.encode())
        length = (b"content-length", b"%d" % len(body))
        walk.sink.start(_OK, [(b"content-type", b"application/json"), length, exchange_id])
        walk.sink.finish(body)

    def _may(self, key: Key, name: str) -> bool:
        return isinstance(policy.may(key, models=(name, self._router.aliases.get(name))), policy.Allow)

    async def _list(self, walk: Walk, target: Target) -> list[Entry] | None:
        """One upstream's list; None where its refusal went to the client as it was."""
        own = target.upstream.pays == "client"
        kept = self._kept.get(target.upstream.name)
        if kept is not None and not own and self._clock.monotonic() - kept[0] < _KEEP_S:
            return kept[1]
        attempt = walk.exchange.begin(target, billing_of(walk.caller, target), NOTHING)
        try:
            async with target.upstream.open(_request(walk.call, target)) as reply:
                if own and reply.status != _OK:
                    await Relay(walk.exchange, attempt, walk.sink, heartbeat_s=_NO_STREAM_S).run(reply)
                    return None
                entries = await _read(reply, target, attempt)
        except GatewayError as error:
            attempt.end(outcome_of(error), error)
            raise
        attempt.end("ok")
        if not own:
            self._kept[target.upstream.name] = (self._clock.monotonic(), entries)
        return entries


def _request(call: Call, target: Target) -> Request:
    """It is our request, and says so; the client's credential goes along only where
    the client pays.
    """
    own = target.upstream.pays == "client"
    headers = [(name, value) for name, value in call.headers if own and name in CREDENTIALS and not is_ours(value)]
    agent = (b"user-agent", f"clearway/{__version__}".encode())
    headers += [agent, _VERSION, (b"accept", b"application/json"), (b"accept-encoding", b"identity")]
    return Request(method=b"GET", target=b"/v1/models?limit=1000", headers=headers)


async def _read(reply: Reply, target: Target, attempt: Attempt) -> list[Entry]:
    name = target.upstream.name
    attempt.saw_head(reply.status, first(reply.headers, b"request-id"))
    if reply.status == _NOT_FOUND:
        return []  # a compatible vendor without a list
    if reply.status in OWN_CREDENTIAL_REFUSED and target.upstream.pays == "gateway":
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
            raise NoSuchModel(f"there is no model {wanted[:80]!r} here", hint="GET /v1/models lists what there is")
        return entry if speaks_anthropic else openai_entry(entry)
    if not speaks_anthropic:
        return openai_list(listed)
    query = call.target.partition(b"?")[2].decode("latin-1")
    return anthropic_page(listed, dict(parse_qsl(query)))
