"""What must hold after recordings went through a gateway: its ledger and the official SDK.

The ledger's rows are compared with what each recording says of itself; streams are
folded by the `anthropic` SDK from the very bytes that a client received.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import anthropic
import httpx2
import msgspec
from anthropic.types.beta import BetaMessage

from clearway.core.clock import SystemClock
from clearway.core.ids import IdMaker
from clearway.ledger.protocol import AttemptRow, ExchangeQuery, ExchangeRow, UsageQuery
from clearway.ledger.store import Store
from clearway.wire.messages.watch import BodyWatch
from tests.gateway_process import GatewayProcess
from tests.recordings.asking import Answered, Asked
from tests.recordings.recorded import COUNTS, SEVERAL, TRAILING, Recorded, genuine, told

EXCHANGE = "x-clearway-exchange"
# The ledger leaves out what an iteration does not say.
_NO_RUN = {
    "kind": "message",
    "model": None,
    "input_tokens": 0,
    "cache_read_tokens": 0,
    "cache_write_5m_tokens": 0,
    "cache_write_1h_tokens": 0,
    "output_tokens": 0,
}


@dataclass(frozen=True, slots=True)
class Passed:
    """One exchange with a gateway, and what it left in the ledger."""

    asked: Asked
    answered: Answered
    row: ExchangeRow
    attempts: tuple[AttemptRow, ...]

    @property
    def recorded(self) -> Recorded:
        """The recording behind it."""
        return self.asked.recorded

    @property
    def is_metered(self) -> bool:
        """What the ledger says of the answer must equal what the recording says."""
        return self.recorded.is_model_call and SEVERAL not in self.recorded.notes


def settle(
    gateway: GatewayProcess, asked: Sequence[Asked], answered: Sequence[Answered], *, others: int = 0
) -> list[Passed]:
    """End the gateway and read its ledger; the sums of the ledger must be those of its rows.

    Args:
        gateway: Which one.
        asked: What it was asked.
        answered: What it answered, in the same order.
        others: How many further exchanges it has refused.
    """
    assert gateway.stop() == 0, gateway.log
    assert "watch_failed" not in gateway.log
    assert "exchange_failed" not in gateway.log
    with _store(gateway) as store:
        rows = {row.id: row for row in store.exchanges(ExchangeQuery(limit=10_000))}
        passed = [
            Passed(
                one, answer, rows[answer.header(EXCHANGE) or ""], store.exchange(answer.header(EXCHANGE) or "").attempts
            )
            for one, answer in zip(asked, answered, strict=True)
        ]
        total = store.usage(UsageQuery(by=("total",)))[0]

    assert len(rows) == len(asked) + others
    for name in (
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_5m_tokens",
        "cache_write_1h_tokens",
    ):
        assert sum(getattr(row, name) or 0 for row in rows.values()) == getattr(total, name), name
    return passed


@contextmanager
def _store(gateway: GatewayProcess) -> Iterator[Store]:
    clock = SystemClock()
    with Store.open("sqlite", gateway.data_dir, clock=clock, ids=IdMaker(clock)) as store:
        yield store


def check_row(passed: Passed, *, kind: str, billing: str) -> None:
    """The row of an exchange that was answered as recorded.

    Args:
        passed: The exchange.
        kind: Of the upstream.
        billing: Who was charged.
    """
    one, row = passed.recorded, passed.row
    endpoint = "messages" if one.is_model_call else "count_tokens" if one.is_count else "relay"
    expected: dict[str, object] = {
        "wire": "messages",
        "endpoint": endpoint,
        "method": one.method,
        "path": one.path.partition("?")[0],
        "outcome": "upstream_error" if one.status == 429 else "ok",
        "status": one.status,
        "kind": kind,
        "attempts": 1,
        "error_code": None,
        "estimated": False,
        "request_bytes": len(passed.asked.body),
        "upstream_request_id": _request_id(one),
    }
    if endpoint != "relay":
        body = json.loads(passed.asked.body)
        expected |= {"request_model": body["model"], "stream": body.get("stream", False) if one.is_model_call else None}
    if not (one.notes & {SEVERAL, TRAILING}):
        # An exchange is settled with its message_stop: what comes behind it is not counted.
        expected["response_bytes"] = len(passed.answered.body)
    if passed.is_metered:
        expected |= told(one)
        expected["billing"] = billing if expected["output_tokens"] is not None else None

    _check_equal(one, expected, row)
    assert len(passed.attempts) == 1, one.id
    shared = {name: value for name, value in expected.items() if name in AttemptRow.__struct_fields__}
    _check_equal(one, shared, passed.attempts[0])


def _request_id(one: Recorded) -> str | None:
    return genuine(one.headers.get("request-id") or one.headers.get("x-request-id"))


def _check_equal(one: Recorded, expected: Mapping[str, object], row: ExchangeRow | AttemptRow) -> None:
    """The row has what is expected; where not, both are told."""
    seen = {name: getattr(row, name) for name in expected}
    if isinstance(runs := seen.get("iterations"), str):
        seen["iterations"] = [{**_NO_RUN, **run} for run in json.loads(runs)]
    differences = {name: (value, seen[name]) for name, value in expected.items() if value != seen[name]}

    assert not differences, f"{one.id} (expected, in the ledger): {differences}"


def check_fold(passed: Passed) -> None:
    """The message that the SDK makes of the received bytes has the usage of the ledger.

    A stream's folded message, seen by the gateway as a plain answer, would be counted alike.
    """
    message = _fold(passed.answered, is_stream=passed.recorded.sse is not None)
    usage = message.usage
    expected: dict[str, object] = {
        "response_id": message.id,
        "stop_reason": message.stop_reason,
        "input_tokens": usage.input_tokens,
        "cache_read_tokens": usage.cache_read_input_tokens or 0,
        "output_tokens": usage.output_tokens,
        "web_search_requests": usage.server_tool_use.web_search_requests or 0 if usage.server_tool_use else 0,
        "thinking_tokens": usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else 0,
        "service_tier": usage.service_tier,
    }
    row = passed.row
    written = (row.cache_write_5m_tokens or 0) + (row.cache_write_1h_tokens or 0)

    _check_equal(passed.recorded, expected, row)
    assert (usage.cache_creation_input_tokens or 0) == written, passed.recorded.id
    watch = BodyWatch()
    watch.feed(message.to_json(indent=None).encode())
    watch.close()
    counted = watch.usage()
    _check_equal(passed.recorded, {name: getattr(counted, name) for name in COUNTS}, row)
    kept = msgspec.json.encode(counted.iterations) if counted and counted.iterations else b"null"
    assert msgspec.json.decode(row.iterations or "null") == msgspec.json.decode(kept), passed.recorded.id


def _fold(answered: Answered, *, is_stream: bool) -> BetaMessage:
    """What the official SDK makes of an answer's bytes; nothing goes over a wire here."""
    kind = "text/event-stream" if is_stream else "application/json"
    answer = httpx2.Response(200, headers={"content-type": kind}, content=answered.body)
    transport = httpx2.MockTransport(lambda _: answer)
    with httpx2.Client(transport=transport) as http:
        messages = anthropic.Anthropic(api_key="dummy", max_retries=0, http_client=http).beta.messages
        if not is_stream:
            return messages.create(model="claude-haiku-4-5", max_tokens=1, messages=[])
        with messages.stream(model="claude-haiku-4-5", max_tokens=1, messages=[]) as stream:
            return stream.get_final_message()
