"""An answer of Messages, told in Chat Completions: as conversations, event by event.

Ids are those of the acceptance list of `docs/chat-completions.md`.
"""

import json

import msgspec
import pytest

from clearway.wire.chat.chunks import Chunks
from clearway.wire.chat.form import Reasoning
from clearway.wire.hub.answer import Answer
from clearway.wire.hub.events import events_of, read_event
from clearway.wire.hub.plan import Plan
from tests.chat.telling import (
    FORM,
    Chunk,
    as_stream,
    as_whole,
    chunks_of,
    deltas_of,
    end,
    event,
    folded,
    start,
    text,
    thinking,
    tool_use,
)

CITED = {"type": "web_search_result_location", "url": "https://example.org", "title": "T", "cited_text": "x"}


def _message(stream: bytes, plan: Plan | None = None) -> Chunk:
    message: Chunk = as_whole(stream, plan=plan or Plan())["choices"][0]["message"]
    return message


def test_a_conversation() -> None:
    """CS1, CS3: feed an event, get its chunks: the role first, one end, calls counted from 0, the marker last."""
    steps: list[tuple[bytes, list[Chunk]]] = [
        (start(), [{"role": "assistant", "content": ""}]),
        (event("ping"), []),
        (text(0, "Hi", " you"), [{"content": "Hi"}, {"content": " you"}]),
        (
            tool_use(1, "toolu_1", "f", '{"a"', ": 1}"),
            [
                {
                    "tool_calls": [
                        {"index": 0, "id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": ""}}
                    ]
                },
                {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
                {"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]},
            ],
        ),
        (
            tool_use(2, "toolu_2", "g"),
            [
                {
                    "tool_calls": [
                        {"index": 1, "id": "toolu_2", "type": "function", "function": {"name": "g", "arguments": ""}}
                    ]
                },
                {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
            ],
        ),
        (event("x_of_2027", index=9), []),
    ]
    answer, writer = Answer(), Chunks(FORM)

    def feed(stream: bytes) -> bytes:
        frames = [frame.split(b"data: ", 1)[1] for frame in stream.split(b"\n\n") if frame]
        return b"".join(writer.write(piece) for frame in frames for piece in answer.feed(read_event(frame)))

    for stream, expected in steps:
        said = [json.loads(frame.removeprefix(b"data: ")) for frame in feed(stream).split(b"\n\n") if frame]
        assert expected == deltas_of(said)
        assert {("chatcmpl-01A", 1_795_800_000, "gpt-4o", "chat.completion.chunk")} >= {
            (chunk["id"], chunk["created"], chunk["model"], chunk["object"]) for chunk in said
        }
    (last,) = chunks_of(feed(end("tool_use")))
    assert ({}, "tool_calls") == (last["choices"][0]["delta"], last["choices"][0]["finish_reason"])
    assert not feed(text(3, "late"))


def test_text_whole() -> None:
    """CR1: text, the reason, and an id of its own."""
    completion = as_whole(start() + text(0, "Hi", " you") + end())

    assert {"role": "assistant", "content": "Hi you", "refusal": None} == completion["choices"][0]["message"]
    assert ("chatcmpl-01A", "chat.completion", "gpt-4o", "stop") == (
        completion["id"],
        completion["object"],
        completion["model"],
        completion["choices"][0]["finish_reason"],
    )


def test_usage_includes_the_cache() -> None:
    """CR2, b2: OpenAI's counts include what was cached."""
    usage = as_whole(start() + text(0, "x") + end())["usage"]

    assert (910, 50, 960) == (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"])
    assert (700, 200) == tuple(usage["prompt_tokens_details"][name] for name in ("cached_tokens", "cache_write_tokens"))
    assert 20 == usage["completion_tokens_details"]["reasoning_tokens"]


def test_call_without_arguments() -> None:
    """CR3, CS4: a call without arguments has `{}`, and there is no content."""
    message = _message(start() + tool_use(0, "t", "f") + end("tool_use"))

    assert message["content"] is None
    assert [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}] == message["tool_calls"]


REASONS = [
    pytest.param("end_turn", "stop", id="end_turn"),
    pytest.param("stop_sequence", "stop", id="stop_sequence"),
    pytest.param("max_tokens", "length", id="max_tokens"),
    pytest.param("model_context_window_exceeded", "length", id="window"),
    pytest.param("pause_turn", "length", id="pause_turn"),
    pytest.param("refusal", "content_filter", id="refusal"),
    pytest.param("of_2027", "stop", id="unknown"),
]


@pytest.mark.parametrize(("stop_reason", "expected"), REASONS)
def test_reasons(stop_reason: str, expected: str) -> None:
    """CR4, b17: why it ended; what is not complete is never told as if it were."""
    stream = start() + text(0, "x") + end(stop_reason)

    assert expected == as_whole(stream)["choices"][0]["finish_reason"]
    assert expected == chunks_of(as_stream(stream))[-1]["choices"][0]["finish_reason"]


def test_refusal() -> None:
    """CR4: a refusal says why, beside what was said before it."""
    stream = start() + text(0, "So") + end("refusal", stop_details={"type": "refusal", "explanation": "No."})

    message = _message(stream)
    assert ("So", "No.") == (message["content"], message["refusal"])
    assert {"refusal": "No."} in deltas_of(chunks_of(as_stream(stream)))
    assert _message(start() + end("refusal"))["refusal"]


@pytest.mark.parametrize("is_before", [True, False])
def test_citations(*, is_before: bool) -> None:
    """CR5, b20: what was cited of the web is told with its span, whether the upstream names it before its text, as
    Anthropic does, or behind; calls of the server's own are not the client's.
    """
    search = event(
        "content_block_start",
        index=0,
        content_block={"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
    )
    query = event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": '{"query": "x"}'})
    cite = event("content_block_start", index=2, content_block={"type": "text", "text": ""})
    rain = [
        event("content_block_delta", index=2, delta={"type": "citations_delta", "citation": CITED}),
        event("content_block_delta", index=2, delta={"type": "text_delta", "text": "It ra\u00efns"}),
    ]
    cite += b"".join(rain if is_before else reversed(rain))
    stream = start() + search + query + text(1, "\U0001f326 ") + cite + event("content_block_stop", index=2) + end()
    plan = Plan(cites=True)

    message = _message(stream, plan)
    annotation = message["annotations"][0]
    span = annotation["url_citation"]
    assert "tool_calls" not in message
    assert ("url_citation", "https://example.org", "T") == (annotation["type"], span["url"], span["title"])
    assert "It ra\u00efns" == message["content"][span["start_index"] : span["end_index"]]
    told = [delta for delta in deltas_of(chunks_of(as_stream(stream, plan=plan))) if "annotations" in delta]
    assert [[{"index": 0, **annotation}]] == [delta["annotations"] for delta in told]


@pytest.mark.parametrize("include", [True, False])
def test_usage_of_a_stream(*, include: bool) -> None:
    """CS2, b1: usage comes in a chunk of its own where it was asked for, and in no other way."""
    form = msgspec.structs.replace(FORM, include_usage=include)
    chunks = chunks_of(as_stream(start() + text(0, "x") + end(), form=form))

    if include:
        *others, last = chunks
        assert {None} == {chunk["usage"] for chunk in others}
        assert ([], 960) == (last["choices"], last["usage"]["total_tokens"])
    else:
        assert not any("usage" in chunk for chunk in chunks)


def test_thoughts() -> None:
    """CS5, CS12, b6: thoughts with signatures, hidden ones, and a signature alone: each an entry that can go back."""
    hidden = event("content_block_start", index=2, content_block={"type": "redacted_thinking", "data": "xx"})
    stream = start() + thinking(0, "h", "m") + thinking(1) + hidden + text(3, "x") + end()
    expected = [
        {"type": "reasoning.text", "text": "hm", "signature": "c2ln", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.text", "text": "", "signature": "c2ln", "format": "anthropic-claude-v1", "index": 1},
        {"type": "reasoning.encrypted", "data": "xx", "format": "anthropic-claude-v1", "index": 2},
    ]

    message = _message(stream)
    assert ("hm", expected) == (message["reasoning_content"], message["reasoning_details"])
    merged: dict[int, Chunk] = {}
    for delta in deltas_of(chunks_of(as_stream(stream))):
        for entry in delta.get("reasoning_details", ()):
            whole = merged.setdefault(entry["index"], {})
            for name, value in entry.items():
                # As the SDK's helper does: texts are put together, but for these two.
                whole[name] = value if name in ("index", "type") else whole.get(name, "") + value
    assert expected == list(merged.values())


FORMS = [
    pytest.param("openrouter", {"reasoning", "reasoning_details"}, id="openrouter"),
    pytest.param("litellm", {"reasoning_content", "thinking_blocks"}, id="litellm"),
    pytest.param("deepseek", {"reasoning_content"}, id="deepseek"),
    pytest.param("none", set(), id="none"),
]


@pytest.mark.parametrize(("reasoning", "members"), FORMS)
def test_conventions_of_thoughts(reasoning: Reasoning, members: set[str]) -> None:
    """Each convention has its members, in a stream as in a whole answer, and blocks that are verbatim are whole."""
    form = msgspec.structs.replace(FORM, reasoning=reasoning)
    stream = start() + thinking(0, "h", "m") + text(1, "x") + end()
    block = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}

    message = as_whole(stream, form=form)["choices"][0]["message"]
    deltas = deltas_of(chunks_of(as_stream(stream, form=form)))
    plain = {"role", "content", "refusal"}
    assert members == set(message) - plain == {name for delta in deltas for name in delta} - plain
    # pydantic-ai's model for OpenRouter takes no completion without it.
    provider = "clearway" if reasoning == "openrouter" else None
    assert provider == as_whole(stream, form=form).get("provider")
    assert {provider} == {chunk.get("provider") for chunk in chunks_of(as_stream(stream, form=form))}
    if reasoning == "litellm":
        assert [block] == message["thinking_blocks"]
        assert [[{"index": 0, **block}]] == [delta["thinking_blocks"] for delta in deltas if "thinking_blocks" in delta]


def test_stream_equals_whole() -> None:
    """CS10: what the deltas make is what a client that does not stream is given."""
    stream = (
        start()
        + thinking(0, "hm")
        + text(1, "a\u20ac", '\n"')
        + tool_use(2, "t", "f", '{"x": "\\u00e9', '"}')
        + end("tool_use")
    )

    message = _message(stream)
    told = folded(chunks_of(as_stream(stream)))
    assert message["content"] == told["content"] == 'a\u20ac\n"'
    assert [call["function"]["arguments"] for call in message["tool_calls"]] == [
        call["arguments"] for call in told["tool_calls"]
    ]
    assert message["reasoning_content"] == told["reasoning_content"]


def test_letters() -> None:
    """CS11: letters outside of the first plane, escaped or not, and halves of them that come apart, stay letters."""
    halves = [rb'"a\ud83c"', rb'"\udf26b"']
    pieces = [
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":%b}}' % half for half in halves
    ]
    stream = start() + event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    stream += b"".join(b"event: content_block_delta\ndata: %b\n\n" % piece for piece in pieces)
    stream += b"event: x\ndata: {}\n\n" + text(1, "\U0001f326\ufe0f\u20ac") + end()

    expected = "a\U0001f326b\U0001f326\ufe0f\u20ac"
    assert expected == _message(stream)["content"]
    told = "".join(delta.get("content", "") for delta in deltas_of(chunks_of(as_stream(stream))))
    assert expected == told.encode("utf-16", "surrogatepass").decode("utf-16")


def test_whole_message_as_stream() -> None:
    """An upstream that does not stream though it was asked to is told all the same."""
    body = {
        "id": "msg_01A",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "stop_reason": "tool_use",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            {"type": "text", "text": "a"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"x": "\u20ac"}},
            {"type": "tool_use", "id": "u", "name": "g", "input": {}},
        ],
        "usage": {"input_tokens": 1, "output_tokens": 2},
    }
    answer, writer = Answer(), Chunks(FORM)
    said = b"".join(
        writer.write(piece) for event in events_of(json.dumps(body).encode()) for piece in answer.feed(event)
    )

    told = folded(chunks_of(said))
    assert ("a", "hm") == (told["content"], told["reasoning_content"])
    assert [{"x": "\u20ac"}, {}] == [json.loads(call["arguments"]) for call in told["tool_calls"]]


def test_custom_tool() -> None:
    """C25: the text of a custom tool comes as it is, under the client's name."""
    plan = Plan(wrapped={"c_": "input"}, names={"c_": "c."})
    stream = start() + tool_use(0, "t", "c_", '{"inp', 'ut": "a\\nb"}') + end("tool_use")

    assert [{"id": "t", "type": "custom", "custom": {"name": "c.", "input": "a\nb"}}] == _message(stream, plan)[
        "tool_calls"
    ]
    deltas = [
        delta["tool_calls"][0] for delta in deltas_of(chunks_of(as_stream(stream, plan=plan))) if "tool_calls" in delta
    ]
    assert [
        {"index": 0, "id": "t", "type": "custom", "custom": {"name": "c.", "input": ""}},
        {"index": 0, "custom": {"input": "a\nb"}},
    ] == deltas


def test_arguments_in_one_member() -> None:
    """b16: arguments that were put into a member for the schema's sake come out of it."""
    stream = start() + tool_use(0, "t", "f", '{"value":', ' {"x": 1}}') + end("tool_use")

    assert '{"x":1}' == _message(stream, Plan(wrapped={"f": "value"}))["tool_calls"][0]["function"]["arguments"]


def test_emulated_call() -> None:
    """C21: a structured answer that stands for a call comes back as that call, in a stream too."""
    plan = Plan(emulated="f")
    stream = start() + thinking(0, "hm") + text(1, '{"x":', "1}") + end()

    completion = as_whole(stream, plan=plan)["choices"][0]
    told = folded(chunks := chunks_of(as_stream(stream, plan=plan)))
    assert "tool_calls" == completion["finish_reason"] == chunks[-1]["choices"][0]["finish_reason"]
    assert completion["message"]["content"] is None
    assert [{"id": "toolu_01A", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}] == completion[
        "message"
    ]["tool_calls"]
    assert [{"id": "toolu_01A", "name": "f", "arguments": '{"x":1}'}] == told["tool_calls"]


def test_json_by_a_tool() -> None:
    """C40, b19: the tool that stands for a structured answer is the answer's text, not a call."""
    plan = Plan(is_json_tool=True)
    stream = start() + tool_use(0, "t", "json_output", '{"n"', ": 1}") + end("tool_use")

    choice = as_whole(stream, plan=plan)["choices"][0]
    assert ('{"n": 1}', "stop", False) == (
        choice["message"]["content"],
        choice["finish_reason"],
        "tool_calls" in choice["message"],
    )
    assert '{"n": 1}' == folded(chunks_of(as_stream(stream, plan=plan)))["content"]


def test_older_functions() -> None:
    """C57: who asks with `functions` is answered with `function_call`."""
    form = msgspec.structs.replace(FORM, is_legacy=True)
    stream = start() + tool_use(0, "t", "f", '{"x": 1}') + end("tool_use")

    choice = as_whole(stream, form=form)["choices"][0]
    assert ({"name": "f", "arguments": '{"x": 1}'}, "function_call") == (
        choice["message"]["function_call"],
        choice["finish_reason"],
    )
    deltas = [
        delta["function_call"]
        for delta in deltas_of(chunks_of(as_stream(stream, form=form)))
        if "function_call" in delta
    ]
    assert [{"name": "f", "arguments": ""}, {"arguments": '{"x": 1}'}] == deltas


def test_cut_call_is_no_whole_call() -> None:
    """b17: a call that `max_tokens` cut off has the arguments that came, and the reason says so."""
    stream = start() + tool_use(0, "t", "f", '{"x": ', is_whole=False) + end("max_tokens")

    choice = as_whole(stream)["choices"][0]
    assert ('{"x": ', "length") == (
        choice["message"]["tool_calls"][0]["function"]["arguments"],
        choice["finish_reason"],
    )


@pytest.mark.parametrize("place", range(1, 4))
def test_error_after_some_events(place: int) -> None:
    """CS7, b7: an error is a piece of its own, and nothing is told behind it."""
    stream = [start(), text(0, "x"), thinking(1, "y")][:place]
    answer, writer = Answer(), Chunks(FORM)
    failed = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    frames = [frame.split(b"data: ", 1)[1] for frame in b"".join([*stream, failed, end()]).split(b"\n\n") if frame]

    pieces = [piece for frame in frames for piece in answer.feed(read_event(frame))]
    assert "Failed" == type(pieces[-1]).__name__
    assert b"[DONE]" not in b"".join(map(writer.write, pieces))
