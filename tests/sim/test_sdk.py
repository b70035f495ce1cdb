"""The official SDK, talking to the simulated model without a network between."""

import anthropic
import httpx2
import pytest
from pydantic import BaseModel

from clearway.upstreams.protocol import Reply, Request
from clearway.upstreams.sim import SimUpstream
from tests.sim.asking import MODEL, make_sim


class Body(httpx2.AsyncByteStream):
    """The pieces of a reply."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self):  # type: ignore[no-untyped-def]  # noqa: ANN204 - an async generator, as httpx2 types it
        """One piece after the other."""
        for piece in self._pieces:
            yield piece


class Wire(httpx2.AsyncBaseTransport):
    """Hands requests to an upstream as the gateway would."""

    def __init__(self, upstream: SimUpstream) -> None:
        self._upstream = upstream

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send and answer."""
        headers = [(name.lower(), value) for name, value in request.headers.raw]
        sent = Request(
            method=request.method.encode(), target=request.url.raw_path, headers=headers, body=await request.aread()
        )
        async with self._upstream.open(sent) as reply:
            return httpx2.Response(reply.status, headers=list(reply.headers), stream=Body(await _pieces(reply)))


async def _pieces(reply: Reply) -> list[bytes]:
    pieces = []
    while not reply.ended:
        pieces.append(await reply.read())
    return pieces


@pytest.fixture
def client() -> anthropic.AsyncAnthropic:
    """The SDK with a dummy key."""
    http = anthropic.DefaultAsyncHttpxClient(transport=Wire(make_sim()))
    return anthropic.AsyncAnthropic(api_key="dummy", base_url="http://sim.test", http_client=http, max_retries=0)


async def test_stream_with_a_tool(client: anthropic.AsyncAnthropic) -> None:
    """The SDK's accumulator makes the tool call of the stream."""
    async with client.messages.stream(
        model=MODEL,
        max_tokens=500,
        thinking={"type": "adaptive"},
        tools=[{"name": "read", "input_schema": {"type": "object"}}],
        messages=[{"role": "user", "content": 'sim:text 3\nsim:tool read {"path": "grüß"}'}],
    ) as stream:
        message = await stream.get_final_message()

    assert ["thinking", "text", "tool_use"] == [block.type for block in message.content]
    assert message.content[-1].type == "tool_use"
    assert message.content[-1].input == {"path": "grüß"}
    assert message.stop_reason == "tool_use"


class City(BaseModel):
    """What is asked for."""

    name: str
    inhabitants: int


async def test_parsed_output(client: anthropic.AsyncAnthropic) -> None:
    """The SDK's `parse` gets an instance of its model."""
    message = await client.messages.parse(
        model=MODEL, max_tokens=500, output_format=City, messages=[{"role": "user", "content": "A city, please"}]
    )

    assert isinstance(message.parsed_output, City)


ERRORS = [
    (400, anthropic.BadRequestError),
    (401, anthropic.AuthenticationError),
    (403, anthropic.PermissionDeniedError),
    (404, anthropic.NotFoundError),
    (409, anthropic.ConflictError),
    (429, anthropic.RateLimitError),
    (500, anthropic.InternalServerError),
    (529, anthropic.APIStatusError),
]


@pytest.mark.parametrize(("status", "error"), ERRORS)
async def test_errors(client: anthropic.AsyncAnthropic, status: int, error: type[anthropic.APIStatusError]) -> None:
    """Each status is the SDK's own exception, with the request id."""
    with pytest.raises(error) as caught:
        await client.messages.create(
            model=MODEL, max_tokens=5, messages=[{"role": "user", "content": f"sim:error {status}"}]
        )

    assert caught.value.status_code == status
    assert caught.value.request_id


async def test_error_within_a_stream(client: anthropic.AsyncAnthropic) -> None:
    """An error event is raised by the SDK."""
    stream = await client.messages.create(
        model=MODEL, max_tokens=500, stream=True, messages=[{"role": "user", "content": "sim:error-after 3"}]
    )
    with pytest.raises(anthropic.APIStatusError):
        _ = [event async for event in stream]


async def test_counting_and_models(client: anthropic.AsyncAnthropic) -> None:
    """`count_tokens` and the pages of models work."""
    counted = await client.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "1234567"}])
    listed = [model.id async for model in client.models.list(limit=2)]

    assert counted.input_tokens == 2
    assert MODEL in listed
    assert (await client.models.retrieve(MODEL)).id == MODEL
