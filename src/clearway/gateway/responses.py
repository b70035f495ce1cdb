"""Responses, as the walk's translator needs it.

Responses are not kept here: what would need it is refused by its name, and thoughts travel in the
client's hands, sealed. Items are, for a while and in memory, for clients that send their ids alone.
Used by gateway/translate.
"""

from functools import partial

from clearway.core.fields import Headers
from clearway.core.secret import Secret
from clearway.gateway.headers import first
from clearway.gateway.translate import Known, Made
from clearway.wire.hub.typed import Json, read
from clearway.wire.responses.envelope import Envelope
from clearway.wire.responses.places import param_of
from clearway.wire.responses.request import Asking, count, translate
from clearway.wire.responses.teller import ResponsesTeller

_CODEX = "codex"


class ResponsesSpoke:
    """Makes requests of Responses ones of Messages.

    Args:
        secret: The installation's: seals what was thought.
    """

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def make(self, members: Json, known: Known) -> Made:
        """See `Spoke.make`."""
        envelope = Envelope(self._secret, known.owner)
        asking = _asking(known, envelope)
        keep = None if members.get("store") is False else known.keep_item
        made = translate(members, asking)
        seal = partial(envelope.seal, model=known.model)
        return Made(
            body=made.body,
            name=made.form.model,
            warnings=made.warnings,
            max_tokens=made.max_tokens,
            betas=made.betas,
            plan=made.plan,
            may_pause=made.may_pause,
            teller=ResponsesTeller(made.form, seal, known.exchange_id, is_stream=made.is_stream, keep=keep),
            finds=partial(param_of, body=known.plain, asking=asking),
        )

    def count(self, members: Json, known: Known) -> Made:
        """See `Spoke.count`."""
        made = count(members, _asking(known, Envelope(self._secret, known.owner)))
        return Made(body=made.body, name=known.model, warnings=made.warnings)


def _asking(known: Known, envelope: Envelope) -> Asking:
    return Asking(
        model=known.model,
        abilities=known.abilities,
        created=known.created,
        hide=known.hide,
        is_strict=known.is_strict,
        caches=known.caches,
        is_codex=_is_codex(known.headers),
        envelope=envelope,
        refer=partial(_refer, known),
        recall=known.recall,
    )


def _refer(known: Known, item_id: str) -> Json | None:
    kept = known.find_item(item_id)
    return None if kept is None else read(kept)


def _is_codex(headers: Headers) -> bool:
    return (first(headers, b"user-agent") or "").lower().startswith(_CODEX)
