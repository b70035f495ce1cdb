"""A scripted model for the loops of real clients: it thinks, asks for the weather of three cities, and tells it.

Owns what the real API would refuse: a call whose result is missing, late or another's, and a thought that is not
what it was. What it says follows from the request alone, so that any client in any format can be asked.
Rules: Anthropic's documentation, "Tool use" and "Extended thinking" (read 2026-11-21).
Used by tests/clients, through any door of a gateway.
"""

import base64
import itertools
import json
from collections.abc import Iterator
from typing import Any

from tests.chat.telling import end, start, text, thinking, tool_use
from tests.fake_upstream import Answer, Gate, Piece, Received, error_answer, json_answer, stream_answer

ROUNDS = (("Oslo", "Rome"), ("Bergen",))
"""The cities that are asked for: two at once, then one."""
WAIT = "wait"
TOLD = "Rain in Oslo, Rome and Bergen \u2602."
REPORT = {"city": "Oslo", "degrees": 3}
"""What is said where a form is asked for: by a schema, or by a tool whose input has degrees."""
USED = [910, 700, 50]
"""What every answer has used, as OpenAI counts: prompt, that of it which was cached, answer; of tests/chat/telling."""
MODELS = [{"type": "model", "id": "claude-sonnet-5-5", "display_name": "x", "created_at": "2026-09-01T00:00:00Z"}]
Block = dict[str, Any]


def rain(city: str) -> str:
    """What a client's tool must answer."""
    return f"rain in {city}"


def thought(number: int) -> Block:
    """The block of thinking in front of a round."""
    signature = base64.b64encode(f"signature {number}".encode()).decode()
    return {"type": "thinking", "thinking": f"Thought {number}: \u00fcber \U0001f327.", "signature": signature}


KEPT = [[thought(number)] for number in range(len(ROUNDS))]


class Weather:
    """The model, and what it was asked.

    What comes without tools and forms is answered by `TOLD` at once.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self.turns: list[Turn] = []
        """Every request since the last `forget`."""

    def forget(self) -> None:
        """Begin anew."""
        self.turns = []

    def answer(self, received: Received) -> Answer:
        """The script."""
        if received.method == "GET":
            return json_answer({"data": MODELS, "has_more": False, "first_id": None, "last_id": None})
        turn = Turn(received.json(), next(self._numbers))
        self.turns.append(turn)
        problem = next(turn.problems(), None)
        if problem:
            return error_answer(400, "invalid_request_error", problem)
        return stream_answer(turn.says(), headers=[("request-id", "req_weather")])

    @property
    def loops(self) -> list[list[list[Block]]]:
        """The thoughts that came back in each loop that was finished, round by round: `KEPT`, where none was lost."""
        return [turn.thoughts for turn in self.turns if len(turn.rounds) == len(ROUNDS)]


class Turn:
    """One request."""

    def __init__(self, asked: object, number: int) -> None:
        self._id = f"msg_weather{number}"  # never the same twice: some clients look
        assert isinstance(asked, dict)
        self.asked: dict[str, Any] = asked
        self._messages = [(message["role"], _blocks(message["content"])) for message in asked["messages"]]

    @property
    def rounds(self) -> list[list[Block]]:
        """What the model has said so far in which it called the tool, block by block."""
        name = self._tool("city")
        said = [blocks for role, blocks in self._messages if role == "assistant"]
        return [blocks for blocks in said if any(block.get("name") == name for block in blocks)]

    @property
    def thoughts(self) -> list[list[Block]]:
        """Those that came back, round by round."""
        return [[block for block in blocks if "thinking" in block["type"]] for blocks in self.rounds]

    def problems(self) -> Iterator[str]:
        """Why the real API would refuse it."""
        known = [thought(number) for number in range(len(ROUNDS) + 1)]
        for (role, blocks), (_, after) in zip(self._messages, [*self._messages[1:], ("", [])], strict=True):
            calls = [block for block in blocks if block["type"] == "tool_use"]
            for call, result in zip(calls, [*after, *({},) * len(calls)], strict=False):
                if call["id"] != result.get("tool_use_id"):
                    yield f"tool_use {call['id']} has no tool_result directly after it"
                elif "city" in call["input"] and "degrees" not in call["input"]:
                    said = json.dumps(result["content"], ensure_ascii=False)
                    if rain(call["input"]["city"]) not in said:
                        yield f"{call['id']} has the result of another: {said}"
            thoughts = [block for block in blocks if role == "assistant" and "thinking" in block["type"]]
            if [block for block in thoughts if block not in known]:
                yield f"a thought was changed: {thoughts}"
            if thoughts != blocks[: len(thoughts)]:
                yield "thoughts come first"
        last = self.rounds[-1:]
        if self.thinks == "enabled" and last and not self.thoughts[-1]:
            yield "a final assistant message must start with a thinking block"

    def says(self) -> Iterator[Piece]:
        """The events of the answer; to who says `WAIT`, no end of it."""
        number = len(self.rounds)
        yield start(message_id=self._id)
        blocks = self.thinks not in ("", "disabled")
        if blocks:
            made = thought(number)
            half = len(made["thinking"]) // 2
            yield thinking(0, made["thinking"][:half], made["thinking"][half:], signature=made["signature"])
        tool, report, form = self._tool("city"), self._tool("degrees"), json.dumps(REPORT)
        if tool and number < len(ROUNDS):
            for index, city in enumerate(ROUNDS[number]):
                yield tool_use(blocks + index, f"toolu_{number}_{index}", tool, '{"city": ', f'"{city}"}}')
            yield end("tool_use")
        elif report:
            yield tool_use(int(blocks), "toolu_report", report, form[:9], form[9:])
            yield end("tool_use")
        else:
            said = form if self._wants_form else TOLD
            yield text(int(blocks), said[:5], said[5:])
            if self._messages[-1][1][-1].get("text") == WAIT:
                yield Gate()
            yield end()

    @property
    def thinks(self) -> str:
        """The kind of thinking that is asked for; empty for none."""
        kind: str = self.asked.get("thinking", {}).get("type", "")
        return kind

    @property
    def _wants_form(self) -> bool:
        """By a schema, or in words."""
        return "format" in self.asked.get("output_config", {}) or "JSON" in str(self.asked.get("system"))

    def _tool(self, member: str) -> str:
        """The first tool with such a member in its input, that of degrees apart from the other."""
        for tool in self.asked.get("tools", ()):
            members = tool.get("input_schema", {}).get("properties", {})
            if member in members and (member == "degrees") == ("degrees" in members):
                name: str = tool["name"]
                return name
        return ""


def _blocks(content: object) -> list[Block]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)  # type: ignore[call-overload]
