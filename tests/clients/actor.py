"""A scripted model for a coding agent: it thinks before all that it says, and says what its scene has.

Owns what the real API would refuse: a call whose result is missing, late or another's, a thought that is lost
or not what it was, an end with the assistant, a tool that was not offered. Which part of the scene it is at
follows from the request alone, so that a request that comes again is answered again.
Rules: Anthropic's documentation, "Tool use" and "Extended thinking" (read 2026-11-21).
Used by tests/clients/test_codex.
"""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.chat.telling import end, start, text, thinking, tool_use
from tests.fake_upstream import Answer, Piece, Received, error_answer, stream_answer

Json = dict[str, Any]
Call = tuple[str, Json]
Part = str | Sequence[Call]
"""What is said in one answer: a text, or calls of tools by name and input."""
Scene = Sequence[Part | Callable[[Json], Part]]
"""Answer by answer; what is made of the request, where it depends on that."""


def thought(number: int) -> Json:
    """The block of thinking in front of an answer."""
    signature = base64.b64encode(f"signature {number}".encode()).decode()
    return {"type": "thinking", "thinking": f"Thought {number}: \u00fcber \U0001f327.", "signature": signature}


def said(part: Part, number: int, find: Callable[[str], str] = str) -> list[Piece]:
    """The events of one answer.

    Args:
        part: What is said.
        number: How many answers came before.
        find: A tool's name as it was offered.
    """
    made = thought(number)
    pieces: list[Piece] = [start(), thinking(0, *made["thinking"].partition(" "), signature=made["signature"])]
    if isinstance(part, str):
        return [*pieces, text(1, part[:3], part[3:]), end()]
    for index, (name, given) in enumerate(part):
        whole = json.dumps(given)
        pieces.append(tool_use(index + 1, f"toolu_{number}_{index}", find(name), whole[:7], whole[7:]))
    return [*pieces, end("tool_use")]


class Actor:
    """Plays one scene after the other, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Json] = []
        self._scenes: dict[str, Scene] = {}
        self._instead: dict[int, list[Answer]] = {}

    def play(self, *parts: Part | Callable[[Json], Part], to: str = "") -> None:
        """The scene; `to` whoever begins with these words, where there are several."""
        self._scenes[to] = parts

    def instead(self, number: int, *answers: Answer) -> None:
        """What is answered first where so many answers came before."""
        self._instead[number] = list(answers)

    def clear(self) -> None:
        """Forget all."""
        self.asked, self._scenes, self._instead = [], {}, {}

    def answer(self, received: Received) -> Answer:
        """The script."""
        asked = received.json()
        assert isinstance(asked, dict)
        self.asked.append(asked)
        number = len([message for message in asked["messages"] if message["role"] == "assistant"])
        problem = next(_problems(asked), None)
        if problem:
            return error_answer(400, "invalid_request_error", problem)
        if self._instead.get(number):
            return self._instead[number].pop(0)
        words = json.dumps(asked["messages"][0])
        scene = next(parts for to, parts in sorted(self._scenes.items(), reverse=True) if to in words)
        part = scene[number]
        return stream_answer(said(part(asked) if callable(part) else part, number, lambda name: _offered(asked, name)))


def results(asked: Json, number: int) -> list[str]:
    """What came of the calls of one answer, in the order of the request."""
    at = [index for index, message in enumerate(asked["messages"]) if message["role"] == "assistant"][number]
    blocks = asked["messages"][at + 1]["content"]
    return [json.dumps(block["content"]) for block in blocks if block["type"] == "tool_result"]


def _offered(asked: Json, name: str) -> str:
    """The tool of that name, which may be one of a namespace."""
    names: list[str] = [tool["name"] for tool in asked.get("tools", ())]
    return next(known for known in names if known == name or known.endswith(f"__{name}"))


def _problems(asked: Json) -> Iterator[str]:
    messages = [(message["role"], _blocks(message["content"])) for message in asked["messages"]]
    if messages[-1][0] == "assistant":
        yield "the conversation must end with a user message"
    number = 0
    for (role, blocks), (_, after) in zip(messages, [*messages[1:], ("", [])], strict=True):
        if role != "assistant":
            continue
        calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        found = [block["tool_use_id"] for block in after[: len(calls)] if block["type"] == "tool_result"]
        if calls != found:
            yield f"tool_use {calls} has the results {found} directly after it"
        thoughts = [block for block in blocks if "thinking" in block["type"]]
        if thoughts not in ([], [thought(number)]) or thoughts != blocks[: len(thoughts)]:
            yield f"thought {number} was changed: {thoughts}"
        if calls and not thoughts:
            yield f"thought {number} was lost"
        number += 1


def _blocks(content: object) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)  # type: ignore[call-overload]
