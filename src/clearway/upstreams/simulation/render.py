"""An answer as the real API writes it: one JSON message, or server-sent events.

Source: `spec/anthropic.md` sections 1.4 and 2, and the order of the events in the
recorded streams (read 2026-11-21): the `ping` comes after the first block's start.
"""

from collections.abc import Iterator

import msgspec

from clearway.upstreams.simulation.answer import Answer, Piece
from clearway.upstreams.simulation.ask import Ask
from clearway.upstreams.simulation.cache import Charge

_encode = msgspec.json.encode
_DELTAS = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}
_INPUT_DELTA = ("input_json_delta", "partial_json")
_PING = b'event: ping\ndata: {"type": "ping"}\n\n'


def message(ask: Ask, answer: Answer, charge: Charge) -> bytes:
    """The whole answer as JSON."""
    usage = _usage(ask, charge, answer.output_tokens)
    usage["output_tokens_details"] = {"thinking_tokens": answer.thinking_tokens}
    whole = _message(ask, answer, usage)
    whole["content"] = [_block(piece) for piece in answer.blocks]
    whole |= _ending(answer) | _edits(ask)
    return _encode(whole)


def events(ask: Ask, answer: Answer, charge: Charge, ends: int | None = None) -> Iterator[bytes]:
    """The answer as a stream, one event a time.

    Args:
        ask: What was asked for.
        answer: What is said.
        charge: What the prompt costs.
        ends: Stop after so many deltas, whatever comes then; None: go on to the end.
    """
    start = _message(ask, answer, _usage(ask, charge, min(1, answer.output_tokens)))
    yield _event("message_start", {"type": "message_start", "message": start})
    sent = 0
    for index, piece in enumerate(answer.blocks):
        if sent == ends:
            return
        yield _event(
            "content_block_start", {"type": "content_block_start", "index": index, "content_block": _empty(piece)}
        )
        if index == 0:
            yield _PING
        for delta in _deltas(piece, index):
            if sent == ends:
                return
            yield delta
            sent += 1
        if sent == ends:
            return
        yield _event("content_block_stop", {"type": "content_block_stop", "index": index})
    if ends is not None:
        return
    if not answer.blocks:
        yield _PING
    yield _event(
        "message_delta",
        {"type": "message_delta", "delta": _ending(answer), "usage": _final(answer, charge)} | _edits(ask),
    )
    yield _event("message_stop", {"type": "message_stop"})


def error_event(body: bytes) -> bytes:
    """An error in the middle of a stream."""
    return b"event: error\ndata: " + body + b"\n\n"


def _event(name: str, data: object) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + _encode(data) + b"\n\n"


def _deltas(piece: Piece, index: int) -> Iterator[bytes]:
    kind, field = _DELTAS.get(piece.kind, _INPUT_DELTA)
    head = (
        f'event: content_block_delta\ndata: {{"type":"content_block_delta","index":{index},"delta":{{"type":"%s","%s":'
    )
    if not piece.is_hidden:
        # The one loop that runs for every word: only the word itself is encoded.
        opening, closing = (head % (kind, field)).encode(), b"}}\n\n"
        for text in piece.pieces:
            yield opening + _encode(text) + closing
    if piece.kind == "thinking":
        yield (head % ("signature_delta", "signature")).encode() + _encode(piece.signature) + b"}}\n\n"


def _message(ask: Ask, answer: Answer, usage: dict[str, object]) -> dict[str, object]:
    return {
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "model": ask.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "usage": usage,
    }


def _ending(answer: Answer) -> dict[str, object]:
    details = None
    if answer.is_refusal:
        details = {"type": "refusal", "category": None, "explanation": "The simulated model was told to refuse."}
    return {"stop_reason": answer.stop_reason, "stop_sequence": answer.stop_sequence, "stop_details": details}


def _edits(ask: Ask) -> dict[str, object]:
    # Nothing is ever cleared, which is what an empty list says.
    return {"context_management": {"applied_edits": []}} if ask.context_management is not None else {}


def _usage(ask: Ask, charge: Charge, output_tokens: int) -> dict[str, object]:
    return {
        **_prompt(charge),
        "cache_creation": {
            "ephemeral_5m_input_tokens": charge.write_5m_tokens,
            "ephemeral_1h_input_tokens": charge.write_1h_tokens,
        },
        "output_tokens": output_tokens,
        "service_tier": "standard",
        "inference_geo": "not_available",
        "speed": "fast" if ask.speed == "fast" else "standard",
    }


def _final(answer: Answer, charge: Charge) -> dict[str, object]:
    details = {"thinking_tokens": answer.thinking_tokens}
    return {**_prompt(charge), "output_tokens": answer.output_tokens, "output_tokens_details": details}


def _prompt(charge: Charge) -> dict[str, int]:
    return {
        "input_tokens": charge.input_tokens,
        "cache_creation_input_tokens": charge.write_5m_tokens + charge.write_1h_tokens,
        "cache_read_input_tokens": charge.read_tokens,
    }


def _empty(piece: Piece) -> dict[str, object]:
    match piece.kind:
        case "text":
            return {"type": "text", "text": ""}
        case "thinking":
            return {"type": "thinking", "thinking": "", "signature": ""}
        case "tool_use":
            return {"type": "tool_use", "id": piece.id, "name": piece.name, "input": {}}


def _block(piece: Piece) -> dict[str, object]:
    match piece.kind:
        case "text":
            return {"type": "text", "text": piece.whole}
        case "thinking":
            text = "" if piece.is_hidden else piece.whole
            return {"type": "thinking", "thinking": text, "signature": piece.signature}
        case "tool_use":
            return {"type": "tool_use", "id": piece.id, "name": piece.name, "input": msgspec.Raw(piece.whole.encode())}
