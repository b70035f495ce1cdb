"""A small, fixed history: one exchange of each sort, as the gateway would tell it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clearway.core.clock import SystemClock
from clearway.core.exchange import Admission, AttemptEnd, AttemptStart, Measure, Outcome, Record, Settlement
from clearway.core.ids import IdMaker
from clearway.core.usage import Billing, Cost, Usage
from clearway.keys.model import KeySpec
from clearway.ledger.store import Store
from clearway.pricing.cost import cost
from clearway.pricing.prices import PriceList
from tests.ledger.stories import keep

START_US = 1_795_219_190_000_000
"""2026-11-20 23:59:50 UTC: ten seconds before a new day."""
OPUS = "claude-opus-4-5-20251101"
SONNET = "claude-sonnet-4-5"
CACHED = Usage(
    input_tokens=12, cache_read_tokens=48_112, cache_write_5m_tokens=1_024, output_tokens=512, thinking_tokens=100
)
BARE = Usage(input_tokens=1_200, output_tokens=345, service_tier="standard")


def exchange_id(number: int) -> str:
    """The id of the `number`th exchange; they are five seconds apart."""
    text = f"{(START_US // 1000) + number * 5_000:012x}"
    return f"{text[:8]}-{text[8:]}-7000-8000-{number:012d}"


def history(key_id: str | None) -> list[Record]:
    """Everything that was written about all exchanges."""
    return [
        *_exchange(1, OPUS, CACHED, billing="plan", client_credential=True),
        *_exchange(2, SONNET, BARE, billing="billed", key_id=key_id),
        *_exchange(3, SONNET, None, outcome="upstream_error", status=429, error_type="rate_limit_error"),
        *_exchange(4, SONNET, Usage(input_tokens=900, output_tokens=40, estimated=True), outcome="client_closed"),
        *_exchange(5, "glm-9", BARE, billing="billed", key_id=key_id),
        *_exchange(6, "\x1b[31mevil\x1b[0m\u202emodel", None, outcome="denied", status=403, error_code="not_allowed"),
        *_exchange(7, SONNET, None, outcome="upstream_error", status=None, error_code="upstream_unreachable"),
        _admission(8, OPUS, None, client_credential=True),
    ]


@contextmanager
def store_with_history(data_dir: Path) -> Iterator[Store]:
    """A store that holds the history, with one key called `team`."""
    clock = SystemClock()
    with Store.open("sqlite", data_dir, clock=clock, ids=IdMaker(clock)) as store:
        key = store.create_key(KeySpec(name="team")).key
        keep(store, *history(key.id))
        yield store


def _admission(number: int, model: str, key_id: str | None, *, client_credential: bool) -> Admission:
    return Admission(
        id=exchange_id(number),
        instance_id="0" * 36,
        admitted_us=START_US + number * 5_000_000,
        wire="messages",
        endpoint="messages",
        method="POST",
        path="/v1/messages",
        key_id=key_id,
        client_credential=client_credential,
        session_id=f"5e55104{number}-0000-4000-8000-000000000000",
        client_name="claude-cli",
        client_version="2.1.329",
        request_model=model,
        stream=True,
        request_bytes=123_456,
    )


def _exchange(  # noqa: PLR0917  # a table of histories
    number: int,
    model: str,
    usage: Usage | None,
    outcome: Outcome = "ok",
    status: int | None = 200,
    error_type: str | None = None,
    error_code: str | None = None,
    billing: Billing = "billed",
    key_id: str | None = None,
    client_credential: bool = False,  # noqa: FBT001, FBT002  # a table of histories
) -> list[Record]:
    admission = _admission(number, model, key_id, client_credential=client_credential)
    done = usage is not None and outcome == "ok"
    measure = Measure(
        status=status,
        error_type=error_type,
        error_code=error_code,
        response_model=model if usage else None,
        response_id="msg_0123" if usage else None,
        upstream_request_id="req_0123" if status else None,
        stop_reason="end_turn" if done else None,
        response_bytes=4_321,
        first_byte_us=380_000 if usage else None,
        first_token_us=412_345 if usage else None,
        total_us=12_345_678 if usage else 41_000,
        usage=usage,
        cost=_cost(usage, model, billing, admission.admitted_us),
    )
    ended_us = admission.admitted_us + (measure.total_us or 0)
    start = AttemptStart(
        exchange_id=admission.id,
        number=1,
        upstream="own-login" if client_credential else "api",
        kind="passthrough" if client_credential else "anthropic",
        model=model,
        started_us=admission.admitted_us + 1_000,
    )
    end = AttemptEnd(exchange_id=admission.id, number=1, ended_us=ended_us, outcome=outcome, measure=measure)
    is_denied = outcome == "denied"
    settlement = Settlement(
        exchange_id=admission.id,
        ended_us=ended_us,
        outcome=outcome,
        upstream=None if is_denied else start.upstream,
        kind=None if is_denied else start.kind,
        attempts=0 if is_denied else 1,
        measure=measure,
    )
    return [admission, settlement] if is_denied else [admission, start, end, settlement]


def _cost(usage: Usage | None, model: str, billing: Billing, at_us: int) -> Cost | None:
    return None if usage is None else cost(usage, model, at_us=at_us, billing=billing, prices=PriceList.shipped())
