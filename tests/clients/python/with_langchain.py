"""LangChain's ChatOpenAI against a gateway; prints one JSON object with what came back.

Run by tests/clients/test_langchain.py in an environment of its own; what is asked is its only argument, in JSON.
"""

import asyncio
import json
import sys

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr

ASKED = json.loads(sys.argv[1])
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGD4DwABBAEAX+XDSwAAAABJRU5ErkJggg=="


def weather(city: str) -> str:
    """Weather of a city."""
    return f"rain in {city}"


class Report(BaseModel):
    """A form."""

    city: str
    degrees: int


def connect(model: str = ASKED["model"], key: str = ASKED["key"], effort: str | None = None) -> ChatOpenAI:
    """As its documentation says for a server that is not OpenAI's."""
    return ChatOpenAI(
        model=model,
        base_url=ASKED["url"],
        api_key=SecretStr(key),
        max_retries=0,
        stream_usage=True,
        use_responses_api=ASKED["wire"] == "responses",
        reasoning_effort=effort,
    )


def gist(message: AIMessage) -> dict[str, object]:
    """What a program reads of an answer."""
    return {
        "text": message.text,
        "usage": message.usage_metadata,
        "finish_reason": message.response_metadata.get("finish_reason") or message.response_metadata.get("status"),
        "model": message.response_metadata.get("model_name"),
    }


def stream() -> dict[str, object]:
    """The pieces put together by LangChain itself."""
    pieces = list(connect().stream("hi"))
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    return {**gist(whole), "pieces": sum(bool(piece.text) for piece in pieces)}


def loop(connected: ChatOpenAI) -> dict[str, object]:
    """A loop written by hand."""
    model = connected.bind_tools([tool(weather)])
    messages: list[BaseMessage] = [HumanMessage("What is the weather?")]
    while True:
        answer = model.invoke(messages)
        messages.append(answer)
        if not answer.tool_calls:
            return {**gist(answer), "messages": len(messages)}
        messages += [ToolMessage(weather(**call["args"]), tool_call_id=call["id"]) for call in answer.tool_calls]


def agent() -> list[str]:
    """LangChain's own loop, streamed token by token, and whole."""
    made = create_agent(connect(), tools=[weather], system_prompt="Be brief.")
    question = {"messages": [{"role": "user", "content": "What is the weather?"}]}
    whole = made.invoke(question)["messages"][-1].text
    pieces = [piece.text for piece, _ in made.stream(question, stream_mode="messages") if piece.type != "tool"]
    return [whole, "".join(pieces)]


def structured() -> list[dict[str, object]]:
    """A form, by a schema and by a tool that must be called."""
    methods = ("json_schema", "function_calling")
    return [
        connect().with_structured_output(Report, method=method).invoke("Report.").model_dump() for method in methods
    ]


def image() -> str:
    """A picture beside text."""
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    return str(connect().invoke([HumanMessage([{"type": "text", "text": "What is it?"}, picture])]).text)


def refused() -> str:
    """What a wrong key raises."""
    try:
        connect(key=ASKED["key"] + "_").invoke("hi")
    except Exception as error:  # noqa: BLE001  # whatever it is
        return type(error).__name__
    return ""


print(  # noqa: T201
    json.dumps(
        {
            "whole": gist(connect().invoke("hi")),
            "later": gist(asyncio.run(connect().ainvoke("hi"))),
            "streamed": stream(),
            "loop": loop(connect()),
            "older": loop(connect(ASKED["older"], effort="medium")),
            "agent": agent(),
            "structured": structured(),
            "image": image(),
            "refused": refused(),
        }
    )
)
