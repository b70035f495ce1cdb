"""pydantic-ai against a gateway; prints one JSON object with what came back.

Run by tests/clients/test_pydantic_ai.py in an environment of its own; what is asked is its only argument, in JSON.
"""

import asyncio
import base64
import json
import sys

from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, ModelResponse, NativeOutput, ThinkingPart
from pydantic_ai.models import Model
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel, OpenAIResponsesModelSettings
from pydantic_ai.models.openrouter import OpenRouterModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openrouter import OpenRouterProvider

ASKED = json.loads(sys.argv[1])
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGD4DwABBAEAX+XDSwAAAABJRU5ErkJggg=="
QUESTION = "What is the weather?"
MEDIUM = OpenAIResponsesModelSettings(openai_reasoning_effort="medium")
SHOWN = OpenAIResponsesModelSettings(openai_reasoning_summary="auto")
THINKS = OpenAIModelProfile(openai_supports_reasoning=True, openai_supports_encrypted_reasoning_content=True)
"""What it knows of OpenAI's own models that think."""


def weather(city: str) -> str:
    """Weather of a city."""
    return f"rain in {city}"


class Report(BaseModel):
    """A form."""

    city: str
    degrees: int


def connect(name: str = ASKED["model"], key: str = ASKED["key"]) -> Model:
    """As its documentation says for a server that is not OpenAI's."""
    provider = OpenAIProvider(base_url=ASKED["url"], api_key=key)
    if ASKED["wire"] == "responses":
        return OpenAIResponsesModel(name, provider=provider, profile=THINKS, settings=SHOWN)
    return OpenAIChatModel(name, provider=provider)


def connect_otherwise() -> Model:
    """Of Chat Completions its model for OpenRouter, which keeps signatures; that of Responses as it is, without being
    told that the model thinks.
    """
    other = {"base_url": ASKED["other"]["url"], "api_key": ASKED["other"]["key"]}
    if ASKED["wire"] == "responses":
        return OpenAIResponsesModel(ASKED["model"], provider=OpenAIProvider(**other))
    client = AsyncOpenAI(**other, default_headers={"x-clearway-reasoning": "openrouter"})
    return OpenRouterModel(f"anthropic/{ASKED['model']}", provider=OpenRouterProvider(openai_client=client))


def run(agent: Agent, question: object = QUESTION) -> dict[str, object]:
    """A whole run, loop included."""
    done = agent.run_sync(question)
    answers = [message for message in done.all_messages() if isinstance(message, ModelResponse)]
    thoughts = [part for answer in answers for part in answer.parts if isinstance(part, ThinkingPart)]
    return {
        "output": done.output.model_dump() if isinstance(done.output, BaseModel) else done.output,
        "usage": [done.usage.input_tokens, done.usage.cache_read_tokens, done.usage.output_tokens],
        "requests": done.usage.requests,
        "thoughts": [[part.content, part.signature] for part in thoughts],
        "models": sorted({answer.model_name for answer in answers}),
    }


async def stream() -> dict[str, object]:
    """A loop whose last answer is read as it comes, and a form that fills."""
    async with Agent(connect(), tools=[weather]).run_stream(QUESTION) as running:
        pieces = [piece async for piece in running.stream_text(delta=True, debounce_by=None)]
        usage = running.usage
    async with Agent(connect(), output_type=Report).run_stream("Report.") as running:
        forms = [form.model_dump() async for form in running.stream_output(debounce_by=None)]
    return {"pieces": pieces, "tokens": [usage.input_tokens, usage.output_tokens], "form": forms[-1]}


def refused() -> list[object]:
    """What a wrong key raises."""
    try:
        Agent(connect(key=ASKED["key"] + "_")).run_sync("hi")
    except Exception as error:  # noqa: BLE001  # whatever it is
        return [type(error).__name__, getattr(error, "status_code", None)]
    return []


picture = BinaryContent(base64.b64decode(PIXEL), media_type="image/png")
print(  # noqa: T201
    json.dumps(
        {
            "whole": run(Agent(connect(), instructions="Be brief.")),
            "loop": run(Agent(connect(), tools=[weather])),
            "otherwise": run(Agent(connect_otherwise(), tools=[weather])),
            "older": run(Agent(connect(ASKED["older"]), tools=[weather], model_settings=MEDIUM)),
            "form": run(Agent(connect(), tools=[weather], output_type=Report)),
            "native": run(Agent(connect(), output_type=NativeOutput(Report))),
            "streamed": asyncio.run(stream()),
            "image": run(Agent(connect()), ["What is it?", picture]),
            "refused": refused(),
        }
    )
)
