"""OpenAI's official SDK, in Responses, against a gateway; prints one JSON object with what came back.

Run by tests/clients/test_openai_python.py in an environment of its own; what is asked is its only argument, in JSON.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import openai
from openai.lib.responses_tool_runner import RegisteredFunction, ResponsesToolRunner
from openai.types.responses import Response, ResponseInputItemParam
from pydantic import BaseModel

ASKED = json.loads(sys.argv[1])
MODEL = ASKED["model"]
QUESTION: list[ResponseInputItemParam] = [{"role": "user", "content": "What is the weather?"}]
SHOWN: Any = {"summary": "auto"}


class Weather(BaseModel):
    """Weather of a city."""

    city: str


class Report(BaseModel):
    """A form."""

    city: str
    degrees: int


WEATHER = openai.pydantic_responses_function_tool(Weather, name="weather")


def connect(key: str = ASKED["key"], retries: int = 0, url: str = ASKED["url"]) -> openai.OpenAI:
    """As its documentation says for a server that is not OpenAI's."""
    return openai.OpenAI(base_url=url, api_key=key, max_retries=retries)


responses: Any = connect().responses


def gist(said: Response) -> dict[str, object]:
    """What a program reads of a response."""
    used = said.usage
    return {
        "status": said.status,
        "text": said.output_text,
        "items": [item.type for item in said.output],
        "thought": "".join(part.text for item in said.output if item.type == "reasoning" for part in item.summary),
        "usage": used and [used.input_tokens, used.input_tokens_details.cached_tokens, used.output_tokens],
        "model": said.model,
    }


def streamed() -> dict[str, object]:
    """The events as they come; the last one holds what the others told."""
    events = list(responses.create(model=MODEL, input="hi", reasoning=SHOWN, stream=True))
    items = [event.item for event in events if event.type == "response.output_item.done"]
    return {
        **gist(events[-1].response),
        "pieces": [event.delta for event in events if event.type == "response.output_text.delta"],
        "ends": [events[0].type, events[-1].type],
        "is_numbered": list(range(len(events))) == [event.sequence_number for event in events],
        "is_told_twice": items == events[-1].response.output,
    }


def helped(*, model: str = MODEL, **more: object) -> Response:
    """By the stream helper."""
    with responses.stream(model=model, **more) as stream:
        said: Response = stream.get_final_response()
    return said


def loop(answer_to: Callable[..., Response], model: str = MODEL, **more: object) -> dict[str, object]:
    """A loop written by hand, in which the items go back as they came."""
    talk: list[object] = [*QUESTION]
    while True:
        said = answer_to(model=model, input=talk, tools=[WEATHER], **more)
        talk += said.output
        calls = [item for item in said.output if item.type == "function_call"]
        if not calls:
            return {**gist(said), "length": len(talk)}
        for call in calls:
            output = f"rain in {json.loads(call.arguments)['city']}"
            talk.append({"type": "function_call_output", "call_id": call.call_id, "output": output})


def run_tools(model: str = MODEL, *, stream: bool = False, **more: object) -> dict[str, object]:
    """The SDK's own loop."""

    def rain(asked: Weather) -> str:
        return f"rain in {asked.city}"

    runner = ResponsesToolRunner(functions=[RegisteredFunction.from_tool(WEATHER, execute=rain)])
    params: Any = {"model": model, "input": QUESTION, **more}
    return gist(runner.run(connect(), params, stream=stream))


def parsed() -> list[object]:
    """A form by a schema, whole and streamed, and as the arguments of a call."""
    form: Any = {"input": "Report.", "text_format": Report}
    report = openai.pydantic_responses_function_tool(Report, name="report")
    called = responses.parse(model=MODEL, input="Report.", tools=[report])
    made = [item.parsed_arguments for item in called.output if item.type == "function_call"]
    streamed: Any = helped(**form)
    found = [responses.parse(model=MODEL, **form).output_parsed, streamed.output_parsed, *made]
    return [one.model_dump() for one in found]


async def later() -> list[dict[str, object]]:
    """The asynchronous client, whole and by its helper."""
    async with openai.AsyncOpenAI(base_url=ASKED["url"], api_key=ASKED["key"], max_retries=0) as client:
        whole = await client.responses.create(model=MODEL, input="hi", reasoning=SHOWN)
        async with client.responses.stream(model=MODEL, input="hi", reasoning=SHOWN) as stream:
            return [gist(whole), gist(await stream.get_final_response())]


def failure(call: Callable[[Any], object], key: str = ASKED["key"], url: str = ASKED["url"]) -> list[object]:
    """What a failed call raises; each would be tried twice more."""
    try:
        call(connect(key, retries=2, url=url))
    except openai.APIError as error:
        return [type(error).__name__, getattr(error, "status_code", None), error.code, error.type, error.param]
    return []


def ask(client: openai.OpenAI) -> object:
    """The shortest question."""
    return client.responses.create(model=MODEL, input="hi")


print(  # noqa: T201
    json.dumps(
        {
            "whole": gist(responses.create(model=MODEL, input="hi", reasoning=SHOWN)),
            "later": asyncio.run(later()),
            "streamed": streamed(),
            "helped": gist(helped(input="hi", reasoning=SHOWN)),
            "loop": loop(responses.create, reasoning=SHOWN),
            "loop_streamed": loop(helped, reasoning=SHOWN),
            "loop_unstored": loop(responses.create, store=False, include=["reasoning.encrypted_content"]),
            "older": loop(responses.create, ASKED["older"], reasoning={"effort": "medium", **SHOWN}),
            "tools": run_tools(reasoning=SHOWN),
            "tools_streamed": run_tools(reasoning=SHOWN, stream=True),
            "parsed": parsed(),
            "unknown_key": failure(ask, key=ASKED["key"] + "_"),
            "poor": failure(ask, key=ASKED["poor"]),
            "refused": failure(lambda client: client.responses.create(model=MODEL, input="hi", background=True)),
            "unreachable": failure(ask, url="http://127.0.0.1:9/v1"),
        }
    )
)
