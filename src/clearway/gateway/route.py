"""Which upstreams may answer, in order. The credential decides, and nothing crosses."""

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec

from clearway.core.errors import NoSuchModel, NotAllowed, NotAuthenticated, NotFound, NoUpstream
from clearway.core.exchange import Endpoint
from clearway.gateway.authenticate import Caller
from clearway.keys import policy
from clearway.upstreams.protocol import Pays, Upstream

OWN_ENDPOINTS: frozenset[Endpoint] = frozenset({"messages", "count_tokens", "models"})
"""What passes with the gateway's own credential: each is metered or free. Other
paths reach the whole workspace behind that credential (default deny)."""
OBJECT_ENDPOINTS: frozenset[Endpoint] = frozenset({"files", "batches"})
"""What passes with it where an upstream is set to it, to each key what is its own (`gateway/objects`)."""


class Target(msgspec.Struct, frozen=True):
    """An upstream and the model it is asked for."""

    upstream: Upstream
    model: str | None


class Router:
    """Knows the configured upstreams and aliases.

    Args:
        upstreams: In configured order.
        aliases: Second names of models.
        holders: The upstreams, by name, that may hold files and batches of keys.
    """

    def __init__(
        self,
        upstreams: Sequence[Upstream],
        aliases: Mapping[str, str],
        holders: Mapping[Endpoint, Collection[str]] | None = None,
    ) -> None:
        self.upstreams = tuple(upstreams)
        self.aliases = dict(aliases)
        self._holders = dict(holders or {})
        # Who may use what depends on two things only, and is found out once.
        self._suiting: dict[tuple[bool, bool], list[Upstream]] = {}

    def needs_reading(self, caller: Caller) -> bool:
        """False where a body that cannot be read may go on: a client that pays for
        itself, without a key of ours.
        """
        return caller.key is not None or all(upstream.pays != "client" for upstream in self._suiting_for(caller))

    def open_to(self, caller: Caller, endpoint: Endpoint) -> list[Upstream]:
        """The upstreams that this caller may use for an endpoint, whatever the model.

        Needs no body, so that who is refused here costs nothing.

        Raises:
            NotAuthenticated: The caller brought nothing that could pay.
            NotAllowed: The key may not use the endpoint.
            NotFound: The endpoint is not served for this kind of credential.
            NoUpstream: None is configured for this kind of credential.
        """
        self._judge(caller, endpoint)
        suiting = self._suiting_for(caller)
        if not suiting:
            raise self._nobody(caller)
        if endpoint in OWN_ENDPOINTS:
            return suiting
        if endpoint in OBJECT_ENDPOINTS and caller.credential == "none":
            return self._holding(suiting, endpoint)
        open_ones = [upstream for upstream in suiting if upstream.pays == "client"]
        if not open_ones:
            hint = (
                "with the gateway's own credential only /v1/messages, /v1/messages/count_tokens, /v1/models and, "
                "where they are switched on, /v1/files and /v1/messages/batches pass"
            )
            raise NotFound("this path is not served here", hint=hint)
        return open_ones

    def candidates(
        self, caller: Caller, upstreams: Sequence[Upstream], model: str | None, *, sent: str | None = None
    ) -> list[Target]:
        """Those of `upstreams`, as `open_to` gave them, to try for a model, in order.

        Args:
            caller: Who asks.
            upstreams: Who may be asked.
            model: As the client calls it.
            sent: As a translated request calls it, whoever answers; None: as the aliases say.

        Raises:
            NotAllowed: The key may not use the model or the upstream.
            NotFound: No upstream serves the model.
        """
        targets = [Target(upstream, sent or self._model_for(upstream, model)) for upstream in upstreams]
        serving = [target for target in targets if _serves(target)]
        if not serving:
            raise NoSuchModel(
                f"no upstream serves the model {_shown(model)}", hint="GET /v1/models lists what there is"
            )
        return self._allowed(serving, caller, model)

    def _model_for(self, upstream: Upstream, model: str | None) -> str | None:
        if model is None or upstream.pays == "client":
            return model
        return self.aliases.get(model, model)

    def _holding(self, suiting: list[Upstream], endpoint: Endpoint) -> list[Upstream]:
        names = self._holders.get(endpoint, ())
        holding = [upstream for upstream in suiting if upstream.pays == "gateway" and upstream.name in names]
        if not holding:
            hint = (
                f"the owner of the gateway switches them on with `{endpoint} = true` at an upstream of kind anthropic"
            )
            raise NotFound(f"{endpoint} of keys are not switched on here", hint=hint)
        return holding

    @staticmethod
    def _judge(caller: Caller, endpoint: Endpoint) -> None:
        if caller.key is not None and (caller.key.endpoints or caller.key.models):
            # What a client pays for itself is relayed unread, whatever it is.
            is_relayed = endpoint == "relay" or (endpoint in OBJECT_ENDPOINTS and caller.credential != "none")
            verdict = policy.may(caller.key, endpoint=endpoint)
            if isinstance(verdict, policy.Deny) and not (is_relayed and "relay" in caller.key.endpoints):
                raise NotAllowed(verdict.reason, hint=verdict.hint)
            if is_relayed and caller.key.models:
                hint = "it may use /v1/messages, /v1/messages/count_tokens and /v1/models"
                raise NotAllowed("this key is limited to models, which cannot be told on other paths", hint=hint)

    @staticmethod
    def _allowed(targets: list[Target], caller: Caller, asked: str | None) -> list[Target]:
        if caller.key is None or not (caller.key.models or caller.key.upstreams):
            return targets
        verdicts = [
            (target, policy.may(caller.key, models=(asked, target.model), upstream=target.upstream.name))
            for target in targets
        ]
        allowed = [target for target, verdict in verdicts if isinstance(verdict, policy.Allow)]
        if not allowed:
            refusal = next(verdict for _, verdict in verdicts if isinstance(verdict, policy.Deny))
            raise NotAllowed(refusal.reason, hint=refusal.hint)
        return allowed

    def _suiting_for(self, caller: Caller) -> list[Upstream]:
        """The upstreams whose payer this caller can be, in configured order."""
        kind = (caller.credential != "none", caller.key is not None)
        if kind not in self._suiting:
            self._suiting[kind] = [upstream for upstream in self.upstreams if _suits(upstream.pays, *kind)]
        return self._suiting[kind]

    def _nobody(self, caller: Caller) -> NotAuthenticated | NoUpstream:
        if caller.credential != "none":
            hint = "configure an upstream of kind passthrough, or send a Clearway key alone"
            return NoUpstream("no upstream takes a client's own credential", hint=hint)
        if caller.key is None:
            hint = "sign in to your client, or send a Clearway key: clearway keys create NAME"
            return NotAuthenticated("the request carries no credential", hint=hint)
        hint = "set ANTHROPIC_API_KEY for the gateway, or configure an upstream of kind anthropic"
        return NoUpstream("a Clearway key came alone, and no upstream has a credential of the gateway's own", hint=hint)


def _suits(pays: Pays, brought: bool, has_key: bool) -> bool:  # noqa: FBT001  # the two things that decide
    """Whether a caller, who brought a credential or not and a key or not, may use it."""
    match pays:
        case "client":
            return brought
        case "gateway":
            return has_key and not brought
        case "nobody":
            return True


def _serves(target: Target) -> bool:
    if target.model is None or "*" in target.upstream.models:
        return True
    return any(fnmatchcase(target.model, pattern) for pattern in target.upstream.models)


def _shown(model: str | None) -> str:
    return repr((model or "")[:80])
