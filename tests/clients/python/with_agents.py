"""OpenAI's Agents SDK, over one of OpenAI's formats, against a gateway; prints one JSON object with what came back.

Run by tests/clients/test_agents.py in an environment of its own; what is asked is its only argument, in JSON.
"""

import asyncio
import json
import sys

from agents import (
    Agent,
    Model,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    function_tool,
)
from openai import AsyncOpenAI
from openai.types.shared import Reasoning
from pydantic import BaseModel

ASKED = json.loads(sys.argv[1])
QUESTION = "What is the weather?"
QUIET = RunConfig(tracing_disabled=True)


def weather(city: str) -> str:
    """Weather of a city."""
    return f"rain in {city}"


class Report(BaseModel):
    """A form."""

    city: str
    degrees: int


def connect(model: str = ASKED["model"], key: str = ASKED["key"]) -> Model:
    """As its documentation says for a server that is not OpenAI's; Responses is what it speaks by default."""
    client = AsyncOpenAI(base_url=ASKED["url"], api_key=key, max_retries=0)
    made = OpenAIResponsesModel if ASKED["wire"] == "responses" else OpenAIChatCompletionsModel
    return made(model, openai_client=client)


def make(model: Model, **more: object) -> Agent:
    """An agent."""
    settings = ModelSettings(include_usage=True, reasoning=more.pop("reasoning", None))
    return Agent("Forecaster", instructions="Be brief.", model=model, model_settings=settings, **more)


async def run(agent: Agent) -> dict[str, object]:
    """A whole run, loop included."""
    done = await Runner.run(agent, QUESTION, run_config=QUIET)
    output = done.final_output
    usage = done.context_wrapper.usage
    return {
        "output": output.model_dump() if isinstance(output, BaseModel) else output,
        "items": [type(item).__name__ for item in done.new_items],
        "usage": [usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens],
        "requests": usage.requests,
    }


async def talk(agent: Agent) -> dict[str, object]:
    """A second question, behind all that was said."""
    done = await Runner.run(agent, QUESTION, run_config=QUIET)
    asked = [*done.to_input_list(), {"role": "user", "content": "Again."}]
    return {"output": (await Runner.run(agent, asked, run_config=QUIET)).final_output, "length": len(asked)}


async def stream(agent: Agent) -> dict[str, object]:
    """A run that is watched."""
    running = Runner.run_streamed(agent, QUESTION, run_config=QUIET)
    pieces = [
        event.data.delta
        async for event in running.stream_events()
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
    ]
    return {"pieces": pieces, "output": running.final_output, "tokens": running.context_wrapper.usage.total_tokens}


async def refused() -> list[object]:
    """What a wrong key raises."""
    try:
        await run(make(connect(key=ASKED["key"] + "_")))
    except Exception as error:  # noqa: BLE001  # whatever it is
        return [type(error).__name__, getattr(error, "status_code", None)]
    return []


async def main() -> None:
    """All of it."""
    tools = [function_tool(weather)]
    medium = Reasoning(effort="medium")
    said = {
        "whole": await run(make(connect())),
        "loop": await run(make(connect(), tools=tools)),
        "streamed": await stream(make(connect(), tools=tools)),
        "talk": await talk(make(connect(), tools=tools)),
        "form": await run(make(connect(), tools=tools, output_type=Report)),
        "older": await run(make(connect(ASKED["older"]), tools=tools, reasoning=medium)),
        "refused": await refused(),
    }
    print(json.dumps(said))  # noqa: T201


asyncio.run(main())
