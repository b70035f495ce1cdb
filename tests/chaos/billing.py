"""An upstream that writes down what it bills, token by token and with the time.

Owns the journal against which the ledger is held after a kill: what was made, when,
and for which request. Each delta of a stream is one token; a plain answer is billed
whole when it is written. Used by tests/chaos/killing.py.
"""

import asyncio
import time
from dataclasses import dataclass, field

import msgspec

from tests.fake_upstream import Answer, FakeUpstream, Gate, Piece, Received, json_answer, stream_answer
from tests.relay.wire_client import MODEL, prompt

INPUT = 17
"""Billed for each request, when its answer begins."""


class Plan(msgspec.Struct, frozen=True):
    """What a client asks for, told in its prompt."""

    tokens: int
    gap_s: float
    """Before each token of a stream; before the whole of a plain answer."""
    stream: bool

    def body(self) -> bytes:
        """The request that asks for it."""
        return prompt(msgspec.json.encode(self).decode(), stream=self.stream)


@dataclass
class Bill:
    """Of one request that came."""

    request_id: str
    made: list[tuple[float, int]] = field(default_factory=list)
    """Moments (monotonic) and how many tokens were billed at each, input among the first."""

    @property
    def total(self) -> int:
        """All tokens."""
        return sum(tokens for _, tokens in self.made)

    def since(self, moment: float) -> int:
        """Tokens that were billed at `moment` or later."""
        return sum(tokens for at, tokens in self.made if at >= moment)


class _Made(Gate):
    """A place in an answer where, after a while, tokens are billed."""

    def __init__(self, bill: Bill, tokens: int, after_s: float) -> None:
        super().__init__()
        self._bill = bill
        self._tokens = tokens
        self._after_s = after_s

    async def pass_through(self) -> None:
        """Wait, and write it down before a byte of it goes out."""
        await asyncio.sleep(self._after_s)
        self._bill.made.append((time.monotonic(), self._tokens))


class BillingUpstream(FakeUpstream):
    """Answers what the prompts ask for and keeps a bill for each request."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.bills: list[Bill] = []

    def _answer(self, received: Received) -> Answer:
        bill = Bill(received.header("x-client-request-id") or "")
        number = len(self.bills)
        self.bills.append(bill)
        asked = msgspec.json.decode(received.body, type=_Asked)
        plan = msgspec.json.decode(asked.messages[0]["content"], type=Plan)
        return _stream(bill, plan, number) if plan.stream else _plain(bill, plan, number)


class _Asked(msgspec.Struct):
    messages: list[dict[str, str]]


def _message(number: int, output: int) -> dict[str, object]:
    return {
        "id": f"msg_billed{number:08}",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": INPUT, "output_tokens": output},
    }


def _event(name: str, **members: object) -> bytes:
    # Compact, as the API writes: a delta of one token is read as one token.
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode({"type": name, **members}))


def _plain(bill: Bill, plan: Plan, number: int) -> Answer:
    said = _message(number, plan.tokens) | {
        "content": [{"type": "text", "text": "done"}],
        "stop_reason": "end_turn",
    }
    return Answer((_Made(bill, INPUT + plan.tokens, plan.gap_s), *json_answer(said).pieces))


def _stream(bill: Bill, plan: Plan, number: int) -> Answer:
    pieces: list[Piece] = [
        _Made(bill, INPUT, 0),
        _event("message_start", message=_message(number, 0)),
        _event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    ]
    delta = _event("content_block_delta", index=0, delta={"type": "text_delta", "text": "x"})
    for _ in range(plan.tokens):
        pieces += [_Made(bill, 1, plan.gap_s), delta]
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    pieces += [
        _event("content_block_stop", index=0),
        _event("message_delta", delta=end, usage={"output_tokens": plan.tokens}),
        _event("message_stop"),
    ]
    return stream_answer(pieces)
