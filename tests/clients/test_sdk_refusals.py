"""What the official SDKs make of our refusals: the right class, and a retry only where one helps.

Counted where requests arrive: what was refused by the gateway's own metrics, what was let
through at the upstream.
"""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Self

import msgspec
import pytest

from clearway.keys import secret
from tests.clients.answers import events, say
from tests.clients.askers import MODEL, Asker, Outcome, Question, ask_python, node_asker
from tests.clients.sdk import forget_this_machine
from tests.fake_upstream import Answer, FakeUpstream, Gate, Received, stream_answer
from tests.gateway_process import GatewayProcess
from tests.gateway_process import anthropic as own_credential
from tests.observe.scraped import scrape
from tests.relay.stage import Books, wait_until
from tests.relay.wire_client import Client

pytestmark = [pytest.mark.client, pytest.mark.timeout(90)]

SETTINGS = "[server]\nmax_in_flight = 2\nmax_body = '1MB'\n"
ONCE, ALL = 1, 3
"""Requests: the SDKs ask twice more by themselves."""


class House:
    """One gateway with narrow bounds, an upstream behind it, and a key for each case."""

    def __init__(self, home: Path) -> None:
        self._gates: list[Gate] = []
        self._made = 0
        self.upstream = FakeUpstream(self._play)
        self.gateway = GatewayProcess(
            home, SETTINGS + own_credential(self.upstream.url), environment={"UPSTREAM_CREDENTIAL": "dummy-credential"}
        )

    def _play(self, received: Received) -> Answer:
        if b"wait" not in received.body:
            return say("scripted answer", received)
        return stream_answer([*events("scripted answer", MODEL)[:2], self._gates[-1]])

    def key(self, *options: str) -> str:
        """A new one."""
        return self.gateway.new_key(self.name(), *options)

    def name(self) -> str:
        """Of the next key."""
        self._made += 1
        return f"key {self._made}"

    def refused(self) -> int:
        """How many requests the gateway has refused so far."""
        seen = scrape(self.gateway.url)
        denied = seen.total("clearway_exchanges_total", outcome="denied")
        return denied + seen.total("clearway_turned_away_total")

    @contextlib.contextmanager
    def busy(self, key: str, streams: int = 1) -> Iterator[Callable[[], None]]:
        """Streams run for `key`; what is yielded ends the last one."""
        asked = {"model": MODEL, "max_tokens": 10, "stream": True, "messages": [{"role": "user", "content": "wait"}]}
        with contextlib.ExitStack() as stack:
            for _ in range(streams):
                self._gates.append(Gate())
                client = stack.enter_context(Client(self.gateway.url))
                client.ask(msgspec.json.encode(asked), [("x-api-key", key)])
                assert client.read_head().status == 200
            yield self._gates[-1].open
        Books(self.gateway.data_dir).wait_idle()

    def __enter__(self) -> Self:
        self.upstream.__enter__()
        self.gateway.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.gateway.__exit__(None, None, None)
        self.upstream.__exit__(None, None, None)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all cases."""
    with House(tmp_path_factory.mktemp("refusals")) as house:
        yield house


@pytest.fixture(params=["python", "node"])
def ask(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Asker:
    """By each SDK."""
    if request.param == "node":
        return node_asker(request.getfixturevalue("node_program"), request.getfixturevalue("node_modules"), tmp_path)
    forget_this_machine(monkeypatch, tmp_path)
    return ask_python


def _revoked(house: House) -> str:
    name = house.name()
    key = house.gateway.new_key(name)
    house.gateway.cli("keys", "revoke", name)
    return key


def _expired(house: House) -> str:
    key = house.key("--expires", "1s")
    wait_until(lambda: _status(house, key) == 401, "the key has expired")
    return key


def _status(house: House, key: str) -> int:
    with Client(house.gateway.url) as client:
        client.request("GET", "/v1/models", [("x-api-key", key)])
        return client.read_whole().head.status


class Final(NamedTuple):
    """A refusal that waiting does not lift."""

    key: Callable[[House], str]
    name: str
    """The class, of both SDKs."""
    status: int
    kind: str
    says: str
    model: str = MODEL
    repeat: int = 1


DENIED = "AuthenticationError"
FINAL = [
    pytest.param(
        Final(
            lambda house: house.key("--budget", "0.000001usd/day"),
            "RateLimitError",
            429,
            "billing_error",
            "ask the owner of the gateway for more",
        ),
        id="a-spent-budget",
    ),
    pytest.param(
        Final(
            lambda house: house.key("--model", "claude-haiku-*"),
            "PermissionDeniedError",
            403,
            "permission_error",
            "claude-sonnet-5-5",
        ),
        id="a-model-that-is-not-allowed",
    ),
    pytest.param(Final(_revoked, DENIED, 401, "authentication_error", "revoked"), id="a-revoked-key"),
    pytest.param(Final(_expired, DENIED, 401, "authentication_error", "expired"), id="an-expired-key"),
    pytest.param(
        Final(lambda _: "cw-" + "x" * 49, DENIED, 401, "authentication_error", "Clearway: "), id="a-mistyped-key"
    ),
    pytest.param(
        Final(lambda _: secret.generate(), DENIED, 401, "authentication_error", "Clearway: "), id="an-unknown-key"
    ),
    pytest.param(
        Final(
            lambda house: house.key(),
            "ContentTooLargeError",
            413,
            "request_too_large",
            "Clearway: ",
            repeat=2_000_000,
        ),
        id="too-large",
    ),
]


@pytest.mark.parametrize("case", FINAL)
def test_final_refusals(house: House, ask: Asker, case: Final) -> None:
    """The class by which a program tells them apart, after one request: a retry would be in vain."""
    key = case.key(house)
    refused, served = house.refused(), len(house.upstream.received)

    outcome = ask(Question(url=house.gateway.url, key=key, model=case.model, repeat=case.repeat))

    assert case.name == outcome.name
    assert (case.status, case.kind) == (outcome.status, outcome.kind)
    assert case.says in outcome.message
    assert "Clearway: " in outcome.message
    assert outcome.request_id
    assert (ONCE, ONCE, 0) == (outcome.sent, house.refused() - refused, len(house.upstream.received) - served)


def test_a_limit_per_minute(house: House, ask: Asker) -> None:
    """It is a `RateLimitError`, retried when `retry-after` says so, and then let through."""
    key = house.key("--rpm", "30")
    question = Question(url=house.gateway.url, key=key)
    assert [200] * 30 == [_asked(house, key) for _ in range(30)]
    refused, served = house.refused(), len(house.upstream.received)

    hasty = ask(msgspec.structs.replace(question, retries=0))
    patient = ask(question)

    assert ("RateLimitError", 429, "rate_limit_error") == (hasty.name, hasty.status, hasty.kind)
    assert "30 requests per minute" in hasty.message
    assert 1 <= int(hasty.retry_after or 0) <= 2
    assert ("end_turn", hasty.sent + patient.sent - 1) == (patient.stop_reason, house.refused() - refused)
    assert 1 == len(house.upstream.received) - served


def test_requests_at_one_moment(house: House, ask: Asker) -> None:
    """Likewise: while others run it is refused, and retried until one of them has ended."""
    key = house.key("--parallel", "1")
    with house.busy(key) as end:
        _waits(house, ask, Question(url=house.gateway.url, key=key), end, ("RateLimitError", 429, "rate_limit_error"))


def test_overloaded(house: House, ask: Asker) -> None:
    """529 is an `OverloadedError`, and retried."""
    key = house.key()
    with house.busy(key, streams=2) as end:
        _waits(house, ask, Question(url=house.gateway.url, key=key), end, ("OverloadedError", 529, "overloaded_error"))


def _waits(
    house: House, ask: Asker, question: Question, end: Callable[[], None], expected: tuple[str, int, str]
) -> None:
    """Who waits for long enough is served; who does not hears why after as many requests as it makes."""
    refused, served = house.refused(), len(house.upstream.received)
    outcome = ask(question)

    assert expected == (outcome.name, outcome.status, outcome.kind)
    assert ("2", True) == (outcome.retry_after, "Clearway: " in outcome.message)
    assert (ALL, ALL, 0) == (outcome.sent, house.refused() - refused, len(house.upstream.received) - served)
    refused = house.refused()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, question)
        wait_until(lambda: house.refused() > refused, "it was refused once more")
        end()
        patient: Outcome = asked.result(60)
    assert ("end_turn", 1) == (patient.stop_reason, len(house.upstream.received) - served)
    assert patient.sent - 1 == house.refused() - refused


def _asked(house: House, key: str) -> int:
    asked = {"model": MODEL, "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}
    with Client(house.gateway.url) as client:
        client.ask(msgspec.json.encode(asked), [("x-api-key", key)])
        return client.read_whole().head.status
