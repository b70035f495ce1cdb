"""Soft thresholds: whoever is to be told hears of a budget that is nearly spent, once, and nothing is refused."""

from pathlib import Path

import msgspec
import pytest

from tests.fake_upstream import FakeUpstream, answer
from tests.limits.purse import Purse, body

pytestmark = pytest.mark.timeout(60)


def test_a_threshold_is_told_once(tmp_path: Path) -> None:
    """By webhook and in the log: which budget, how much of it; not again with the next request."""
    with FakeUpstream(lambda _: answer(b"ok")) as receiver:
        usage = f'webhooks = ["{receiver.url}/hook"]\nthresholds = [0.5, 0.9]\n'
        with Purse(tmp_path, usage=usage) as purse:
            key = purse.key("0.01usd/month")
            asked = body(output=380)
            statuses = [purse.ask(key, asked).head.status for _ in range(5)]
            told = [msgspec.json.decode(got.body, type=dict[str, object]) for got in receiver.wait_received(2)]
            purse.stage.gateway.stop()
            log = purse.stage.gateway.log

    assert [200] * 5 == statuses
    assert 2 == len(receiver.received)
    assert ["budget", "budget"] == [str(message["type"]).partition(".")[0] for message in told]
    assert all("key 1" in str(message["text"]) for message in told), told
    assert 2 == log.count('"event": "budget_threshold"')
