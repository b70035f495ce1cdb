"""Answers of a given form, and calls that must be made: what each model can be held to. Pure.

Source: the vendor's pages on structured outputs and on tool use (forced calls and
thinking exclude one another; the newest generation takes none), read 2026-11-21.
Used by the translators of every spoke.
"""

import msgspec

from clearway.wire.hub.models import Abilities
from clearway.wire.hub.notes import Notes, Refusal
from clearway.wire.hub.plan import JSON_TOOL
from clearway.wire.hub.schema import Closed, closed, tool_schema
from clearway.wire.hub.thinking import Thought, Wish, may_switch_off, switched_off
from clearway.wire.hub.tools import CALL_ONE, Tool, Wanted
from clearway.wire.hub.turns import Block, text_block
from clearway.wire.hub.typed import Json

_JSON_ONLY = "Reply with one JSON object only."


class AnswerForm(msgspec.Struct, frozen=True, kw_only=True):
    """The form that the client wants its answer to have."""

    kind: str
    """`text`, `json_object`, or `json_schema`; others are refused."""
    param: str
    """How the client would name it."""
    where: str
    """Likewise what bears the schema."""
    description: str | None = None
    schema: Json | None = None


class Structure(msgspec.Struct):
    """What is settled of one request; changed while it is."""

    thought: Thought
    wanted: Wanted
    format: Block | None = None
    """`output_config.format`."""
    instructions: list[Block] = []
    """What is asked for in words, behind the system prompt."""
    emulated: str | None = None
    """The tool whose arguments the whole answer is; no tool is offered."""
    json_tool: Block | None = None
    """The tool that stands for a structured answer."""


def hold_to_call(structure: Structure, tools: list[Tool], wish: Wish, abilities: Abilities, notes: Notes) -> None:
    """Have a call made that must be made, as far as the model can be held to it.

    Raises:
        Refusal: It cannot, and the key is strict.
    """
    wanted = structure.wanted
    if wanted.how not in ("any", "tool"):
        return
    if abilities.forced_tools == "yes":
        return
    if abilities.forced_tools == "without_thinking" and _without_thinking(structure, wish, abilities, notes):
        return
    if wanted.how == "tool" and _emulate(structure, tools, abilities, notes):
        return
    notes.add("downgraded", "tool_choice", "auto")
    structure.wanted = Wanted(is_single=wanted.is_single, is_said=True)
    structure.instructions.append(text_block(CALL_ONE))


def _without_thinking(structure: Structure, wish: Wish, abilities: Abilities, notes: Notes) -> bool:
    """Whether the model does not think now, or does not any more."""
    thinks = structure.thought.is_on or (structure.thought.thinking is None and abilities.thinks != "off")
    if not thinks:
        return True
    # A call by name is what the client relies on; how much is thought is a wish.
    may = may_switch_off(abilities) and wish.native is None and (structure.wanted.how == "tool" or not wish.is_said)
    if not may:
        return False
    if wish.is_said:
        notes.add("ignored", wish.param, "a call is forced")
    structure.thought = switched_off(structure.thought, abilities)
    return True


def _emulate(structure: Structure, tools: list[Tool], abilities: Abilities, notes: Notes) -> bool:
    """The arguments as a structured answer: exactly one call, of exactly this form."""
    tool = next((tool for tool in tools if tool.name == structure.wanted.name), None)
    if tool is None or not abilities.json_schema or tool.is_custom:
        return False
    schema, is_wrapped = tool_schema(tool.schema, tool.where)
    made = closed(schema, tool.where)
    if is_wrapped or made.is_open or made.is_too_large:
        return False
    structure.format = {"type": "json_schema", "schema": made.schema}
    structure.emulated = tool.name
    what = f"Answer with the arguments of a call of {tool.name}"
    structure.instructions.append(text_block(f"{what}: {tool.description}" if tool.description else f"{what}."))
    notes.add("mapped", "tool_choice", "output_config.format")
    return True


def hold_to_form(
    structure: Structure, form: AnswerForm | None, abilities: Abilities, notes: Notes, *, has_tools: bool
) -> None:
    """Have the answer be of the form that is wanted.

    Raises:
        Refusal: It is no form, or the model cannot be held to it and the key is strict.
    """
    if form is None:
        return
    match form.kind:
        case "text":
            return
        case "json_object":
            notes.add("not_enforced", form.param, "json_object")
            structure.instructions.append(text_block(_JSON_ONLY))
        case "json_schema":
            if structure.emulated is not None:
                notes.add("ignored", form.param, "a call is forced")
                return
            _schema(structure, form, abilities, notes, has_tools=has_tools)
        case other:
            raise Refusal(f"{form.param}.type", f"{other[:40]!r} is no format; text, json_object, json_schema are")


def _schema(structure: Structure, form: AnswerForm, abilities: Abilities, notes: Notes, *, has_tools: bool) -> None:
    where = form.where
    if form.schema is None:
        notes.add("not_enforced", where, "no schema")
        structure.instructions.append(text_block(_JSON_ONLY))
        return
    made = closed(form.schema, f"{where}.schema")
    fits = abilities.json_schema and not made.is_too_large
    if fits and not made.is_open:
        structure.format = {"type": "json_schema", "schema": _described(made, form)}
        return
    if not has_tools and _may_force(structure, abilities):
        schema, is_wrapped = tool_schema(form.schema, f"{where}.schema") if _is_object(form.schema) else ({}, True)
        if not is_wrapped:
            description = form.description or "The answer, in the form that is asked for."
            structure.json_tool = {"name": JSON_TOOL, "description": description, "input_schema": schema}
            structure.wanted = Wanted(how="tool", name=JSON_TOOL, is_single=True, is_said=True)
            structure.thought = switched_off(structure.thought, abilities)
            return
    if fits:
        notes.add("approximated", f"{where}.schema", "open objects are closed")
        structure.format = {"type": "json_schema", "schema": _described(made, form)}
        return
    notes.add("not_enforced", where, "schema")
    told = msgspec.json.encode(form.schema).decode()
    structure.instructions.append(text_block(f"{_JSON_ONLY} It must match this JSON schema:\n{told}"))


def _may_force(structure: Structure, abilities: Abilities) -> bool:
    if abilities.forced_tools == "no":
        return False
    return not structure.thought.is_on or (abilities.thinks != "off" and may_switch_off(abilities))


def _is_object(schema: Json) -> bool:
    return schema.get("type", "object") == "object"


def _described(made: Closed, form: AnswerForm) -> Json:
    if form.description and "description" not in made.schema:
        return {**made.schema, "description": form.description}
    return made.schema
