"""A request of Chat Completions as one of Messages. Pure: the same request, the same bytes.

Owns the order of the steps and what the body is made of; each step is a file beside this
one or in `wire/hub`. What cannot be said in Messages is told or refused, never dropped.
Source: the tables of `docs/chat-completions.md`.
Used by gateway/chat.
"""

from collections.abc import Callable

import msgspec

from clearway.wire.chat.fields import judge
from clearway.wire.chat.form import Form, Reasoning
from clearway.wire.chat.messages import Conversation, Reader, called_names, read_messages
from clearway.wire.chat.scalars import Scalars, asker, bound_of, sampling, stops, tier, wish
from clearway.wire.chat.structure import Structure, hold_to_call, hold_to_form
from clearway.wire.chat.tools import Offer, read_tools, search_tool
from clearway.wire.chat.types import Json, typed
from clearway.wire.hub.caching import bound, marker, with_ttl
from clearway.wire.hub.kept import Recall
from clearway.wire.hub.models import Abilities
from clearway.wire.hub.notes import Notes, Refusal
from clearway.wire.hub.plan import Plan
from clearway.wire.hub.thinking import Thought, think
from clearway.wire.hub.tools import Names, Wanted, choice, definitions
from clearway.wire.hub.turns import Block, Turn, arrange

_CONTEXT_BETA = "context-management-2025-06-27"
_THOUGHTS = ("thinking", "redacted_thinking")


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


def read(body: bytes | bytearray) -> Json:
    """The members of a request.

    Raises:
        Refusal: The body is no JSON object.
    """
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal("", "the body is not a JSON object", "invalid_json") from error


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
    judge(fields, notes)
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
        messages = read_messages(self._fields.get("messages"))
        offer = read_tools(self._fields, notes)
        names = Names([*(tool.name for tool in offer.tools), *called_names(messages)])
        tools, wrapped = definitions(offer.tools, names, abilities, notes)
        search = search_tool(self._fields, notes)
        if search is not None:
            tools.append(search)
        raw: list[Json] = self._fields["messages"]  # type: ignore[assignment]  # `read_messages` has looked
        asking = self._asking
        reader = Reader(names, wrapped, notes, model=asking.model, recall=asking.recall)
        conversation = reader.read(messages, raw)

        asked_for = wish(given, notes, shows=asking.reasoning != "none")
        thought = think(asked_for, abilities, bound_of(given, abilities, notes), notes)
        structure = Structure(self._loop_may_think(thought, conversation), offer.wanted)
        hold_to_call(structure, offer.tools, asked_for, abilities, notes)
        hold_to_form(structure, given.response_format, abilities, notes, has_tools=bool(tools))
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

    def _loop_may_think(self, thought: Thought, conversation: Conversation) -> Thought:
        """Generations with a budget want the turn before results to begin with what was thought: where
        the client has lost it, the model does not think this time.
        """
        if thought.thinking is None or thought.thinking.get("type") != "enabled":
            return thought
        items = [item for item in conversation.items if item.blocks]
        calling = next((item for item in reversed(items) if item.role == "assistant"), None)
        ends = items[-1] if items else None
        has_results = ends is not None and any(block.get("type") == "tool_result" for block in ends.blocks)
        if calling is None or not has_results or calling.blocks[0].get("type") in _THOUGHTS:
            return thought
        self._notes.add("ignored", "reasoning_effort", "the thinking of the turn before is missing")
        return msgspec.structs.replace(thought, thinking=None)

    def _body(self, structure: Structure, tools: list[Block], names: Names, conversation: Conversation) -> Json:
        given, notes = self._given, self._notes
        may_prefill = not (structure.thought.is_on or structure.format or structure.json_tool)
        turns = arrange(conversation.items, self._abilities, notes, may_prefill=may_prefill)
        system = [*conversation.system, *structure.instructions]
        called = _called(turns) if any(item.has_calls for item in conversation.items) else []
        wanted, tools = self._offered(structure, tools, called)
        body: Json = {"model": self._asking.model, "max_tokens": structure.thought.max_tokens, "stream": True}
        top = self._mark(tools, conversation.system, turns)
        if system:
            body["system"] = system
        if tools:
            body["tools"] = tools
            body |= _named("tool_choice", choice(wanted, names))
        body["messages"] = turns
        body |= _named("thinking", structure.thought.thinking)
        body |= _named("output_config", _output(structure))
        body |= sampling(given, self._abilities, notes, thinks=structure.thought.is_on)
        body |= _named("stop_sequences", stops(given) or None)
        person = asker(given, self._asking.hide)
        body |= _named("metadata", {"user_id": person} if person else None)
        body |= _named("service_tier", tier(given, notes))
        body |= _named("context_management", given.context_management)
        return body | _named("cache_control", top)

    @staticmethod
    def _offered(structure: Structure, tools: list[Block], called: list[str]) -> tuple[Wanted, list[Block]]:
        """What is offered of tools. Calls in the history want tools to be there, if only to be named."""
        if structure.json_tool is not None:
            return structure.wanted, [structure.json_tool]
        if structure.emulated is None and (tools or not called):
            return structure.wanted, tools
        if not tools:
            tools = [{"name": name, "input_schema": {"type": "object"}} for name in called]
        return Wanted(how="none"), tools if called else []

    def _mark(self, tools: list[Block], system: list[Block], turns: list[Turn]) -> Block | None:
        """Set the cache breakpoints; return the one at the top level."""
        given, notes = self._given, self._notes
        top = None
        if given.cache_control is not None:
            top = marker({"cache_control": given.cache_control}, "", notes)
        marked = bound(tools, system, turns, notes, top=top is not None)
        options = given.prompt_cache_options
        if options is not None and options.mode not in (None, "implicit", "explicit"):
            raise Refusal("prompt_cache_options.mode", "expected implicit or explicit")
        if marked or top is not None or (options is not None and options.mode == "explicit"):
            return top
        if not (self._asking.caches and self._abilities.caches):
            return None
        control = with_ttl(options.ttl if options else None, "prompt_cache_options", notes)
        # What is the same in every conversation, by itself; and all that there is so far.
        for blocks in (system, tools):
            if blocks:
                blocks[-1]["cache_control"] = control
                break
        return control


def _called(turns: list[Turn]) -> list[str]:
    """The tools that were called in a conversation, each once."""
    names: dict[str, None] = {}
    for turn in turns:
        content = turn["content"]
        for block in content if isinstance(content, list) else ():
            if block.get("type") == "tool_use":
                names[str(block["name"])] = None
    return list(names)


def _output(structure: Structure) -> Block | None:
    made: Block = {}
    if structure.thought.effort is not None:
        made["effort"] = structure.thought.effort
    if structure.format is not None:
        made["format"] = structure.format
    return made or None


def _named(name: str, value: object) -> Json:
    return {} if value is None else {name: value}
