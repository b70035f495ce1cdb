"""The official SDK for Python against the real gateway, with a key in both places where it may stand.

What it makes of errors is in tests/checks, b7 and b9.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import anthropic
import httpx2
import msgspec
import pytest

from tests.clients.answers import FINAL_OUTPUT, REQUEST_ID, USAGE, events, message, say
from tests.clients.sdk import Place, connect, connect_async, forget_this_machine
from tests.fake_upstream import Answer, Cut, FakeUpstream, Received, Script, json_answer, stream_answer
from tests.gateway_process import SIM, GatewayProcess, passthrough
from tests.gateway_process import anthropic as own_credential

pytestmark = [pytest.mark.client, pytest.mark.timeout(60)]

MODEL = "claude-sonnet-5-5"
Start = Callable[..., GatewayProcess]
Upstreams = Callable[[Script], FakeUpstream]

QUESTION: list[anthropic.types.MessageParam] = [{"role": "user", "content": "What is a gateway?"}]
TOOL: anthropic.types.ToolParam = {
    "name": "weather",
    "description": "Weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forget_this_machine(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One gateway with the simulated model; each test has a key of its own."""
    with GatewayProcess(tmp_path_factory.mktemp("sdk"), SIM) as running:
        yield running


@pytest.fixture(params=["x-api-key", "bearer"])
def place(request: pytest.FixtureRequest) -> Place:
    """Where the key stands in a request."""
    return "bearer" if request.param == "bearer" else "x-api-key"


@pytest.fixture
def key(gateway: GatewayProcess, request: pytest.FixtureRequest) -> str:
    """A key named after the test, so that the ledger's rows are told apart."""
    return gateway.new_key(request.node.name)


@pytest.fixture
def client(gateway: GatewayProcess, key: str, place: Place) -> Iterator[anthropic.Anthropic]:
    """A client that neither retries nor reads proxies from the environment."""
    with connect(gateway.url, key, place) as made:
        yield made


@pytest.fixture
async def async_client(gateway: GatewayProcess, key: str, place: Place) -> AsyncIterator[anthropic.AsyncAnthropic]:
    """The same, asynchronous."""
    async with connect_async(gateway.url, key, place) as made:
        yield made


def _rows(gateway: GatewayProcess, request: pytest.FixtureRequest, count: int) -> list[dict[str, object]]:
    """The exchanges of this test's key, oldest first, all settled."""
    rows = gateway.settled(count, "--key", request.node.name)

    assert count == len(rows)
    return rows


def _agrees(row: dict[str, object], said: anthropic.types.Usage, *, stream: bool) -> None:
    """The ledger says of one exchange what the client was told."""
    told = (said.input_tokens, said.cache_read_input_tokens or 0, said.output_tokens)

    assert told == (row["input_tokens"], row["cache_read_tokens"], row["output_tokens"])
    assert ("ok", 200, MODEL, MODEL) == tuple(
        row[name] for name in ("outcome", "status", "request_model", "response_model")
    )
    assert stream == bool(row["stream"])


def _text(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def test_message(client: anthropic.Anthropic, gateway: GatewayProcess, request: pytest.FixtureRequest) -> None:
    """A message comes back whole, and its usage is in the ledger under the key."""
    said = client.messages.create(model=MODEL, max_tokens=100, messages=QUESTION)

    assert "end_turn" == said.stop_reason
    assert "text" == said.content[0].type
    (row,) = _rows(gateway, request, 1)
    _agrees(row, said.usage, stream=False)
    (total,) = gateway.usage("--by", "key", "--key", request.node.name)
    assert (1, said.usage.output_tokens) == (total["exchanges"], total["output_tokens"])


def test_stream(client: anthropic.Anthropic, gateway: GatewayProcess, request: pytest.FixtureRequest) -> None:
    """A stream folds to the message that is given without one, and is counted alike."""
    whole = client.messages.create(model=MODEL, max_tokens=100, messages=QUESTION)
    with client.messages.stream(model=MODEL, max_tokens=100, messages=QUESTION) as stream:
        text = "".join(stream.text_stream)
        folded = stream.get_final_message()

    assert text == _text(whole) == _text(folded)
    first, second = _rows(gateway, request, 2)
    _agrees(first, whole.usage, stream=False)
    _agrees(second, folded.usage, stream=True)
    assert second["first_token_us"] is not None


async def test_async(
    async_client: anthropic.AsyncAnthropic, gateway: GatewayProcess, request: pytest.FixtureRequest
) -> None:
    """The asynchronous client gets the same, plain and streamed."""
    whole = await async_client.messages.create(model=MODEL, max_tokens=100, messages=QUESTION)
    async with async_client.messages.stream(model=MODEL, max_tokens=100, messages=QUESTION) as stream:
        folded = await stream.get_final_message()

    assert _text(whole) == _text(folded) != ""
    first, second = _rows(gateway, request, 2)
    _agrees(first, whole.usage, stream=False)
    _agrees(second, folded.usage, stream=True)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_tool_round_trip(client: anthropic.Anthropic, *, stream: bool) -> None:
    """Two parallel tool calls come out with their arguments, and their results go back in."""
    order = 'sim:tool weather {"city": "Z\u00fcrich"}\nsim:tool weather {"city": "Oslo"}'
    messages: list[anthropic.types.MessageParam] = [{"role": "user", "content": order}]

    called = _ask(client, messages, stream=stream)

    calls = [block for block in called.content if block.type == "tool_use"]
    assert "tool_use" == called.stop_reason
    assert [{"city": "Z\u00fcrich"}, {"city": "Oslo"}] == [call.input for call in calls]
    results: list[anthropic.types.ToolResultBlockParam] = [
        {"type": "tool_result", "tool_use_id": call.id, "content": "rain"} for call in calls
    ]
    followed = [*messages, {"role": "assistant", "content": called.content}, {"role": "user", "content": results}]
    answered = _ask(client, followed, stream=stream)  # type: ignore[arg-type]  # blocks go back in, as documented
    assert "end_turn" == answered.stop_reason


def _ask(
    client: anthropic.Anthropic, messages: list[anthropic.types.MessageParam], *, stream: bool
) -> anthropic.types.Message:
    if not stream:
        return client.messages.create(model=MODEL, max_tokens=500, messages=messages, tools=[TOOL])
    with client.messages.stream(model=MODEL, max_tokens=500, messages=messages, tools=[TOOL]) as opened:
        return opened.get_final_message()


def test_count_tokens(client: anthropic.Anthropic, gateway: GatewayProcess, request: pytest.FixtureRequest) -> None:
    """Counting works, costs nothing and agrees with what a message then uses."""
    counted = client.messages.count_tokens(model=MODEL, messages=QUESTION)
    said = client.messages.create(model=MODEL, max_tokens=10, messages=QUESTION)

    assert said.usage.input_tokens == counted.input_tokens
    first, _ = _rows(gateway, request, 2)
    assert ("count_tokens", "ok", None) == (first["endpoint"], first["outcome"], first["output_tokens"])


def test_models(client: anthropic.Anthropic) -> None:
    """The list of models pages as the SDK expects, and each of its ids can be asked for."""
    listed = [model.id for model in client.models.list(limit=2)]

    assert MODEL in listed
    assert len(set(listed)) == len(listed)
    assert MODEL == client.models.retrieve(MODEL).id
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("claude-never-was")


def test_bytes_are_untouched(start_gateway: Start, fake_upstream: Upstreams) -> None:
    """What the SDK wrote is what the upstream reads, and the other way round, to the byte."""
    upstream = fake_upstream(lambda received: say("scripted \u20ac", received))
    gateway = start_gateway(own_credential(upstream.url), environment={"UPSTREAM_CREDENTIAL": "sk-ant-dummy"})
    written: list[bytes] = []
    key = gateway.new_key("bytes")
    with connect(gateway.url, key, "bearer", seen=lambda request: written.append(request.content)) as client:
        whole = client.messages.with_raw_response.create(model=MODEL, max_tokens=10, messages=QUESTION)
        with client.messages.with_streaming_response.create(
            model=MODEL, max_tokens=10, messages=QUESTION, stream=True
        ) as stream:
            streamed = b"".join(stream.iter_bytes())

    assert written == [received.body for received in upstream.received]
    assert msgspec.json.encode(message("scripted \u20ac", MODEL)) == whole.http_response.content
    assert b"".join(events("scripted \u20ac", MODEL)) == streamed
    assert {"sk-ant-dummy"} == {received.header("x-api-key") for received in upstream.received}
    assert {None} == {received.header("authorization") for received in upstream.received}
    assert REQUEST_ID == whole.headers["request-id"]


def test_cut_stream_is_no_quiet_end(start_gateway: Start, fake_upstream: Upstreams) -> None:
    """A stream that the upstream breaks off is an error to the client, and counted with what had come."""

    def script(received: Received) -> Answer:
        return (
            stream_answer([*events("scripted", MODEL)[:4], Cut.RST]) if received.method == "POST" else json_answer({})
        )

    upstream = fake_upstream(script)
    gateway = start_gateway(passthrough(upstream.url))
    with (
        connect(gateway.url, "sk-ant-api03-dummy", "x-api-key") as client,
        pytest.raises((anthropic.APIConnectionError, httpx2.TransportError)),
        client.messages.stream(model=MODEL, max_tokens=10, messages=QUESTION) as stream,
    ):
        stream.until_done()

    assert 1 == len(upstream.received)
    (row,) = gateway.settled(1)
    assert ("upstream_error", USAGE["input_tokens"], True) == (row["outcome"], row["input_tokens"], row["estimated"])
    assert FINAL_OUTPUT != row["output_tokens"]
