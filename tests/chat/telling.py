"""Answers of Messages, and what is made of them for a client of Chat Completions.

`scripted` writes a stream from a few words; `told` feeds any stream, cut anywhere, through the
very pieces that the gateway uses.
"""

import itertools
import json
from collections.abc import Iterable
from typing import Any

from clearway.wire.chat.chunks import DONE, Chunks
from clearway.wire.chat.form import Form
from clearway.wire.chat.whole import Whole
from clearway.wire.hub.answer import Answer
from clearway.wire.hub.events import read_event
from clearway.wire.hub.kept import Keeping, Kept
from clearway.wire.hub.plan import NO_PLAN, Plan
from clearway.wire.sse import DataScanner

FORM = Form(model="gpt-4o", created=1_795_800_000)
USAGE = {"input_tokens": 10, "cache_read_input_tokens": 700, "cache_creation_input_tokens": 200, "output_tokens": 1}
FINAL = {"output_tokens": 50, "output_tokens_details": {"thinking_tokens": 20}}
Chunk = dict[str, Any]


def event(name: str, **members: object) -> bytes:
    """One event."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), json.dumps({"type": name, **members}).encode())


def start(usage: object = None, *, message_id: str = "msg_01A") -> bytes:
    """`message_start`."""
    message = {"id": message_id, "type": "message", "role": "assistant", "model": "claude-x", "content": []}
    return event("message_start", message={**message, "stop_reason": None, "usage": usage or USAGE})


def text(index: int, *parts: str) -> bytes:
    """A block of text."""
    return _block(index, {"type": "text", "text": ""}, [{"type": "text_delta", "text": part} for part in parts])


def thinking(index: int, *parts: str, signature: str = "c2ln") -> bytes:
    """A block of thinking."""
    deltas = [{"type": "thinking_delta", "thinking": part} for part in parts]
    block = {"type": "thinking", "thinking": "", "signature": ""}
    return _block(index, block, [*deltas, {"type": "signature_delta", "signature": signature}])


def tool_use(index: int, call_id: str, name: str, *parts: str, is_whole: bool = True) -> bytes:
    """A call."""
    deltas = [{"type": "input_json_delta", "partial_json": part} for part in parts]
    block = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
    return _block(index, block, deltas, is_whole=is_whole)


def search(index: int, call_id: str, query: str) -> bytes:
    """A search of the web by the upstream itself, and what it found."""
    call = {"type": "server_tool_use", "id": call_id, "name": "web_search", "input": {}, "caller": {"type": "direct"}}
    whole = json.dumps({"query": query})
    parts = [{"type": "input_json_delta", "partial_json": part} for part in ("", whole[:5], whole[5:])]
    page = {"type": "web_search_result", "url": "https://x.test/", "title": "X", "encrypted_content": f"of {query}"}
    found = {"type": "web_search_tool_result", "tool_use_id": call_id, "content": [page]}
    return _block(index, call, parts) + _block(index + 1, found, [])


def searched(call_id: str, query: str) -> list[object]:
    """The blocks of `search`, as they go back."""
    page = {"type": "web_search_result", "url": "https://x.test/", "title": "X", "encrypted_content": f"of {query}"}
    return [
        {
            "type": "server_tool_use",
            "id": call_id,
            "name": "web_search",
            "input": {"query": query},
            "caller": {"type": "direct"},
        },
        {"type": "web_search_tool_result", "tool_use_id": call_id, "content": [page]},
    ]


def cited(index: int, said: str, url: str) -> bytes:
    """A block of text that cites a page."""
    citation = {
        "type": "web_search_result_location",
        "url": url,
        "title": "X",
        "encrypted_index": "e",
        "cited_text": "c",
    }
    deltas = [{"type": "citations_delta", "citation": citation}, {"type": "text_delta", "text": said}]
    return _block(index, {"type": "text", "text": "", "citations": []}, deltas)


def _block(index: int, block: object, deltas: Iterable[object], *, is_whole: bool = True) -> bytes:
    events = [event("content_block_start", index=index, content_block=block)]
    events += [event("content_block_delta", index=index, delta=delta) for delta in deltas]
    return b"".join([*events, event("content_block_stop", index=index)] if is_whole else events)


def end(stop_reason: str = "end_turn", **details: object) -> bytes:
    """The end of a message."""
    delta = event("message_delta", delta={"stop_reason": stop_reason, "stop_sequence": None, **details}, usage=FINAL)
    return delta + event("message_stop")


def as_stream(stream: bytes, *cuts: int, plan: Plan = NO_PLAN, form: Form = FORM) -> bytes:
    """What a client that streams is sent."""
    answer, chunks = Answer(plan), Chunks(form)
    pieces = [piece for seen in _events(stream, cuts) for piece in answer.feed(read_event(seen))]
    pieces += answer.give_up() if answer.is_paused else []
    return b"".join(map(chunks.write, pieces))


def as_whole(stream: bytes, *cuts: int, plan: Plan = NO_PLAN, form: Form = FORM) -> Chunk:
    """What a client that does not is sent."""
    answer, whole = Answer(plan), Whole(form)
    for seen in _events(stream, cuts):
        for piece in answer.feed(read_event(seen)):
            whole.take(piece)
    for piece in answer.give_up() if answer.is_paused else ():
        whole.take(piece)
    completion: Chunk = json.loads(whole.body())
    return completion


def kept_of(stream: bytes) -> Kept | None:
    """What is kept of what was thought."""
    answer, keeping = Answer(NO_PLAN), Keeping("claude-x")
    pieces = [piece for seen in _events(stream, ()) for piece in answer.feed(read_event(seen))]
    return [keeping.take(piece) for piece in pieces][-1]


def _events(stream: bytes, cuts: Iterable[int]) -> Iterable[bytes]:
    scanner = DataScanner()
    places = sorted({0, *cuts, len(stream)})
    for first, last in itertools.pairwise(places):
        yield from scanner.feed_all(stream[first:last])


def chunks_of(said: bytes) -> list[Chunk]:
    """The chunks of a stream, decoded; its end must be the marker."""
    frames = said.removesuffix(DONE).split(b"\n\n")

    assert said.endswith(DONE)
    assert b"" == frames.pop()
    assert all(frame.startswith(b"data: {") and b"\n" not in frame for frame in frames)
    return [json.loads(frame.removeprefix(b"data: ")) for frame in frames]


def deltas_of(chunks: Iterable[Chunk]) -> list[Chunk]:
    """What each chunk adds."""
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


def folded(chunks: Iterable[Chunk]) -> Chunk:
    """The message that the chunks make, by the rules of a client of another make."""
    message: Chunk = {"content": None, "tool_calls": [], "refusal": None}
    for delta in deltas_of(chunks):
        for name in ("content", "refusal", "reasoning_content"):
            if delta.get(name):
                message[name] = (message.get(name) or "") + delta[name]
        for call in delta.get("tool_calls", ()):
            if call["index"] == len(message["tool_calls"]):
                message["tool_calls"].append({"id": call["id"], "name": call["function"]["name"], "arguments": ""})
            message["tool_calls"][call["index"]]["arguments"] += call["function"].get("arguments", "")
    return message
