"""What the official SDK for Python makes of our refusals: the right class, and a retry only where one helps."""

from collections.abc import Callable, Iterator
from pathlib import Path

import anthropic
import httpx2
import pytest

from tests.clients.answers import say
from tests.clients.sdk import connect, forget_this_machine
from tests.fake_upstream import FakeUpstream
from tests.gateway_process import GatewayProcess
from tests.gateway_process import anthropic as own_credential

pytestmark = [pytest.mark.client, pytest.mark.timeout(60)]

MODEL = "claude-sonnet-5-5"
Made = Callable[[GatewayProcess], str]


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forget_this_machine(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One gateway; each case has a key of its own."""
    with (
        FakeUpstream(lambda received: say("scripted answer", received)) as upstream,
        GatewayProcess(
            tmp_path_factory.mktemp("refusals"),
            own_credential(upstream.url),
            environment={"UPSTREAM_CREDENTIAL": "dummy-credential"},
        ) as running,
    ):
        yield running


def _revoked(gateway: GatewayProcess) -> str:
    key = gateway.new_key("revoked")
    gateway.cli("keys", "revoke", "revoked")
    return key


FINAL: list[tuple[str, Made, type[anthropic.APIStatusError]]] = [
    (
        "a spent budget",
        lambda gateway: gateway.new_key("spent", "--budget", "0.000001usd/day"),
        anthropic.RateLimitError,
    ),
    (
        "a model that is not allowed",
        lambda gateway: gateway.new_key("narrow", "--model", "claude-haiku-*"),
        anthropic.PermissionDeniedError,
    ),
    ("a revoked key", _revoked, anthropic.AuthenticationError),
    ("an unknown key", lambda _: "cw-" + "x" * 49, anthropic.AuthenticationError),
]


def _ask(client: anthropic.Anthropic) -> anthropic.types.Message:
    return client.messages.create(model=MODEL, max_tokens=10, messages=[{"role": "user", "content": "hi"}])


@pytest.mark.parametrize(("made", "expected"), [case[1:] for case in FINAL], ids=[case[0] for case in FINAL])
def test_final_refusals(gateway: GatewayProcess, made: Made, expected: type[anthropic.APIStatusError]) -> None:
    """The class by which a program tells them apart, after one request: a retry would be in vain."""
    seen: list[httpx2.Request] = []
    with (
        connect(gateway.url, made(gateway), retries=2, seen=seen.append) as client,
        pytest.raises(expected, match="Clearway: ") as raised,
    ):
        _ask(client)

    assert 1 == len(seen)
    assert raised.value.request_id


def test_a_limit_passes(gateway: GatewayProcess) -> None:
    """A limit per minute is the same class, and is retried when `retry-after` says so: then it is let through."""
    key = gateway.new_key("slow", "--rpm", "30")
    seen: list[httpx2.Request] = []
    with connect(gateway.url, key) as client:
        for _ in range(30):
            _ask(client)
        with pytest.raises(anthropic.RateLimitError, match="30 requests per minute") as raised:
            _ask(client)
    with connect(gateway.url, key, retries=2, seen=seen.append) as patient:
        answer = _ask(patient)

    assert "2" >= raised.value.response.headers["retry-after"]
    assert "end_turn" == answer.stop_reason
    assert 2 <= len(seen) <= 3
