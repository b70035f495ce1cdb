"""A request to the simulated model, read and checked as the real API checks it.

Only what changes an answer is read; unknown fields, betas and block types pass.
Source: `spec/anthropic.md` section 1 (read 2026-11-21). More lenient than the real
API on purpose: no `anthropic-version` is needed, empty contents pass, and tool
results are not matched with tool uses.
"""

import re
from typing import Literal

import msgspec

from clearway.upstreams.simulation.faults import Fault

Block = dict[str, object]
"""A content block, tool or system block as it came."""

_MODEL_PREFIX = "claude-"
_MIN_THINKING_BUDGET = 1024
_NO_SAMPLING_FROM = "2026-10-21"
_SAMPLING = ("temperature", "top_p", "top_k")


class Turn(msgspec.Struct, frozen=True):
    """One entry of `messages`."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Block]

    @property
    def blocks(self) -> list[Block]:
        """The content as blocks."""
        if isinstance(self.content, str):
            return [{"type": "text", "text": self.content}] if self.content else []
        return self.content


class Thinking(msgspec.Struct, frozen=True):
    """`thinking`; the type is an open list."""

    type: str
    budget_tokens: int | None = None
    display: str | None = None


class ToolChoice(msgspec.Struct, frozen=True):
    """`tool_choice`."""

    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class OutputFormat(msgspec.Struct, frozen=True):
    """`output_config.format`, or the older `output_format`."""

    type: str
    schema: Block | None = None


class OutputConfig(msgspec.Struct, frozen=True):
    """`output_config`."""

    format: OutputFormat | None = None


class Ask(msgspec.Struct, frozen=True):
    """What is asked for. `max_tokens` is None only where tokens are counted."""

    model: str
    messages: list[Turn]
    max_tokens: int | None = None
    system: str | list[Block] | None = None
    tools: list[Block] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    speed: str | None = None
    output_config: OutputConfig | None = None
    output_format: OutputFormat | None = None
    cache_control: Block | None = None
    context_management: Block | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None

    @property
    def schema(self) -> Block | None:
        """The JSON schema that the answer must fit, if any."""
        chosen = (self.output_config and self.output_config.format) or self.output_format
        return chosen.schema if chosen and chosen.type == "json_schema" else None

    @property
    def offered(self) -> dict[str, Block]:
        """The schemas of the custom tools, by name; empty where none may be called."""
        if self.tool_choice and self.tool_choice.type == "none":
            return {}
        found: dict[str, Block] = {}
        for tool in self.tools or ():
            name, schema = tool.get("name"), tool.get("input_schema")
            if isinstance(name, str) and isinstance(schema, dict):
                found[name] = schema
        return found

    @property
    def last_turn(self) -> list[Block]:
        """The blocks of the newest user turn.

        The API merges neighbours of one role; a system-role message or a prefill
        after the turn does not end it.
        """
        turns: list[list[Block]] = []
        for message in reversed(self.messages):
            if message.role == "user":
                turns.append(message.blocks)
            elif message.role == "assistant" and turns:
                break
        return [block for blocks in reversed(turns) for block in blocks]


_decoder = msgspec.json.Decoder(Ask)
_MISSING = re.compile(r"^Object missing required field `([^`]+)`(?: - at `\$\.?([^`]*)`)?$")
_WRONG = re.compile(r"^(.*) - at `\$\.?([^`]*)`$", re.DOTALL)


def read(body: bytes, version: str, *, counting: bool) -> Ask:
    """Read and check a request body.

    Args:
        body: Plain JSON.
        version: The value of `anthropic-version`, or nothing.
        counting: For `count_tokens`, which takes no `max_tokens`.

    Raises:
        Fault: 400 or 404, as the API would answer.
    """
    try:
        ask = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Fault(400, _explain(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Fault(400, "The request body is not valid JSON") from None
    _check(ask, counting=counting)
    if version >= _NO_SAMPLING_FROM:
        for name in _SAMPLING:
            if getattr(ask, name) is not None:
                raise Fault(400, f"{name}: Extra inputs are not permitted")
    return ask


def _explain(text: str) -> str:
    # msgspec names types and places, never a value but for wrong enum values.
    if found := _MISSING.match(text):
        place = ".".join(part for part in (found[2], found[1]) if part)
        return f"{_dotted(place)}: Field required"
    if found := _WRONG.match(text):
        return f"{_dotted(found[2])}: {found[1]}"
    return f"The request body does not fit: {text}"


def _dotted(place: str) -> str:
    return re.sub(r"\[(\d*)(?:\.\.\.)?\]", r".\1", place).strip(".")


def _check(ask: Ask, *, counting: bool) -> None:
    if not ask.messages:
        raise Fault(400, "messages: at least one message is required")
    if not counting:
        _check_output(ask)
    for number, message in enumerate(ask.messages):
        for place, block in enumerate(message.blocks):
            if not isinstance(block.get("type"), str):
                raise Fault(400, f"messages.{number}.content.{place}.type: Field required")
            if block["type"] == "text" and not isinstance(block.get("text"), str):
                raise Fault(400, f"messages.{number}.content.{place}.text: Field required")
    choice = ask.tool_choice
    if choice and choice.type == "tool" and choice.name not in ask.offered:
        raise Fault(400, "tool_choice.name: no such tool in tools")
    if not ask.model.startswith(_MODEL_PREFIX):
        raise Fault(404, f"model: {ask.model[:100]}")


def _check_output(ask: Ask) -> None:
    if ask.max_tokens is None:
        raise Fault(400, "max_tokens: Field required")
    if ask.max_tokens < 0:
        raise Fault(400, "max_tokens: must be 0 or more")
    if ask.thinking and ask.thinking.type == "enabled":
        budget = ask.thinking.budget_tokens
        if budget is None:
            raise Fault(400, "thinking.enabled.budget_tokens: Field required")
        if budget < _MIN_THINKING_BUDGET:
            raise Fault(400, f"thinking.enabled.budget_tokens: must be {_MIN_THINKING_BUDGET} or more")
        if budget >= ask.max_tokens:
            raise Fault(400, "max_tokens: must be greater than thinking.budget_tokens")
