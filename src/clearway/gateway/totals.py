"""What an exchange is told to have used: all of its attempts together.

Nearly always that is one attempt. An answer that paused was made by several, and each
was paid for. Pure. Used by gateway/bookkeeping.
"""

from collections.abc import Sequence

import msgspec

from clearway.core.exchange import Measure, Tried
from clearway.core.usage import Cost, total


def together(tries: Sequence[Tried], admitted_us: int, began_us: int) -> tuple[Measure, int]:
    """The measure of the last attempt, with what those before it used.

    Args:
        tries: All of them, in order, each over; one at least.
        admitted_us: When the exchange was admitted.
        began_us: How long after that the last one began.

    Returns:
        The measure, and how long after admission its durations begin.
    """
    last = tries[-1].end.measure
    paid = [tried for tried in tries if tried.end.measure.usage is not None]
    if not paid or (len(paid) == 1 and paid[0] is tries[-1]):
        return last, began_us
    costs = [tried.end.measure.cost for tried in paid]
    first = paid[0]
    seen = first.end.measure
    measure = msgspec.structs.replace(
        last,
        # Of the answer that the client heard, and under whose id.
        response_model=last.response_model or seen.response_model,
        response_id=seen.response_id,
        first_byte_us=seen.first_byte_us,
        first_token_us=seen.first_token_us,
        response_bytes=sum(tried.end.measure.response_bytes for tried in tries),
        usage=total([usage for tried in paid if (usage := tried.end.measure.usage) is not None]),
        cost=_sum([cost for cost in costs if cost is not None], is_known=None not in costs),
    )
    return measure, max(0, first.start.started_us - admitted_us)


def _sum(costs: Sequence[Cost], *, is_known: bool) -> Cost | None:
    """One price that is not known makes the sum unknown: it is never taken for 0."""
    if not costs:
        return None
    known = [cost.nano for cost in costs if cost.nano is not None]
    nano = sum(known) if is_known and len(known) == len(costs) else None
    return msgspec.structs.replace(costs[-1], nano=nano)
