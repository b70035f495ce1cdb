"""What the simulated model answers, as a plain value: made once, then rendered.

The same request always gets the same answer. Blocks are kept in the pieces that a
stream sends: a text in words, the JSON of a tool's input in runs of 16 characters.
"""

import base64
import hashlib
import re
from typing import Literal

import msgspec

from clearway.upstreams.simulation import instance, prose
from clearway.upstreams.simulation.ask import Ask
from clearway.upstreams.simulation.faults import Fault
from clearway.upstreams.simulation.orders import Call, Orders, last_text
from clearway.upstreams.simulation.prompt import Prompt, result_size, tokens

_WORD = re.compile(r"\s*\S+|\s+$")
_JSON_RUN = 16
_THINKERS = frozenset({"adaptive", "enabled"})


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """One block of the answer."""

    kind: Literal["text", "thinking", "tool_use"]
    pieces: tuple[str, ...]
    """What the deltas carry; joined, the whole block."""
    id: str = ""
    name: str = ""
    signature: str = ""
    is_hidden: bool = False
    """Thought and billed, but not shown (`display: omitted`)."""

    @property
    def whole(self) -> str:
        """The text, or the JSON of the input."""
        return "".join(self.pieces)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about an answer but how the prompt is billed."""

    id: str
    blocks: tuple[Piece, ...]
    stop_reason: str
    stop_sequence: str | None = None
    is_refusal: bool = False
    output_tokens: int
    thinking_tokens: int


def compose(ask: Ask, orders: Orders, prompt: Prompt) -> Answer:
    """Decide what to say.

    Raises:
        Fault: 400, a schema that nothing fits.
    """
    seed = _seed(ask, prompt)
    blocks: list[Piece] = []
    if not orders.refusal:
        if thinking := _thinking(ask, orders, prompt, seed):
            blocks.append(thinking)
        calls, missing = _calls(ask, orders)
        text = _text(ask, orders, missing, seed, is_calling=bool(calls))
        if text:
            blocks.append(Piece(kind="text", pieces=_pieces(text)))
        blocks += [_tool_use(call, ask, seed, number) for number, call in enumerate(calls)]
    bounded, reason, sequence = _bound(blocks, ask)
    thought = sum(len(block.whole.encode()) for block in bounded if block.kind == "thinking")
    return Answer(
        id=f"msg_{_name(seed, 'message')}",
        blocks=bounded,
        stop_reason="refusal" if orders.refusal else reason,
        stop_sequence=sequence,
        is_refusal=orders.refusal,
        output_tokens=tokens(sum(len(block.whole.encode()) for block in bounded)),
        thinking_tokens=tokens(thought),
    )


def _seed(ask: Ask, prompt: Prompt) -> int:
    # Without `stream` and `cache_control`: neither changes what is said.
    chosen = (ask.model, ask.max_tokens, ask.stop_sequences, ask.tool_choice, ask.thinking, ask.schema)
    told = (prompt.hashes[-1] if prompt.hashes else b"") + msgspec.json.encode(chosen, order="sorted")
    return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest())


def _name(seed: int, what: str) -> str:
    digest = hashlib.blake2b(f"{what} {seed}".encode(), digest_size=12).hexdigest()
    return f"01sim{digest}"


def _thinking(ask: Ask, orders: Orders, prompt: Prompt, seed: int) -> Piece | None:
    mode = ask.thinking.type if ask.thinking else None
    # `between_tools`: short notes on the way from one tool to the next.
    is_between = mode == "between_tools" and any(block["type"] == "tool_result" for block in ask.last_turn)
    if not (orders.thinking or mode in _THINKERS or is_between):
        return None
    signature = base64.b64encode(hashlib.shake_256(f"signature {seed}".encode()).digest(96)).decode()
    return Piece(
        kind="thinking",
        pieces=_pieces(prose.thoughts(prompt.tokens, seed)),
        signature=signature,
        is_hidden=ask.thinking is not None and ask.thinking.display == "omitted",
    )


def _calls(ask: Ask, orders: Orders) -> tuple[list[Call], list[str]]:
    """The tools to call, and the names that were ordered but never offered."""
    offered, choice = ask.offered, ask.tool_choice
    calls = [call for call in orders.calls if call.name in offered]
    missing = [call.name for call in orders.calls if call.name not in offered]
    if choice and choice.type == "tool":
        calls = [call for call in calls if call.name == choice.name] or [Call(choice.name or "", None)]
    elif choice and choice.type == "any" and not calls and offered:
        calls = [Call(next(iter(offered)), None)]
    if choice and choice.disable_parallel_tool_use:
        calls = calls[:1]
    return calls, missing


def _text(ask: Ask, orders: Orders, missing: list[str], seed: int, *, is_calling: bool) -> str:
    if missing:
        return f"I was not offered the tool {', '.join(missing)}."
    if is_calling:
        return prose.words(orders.words or 0, seed)
    if ask.schema is not None:
        return msgspec.json.encode(_least(ask.schema)).decode()
    if orders.words is not None:
        return prose.words(orders.words, seed)
    results = [block for block in ask.last_turn if block["type"] == "tool_result"]
    if results:
        return prose.results([(result_size(block), block.get("is_error") is True) for block in results], seed)
    return prose.reply(next(iter(reversed(last_text(ask))), ""), seed)


def _tool_use(call: Call, ask: Ask, seed: int, number: int) -> Piece:
    given = call.input
    if given is None:
        made = _least(ask.offered[call.name])
        given = made if isinstance(made, dict) else {}
    text = msgspec.json.encode(given).decode()
    # The real API opens with an empty piece (recorded streams).
    runs = ("", *(text[at : at + _JSON_RUN] for at in range(0, len(text), _JSON_RUN)))
    return Piece(kind="tool_use", pieces=runs, id=f"toolu_{_name(seed, f'tool {number}')}", name=call.name)


def _least(schema: dict[str, object]) -> object:
    try:
        return instance.least(schema)
    except instance.NoInstance as error:
        raise Fault(400, f"the simulated model has no value for the schema: {error}") from None


def _pieces(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text))


def _bound(blocks: list[Piece], ask: Ask) -> tuple[tuple[Piece, ...], str, str | None]:
    """Keep to `stop_sequences` and `max_tokens`: blocks, stop reason, stop sequence."""
    budget = (ask.max_tokens or 0) * 7 // 2
    kept: list[Piece] = []
    for block in blocks:
        found = _stop(block, ask.stop_sequences or []) if block.kind == "text" else None
        ending = _cut(block, found[0]) if found else block
        size = len(ending.whole.encode())
        if size > budget:
            # Half a tool input is no JSON: such a call is left out altogether.
            if block.kind != "tool_use":
                short = ending.whole.encode()[:budget].decode(errors="ignore")
                kept += [_cut(ending, len(short))] if short else []
            return tuple(kept), "max_tokens", None
        budget -= size
        if found:
            return (*kept, *([ending] if size else [])), "stop_sequence", found[1]
        kept.append(ending)
    if ask.max_tokens == 0:
        return tuple(kept), "max_tokens", None
    is_calling = any(block.kind == "tool_use" for block in kept)
    return tuple(kept), "tool_use" if is_calling else "end_turn", None


def _stop(block: Piece, sequences: list[str]) -> tuple[int, str] | None:
    """Where the earliest stop sequence begins, in characters, and which it is."""
    text = block.whole
    found = [(at, sequence) for sequence in sequences if sequence and (at := text.find(sequence)) >= 0]
    return min(found, key=lambda place: place[0]) if found else None


def _cut(block: Piece, length: int) -> Piece:
    pieces: list[str] = []
    for piece in block.pieces:
        if length <= 0:
            break
        pieces.append(piece[:length])
        length -= len(piece)
    return msgspec.structs.replace(block, pieces=tuple(pieces))
