"""A ledger that cannot be written: what could not be kept is not served, until it can be kept again."""

import resource
from collections.abc import Callable

from tests.fake_upstream import json_answer
from tests.relay.stage import Stage, wait_until
from tests.relay.wire_client import Whole, prompt


def _ask(stage: Stage) -> Whole:
    with stage.client() as client:
        client.ask(prompt(stream=False), [stage.key_field])
        return client.read_whole()


def _ready(stage: Stage) -> int:
    with stage.client() as client:
        client.request("GET", "/ready")
        return client.read_whole().head.status


def test_refused_until_it_can_be_written(build_stage: Callable[[], Stage]) -> None:
    """While the ledger's file cannot grow, requests are 503 of ours and reach nobody; afterwards all goes on."""
    stage = build_stage()
    stage.play(json_answer({"type": "message"}))
    assert 200 == _ask(stage).head.status
    size = (stage.gateway.data_dir / "ledger.db-wal").stat().st_size
    _, hard = resource.prlimit(stage.gateway.pid, resource.RLIMIT_FSIZE)
    # A file that may not grow is a disk that is full, for one process (setrlimit(2)).
    resource.prlimit(stage.gateway.pid, resource.RLIMIT_FSIZE, (size, hard))

    wait_until(lambda: _ask(stage).head.status == 503, "requests are refused")

    before = len(stage.received)
    refused = _ask(stage)
    assert (503, "ledger_unavailable") == (refused.head.status, refused.head.header("x-clearway-error"))
    assert "api_error" == refused.error()[0]
    assert refused.head.header("retry-after")
    assert before == len(stage.received)
    assert 503 == _ready(stage)

    resource.prlimit(stage.gateway.pid, resource.RLIMIT_FSIZE, (hard, hard))
    wait_until(lambda: _ready(stage) == 200, "it is ready again")
    kept = _ask(stage)
    assert 200 == kept.head.status
    assert "ok" == stage.books.settled(kept.head.exchange_id).outcome
