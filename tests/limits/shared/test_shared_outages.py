"""What happens when the Valkey is away, forgets, or a gateway dies."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fake_upstream import Gate, json_answer, stream_answer
from tests.limits.purse import beginning, body, deltas, ending
from tests.limits.shared.several import Several, until
from tests.limits.test_budgets import ONE, OUTPUT, TEN_USD, codes
from tests.observe.scraped import scrape
from tests.services import Postgres, ValkeyProcess

pytestmark = pytest.mark.timeout(150)


@pytest.fixture
def scene(tmp_path: Path, database: Postgres) -> Iterator[Several]:
    """Two gateways, and a Valkey that may be ended."""
    with ValkeyProcess() as own, Several(tmp_path, database, own) as several:
        yield several


def test_away_and_back(scene: Several) -> None:
    """What is limited is refused within a second or so, in the client's format, with what to do; what is not passes.

    When it is back, empty, all goes on by itself, and everything that was spent is known.
    """
    key, name = scene.key(TEN_USD), scene.name()
    free = scene.key()
    assert [200] * 4 == [scene.ask(place % 2, key, body(output=OUTPUT)).head.status for place in range(4)]
    scene.spent(name)
    scene.purse.stage.play(json_answer({}))
    healthy = scene.gateways[0].cli("doctor", check=False).stdout
    scene.purse.stage.play(scene.purse.whole)
    scene.valkey.kill()

    began = time.monotonic()
    first = scene.ask(0, key, body(output=OUTPUT))
    took_s = time.monotonic() - began
    again = [scene.ask(place % 2, key, body(output=OUTPUT)) for place in range(4)]
    passed = [scene.ask(place, free, body(output=OUTPUT)).head.status for place in (0, 1)]
    ready = scene.get(0, key, "/ready").head.status
    metrics = scrape(scene.gateways[0].url)
    scene.purse.stage.play(json_answer({}))
    doctor = scene.gateways[0].cli("doctor", check=False)

    for whole in (first, *again):
        assert (503, "limits_unavailable") == (whole.head.status, whole.head.header("x-clearway-error"))
        assert "1" == whole.head.header("retry-after")
        assert "clearway doctor" in whole.error()[1]
    assert 2.5 > took_s
    assert [200, 200] == passed
    assert 503 == ready
    assert "shared limits: valkey://127.0.0.1" in healthy
    assert " answers (version " in healthy
    assert [0, 1] == [metrics.total("clearway_limits_" + name) for name in ("healthy", "errors_total")]
    assert "cannot be reached" in doctor.stdout

    scene.purse.stage.play(scene.purse.whole)
    scene.valkey.start()
    until(lambda: scene.get(0, key, "/ready").head.status == 200, "it is back")
    until(lambda: scene.ask(1, key, body(output=OUTPUT)).head.status == 200, "it is loaded")
    assert 5 == scene.use_up(key, body(output=OUTPUT))
    assert 10 * ONE == scene.spent(name).cost_nano == scene.wait_settled(name)["billed"]


def test_flushed(scene: Several) -> None:
    """Counters that are lost under load are made again: never more than ten, and in the end the sums agree."""
    key, name = scene.key(TEN_USD), scene.name()
    asked = body(output=OUTPUT, stream=True)
    assert [200] * 3 == [scene.ask(place % 2, key, asked).head.status for place in range(3)]
    scene.spent(name)
    with scene.valkey.client() as client:
        client.flushall()
    answers = scene.ask_all(key, asked, 60)
    served = 3 + codes(answers)[200, ""]
    until(lambda: scene.ask(0, key, asked).head.status != 503, "it is loaded")
    rows = scene.spent(name)
    before = rows.cost_nano // ONE
    assert before >= served
    scene.use_up(key, asked)

    assert 10 * ONE == scene.spent(name).cost_nano == scene.wait_settled(name)["billed"]


def test_stuck(scene: Several) -> None:
    """A server that says nothing is as one that is away: nobody waits for it longer than a second or so."""
    key = scene.key(TEN_USD)
    assert 200 == scene.ask(0, key, body(output=OUTPUT)).head.status
    scene.valkey.signal(signal.SIGSTOP)
    began = time.monotonic()
    answers = [scene.ask(place % 2, key, body(output=OUTPUT)).head.status for place in range(4)]
    took_s = time.monotonic() - began
    scene.valkey.signal(signal.SIGCONT)

    assert [503] * 4 == answers
    assert 6 > took_s
    until(lambda: scene.ask(1, key, body(output=OUTPUT)).head.status == 200, "it is back")


def test_a_stream_that_cannot_top_up(scene: Several) -> None:
    """A stream goes on with what it holds; when that is used up and nobody can say whether there is more it is cut."""
    key = scene.key("1usd")
    gate = Gate()
    endless = {"input_tokens": 20, "output_tokens": 50_000}
    scene.purse.stage.play(
        lambda _: stream_answer([*beginning(endless), *deltas(100), gate, *deltas(50_000), *ending(endless)])
    )
    try:
        with scene.client(0) as client:
            client.ask(body(output=100_000, stream=True), [("x-api-key", key)])
            assert 200 == client.read_head().status
            client.read_until(b"content_block_delta")
            scene.valkey.kill()
            gate.open()
            rest, complete = client.read_rest()
    finally:
        scene.purse.stage.play(scene.purse.whole)

    assert not complete
    assert 1000 <= rest.count(b"content_block_delta") // 2 <= 4096 * 1.2
    scene.valkey.start()
    until(lambda: scene.ask(1, key, body(output=OUTPUT)).head.status == 200, "it is back")


def test_killed(scene: Several) -> None:
    """What a gateway that was killed had settled is spent; what it held is given back when its lease is over."""
    key, name = scene.key("0.0302usd"), scene.name()
    assert [200] * 2 == [scene.ask(place, key, body(output=OUTPUT)).head.status for place in (0, 1)]
    gate = Gate()
    used = {"input_tokens": 20, "output_tokens": OUTPUT}
    scene.purse.stage.play(lambda _: stream_answer([*beginning(used), *deltas(10), gate, *ending(used)]))
    try:
        with scene.client(1) as client:
            client.ask(body(output=4000, stream=True), [("x-api-key", key)])
            assert 200 == client.read_head().status
            client.read_until(b"content_block_delta")
            scene.gateways[1].kill()
    finally:
        scene.purse.stage.play(scene.purse.whole)
    refused = scene.ask(0, key, body(output=OUTPUT))
    scene.gateways[1].start()
    until(lambda: scene.ask(1, key, body(output=OUTPUT)).head.status == 200, "it is given back", within_s=90)

    assert (429, "limit_exceeded") == (refused.head.status, refused.head.header("x-clearway-error"))
    scene.use_up(key, body(output=OUTPUT))
    assert scene.spent(name).cost_nano == scene.wait_settled(name)["billed"]
    assert 0.0302e9 >= scene.spent(name).cost_nano


def test_stopped_in_good_order(scene: Several) -> None:
    """A gateway that ends leaves exactly what it spent, and holds nothing; one that comes goes on from there."""
    key, name = scene.key(TEN_USD), scene.name()
    assert [200] * 4 == [scene.ask(place % 2, key, body(output=OUTPUT)).head.status for place in range(4)]
    scene.gateways[1].stop()
    assert 4 * ONE == scene.wait_settled(name)["billed"]
    scene.gateways[1].start()

    until(lambda: scene.ask(1, key, body(output=OUTPUT)).head.status == 200, "it counts again")
    assert 5 == scene.use_up(key, body(output=OUTPUT))
    assert 10 * ONE == scene.spent(name).cost_nano == scene.wait_settled(name)["billed"]


def test_started_before_its_server(tmp_path: Path, database: Postgres) -> None:
    """A gateway starts without the Valkey, serves what is not limited, and counts as soon as it is there."""
    with ValkeyProcess() as valkey:
        valkey.kill()
        with Several(tmp_path, database, valkey, count=1) as one:
            free, key = one.purse.key(), one.purse.key(TEN_USD)
            assert [200, 503] == [one.ask(0, asking, body(output=OUTPUT)).head.status for asking in (free, key)]
            valkey.start()
            until(lambda: one.ask(0, key, body(output=OUTPUT)).head.status == 200, "it counts")
            assert 9 == one.use_up(key, body(output=OUTPUT))


def test_a_wrong_password(tmp_path: Path, database: Postgres) -> None:
    """A server that refuses the password is one that does not answer; the reason is told, the password is not."""
    with ValkeyProcess() as valkey, Several(tmp_path, database, valkey, count=1) as one:
        one.gateways[0].stop()
        (tmp_path / "password").write_text("dummy-and-wrong")
        one.gateways[0].start()
        key = one.purse.key(TEN_USD)
        refused = one.ask(0, key, body(output=OUTPUT))
        one.purse.stage.play(json_answer({}))
        doctor = one.gateways[0].cli("doctor", check=False).stdout
        log = one.gateways[0].log

    assert (503, "limits_unavailable") == (refused.head.status, refused.head.header("x-clearway-error"))
    assert "it refuses the password" in doctor
    assert '"limits_unreachable"' in log
    assert "dummy-and-wrong" not in doctor + log
