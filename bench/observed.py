"""What metrics and the live feed take for each exchange: measured in this process, by what the gateway calls.

They cannot be switched off, so that no two gateways could be compared.
Used by bench/cases/cpu.
"""

import time

from clearway.core.exchange import Admission, AttemptEnd, AttemptStart, Finished, Measure, Settlement, Tried
from clearway.core.usage import Cost, Usage
from clearway.observe.feed import LiveFeed
from clearway.observe.feeds import Feeds
from clearway.observe.tally import Tally

_ID = "01a21e54-eaec-7000-a030-47b852245401"
_ROUNDS = 20_000
_MEASURE = Measure(
    status=200,
    response_model="claude-sonnet-5-5",
    first_byte_us=900_000,
    first_token_us=1_000_000,
    total_us=2_000_000,
    usage=Usage(input_tokens=12, output_tokens=9),
    cost=Cost(nano=171, price_version="1", billing="billed"),
)
_ADMISSION = Admission(
    id=_ID,
    instance_id=_ID,
    admitted_us=1,
    wire="messages",
    endpoint="messages",
    method="POST",
    path="/v1/messages",
    key_name="bench",
    request_model="claude-sonnet-5-5",
    stream=False,
)
_START = AttemptStart(exchange_id=_ID, number=1, upstream="api", kind="anthropic", model="m", started_us=1)
_END = AttemptEnd(exchange_id=_ID, number=1, ended_us=2, outcome="ok", measure=_MEASURE)
_SETTLEMENT = Settlement(
    exchange_id=_ID, ended_us=2, outcome="ok", upstream="api", kind="anthropic", attempts=1, measure=_MEASURE
)


def observed_us() -> float:
    """CPU for one exchange, in microseconds: nobody watches, and someone will ask for the metrics."""
    tally = Tally()
    feeds = Feeds(LiveFeed(), [tally])
    began = time.process_time()
    for _ in range(_ROUNDS):
        feeds.admitted(_ADMISSION)
        feeds.first_token(_ID)
        feeds.settled(Finished(_ADMISSION, (Tried(_START, _END),), _SETTLEMENT))
    tally.count()
    return (time.process_time() - began) / _ROUNDS * 1e6
