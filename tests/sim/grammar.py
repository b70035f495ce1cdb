"""The grammar of a stream, as a machine that accepts or refuses; and a fold of it.

Written from the wire facts alone (`spec/anthropic.md` section 2): it shares no code
with what it checks.
"""

import json

from anthropic.types import Message

from tests.sim.asking import EVENTS, Got, Json

_DELTAS = {
    "text": {"text_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
}
_EMPTY: dict[str, Json] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
}


class Machine:
    """Accepts events one after the other.

    States: `start`, `between` blocks, `inside` a block, `closing` after
    message_delta, `over`.
    """

    def __init__(self) -> None:
        self.state = "start"
        self.message: Json = {}
        self.blocks: list[Json] = []
        self.pings = 0
        self.deltas = 0
        self._json = ""

    def feed(self, name: str, data: Json) -> None:
        """Take one event; an AssertionError says what is wrong with it."""
        if name == "error":
            assert self.state not in ("start", "over")
            self.state = "over"
            return
        if name != "ping":
            EVENTS.validate_python(data)
        getattr(self, f"_{name}")(data)

    def _ping(self, data: Json) -> None:
        assert self.state in ("between", "inside")
        assert data == {"type": "ping"}
        self.pings += 1

    def _message_start(self, data: Json) -> None:
        assert self.state == "start"
        self.message = _object(data["message"])
        assert self.message["content"] == []
        assert self.message["stop_reason"] is None
        assert _object(self.message["usage"])["output_tokens"] in (0, 1)
        self.state = "between"

    def _content_block_start(self, data: Json) -> None:
        assert self.state == "between"
        assert data["index"] == len(self.blocks)
        block = dict(_object(data["content_block"]))
        expected = _EMPTY[str(block["type"])]
        assert expected == {key: block[key] for key in expected}
        self.blocks.append(block)
        self._json = ""
        self.state = "inside"

    def _content_block_delta(self, data: Json) -> None:
        assert self.state == "inside"
        assert data["index"] == len(self.blocks) - 1
        block, delta = self.blocks[-1], _object(data["delta"])
        kind = str(delta["type"])
        assert kind in _DELTAS[str(block["type"])]
        assert not block.get("signature"), "nothing follows a signature"
        match kind:
            case "text_delta":
                block["text"] = str(block["text"]) + str(delta["text"])
            case "thinking_delta":
                block["thinking"] = str(block["thinking"]) + str(delta["thinking"])
            case "signature_delta":
                block["signature"] = delta["signature"]
            case _:
                self._json += str(delta["partial_json"])
        self.deltas += 1

    def _content_block_stop(self, data: Json) -> None:
        assert self.state == "inside"
        assert data["index"] == len(self.blocks) - 1
        block = self.blocks[-1]
        if block["type"] == "tool_use":
            block["input"] = json.loads(self._json)
        assert block["type"] != "thinking" or block["signature"]
        self.state = "between"

    def _message_delta(self, data: Json) -> None:
        assert self.state == "between"
        delta, usage = _object(data["delta"]), _object(data["usage"])
        self.message |= delta
        if "context_management" in data:
            self.message["context_management"] = data["context_management"]
        before = _object(self.message["usage"])
        told = {name: usage[name] for name in usage if "input" in name}
        assert told == {name: before[name] for name in told}
        assert len(told) == 3
        self.message["usage"] = {**before, **usage}
        self.state = "closing"

    def _message_stop(self, data: Json) -> None:
        assert self.state == "closing"
        assert data == {"type": "message_stop"}
        self.state = "over"


def _object(value: object) -> Json:
    assert isinstance(value, dict)
    return value


def run(got: Got) -> Machine:
    """Take every event of an answer."""
    assert got.status == 200
    assert got.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert got.headers["request-id"].startswith("req_")
    machine = Machine()
    for name, data in got.events():
        machine.feed(name, data)
    return machine


def fold(got: Got) -> Json:
    """A whole stream as the message that it is."""
    machine = run(got)
    assert machine.state == "over"
    assert machine.pings >= 1
    folded = {**machine.message, "content": machine.blocks}
    Message.model_validate(folded)
    return folded
