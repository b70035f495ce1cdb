"""What an exchange of several attempts is told to have used."""

from clearway.core.exchange import AttemptEnd, AttemptStart, Measure, Tried
from clearway.core.usage import Cost, Usage
from clearway.gateway.totals import together

BEGAN_US = 1_000


def _tried(number: int, measure: Measure) -> Tried:
    at_us = BEGAN_US + number * 100
    start = AttemptStart(exchange_id="e", number=number, upstream="u", kind="sim", model="m", started_us=at_us)
    return Tried(start, AttemptEnd(exchange_id="e", number=number, ended_us=at_us, outcome="ok", measure=measure))


def _paid(output: int, nano: int | None) -> Measure:
    cost = Cost(nano=nano, price_version="v", billing="billed")
    return Measure(
        status=200, response_id=f"msg_{output}", stop_reason=f"of_{output}", first_byte_us=7, first_token_us=8,
        response_bytes=10, usage=Usage(input_tokens=1, output_tokens=output), cost=cost,
    )  # fmt: skip


def test_only_the_last_was_paid() -> None:
    """Refusals before it change nothing."""
    last = _paid(5, 50)
    refused = Measure(status=529, response_bytes=3)

    assert (last, 42) == together([_tried(1, refused), _tried(2, last)], BEGAN_US, 42)
    assert (refused, 42) == together([_tried(1, refused), _tried(2, refused)], BEGAN_US, 42)


def test_several_were_paid() -> None:
    """Sums, the end of the last one, and when the first one began to speak."""
    refused = Measure(status=400, response_bytes=3)
    tries = [_tried(1, refused), _tried(2, _paid(5, 50)), _tried(3, _paid(6, 60))]
    told, before_us = together(tries, BEGAN_US, 300)

    assert (200, 7, 8, "of_6", "msg_5", 23) == (
        before_us, told.first_byte_us, told.first_token_us, told.stop_reason, told.response_id, told.response_bytes,
    )  # fmt: skip
    assert (Usage(input_tokens=2, output_tokens=11), 110) == (told.usage, told.cost and told.cost.nano)


def test_the_last_was_not_paid() -> None:
    """What was used before it failed stays, with how it ended."""
    failed = Measure(status=500, error_type="api_error")
    told, before_us = together([_tried(1, _paid(5, 50)), _tried(2, failed)], BEGAN_US, 200)

    assert (100, 500, "api_error", None) == (before_us, told.status, told.error_type, told.stop_reason)
    assert (5, 50) == (told.usage and told.usage.output_tokens, told.cost and told.cost.nano)


def test_a_price_that_is_not_known() -> None:
    """It makes the sum unknown, and is never taken for nothing."""
    told, _ = together([_tried(1, _paid(5, 50)), _tried(2, _paid(6, None))], BEGAN_US, 200)

    assert told.cost is not None
    assert told.cost.nano is None
