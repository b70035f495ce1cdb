"""The official SDK's own stream helper, fed with our events.

Ids are those of the acceptance list of `docs/responses.md`.
"""

import httpx2
import openai
import pytest
from pydantic import BaseModel

from clearway.wire.hub.plan import Plan
from clearway.wire.responses.form import Called, Form
from clearway.wire.responses.stream import Telling
from tests.chat.telling import end, start, text, thinking, tool_use
from tests.responses.answering import FORM, seal, told, whole

STREAM = start() + thinking(0, "h", "m") + text(1, "So", " be it") + tool_use(2, "toolu_1", "f", '{"a": 1}')


def _client(said: bytes) -> openai.OpenAI:
    """The SDK, with an answer in its hands already."""
    head = {"content-type": "text/event-stream"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=head, content=said))
    return openai.OpenAI(
        api_key="dummy", base_url="http://127.0.0.1:1/v1", http_client=httpx2.Client(transport=transport)
    )


def test_completed() -> None:
    """RR1, RR2: the helper makes of the events what a whole answer is."""
    said = told(STREAM + end("tool_use"))
    with _client(said) as client, client.responses.stream(model="gpt-5", input="hi") as stream:
        kinds = [event.type for event in stream]
        response = stream.get_final_response()

    assert "response.completed" == kinds[-1]
    assert ("completed", "So be it") == (response.status, response.output_text)
    expected = whole(STREAM + end("tool_use"))
    assert expected["output"][2]["arguments"] == response.output[2].arguments  # type: ignore[union-attr]  # a call
    assert expected["usage"] == response.to_dict()["usage"]


def test_parsed() -> None:
    """A structured answer is parsed by the helper."""

    class Weather(BaseModel):
        city: str

    said = told(start() + text(0, '{"city":', ' "Oslo"}') + end())
    with _client(said) as client, client.responses.stream(model="gpt-5", input="hi", text_format=Weather) as stream:
        response = stream.get_final_response()

    assert Weather(city="Oslo") == response.output_parsed


def test_custom_and_silence() -> None:
    """RR7: events that fill silence, a custom call and a search do not disturb the helper."""
    form = Form(model="gpt-5", created=1, tools={"p": Called(kind="custom", name="p")})
    said = told(
        start() + tool_use(0, "t", "p", '{"input": "x"}') + end("tool_use"),
        plan=Plan(wrapped={"p": "input"}),
        form=form,
    )
    first, rest = said.split(b"event: response.output_item.added", 1)
    beat = first.rsplit(b"event: ", 1)[1]
    said = first + b"event: " + beat + b"event: response.output_item.added" + rest
    with _client(said) as client, client.responses.stream(model="gpt-5", input="hi") as stream:
        response = stream.get_final_response()

    assert ("custom_tool_call", "x") == (response.output[0].type, response.output[0].input)  # type: ignore[union-attr]  # such a call


def test_failed() -> None:
    """RR6: a failure is an event of the helper's, and no completed response."""
    telling = Telling(FORM, seal)
    said = telling.fail("server_error", "Overloaded")
    with _client(said) as client, client.responses.stream(model="gpt-5", input="hi") as stream:
        events = list(stream)
        with pytest.raises(RuntimeError, match=r"response\.completed"):
            stream.get_final_response()

    assert "response.failed" == events[-1].type
    assert "Overloaded" == (events[-1].response.error and events[-1].response.error.message)
