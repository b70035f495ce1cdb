"""Chat Completions, as the walk's translator needs it.

Used by gateway/translate.
"""

from functools import partial
from typing import get_args

from clearway.core.errors import NotFound
from clearway.core.fields import Headers
from clearway.gateway.headers import first
from clearway.gateway.translate import Known, Made
from clearway.wire.chat.form import Reasoning
from clearway.wire.chat.places import param_of
from clearway.wire.chat.request import Asking, translate
from clearway.wire.chat.teller import ChatTeller
from clearway.wire.hub.notes import Refusal
from clearway.wire.hub.typed import Json

_REASONING = b"x-clearway-reasoning"


class ChatSpoke:
    """Makes requests of Chat Completions ones of Messages.

    Args:
        reasoning: In which members thoughts are told, where a request does not say it.
    """

    def __init__(self, reasoning: Reasoning) -> None:
        self._reasoning: Reasoning = reasoning

    def make(self, members: Json, known: Known) -> Made:
        """See `Spoke.make`."""
        asking = Asking(
            model=known.model,
            abilities=known.abilities,
            created=known.created,
            hide=known.hide,
            is_strict=known.is_strict,
            caches=known.caches,
            reasoning=self._wanted(known.headers),
            recall=known.recall,
        )
        made = translate(members, asking)
        return Made(
            body=made.body,
            name=made.form.model,
            warnings=made.warnings,
            max_tokens=made.max_tokens,
            betas=made.betas,
            plan=made.plan,
            may_pause=made.may_pause,
            teller=ChatTeller(made.form, is_stream=made.is_stream),
            finds=partial(param_of, body=known.plain, asking=asking),
        )

    def count(self, members: Json, known: Known) -> Made:
        """Chat Completions has no such question."""
        del members, known
        raise NotFound("tokens are not counted in this format")

    def _wanted(self, headers: Headers) -> Reasoning:
        given = first(headers, _REASONING)
        if given is None:
            return self._reasoning
        for known in get_args(Reasoning):
            if given.strip().lower() == known:
                return known  # type: ignore[no-any-return]  # one of them
        raise Refusal(_REASONING.decode(), f"expected one of {', '.join(get_args(Reasoning))}")
