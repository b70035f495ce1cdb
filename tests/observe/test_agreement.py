"""The metrics and the ledger say the same, to the nano-dollar and the token."""

import re
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from clearway.keys.model import KeySpec
from clearway.ledger.protocol import ExchangeRow, UsageQuery
from tests.clients.answers import events, message
from tests.fake_upstream import Answer, Cut, Received, error_answer, json_answer, stream_answer
from tests.observe.scraped import Scraped, scrape
from tests.relay.stage import Stage, wait_until
from tests.relay.wire_client import OWN_CREDENTIAL, Client, prompt

MODELS = ("claude-sonnet-5-5", "claude-haiku-4-5", "claude-opus-4-1", "a-model-without-price")
KINDS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
ROUNDS = 12
PLAN = ("authorization", "Bearer sk-ant-oat01-" + "dummy" * 8)
_SEEN = threading.Lock()


class Play:
    """What the upstream says: every kind of answer in turn, with numbers that differ."""

    def __init__(self) -> None:
        self._number = 0

    def __call__(self, received: Received) -> Answer:
        """The next answer."""
        with _SEEN:
            self._number += 1
            number = self._number
        if received.target != "/v1/messages":
            return json_answer({"input_tokens": number, "data": [], "has_more": False})
        asked = received.json()
        assert isinstance(asked, dict)
        model, how = str(asked["model"]), str(asked["metadata"]["user_id"])
        pieces = [_numbered(piece, number) for piece in events("some words", model)]
        match how:
            case "stream":
                return stream_answer(pieces)
            case "cut":
                return stream_answer([*pieces[:4], Cut.RST])
            case "error-in-stream":
                told = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"no"}}\n\n'
                return stream_answer([*pieces[:4], told])
            case "plain":
                said = message("some words", model)
                usage = {**_usage(number), "output_tokens": number, "server_tool_use": {"web_search_requests": 2}}
                return json_answer({**said, "usage": usage})
            case _:
                return error_answer(int(how), f"error_{how}", "no")


def _usage(number: int) -> dict[str, object]:
    return {
        "input_tokens": 1000 + number,
        "cache_read_input_tokens": 7 * number,
        "cache_creation_input_tokens": 5 * number,
        "cache_creation": {"ephemeral_5m_input_tokens": 2 * number, "ephemeral_1h_input_tokens": 3 * number},
        "output_tokens": 1,
    }


def _numbered(piece: bytes, number: int) -> bytes:
    plain = msgspec.json.encode(_usage(number))[1:-1]
    piece = re.sub(rb'"input_tokens":11,.*?"output_tokens":1(?=})', plain, piece)
    return piece.replace(b'"output_tokens":9', b'"output_tokens":%d' % (9 + number))


def _ask(stage: Stage, field: tuple[str, str], how: str, model: str) -> None:
    with Client(stage.gateway.url) as client:
        if how == "models":
            client.request("GET", "/v1/models", [field])
        elif how == "count_tokens":
            client.ask(prompt(model=model, stream=False), [field], "/v1/messages/count_tokens")
        else:
            streams = how in {"stream", "cut", "error-in-stream", "leave"}
            told = "stream" if how == "leave" else how
            body = msgspec.json.decode(prompt(model=model, stream=streams), type=dict[str, object])
            client.ask(msgspec.json.encode({**body, "metadata": {"user_id": told}}), [field])
        if how == "leave":
            client.read_head()
            client.leave()
        else:
            client.read_whole()


@pytest.fixture(scope="module")
def driven(stage: Stage) -> tuple[Stage, Scraped, list[ExchangeRow]]:
    """Some hundreds of exchanges of every kind, eight at once, and somebody who collects meanwhile."""
    books = stage.books
    keys = [("x-api-key", books.new_key(KeySpec(name=name))) for name in ("ada", "grace")]
    narrow = ("x-api-key", books.new_key(KeySpec(name="narrow", models=("claude-haiku-*",))))
    stage.play(Play())
    hows = ("stream", "plain", "cut", "error-in-stream", "leave", "400", "404", "429", "500", "529")
    asks: list[tuple[tuple[str, str], str, str]] = []
    for round_ in range(ROUNDS):
        model = MODELS[round_ % len(MODELS)]
        for field in (*keys, OWN_CREDENTIAL, PLAN):
            asks += [(field, how, model) for how in (*hows, "count_tokens", "models")]
        asks.append((narrow, "plain", model))
        asks.append((("x-api-key", "cw-of-nobody"), "plain", model))
    done = threading.Event()

    def collect() -> int:
        times = 0
        while not done.is_set():
            text = scrape(stage.gateway.url)
            assert text.families
            times += 1
        return times

    with ThreadPoolExecutor(9) as pool:
        collecting = pool.submit(collect)
        try:
            for one in [pool.submit(_ask, stage, *ask) for ask in asks]:
                one.result(60)
        finally:
            done.set()
        assert collecting.result(60) > 3
    strangers = ROUNDS
    rows = books.later_than(stage._mark, len(asks) - strangers)  # noqa: SLF001  # where the script began
    books.wait_idle()
    wait_until(lambda: not scrape(stage.gateway.url).total("clearway_ledger_waiting_exchanges"), "all is written")
    return stage, scrape(stage.gateway.url), rows


@pytest.mark.timeout(120)
def test_exchanges(driven: tuple[Stage, Scraped, list[ExchangeRow]]) -> None:
    """Each exchange is counted once, by endpoint, outcome and upstream, and by key; strangers are counted apart."""
    _, seen, rows = driven
    expected = Counter((row.endpoint, str(row.outcome), row.upstream or "") for row in rows)
    by_key = Counter((row.key_name or "",) for row in rows)

    assert {"ok", "upstream_error", "client_closed", "denied"} <= {outcome for _, outcome, _ in expected}
    assert expected == seen.sums("clearway_exchanges_total", "endpoint", "outcome", "upstream")
    assert by_key == seen.sums("clearway_key_exchanges_total", "key")
    assert len(rows) == seen.total("clearway_exchange_duration_seconds_count")
    assert len([row for row in rows if row.first_token_us is not None]) == seen.total(
        "clearway_time_to_first_token_seconds_count"
    )
    assert ROUNDS == seen.total("clearway_turned_away_total", code="invalid_key")


def test_errors(driven: tuple[Stage, Scraped, list[ExchangeRow]]) -> None:
    """Errors are counted by our code or the upstream's word."""
    _, seen, rows = driven
    expected = Counter(
        (row.endpoint, str(row.error_code or row.error_type)) for row in rows if row.error_code or row.error_type
    )

    assert expected == seen.sums("clearway_exchange_errors_total", "endpoint", "error")


def test_attempts(driven: tuple[Stage, Scraped, list[ExchangeRow]]) -> None:
    """Each try of the ledger is counted, by upstream, outcome and status."""
    stage, seen, rows = driven
    tries = [attempt for row in rows if row.endpoint == "messages" for attempt in stage.books.attempts(row.id)]
    tries += [attempt for row in rows if row.endpoint != "messages" for attempt in stage.books.attempts(row.id)]
    expected = Counter((one.upstream, str(one.outcome), str(one.status or "")) for one in tries)

    assert expected == seen.sums("clearway_attempts_total", "upstream", "outcome", "status")


@pytest.mark.parametrize("by", ["model", "key", "upstream"])
def test_tokens_and_money(driven: tuple[Stage, Scraped, list[ExchangeRow]], by: str) -> None:
    """Tokens of every kind, what was billed, what was not, and what has no price: as `clearway usage` sums them."""
    stage, seen, _ = driven
    query = UsageQuery(by=("key",) if by == "key" else ("model",) if by == "model" else ("upstream",))
    usage = {row.group[by] or "": row for row in stage.books.ledger.usage(query)}
    prefix = "clearway_key" if by == "key" else "clearway"

    def figures(read: Callable[[str], int]) -> dict[tuple[str, ...], int]:
        return {(name,): read(name) for name in usage if read(name)}

    for kind in KINDS:
        expected = figures(lambda name, kind=kind: getattr(usage[name], f"{kind}_tokens"))  # type: ignore[misc]
        assert expected == seen.sums(f"{prefix}_tokens_total", by, kind=kind), kind
    assert figures(lambda name: usage[name].cost_nano) == seen.sums(f"{prefix}_cost_nanodollars_total", by)
    assert figures(lambda name: usage[name].estimate_nano) == seen.sums(f"{prefix}_estimate_nanodollars_total", by)
    if by != "key":
        assert figures(lambda name: usage[name].unpriced) == seen.sums("clearway_unpriced_exchanges_total", by)
        assert figures(lambda name: usage[name].estimated) == seen.sums("clearway_estimated_exchanges_total", by)
        searches = figures(lambda name: usage[name].web_search_requests)
        assert searches == seen.sums("clearway_server_tool_requests_total", by, tool="web_search")


def test_the_same_in_dollars(driven: tuple[Stage, Scraped, list[ExchangeRow]]) -> None:
    """USD are the nano-dollars, divided."""
    _, seen, _ = driven
    nano = {tuple(labels.items()): value for labels, value in seen.rows("clearway_cost_nanodollars_total")}
    usd = {tuple(labels.items()): value for labels, value in seen.rows("clearway_cost_usd_total")}

    assert sum(nano.values()) > 0
    assert usd == {labels: value / 1e9 for labels, value in nano.items()}


def test_nothing_runs_afterwards(driven: tuple[Stage, Scraped, list[ExchangeRow]]) -> None:
    """What is open, held or waiting is none, and the ledger is well."""
    _, seen, _ = driven

    assert 0 == seen.total("clearway_open_exchanges") == seen.total("clearway_open_streams")
    assert 0 == seen.total("clearway_requests_in_flight") == seen.total("clearway_request_bodies_bytes")
    assert 1 == seen.total("clearway_ledger_healthy") == seen.total("clearway_ready")
    assert 0 == seen.total("clearway_ledger_refused_exchanges_total")
    assert 0 == seen.total("clearway_ledger_batches") == seen.total("clearway_feed_watchers")
