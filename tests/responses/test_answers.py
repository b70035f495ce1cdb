"""An answer of Messages, told in Responses: as conversations, event by event.

Ids are those of the acceptance list of `docs/responses.md`.
"""

import json

import pytest

from clearway.wire.hub.answer import Answer
from clearway.wire.hub.events import events_of as as_events
from clearway.wire.hub.events import read_event
from clearway.wire.hub.plan import Plan
from clearway.wire.responses.form import Called, Form
from clearway.wire.responses.stream import Telling
from tests.chat.telling import end, event, start, text, thinking, tool_use
from tests.responses.answering import FORM, Json, events_of, folded, seal, told, types_of, whole

TEXT = ["output_text.delta", "output_text.done", "content_part.done", "output_item.done"]
BEGUN = ["created", "in_progress"]


def _form(**members: object) -> Form:
    return Form(**{"model": "gpt-5", "created": 1_795_800_000, "seals": True, **members})  # type: ignore[arg-type]  # as they are


def _done(events: list[Json]) -> list[Json]:
    return [event["item"] for event in events if event["type"] == "response.output_item.done"]


def test_text() -> None:
    """RR1: the exact order of events, each numbered, with a completed response at the end."""
    events = events_of(told(start() + event("ping") + text(0, "Hi", " you") + end()))

    assert [
        *BEGUN, "output_item.added", "content_part.added", "output_text.delta", *TEXT, "completed",
    ] == types_of(events)  # fmt: skip
    first, last = events[0]["response"], events[-1]["response"]
    assert ("resp_01A", "response", "in_progress", [], None) == (
        first["id"], first["object"], first["status"], first["output"], first["usage"],
    )  # fmt: skip
    assert ("completed", "gpt-5", None, None) == (
        last["status"], last["model"], last["error"], last["incomplete_details"],
    )  # fmt: skip
    assert [{"type": "output_text", "text": "Hi you", "annotations": [], "logprobs": []}] == last["output"][0][
        "content"
    ]


def test_thought_text_call() -> None:
    """RR2: thoughts, text and a call are items 0, 1, 2; what is done equals what is in the end, whole or not."""
    stream = start() + thinking(0, "h", "m") + text(1, "So") + tool_use(2, "toolu_1", "f", '{"a"', ": 1}")
    events = events_of(told(stream + end("tool_use")))

    assert [
        *BEGUN,
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta",
        "reasoning_summary_text.delta", "reasoning_summary_text.done", "reasoning_summary_part.done",
        "output_item.done", "output_item.added", "content_part.added", *TEXT,
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
        "function_call_arguments.done", "output_item.done", "completed",
    ] == types_of(events)  # fmt: skip
    output = events[-1]["response"]["output"]
    assert ["reasoning", "message", "function_call"] == [item["type"] for item in output]
    assert output == _done(events) == folded(events)
    assert [{"type": "summary_text", "text": "hm"}] == output[0]["summary"]
    assert [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}] == json.loads(output[0]["encrypted_content"])
    assert ("toolu_1", "f", '{"a": 1}', "completed") == tuple(
        output[2][name] for name in ("call_id", "name", "arguments", "status")
    )
    assert {"fc", "msg", "rs"} == {item["id"].partition("_")[0] for item in output}
    assert output == events_of(told(stream + end("tool_use")))[-1]["response"]["output"]


def test_omitted_thinking() -> None:
    """RR3, b6: thoughts without text are an item without summary that can go back all the same."""
    events = events_of(told(start() + thinking(0, signature="c2ln") + text(1, "x") + end()))

    item = events[-1]["response"]["output"][0]
    assert ("reasoning", []) == (item["type"], item["summary"])
    assert [{"type": "thinking", "thinking": "", "signature": "c2ln"}] == json.loads(item["encrypted_content"])
    assert not [kind for kind in types_of(events) if kind.startswith("reasoning_summary")]


def test_adjacent_thoughts() -> None:
    """b20: adjacent blocks of thinking, hidden ones among them, are one item; each with text is a part."""
    hidden = event("content_block_start", index=1, content_block={"type": "redacted_thinking", "data": "xx"})
    hidden += event("content_block_stop", index=1)
    stream = start() + thinking(0, "a") + hidden + thinking(2, "b") + text(3, "x") + thinking(4, "c") + end()
    events = events_of(told(stream))

    output = events[-1]["response"]["output"]
    assert ["reasoning", "message", "reasoning"] == [item["type"] for item in output]
    assert ["a", "b"] == [part["text"] for part in output[0]["summary"]]
    assert [
        {"type": "thinking", "thinking": "a", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "xx"},
        {"type": "thinking", "thinking": "b", "signature": "c2ln"},
    ] == json.loads(output[0]["encrypted_content"])
    assert output == folded(events)


SHOWN = [
    pytest.param(_form(seals=False), ["hm"], False, id="summary"),
    pytest.param(_form(summarizes=False), [], True, id="sealed"),
    pytest.param(_form(seals=False, summarizes=False), [], False, id="neither"),
]


@pytest.mark.parametrize(("form", "summary", "is_sealed"), SHOWN)
def test_what_is_shown_of_thoughts(form: Form, summary: list[str], *, is_sealed: bool) -> None:
    """Summary and envelope come where the request asks for them, and the item always."""
    item = whole(start() + thinking(0, "hm") + end(), form=form)["output"][0]

    assert summary == [part["text"] for part in item["summary"]]
    assert is_sealed == ("encrypted_content" in item)


CUT = [
    pytest.param("max_tokens", id="max_tokens"),
    pytest.param("model_context_window_exceeded", id="window"),
    pytest.param("pause_turn", id="pause_turn"),
]


@pytest.mark.parametrize("stop_reason", CUT)
def test_cut_off(stop_reason: str) -> None:
    """RR4, b17: what is cut off is incomplete and says why; the item that was open says so too."""
    events = events_of(told(start() + thinking(0, "hm") + text(1, "So") + end(stop_reason)))

    response = events[-1]["response"]
    assert ("response.incomplete", "incomplete", {"reason": "max_output_tokens"}) == (
        events[-1]["type"], response["status"], response["incomplete_details"],
    )  # fmt: skip
    assert ["completed", "incomplete"] == [item["status"] for item in response["output"]]
    assert 960 == response["usage"]["total_tokens"]


CALLS = [
    pytest.param(tool_use(0, "t", "f", '{"x": ', is_whole=False), '{"x": ', id="open"),
    pytest.param(tool_use(0, "t", "f", '{"x": '), '{"x": ', id="stopped"),
    pytest.param(tool_use(0, "t", "f"), "{}", id="before-arguments"),
]


@pytest.mark.parametrize(("call", "arguments"), CALLS)
def test_cut_call(call: bytes, arguments: str) -> None:
    """RR4, b17: a call that was cut off is told as incomplete, and its arguments are never told as done."""
    events = events_of(told(start() + call + end("max_tokens")))

    (item,) = events[-1]["response"]["output"]
    assert ("incomplete", arguments) == (item["status"], item["arguments"])
    assert "function_call_arguments.done" not in types_of(events)
    assert [item] == _done(events)


def test_whole_call_before_the_cut() -> None:
    """A call that came whole is one, though `max_tokens` came behind it."""
    stream = start() + tool_use(0, "t", "f", "{}") + tool_use(1, "u", "g", '{"x": 1}') + end("max_tokens")

    assert ["completed", "completed"] == [item["status"] for item in whole(stream)["output"]]


def test_cut_custom_call() -> None:
    """b17: so is half of a patch no patch."""
    form = _form(tools={"p": Called(kind="custom", name="p")})
    stream = start() + tool_use(0, "t", "p", '{"input": "*** Begin') + end("max_tokens")

    events = events_of(told(stream, plan=Plan(wrapped={"p": "input"}), form=form))
    assert "incomplete" == events[-1]["response"]["output"][0]["status"]
    assert "custom_tool_call_input.done" not in types_of(events)


def test_broken_arguments() -> None:
    """b17: arguments that are no JSON are not told as whole, whatever the reason to stop."""
    assert "incomplete" == whole(start() + tool_use(0, "t", "f", '{"x') + end("tool_use"))["output"][0]["status"]


def test_refusal() -> None:
    """RR5: a refusal is a completed response with a part that says why, behind what was said before it."""
    stream = start() + text(0, "So") + end("refusal", stop_details={"type": "refusal", "explanation": "No."})
    events = events_of(told(stream))

    response = events[-1]["response"]
    assert "completed" == response["status"]
    assert [
        {"type": "output_text", "text": "So", "annotations": [], "logprobs": []},
        {"type": "refusal", "refusal": "No."},
    ] == response["output"][0]["content"]
    assert ["content_part.added", "refusal.delta", "refusal.done", "content_part.done"] == types_of(events)[7:11]
    assert response["output"] == folded(events)


def test_refusal_for_codex() -> None:
    """RR5: Codex shows nothing of a refusal part, so that it is text for it."""
    content = whole(start() + end("refusal"), form=_form(is_codex=True))["output"][0]["content"]

    assert ["output_text"] == [part["type"] for part in content]
    assert content[0]["text"]


@pytest.mark.parametrize("place", range(1, 4))
def test_failure_in_the_middle(place: int) -> None:
    """RR6, b7: a failure is the last event, with what had ended before it."""
    stream = b"".join([start(), text(0, "x"), thinking(1, "y")][:place])
    answer, telling = Answer(), Telling(FORM, seal)
    frames = [frame.split(b"data: ", 1)[1] for frame in stream.split(b"\n\n") if frame]
    said = b"".join(telling.write(piece) for frame in frames for piece in answer.feed(read_event(frame)))

    said += telling.fail("server_error", "Overloaded")
    events = events_of(said)
    response = events[-1]["response"]
    assert ("response.failed", "failed", {"code": "server_error", "message": "Overloaded"}) == (
        events[-1]["type"], response["status"], response["error"],
    )  # fmt: skip
    assert response["output"] == _done(events)
    assert b"" == telling.fail("server_error", "again") == telling.beat()
    late = answer.feed(read_event(b'{"type":"message_stop"}'))
    assert b"" == b"".join(map(telling.write, late))


def test_silence() -> None:
    """RR7: silence is filled with `response.in_progress`, numbered like the others, and never before the beginning."""
    answer, telling = Answer(), Telling(FORM, seal)

    assert b"" == telling.beat()
    frames = [frame.split(b"data: ", 1)[1] for frame in (start() + text(0, "x")).split(b"\n\n") if frame]
    said = b"".join(telling.write(piece) for frame in frames for piece in answer.feed(read_event(frame)))
    said += telling.beat() + telling.beat()
    events = events_of(said)
    assert ["in_progress", "in_progress"] == types_of(events)[-2:]
    assert events[1]["response"] == events[-1]["response"]


def test_usage() -> None:
    """RR8, b2: OpenAI's counts include what was cached, and both details are there, if only as 0."""
    assert {
        "input_tokens": 910,
        "input_tokens_details": {"cached_tokens": 700, "cache_write_tokens": 200},
        "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 20},
        "total_tokens": 960,
    } == whole(start() + text(0, "x") + end())["usage"]
    bare = whole(start({"input_tokens": 3}) + event("message_stop"))["usage"]
    assert ({"cached_tokens": 0, "cache_write_tokens": 0}, {"reasoning_tokens": 0}) == (
        bare["input_tokens_details"], bare["output_tokens_details"],
    )  # fmt: skip


def test_whole() -> None:
    """RR9: a client that does not stream is sent the very object of the last event."""
    stream = start() + thinking(0, "hm") + text(1, "a\u20ac", '\n"') + tool_use(2, "t", "f") + end("tool_use")

    assert events_of(told(stream))[-1]["response"] == whole(stream)


def test_what_the_request_said() -> None:
    """The object repeats the request, over OpenAI's defaults, and nothing of ours can be overwritten by it."""
    echo: dict[str, object] = {
        "instructions": "Be brief.", "metadata": {"a": "b"}, "store": True, "status": "no", "service_tier": "auto",
    }  # fmt: skip
    response = whole(start() + end(), form=_form(echo=echo))

    assert ("Be brief.", {"a": "b"}, True, "auto", "completed") == tuple(
        response[name] for name in ("instructions", "metadata", "store", "service_tier", "status")
    )
    assert (True, "auto", []) == tuple(response[name] for name in ("parallel_tool_calls", "tool_choice", "tools"))
    tier = whole(start({"input_tokens": 1, "service_tier": "priority"}) + end(), form=_form(echo=echo))
    assert "priority" == tier["service_tier"]


def _search(index: int, name: str = "web_search", given: str = '{"query": "rain in Oslo"}') -> bytes:
    block = {"type": "server_tool_use", "id": "srvtoolu_1", "name": name, "input": {}}
    delta = {"type": "input_json_delta", "partial_json": given}
    return (
        event("content_block_start", index=index, content_block=block)
        + event("content_block_delta", index=index, delta=delta)
        + event("content_block_stop", index=index)
    )


def _result(index: int, content: object) -> bytes:
    block = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": content}
    return event("content_block_start", index=index, content_block=block) + event("content_block_stop", index=index)


PAGE = {"type": "web_search_result", "url": "https://example.org", "title": "T", "encrypted_content": "xx"}


@pytest.mark.parametrize("sources", [True, False])
def test_web_search(*, sources: bool) -> None:
    """b20: a search of the upstream's own is an item, with its query, and its sources where they are asked for."""
    stream = start() + _search(0) + _result(1, [PAGE]) + text(2, "It rains") + end()
    events = events_of(told(stream, form=_form(sources=sources)))

    assert [
        *BEGUN, "output_item.added", "web_search_call.in_progress", "web_search_call.searching",
        "web_search_call.completed", "output_item.done", "output_item.added", "content_part.added", *TEXT, "completed",
    ] == types_of(events)  # fmt: skip
    item = events[-1]["response"]["output"][0]
    action = {"type": "search", "query": "rain in Oslo", "queries": ["rain in Oslo"]}
    more = {"sources": [{"type": "url", "url": "https://example.org"}]} if sources else {}
    assert ("web_search_call", "completed", {**action, **more}) == (item["type"], item["status"], item["action"])
    assert "ws" == item["id"].partition("_")[0]


def test_web_search_that_fails() -> None:
    """A search that failed says so, and one without a result is incomplete."""
    error = {"type": "web_search_tool_result_error", "error_code": "unavailable"}

    assert "failed" == whole(start() + _search(0) + _result(1, error) + end())["output"][0]["status"]
    assert "incomplete" == whole(start() + _search(0) + end("pause_turn"))["output"][0]["status"]


def test_page() -> None:
    """A page that the upstream reads is an action of its own."""
    stream = start() + _search(0, "web_fetch", '{"url": "https://example.org"}') + _result(1, []) + end()

    assert {"type": "open_page", "url": "https://example.org"} == whole(stream)["output"][0]["action"]


def _cited(index: int, words: str, *, is_before: bool = True) -> bytes:
    citation = {"type": "web_search_result_location", "url": "https://example.org", "title": "T", "cited_text": "x"}
    deltas = [{"type": "citations_delta", "citation": citation}, {"type": "text_delta", "text": words}]
    told_ = [event("content_block_delta", index=index, delta=delta) for delta in deltas]
    return (
        event("content_block_start", index=index, content_block={"type": "text", "text": ""})
        + b"".join(told_ if is_before else reversed(told_))
        + event("content_block_stop", index=index)
    )


@pytest.mark.parametrize("is_before", [True, False])
def test_citations(*, is_before: bool) -> None:
    """RR10, b20: citations are told with the span of their text within their part, alike in events and at the end;
    the blocks that Messages cuts a text into are one part.
    """
    stream = start() + text(0, "First ") + _search(1) + _result(2, [PAGE]) + text(3, "\U0001f326 ")
    stream += _cited(4, "It ra\u00efns", is_before=is_before) + text(5, ".") + end()
    events = events_of(told(stream, plan=Plan(cites=True)))

    output = events[-1]["response"]["output"]
    (part,) = output[2]["content"]
    (annotation,) = part["annotations"]
    assert "\U0001f326 It ra\u00efns." == part["text"]
    assert "It ra\u00efns" == part["text"][annotation["start_index"] : annotation["end_index"]]
    assert ("url_citation", "https://example.org", "T") == (annotation["type"], annotation["url"], annotation["title"])
    assert [annotation] == [event["annotation"] for event in events if "annotation" in event]
    assert output == folded(events)


def test_namespace() -> None:
    """R7, X11: the namespace of a tool is a member of its own."""
    form = _form(tools={"a__close": Called(name="close", namespace="a")})
    item = whole(start() + tool_use(0, "t", "a__close", "{}") + end("tool_use"), form=form)["output"][0]

    assert ("function_call", "close", "a") == (item["type"], item["name"], item["namespace"])


def test_custom() -> None:
    """R10, X3: the text of a custom tool comes as it is."""
    form = _form(tools={"apply_patch": Called(kind="custom", name="apply_patch")})
    stream = start() + tool_use(0, "t", "apply_patch", '{"input": "a', '\\nb"}') + end("tool_use")
    events = events_of(told(stream, plan=Plan(wrapped={"apply_patch": "input"}), form=form))

    assert [
        *BEGUN, "output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done",
        "output_item.done", "completed",
    ] == types_of(events)  # fmt: skip
    item = events[-1]["response"]["output"][0]
    assert ("custom_tool_call", "apply_patch", "a\nb", "t") == tuple(
        item[name] for name in ("type", "name", "input", "call_id")
    )


ACTS = [
    pytest.param(
        "tool_search", '{"query": "x"}',
        {"type": "tool_search_call", "execution": "client", "arguments": {"query": "x"}},
        id="tool_search",
    ),
    pytest.param(
        "local_shell", '{"command": ["ls", "-l"], "working_directory": "/x"}',
        {
            "type": "local_shell_call",
            "action": {
                "type": "exec", "command": ["ls", "-l"], "env": {}, "timeout_ms": None, "user": None,
                "working_directory": "/x",
            },
        },
        id="local_shell",
    ),
    pytest.param(
        "shell", '{"commands": ["ls"], "timeout_ms": 5}',
        {"type": "shell_call", "action": {"commands": ["ls"], "timeout_ms": 5, "max_output_length": None}},
        id="shell",
    ),
    pytest.param(
        "apply_patch", '{"type": "create_file", "path": "a", "diff": "+x"}',
        {"type": "apply_patch_call", "operation": {"type": "create_file", "path": "a", "diff": "+x"}},
        id="apply_patch",
    ),
    pytest.param(
        "apply_patch", '{"type": "delete_file", "path": "a"}',
        {"type": "apply_patch_call", "operation": {"type": "delete_file", "path": "a"}},
        id="delete",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "arguments", "expected"), ACTS)
def test_acts(kind: str, arguments: str, expected: Json) -> None:
    """R9: calls that are items of their own kind have their arguments as objects, in the item at the end."""
    form = _form(tools={"t": Called(kind=kind, name="t")})  # type: ignore[arg-type]  # one of them
    events = events_of(told(start() + tool_use(0, "toolu_1", "t", arguments) + end("tool_use"), form=form))

    assert [*BEGUN, "output_item.added", "output_item.done", "completed"] == types_of(events)
    item = events[-1]["response"]["output"][0]
    assert {**expected, "call_id": "toolu_1", "status": "completed"} == {
        name: value for name, value in item.items() if name not in ("id", "environment")
    }


@pytest.mark.parametrize("kind", ["tool_search", "local_shell", "shell", "apply_patch"])
def test_acts_of_any_arguments(kind: str) -> None:
    """Arguments of the wrong form make an item that the SDK's types take all the same: the client can say what is
    wrong.
    """
    form = _form(tools={"t": Called(kind=kind, name="t")})  # type: ignore[arg-type]  # one of them
    for arguments in ('{"command": 1, "commands": "ls", "env": [], "type": "x", "timeout_ms": "5"}', "[1]", "{}"):
        assert whole(start() + tool_use(0, "t", "t", arguments) + end("tool_use"), form=form)["output"]


def test_emulated_call() -> None:
    """C21: a structured answer that stands for a call comes back as that call."""
    stream = start() + thinking(0, "hm") + text(1, '{"x":', "1}") + end()
    events = events_of(told(stream, plan=Plan(emulated="f")))

    item = events[-1]["response"]["output"][1]
    assert ("function_call", "f", '{"x":1}', "completed", "toolu_01A") == tuple(
        item[name] for name in ("type", "name", "arguments", "status", "call_id")
    )
    assert events[-1]["response"]["output"] == folded(events)


def test_json_by_a_tool() -> None:
    """b19: the tool that stands for a structured answer is the answer's text."""
    stream = start() + tool_use(0, "t", "json_output", '{"n"', ": 1}") + end("tool_use")
    (item,) = whole(stream, plan=Plan(is_json_tool=True))["output"]

    assert ("message", '{"n": 1}') == (item["type"], item["content"][0]["text"])


def test_letters() -> None:
    """CS11: halves of letters that come apart stay letters, in deltas and in what is whole."""
    halves = [rb'"a\ud83c"', rb'"\udf26b"']
    stream = start() + event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for half in halves:
        delta = b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":%b}}' % half
        stream += b"event: content_block_delta\ndata: %b\n\n" % delta
    events = events_of(told(stream + end()))

    assert "a\U0001f326b" == events[-1]["response"]["output"][0]["content"][0]["text"]
    assert events[-1]["response"]["output"] == folded(events)


def test_without_beginning() -> None:
    """An upstream that leaves `message_start` out is told all the same, with `response.created` first."""
    events = events_of(told(text(0, "x") + end()))

    assert "created" == types_of(events)[0]
    assert "x" == events[-1]["response"]["output"][0]["content"][0]["text"]


def test_whole_message() -> None:
    """So is one that does not stream though it was asked to."""
    body = {
        "id": "msg_01A", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            {"type": "text", "text": "a"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"x": "\u20ac"}},
            {"type": "tool_use", "id": "u", "name": "g", "input": {}},
        ],
        "usage": {"input_tokens": 1, "output_tokens": 2},
    }  # fmt: skip
    answer, telling = Answer(), Telling(FORM, seal)
    said = b"".join(
        telling.write(piece) for seen in as_events(json.dumps(body).encode()) for piece in answer.feed(seen)
    )

    output = events_of(said)[-1]["response"]["output"]
    assert [{"x": "\u20ac"}, {}] == [json.loads(item["arguments"]) for item in output[2:]]
    assert output == folded(events_of(said))
