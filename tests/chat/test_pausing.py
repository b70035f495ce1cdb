"""What goes back of an answer that pauses, and what is left of a request whose thoughts were refused: pure."""

import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearway.core.clock import SystemClock
from clearway.core.usage import Iteration, Usage, total
from clearway.gateway.answer_sink import AnswerSink, Backing, Translation
from clearway.wire.chat.request import Translated
from clearway.wire.chat.teller import ChatTeller
from clearway.wire.hub.events import Halves, read_event
from clearway.wire.hub.forgetting import Complaint, complaint, forgotten
from clearway.wire.hub.pausing import CONTENT_LIMIT, Fold, continued
from clearway.wire.sse import DataScanner
from tests.chat.asking import ask
from tests.chat.telling import cited, end, event, search, searched, start, text, thinking
from tests.gateway.listening import Client
from tests.gateway.test_chat_sink import STREAM

HALVES = event("content_block_start", index=1, content_block={"type": "text", "text": ""}) + b"".join(
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":1,"delta":'
    b'{"type":"text_delta","text":"%b"}}\n\n' % part for part in (b"a\\ud83c", b"\\udf26 b")
) + event("content_block_stop", index=1)  # fmt: skip
PAUSED = (
    start() + thinking(0, "h\u20ac", "m") + HALVES + search(2, "srv_1", "\u20ac") + cited(4, "so", "https://x.test/")
    + end("pause_turn")
)  # fmt: skip
ENDED = start() + thinking(0, "hm", signature="Mg==") + cited(1, " it \u20ac is", "https://y.test/") + end()
SAID = {"type": "web_search_result_location", "url": "https://x.test/", "title": "X"}
BLOCKS = [
    {"type": "thinking", "thinking": "h\u20acm", "signature": "c2ln"},
    {"type": "text", "text": "a\U0001f326 b"},
    *searched("srv_1", "\u20ac"),
    {"type": "text", "text": "so", "citations": [{**SAID, "encrypted_index": "e", "cited_text": "c"}]},
]


def _cut(said: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, *(cut % (len(said) + 1) for cut in cuts), len(said)})
    return [said[first:last] for first, last in itertools.pairwise(places)]


def _sink(client: Client, translated: Translated, fold: Fold) -> AnswerSink:
    asked = Translation(name="gpt-4o", model="claude-x", plan=translated.plan, warnings=translated.warnings)
    teller = ChatTeller(translated.form, is_stream=translated.is_stream)
    return AnswerSink(client, "exchange", asked, teller, SystemClock(), Backing(fold=fold))


def _told(cuts: list[int], *, stream: bool) -> tuple[bytes, list[Any] | None]:
    """What a client is told, and what goes back meanwhile."""
    client, fold = Client(), Fold()
    translated = ask(web_search_options={}, stream=stream)
    sink = _sink(client, translated, fold)
    blocks = None
    for said in (PAUSED, ENDED):
        sink.start(200, STREAM)
        for piece in _cut(said, cuts):
            sink.write(piece)
        if said is PAUSED:
            blocks = fold.take()
    sink.finish()
    return client.said, None if blocks is None else msgspec.json.decode(msgspec.json.encode(blocks))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 5000), max_size=6), st.booleans())
def test_any_cut(cuts: list[int], stream: bool) -> None:  # noqa: FBT001  # drawn
    """CR4, b8: however a stream that pauses is cut, the client hears the same, and the same goes back."""
    said, blocks = _told(cuts, stream=stream)

    assert BLOCKS == blocks
    assert (said, blocks) == _told([], stream=stream)


def test_places_go_on() -> None:
    """CR4, CR5: citations behind a pause count from the beginning of the text."""
    whole = json.loads(_told([], stream=False)[0])
    message = whole["choices"][0]["message"]

    assert "a\U0001f326 bso it \u20ac is" == message["content"]
    spans = [one["url_citation"] for one in message["annotations"]]
    assert [("https://x.test/", 4), ("https://y.test/", 6)] == [(span["url"], span["start_index"]) for span in spans]
    assert [0, 1] == [entry["index"] for entry in message["reasoning_details"]]


def _folded(stream: bytes) -> list[Any] | None:
    fold, halves = Fold(), Halves()
    for data in DataScanner().feed_all(stream):
        seen = read_event(data)
        if seen.delta is not None and seen.delta.is_halved:
            halves.mend(seen.index, seen.delta)
        fold.feed(seen, data)
    blocks = fold.take()
    return None if blocks is None else msgspec.json.decode(msgspec.json.encode(blocks))


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(start() + end("pause_turn"), id="nothing"),
        pytest.param(start() + text(0, " \n") + end("pause_turn"), id="white-space"),
        pytest.param(start() + search(0, "s", "q").rsplit(b"event: ", 1)[0] + end("pause_turn"), id="open-block"),
        pytest.param(
            start() + search(0, "s", "q").replace(b'{\\"que', b"{que") + end("pause_turn"), id="no-json"
        ),
        pytest.param(start() + text(0, "x" * CONTENT_LIMIT) + end("pause_turn"), id="too-long"),
    ],
)  # fmt: skip
def test_cannot_go_back(stream: bytes) -> None:
    """What is not whole, or nothing, is not sent back."""
    assert _folded(stream) is None


def test_blank_text_is_left_out() -> None:
    """C45: text of white space alone would be refused in a request."""
    assert searched("s", "q") == _folded(start() + text(0, " ") + search(1, "s", "q") + end("pause_turn"))


BODY: dict[str, Any] = {"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}], "x": 1.50}
GO = [msgspec.Raw(b'{"type": "text", "text": "so"}')]


def _continued(body: dict[str, Any], left: int = 50) -> Any:  # noqa: ANN401  # a body
    made = continued(json.dumps(body).encode(), GO, left)
    return None if made is None else json.loads(made)


def test_continued() -> None:
    """The answer is the last turn; everything else stays, to the byte."""
    turn = {"role": "assistant", "content": [{"type": "text", "text": "so"}]}
    assert {**BODY, "max_tokens": 50, "messages": [*BODY["messages"], turn]} == _continued(BODY)
    begun: list[Any] = [*BODY["messages"], {"role": "assistant", "content": "well"}]
    assert ["well", "so"] == [
        block["text"] for block in _continued({**BODY, "messages": begun})["messages"][-1]["content"]
    ]
    assert ["so", "so"] == [
        block["text"] for block in _continued({**BODY, "messages": [*BODY["messages"], turn]})["messages"][1]["content"]
    ]
    assert b'"messages":[{"role":   "user"},' in (continued(b'{"messages": [{"role":   "user"}]}', GO, 1) or b"")


@pytest.mark.parametrize(
    ("thinking", "left", "goes_on"),
    [(None, 0, False), (None, 1, True), (2000, 2000, False), (2000, 2001, True)],
)
def test_something_must_be_left(thinking: int | None, left: int, *, goes_on: bool) -> None:
    """b18: a bound that is used up, or that leaves no room beside the budget to think, ends the answer."""
    more = {} if thinking is None else {"thinking": {"type": "enabled", "budget_tokens": thinking}}
    assert goes_on == (_continued({**BODY, **more}, left) is not None)


MISSING = Complaint(3, is_missing=True)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("messages.1.content.0: Invalid `signature` in `thinking` block", Complaint(1)),
        ("messages.12.content.3: Invalid `signature` in `redacted_thinking` block", Complaint(12)),
        ("`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified.", Complaint()),
        ("messages.3.content.0.type: Expected `thinking` or `redacted_thinking`, but found `text`.", MISSING),
        ("messages.1.content.0: an `assistant` message in the final position cannot contain `thinking`.", Complaint(1)),
        ("messages.1.content.0.thinking.signature: Field required", Complaint(1)),
        ("`max_tokens` must be greater than `thinking.budget_tokens`", None),
        ("thinking.type: adaptive is not supported by this model", None),
        ("`temperature` may only be set to 1 when thinking is enabled", None),
        ("prompt is too long: 9 tokens", None),
    ],
)  # fmt: skip
def test_words_of_a_refusal(message: str, expected: Complaint | None) -> None:
    """E9: only what is said of thoughts in the conversation is taken for that."""
    told = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    assert expected == complaint(json.dumps(told).encode())
    assert complaint(b"<html>Invalid `signature` in `thinking` block") is None


THOUGHT = {"type": "thinking", "thinking": "", "signature": "s"}
HIDDEN = {"type": "redacted_thinking", "data": "d"}
SO = {"type": "text", "text": "so"}
USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t"}
ROLES = {"u": "user", "a": "assistant"}
BUDGET = {"type": "enabled", "budget_tokens": 1024}
FORGOTTEN: list[Any] = [
    pytest.param([[SO], [THOUGHT, HIDDEN, SO], [SO]], Complaint(), [[SO], [SO], [SO]], True, id="older"),
    pytest.param([[SO], [THOUGHT], [SO]], Complaint(), [[SO], [SO]], True, id="nothing-else-was-said"),
    pytest.param(
        [[SO], [THOUGHT, SO], [SO], [THOUGHT, USE], [RESULT]], Complaint(),
        [[SO], [SO], [SO], [THOUGHT, USE], [RESULT]], True, id="not-of-the-loop",
    ),
    pytest.param(
        [[SO], [THOUGHT, SO], [SO], [THOUGHT, USE], [RESULT]], Complaint(3), [[SO], [SO], [SO], [USE], [RESULT]], False,
        id="named",
    ),
    pytest.param([[SO], [HIDDEN, USE], [RESULT, SO]], Complaint(), [[SO], [USE], [RESULT, SO]], False, id="only-loop"),
]  # fmt: skip


@pytest.mark.parametrize(("turns", "said", "expected", "thinks"), FORGOTTEN)
def test_forgotten(turns: list[Any], said: Complaint, expected: list[Any], *, thinks: bool) -> None:
    """E9: which thoughts are taken out, and when a model with a budget does not think."""
    messages = [{"role": "ua"[place % 2], "content": content} for place, content in enumerate(turns)]
    named = [{**turn, "role": ROLES[str(turn["role"])]} for turn in messages]
    made = forgotten(json.dumps({"messages": named, "thinking": BUDGET}).encode(), said)

    assert made is not None
    body = json.loads(made.body)
    assert expected == [turn["content"] for turn in body["messages"]]
    assert (thinks, not thinks) == ("thinking" in body, made.is_off)


def test_nothing_to_forget() -> None:
    """E9: without thoughts there is nothing else to send."""
    body = {"messages": [{"role": "user", "content": "hi"}], "thinking": BUDGET}
    assert forgotten(json.dumps(body).encode(), Complaint()) is None


def test_total() -> None:
    """Counts are added; what was priced run by run still is, each once."""
    runs = (Iteration(input_tokens=1, output_tokens=2), Iteration(input_tokens=3, output_tokens=4, model="m"))
    first = Usage(input_tokens=4, output_tokens=6, iterations=runs, service_tier="batch")
    second = Usage(input_tokens=10, output_tokens=5, web_search_requests=1, service_tier="standard", estimated=True)

    assert first is total([first])
    both = total([first, second])
    assert (14, 11, 1, "standard", True) == (
        both.input_tokens, both.output_tokens, both.web_search_requests, both.service_tier, both.estimated,
    )  # fmt: skip
    assert (*runs, Iteration(input_tokens=10, output_tokens=5)) == both.iterations


def test_a_plain_answer_that_pauses() -> None:
    """CR4: a vendor that answers in one piece is told as far as it came."""
    client = Client()
    sink = _sink(client, ask(web_search_options={}), Fold())
    sink.start(200, [(b"content-type", b"application/json")])
    message = {"id": "msg_1", "stop_reason": "pause_turn", "content": [SO], "usage": {"output_tokens": 2}}
    sink.finish(json.dumps(message).encode())

    told = json.loads(client.said)
    assert ("length", "so") == (told["choices"][0]["finish_reason"], told["choices"][0]["message"]["content"])
