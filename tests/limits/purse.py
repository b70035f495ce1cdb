"""A gateway with keys that have budgets, in front of an upstream that bills what it was told to.

Owns the prices of the scene and what a request costs: a model with round prices, answers
with a chosen usage, and the bill that the upstream itself keeps. Used by the tests of
budgets and limits.
"""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import msgspec

from clearway.core.budget import parse_budget
from clearway.keys.model import KeySpec
from clearway.ledger.protocol import UsageQuery, UsageRow
from tests.fake_upstream import Answer, Piece, Received, json_answer, stream_answer
from tests.relay.stage import Stage
from tests.relay.wire_client import Client, Whole

MODEL = "claude-round"
INPUT_NANO, OUTPUT_NANO = 1_000, 5_000
"""Nano-dollars for a token: 1 and 5 dollars for a million."""
PRICES = {
    "models": [
        {
            "id": MODEL,
            "prices": [
                {
                    "standard": [
                        {
                            "input": INPUT_NANO * 1_000_000,
                            "output": OUTPUT_NANO * 1_000_000,
                            "cache_read": 100 * 1_000_000,
                            "cache_write_5m": 1_250 * 1_000_000,
                            "cache_write_1h": 2_000 * 1_000_000,
                        }
                    ]
                }
            ],
        }
    ]
}


def body(*, output: int, stream: bool = False, model: str = MODEL, text: str = "hi") -> bytes:
    """A request that asks for `output` tokens."""
    asked = {
        "model": model,
        "max_tokens": output,
        "messages": [{"role": "user", "content": text}],
        "stream": stream,
    }
    return msgspec.json.encode(asked)


def cost_nano(used: dict[str, int]) -> int:
    """What a usage costs."""
    return used["input_tokens"] * INPUT_NANO + used["output_tokens"] * OUTPUT_NANO


def served_of(left_nano: int, one_nano: int) -> set[int]:
    """How many requests at `one_nano` each are served one after the other: what is held for one is up to a
    hundred tokens of prompt more than is paid for it, so with just enough left it is one or none.
    """
    return {left_nano // one_nano, (left_nano - 100 * INPUT_NANO) // one_nano}


class Purse:
    """The scene while the context is open.

    Args:
        home: An empty directory.
        settings: The beginning of the configuration.
        usage: Further lines of its table `[usage]`.
        input_tokens: What each request is billed for its prompt.
    """

    def __init__(self, home: Path, *, settings: str = "", usage: str = "", input_tokens: int = 20) -> None:
        prices = home / "prices.json"
        prices.write_bytes(msgspec.json.encode(PRICES))
        self._input_tokens = input_tokens
        self._lock = threading.Lock()
        self.billed: list[int] = []
        """What the upstream charged, in nano-dollars, answer by answer."""
        self.stage = Stage(home, settings=f'{settings}\n[usage]\nprices = "{prices}"\n{usage}')

    def __enter__(self) -> Self:
        self.stage.upstream.__enter__()
        self.stage.gateway.__enter__()
        self.stage.play(self.whole)
        return self

    def __exit__(self, *exception: object) -> None:
        self.stage.gateway.__exit__(None, None, None)
        self.stage.upstream.__exit__(None, None, None)

    def usage(self, received: Received) -> dict[str, int]:
        """What an answer uses: all the output that was asked for."""
        asked = received.json()
        assert isinstance(asked, dict)
        return {"input_tokens": self._input_tokens, "output_tokens": asked["max_tokens"]}

    def whole(self, received: Received) -> Answer:
        """A whole answer, plain or as a stream, and its bill."""
        if received.target.endswith("/count_tokens"):
            return json_answer({"input_tokens": self._input_tokens})
        used = self.usage(received)
        with self._lock:
            self.billed.append(cost_nano(used))
        asked = received.json()
        assert isinstance(asked, dict)
        if asked["stream"]:
            return stream_answer([*beginning(used), *deltas(used["output_tokens"]), *ending(used)])
        return json_answer({**_message(used), "content": [{"type": "text", "text": "hello"}]})

    def key(self, *budgets: str, **limits: object) -> str:
        """The secret of a new key."""
        spec = KeySpec(name=f"key {len(self.stage.books.ledger.list_keys(revoked=True)) + 1}")
        given = {"budgets": tuple(map(parse_budget, budgets)), **limits}
        return self.stage.books.new_key(msgspec.structs.replace(spec, **given))

    def client(self) -> Client:
        """A connection."""
        return self.stage.client()

    def ask(self, key: str, asked: bytes, *fields: tuple[str, str], target: str = "/v1/messages") -> Whole:
        """One request on a connection of its own."""
        with self.client() as client:
            client.ask(asked, [("x-api-key", key), *fields], target=target)
            return client.read_whole()

    def ask_all(self, keys: Iterable[str], asked: bytes, *, target: str = "/v1/messages") -> list[Whole]:
        """Many requests, fifty of them at one moment."""
        with ThreadPoolExecutor(50) as pool:
            return list(pool.map(lambda key: self.ask(key, asked, target=target), keys))

    def spent(self, name: str | None = None) -> UsageRow:
        """By a key, or by all, as the ledger has it."""
        self.stage.books.wait_written()
        rows = self.stage.books.ledger.usage(UsageQuery(by=("total",), key=name))
        assert rows, "nothing was asked"
        return rows[0]


def event(name: str, **members: object) -> bytes:
    """One event, as lean as the real ones: output is estimated by bytes."""
    data = msgspec.json.encode({"type": name, **members})
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


def _message(used: dict[str, int]) -> dict[str, object]:
    return {
        "id": "msg_purse0001",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": used,
    }


def beginning(used: dict[str, int]) -> list[Piece]:
    """The first events of a stream."""
    start = {**_message({**used, "output_tokens": 1}), "stop_reason": None}
    return [
        event("message_start", message=start),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    ]


def deltas(count: int) -> list[Piece]:
    """A token in each."""
    one = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "word"})
    return [one] * count


def ending(used: dict[str, int]) -> list[Piece]:
    """The last events."""
    return [
        event("content_block_stop", index=0),
        event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage=used),
        event("message_stop"),
    ]
