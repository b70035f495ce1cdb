"""A request of Chat Completions as one of Messages. Pure: the same request, the same bytes.

Owns the order of the steps and what the body is made of; each step is a file beside this
one or in `wire/hub`. What cannot be said in Messages is told or refused, never dropped.
Source: the tables of `docs/chat-completions.md`.
Used by gateway/chat.
"""

from collections.abc import Callable

import msgspec

from clearway.wire.chat.fields import MAPPED, RULES
from clearway.wire.chat.form import Form, Reasoning
from clearway.wire.chat.messages import Conversation, Reader, called_names, read_messages
from clearway.wire.chat.scalars import Scalars, bound_of, form_of, stops, wish
from clearway.wire.chat.tools import Offer, read_tools, search_tool
from clearway.wire.hub.body import Parts, body_of, loop_may_think
from clearway.wire.hub.judging import judge
from clearway.wire.hub.kept import Recall, put_all_back
from clearway.wire.hub.models import Abilities
from clearway.wire.hub.notes import Notes, Refusal
from clearway.wire.hub.plan import Plan
from clearway.wire.hub.sampling import asker, sampling, tier
from clearway.wire.hub.structure import Structure, hold_to_call, hold_to_form
from clearway.wire.hub.thinking import think
from clearway.wire.hub.tools import Names, definitions
from clearway.wire.hub.turns import Block
from clearway.wire.hub.typed import Json, named, typed

_CONTEXT_BETA = "context-management-2025-06-27"


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """What the translator is told beside the request."""

    model: str
    """As it is asked for upstream."""
    abilities: Abilities
    created: int
    """The answer's, in seconds since 1970."""
    hide: Callable[[str], str]
    """Makes a name that cannot be read of who asks."""
    is_strict: bool = False
    caches: bool = True
    """Breakpoints are set where the client sets none."""
    reasoning: Reasoning = "default"
    recall: Recall | None = None
    """Finds what was thought in a turn before."""


class Translated(msgspec.Struct, frozen=True, kw_only=True):
    """The request for the upstream, and what its answer is read by."""

    body: bytes
    max_tokens: int
    betas: tuple[str, ...]
    plan: Plan
    form: Form
    is_stream: bool
    warnings: bytes
    """The value of `x-clearway-warnings`."""
    may_pause: bool = False
    """It has a tool that the upstream runs, so that the answer may pause."""


def translate(fields: Json, asking: Asking) -> Translated:
    """Say it in the words of Messages.

    Args:
        fields: The request, as `read` gives it; parts of it may be used, so it is read once.
        asking: What else is known.

    Raises:
        Refusal: Something of it cannot be served.
    """
    return _begin(fields, asking, Notes(strict=asking.is_strict)).run()


def marked(fields: Json, asking: Asking) -> Json:
    """The body that `translate` makes of a request, each part marked with where the client has it."""
    translation = _begin(fields, asking, Notes(marks=True))
    translation.run()
    return translation.body


def _begin(fields: Json, asking: Asking, notes: Notes) -> "_Translation":
    judge(fields, MAPPED, RULES, notes)
    given = typed(fields, Scalars, "")
    if given.stream_options is not None and not given.stream:
        raise Refusal("stream_options", "stream_options is for streams only", hint="set stream to true")
    return _Translation(fields, given, asking, notes)


class _Translation:
    def __init__(self, fields: Json, given: Scalars, asking: Asking, notes: Notes) -> None:
        self._fields = fields
        self._given = given
        self._asking = asking
        self._abilities = asking.abilities
        self._notes = notes
        self.body: Json = {}

    def run(self) -> Translated:
        given, notes, abilities = self._given, self._notes, self._abilities
        listed = read_messages(self._fields.get("messages"))
        offer = read_tools(self._fields, notes)
        names = Names([*(tool.name for tool in offer.tools), *called_names(listed.others.values())])
        tools, wrapped = definitions(offer.tools, names, abilities, notes)
        search = search_tool(self._fields, notes)
        if search is not None:
            tools.append(search)
        raw: list[Json] = self._fields["messages"]  # type: ignore[assignment]  # `read_messages` has looked
        asking = self._asking
        conversation = Reader(names, wrapped, notes).read(listed, raw)
        put_all_back(asking.recall, asking.model, conversation.items)

        asked_for = wish(given, notes, shows=asking.reasoning != "none")
        thought = think(asked_for, abilities, bound_of(given, abilities, notes), notes)
        thought = loop_may_think(thought, conversation.items, "reasoning_effort", notes)
        structure = Structure(thought, offer.wanted)
        hold_to_call(structure, offer.tools, asked_for, abilities, notes)
        hold_to_form(structure, form_of(given.response_format), abilities, notes, has_tools=bool(tools))
        self.body = self._body(structure, tools, names, conversation)
        return Translated(
            body=msgspec.json.encode(self.body),
            max_tokens=structure.thought.max_tokens,
            betas=(_CONTEXT_BETA,) if given.context_management is not None else (),
            plan=Plan(
                names=names.changed(),
                wrapped=wrapped,
                emulated=structure.emulated,
                is_json_tool=structure.json_tool is not None,
                cites=search is not None,
            ),
            form=self._form(offer),
            is_stream=bool(given.stream),
            warnings=notes.header(),
            may_pause=search is not None,
        )

    def _form(self, offer: Offer) -> Form:
        options = self._given.stream_options
        return Form(
            model=str(self._fields["model"]),
            created=self._asking.created,
            include_usage=bool(options and options.include_usage),
            reasoning=self._asking.reasoning,
            is_legacy=offer.is_legacy,
        )

    def _body(self, structure: Structure, tools: list[Block], names: Names, conversation: Conversation) -> Json:
        given, notes = self._given, self._notes
        parts = Parts(
            model=self._asking.model,
            abilities=self._abilities,
            param="messages",
            structure=structure,
            system=conversation.system,
            items=conversation.items,
            tools=tools,
            names=names,
            caches=self._asking.caches,
            cache_control=given.cache_control,
            cache_options=given.prompt_cache_options,
        )
        body, top = body_of(parts, notes)
        body |= sampling(given, self._abilities, notes, thinks=structure.thought.is_on)
        body |= named("stop_sequences", stops(given) or None)
        person = asker(given.safety_identifier or given.user, self._asking.hide)
        body |= named("metadata", {"user_id": person} if person else None)
        body |= named("service_tier", tier(given.service_tier, notes))
        body |= named("context_management", given.context_management)
        return body | named("cache_control", top)
