"""A request of Responses as one of Messages. Pure: the same request, the same bytes.

Owns the order of the steps; each step is a file beside this one or in `wire/hub`. What
cannot be said in Messages is told or refused, never dropped.
Source: the tables of `docs/responses.md`.
Used by gateway/responses.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from clearway.wire.hub.body import Parts, body_of, loop_may_think
from clearway.wire.hub.judging import judge
from clearway.wire.hub.kept import Recall, put_all_back
from clearway.wire.hub.models import Abilities
from clearway.wire.hub.notes import Notes, Refusal
from clearway.wire.hub.plan import Plan, Wrap
from clearway.wire.hub.sampling import asker, bounded, sampling, tier
from clearway.wire.hub.structure import Structure, hold_to_call, hold_to_form
from clearway.wire.hub.thinking import think
from clearway.wire.hub.tools import Names, definitions
from clearway.wire.hub.turns import Block
from clearway.wire.hub.typed import Json, named, typed
from clearway.wire.responses.choosing import Offer, choose
from clearway.wire.responses.echo import echo_of
from clearway.wire.responses.envelope import Envelope
from clearway.wire.responses.fields import MAPPED, RULES
from clearway.wire.responses.form import Called, Form
from clearway.wire.responses.items import Placed, called_in, read_items
from clearway.wire.responses.reader import Conversation, Reader
from clearway.wire.responses.scalars import Scalars, form_of, includes, settle, summarizes, wish
from clearway.wire.responses.tools import Toolbox

_COUNTED = ("model", "system", "tools", "tool_choice", "messages", "thinking", "output_config", "cache_control")
"""Members that counting tokens takes."""


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
    is_codex: bool = False
    """Codex asks: it offers tools that it can do without."""
    drops_hosted: bool = False
    """Tools that only OpenAI has are left out, and told, for every client."""
    envelope: Envelope | None = None
    """Seals and opens what was thought; None: it is not carried."""
    history: Sequence[Json] | None = None
    """Items of the responses before, oldest first; None: no responses are kept here."""
    references: Mapping[str, Json] = {}
    """Items that are kept, by id, for `item_reference`."""
    recall: Recall | None = None
    """Finds what was thought in a turn before, where the client dropped it."""


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


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """The request that asks the upstream how many tokens a prompt has."""

    body: bytes
    warnings: bytes
    """Likewise."""


def translate(fields: Json, asking: Asking) -> Translated:
    """Say it in the words of Messages.

    Args:
        fields: The request, as `read` gives it; parts of it may be used, so it is read once.
        asking: What else is known.

    Raises:
        Refusal: Something of it cannot be served.
    """
    return _Translation(fields, asking, Notes(strict=asking.is_strict)).run()


def marked(fields: Json, asking: Asking) -> Json:
    """The body that `translate` makes of a request, each part marked with where the client has it."""
    translation = _Translation(fields, asking, Notes(marks=True))
    translation.run()
    return translation.body


def count(fields: Json, asking: Asking) -> Counted:
    """A request of `/responses/input_tokens` as one of `count_tokens`; its answer's `input_tokens` is the number.

    Raises:
        Refusal: Something of it cannot be served.
    """
    translation = _Translation(fields, asking, Notes(strict=asking.is_strict))
    translation.run()
    body = {name: value for name, value in translation.body.items() if name in _COUNTED}
    return Counted(body=msgspec.json.encode(body), warnings=translation.notes.header())


class _Translation:
    def __init__(self, fields: Json, asking: Asking, notes: Notes) -> None:
        self.notes = notes
        self.body: Json = {}
        self._fields = fields
        self._asking = asking
        self._abilities = asking.abilities

    def run(self) -> Translated:
        asking, abilities, notes = self._asking, self._abilities, self.notes
        judge(self._fields, MAPPED, RULES, notes)
        given = typed(self._fields, Scalars, "")
        settle(given, notes)
        if given.store and asking.history is None:
            notes.add("ignored", "store", "responses are not kept")
        sources = includes(given, notes)
        items = self._items(given)
        box = self._toolbox(items, given)
        offer = choose(self._fields.get("tool_choice"), box, notes, is_single=given.parallel_tool_calls is False)
        called = box.called | {key: one for key, one in called_in(items).items() if key not in box.called}
        names = Names([*(tool.name for tool in box.tools), *called])
        tools, wrapped = definitions(offer.tools, names, abilities, notes)
        conversation = Reader(names, wrapped, asking.envelope, asking.model, notes).read(items, given.instructions)
        put_all_back(asking.recall, asking.model, conversation.items)

        asked_for = wish(given, notes)
        bound = bounded(given.max_output_tokens, "max_output_tokens", abilities, notes)
        thought = think(asked_for, abilities, bound, notes)
        thought = loop_may_think(thought, conversation.items, asked_for.param, notes)
        structure = Structure(thought, offer.wanted)
        hold_to_call(structure, offer.tools, asked_for, abilities, notes)
        if offer.search is not None:
            tools.append(offer.search)
        hold_to_form(structure, form_of(given), abilities, notes, has_tools=bool(tools))
        self._make(given, structure, tools, names, conversation)
        return Translated(
            body=msgspec.json.encode(self.body),
            max_tokens=structure.thought.max_tokens,
            betas=(),
            plan=_plan(structure, names, called, wrapped, offer),
            form=self._form(given, names, called, sources=sources),
            is_stream=bool(given.stream),
            warnings=notes.header(),
            may_pause=offer.search is not None,
        )

    def _items(self, given: Scalars) -> list[Placed]:
        asking = self._asking
        has_before = given.previous_response_id is not None
        if has_before and asking.history is None:
            hint = "send the items of the conversation as input"
            message = "responses are not kept here, so that none can be continued"
            raise Refusal("previous_response_id", message, "unsupported_parameter", hint=hint)
        history = asking.history or ()
        return read_items(self._fields.get("input"), history, asking.references, has_before=has_before)

    def _toolbox(self, items: list[Placed], given: Scalars) -> Toolbox:
        """The tools of the request, and behind them those that items bring, in their order."""
        asking = self._asking
        drops = asking.is_codex or asking.drops_hosted
        box = Toolbox(self.notes, drops_hosted=drops, most=given.max_tool_calls)
        if self._fields.get("tools") is not None:
            box.take(self._fields["tools"], "tools")
        for item in items:
            if item.kind in ("additional_tools", "tool_search_output"):
                box.take_late(item.given.tools or (), f"{item.where}.tools")
        box.finish()
        return box

    def _make(
        self, given: Scalars, structure: Structure, tools: list[Block], names: Names, conversation: Conversation
    ) -> None:
        asking, notes = self._asking, self.notes
        parts = Parts(
            model=asking.model,
            abilities=self._abilities,
            param="input",
            structure=structure,
            system=conversation.system,
            items=conversation.items,
            tools=tools,
            names=names,
            caches=asking.caches,
            cache_control=given.cache_control,
            cache_options=given.prompt_cache_options,
        )
        body, top = body_of(parts, notes)
        body |= sampling(given, self._abilities, notes, thinks=structure.thought.is_on)
        person = asker(given.safety_identifier or given.user, asking.hide)
        body |= named("metadata", {"user_id": person} if person else None)
        body |= named("service_tier", tier(given.service_tier, notes))
        self.body = body | named("cache_control", top)

    def _form(self, given: Scalars, names: Names, called: dict[str, Called], *, sources: bool) -> Form:
        asking = self._asking
        stores = asking.history is not None
        by_sent = {names.sent(key): one for key, one in called.items()}
        return Form(
            model=given.model,
            created=asking.created,
            echo=echo_of(self._fields, given, stores=stores),
            tools={sent: one for sent, one in by_sent.items() if one != Called(name=sent)},
            seals=asking.envelope is not None,
            summarizes=summarizes(given, self._abilities),
            sources=sources,
            is_codex=asking.is_codex,
        )


def _plan(
    structure: Structure, names: Names, called: dict[str, Called], wrapped: dict[str, Wrap], offer: Offer
) -> Plan:
    return Plan(
        names={sent: called[key].name if key in called else key for sent, key in names.changed().items()},
        wrapped=wrapped,
        # By the name that is sent, which the form knows.
        emulated=names.sent(structure.emulated) if structure.emulated is not None else None,
        is_json_tool=structure.json_tool is not None,
        cites=offer.search is not None,
    )
