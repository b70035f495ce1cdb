"""Answers that a scripted upstream gives to real clients: whole, streamed, one model."""

import msgspec

from tests.fake_upstream import Answer, Piece, Received, json_answer, stream_answer

USAGE = {"input_tokens": 11, "cache_creation_input_tokens": 7, "cache_read_input_tokens": 5, "output_tokens": 1}
FINAL_OUTPUT = 9
REQUEST_ID = "req_scripted000000000001"
HEADERS = (("request-id", REQUEST_ID),)


def message(text: str, model: str) -> dict[str, object]:
    """A finished message."""
    return {
        "id": "msg_scripted0001",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {**USAGE, "output_tokens": FINAL_OUTPUT},
    }


def event(name: str, **members: object) -> bytes:
    """One event of a stream; a space after the colons and an unusual member, to see that bytes stay bytes."""
    data = msgspec.json.encode({"type": name, **members, "x_unknown": [1.0, "\u20ac"]})
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


def events(text: str, model: str) -> list[bytes]:
    """The same message as a stream, in two deltas."""
    start = {**message(text, model), "content": [], "stop_reason": None, "usage": USAGE}
    half = len(text) // 2
    deltas = [
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": part})
        for part in (text[:half], text[half:])
    ]
    return [
        event("message_start", message=start),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        event("ping"),
        *deltas,
        event("content_block_stop", index=0),
        event(
            "message_delta",
            delta={"stop_reason": "end_turn", "stop_sequence": None},
            usage={"output_tokens": FINAL_OUTPUT},
        ),
        event("message_stop"),
    ]


def say(text: str, received: Received) -> Answer:
    """Answer whatever a client asked: as a stream where it wants one, 404 off `/v1/messages`."""
    if not received.target.startswith("/v1/messages") or received.method != "POST":
        return json_answer({"type": "error", "error": {"type": "not_found_error", "message": "scripted"}}, status=404)
    asked = received.json()
    assert isinstance(asked, dict)
    model = str(asked["model"])
    if asked.get("stream"):
        pieces: list[Piece] = [*events(text, model)]
        return stream_answer(pieces, headers=HEADERS)
    return json_answer(message(text, model), headers=HEADERS)
