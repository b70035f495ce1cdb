"""Sample traffic for `demo`: a coding session, a script and some trouble.

Sent through real sockets with our own client, as programs would. The programs'
names are made up: no other client is named here.
"""

import asyncio
import contextlib

import msgspec

from clearway.config.model import Timeouts
from clearway.core.errors import UpstreamError
from clearway.upstreams.http import HttpClient
from clearway.upstreams.http.address import Address
from clearway.upstreams.protocol import Request

_SESSION = "5f0c1d3e-8f1a-4b52-9a55-0d6f3a7be001"
_TURNS = (
    "Read the failing test and find out why it fails.",
    'Look at the test file.\nsim:tool Read {"path": "tests/test_clock.py"}',
    "sim:thinking\nExplain the cause in two sentences.",
    'Fix it.\nsim:tool Edit {"path": "src/clock.py", "old": "<", "new": "<="}',
    'Run the tests.\nsim:tool Bash {"command": "pytest -q"}',
    "Summarise what was changed.\nsim:text 120",
)
_TOOLS = [
    {"name": name, "description": f"{name} on files of the project. " * 20, "input_schema": {"type": "object"}}
    for name in ("Read", "Edit", "Bash")
]
_INSTRUCTIONS = "You work in a repository. Be brief, and run the tests before you say that you are done. " * 120


class Sample(msgspec.Struct, frozen=True):
    """Where the traffic goes and who sends it."""

    url: str
    keys: tuple[str, ...]
    timeouts: Timeouts


async def send_samples(sample: Sample) -> None:
    """Send everything; failures are part of it."""
    client = HttpClient(Address.parse(sample.url), sample.timeouts)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_coding_session(client, sample.keys[0]))
            group.create_task(_script(client, sample.keys[1]))
    finally:
        await client.aclose()


async def _coding_session(client: HttpClient, key: str) -> None:
    """An agent that sends the whole conversation again with each turn."""
    messages: list[dict[str, object]] = []
    headers = [(b"user-agent", b"demo-agent/2.4.0 (sample)"), (b"x-claude-code-session-id", _SESSION.encode())]
    for turn in _TURNS:
        # The mark moves to the newest message: at most four are allowed.
        marked = {"role": "user", "content": [{"type": "text", "text": turn, "cache_control": {"type": "ephemeral"}}]}
        body = {
            "model": "claude-opus-5-5",
            "max_tokens": 4096,
            "stream": True,
            "system": [{"type": "text", "text": _INSTRUCTIONS, "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
            "tools": _TOOLS,
            "messages": [*messages, marked],
        }
        await _post(client, "/v1/messages", body, key, headers)
        messages.append({"role": "user", "content": turn})
        messages.append({"role": "assistant", "content": "Done: " + "the next step follows. " * 30})
    await _post(client, "/v1/messages/count_tokens", {"model": "claude-opus-5-5", "messages": messages}, key, headers)


async def _script(client: HttpClient, key: str) -> None:
    """A script that asks for single answers, and meets what can go wrong."""
    headers = [(b"user-agent", b"nightly-report/0.9")]
    for text in (
        "Classify this ticket.\nsim:text 12",
        "Classify the next ticket.\nsim:text 9",
        "sim:error 529",
        "sim:delay 400\nTranslate this paragraph.",
        "sim:error-after 5 overloaded_error",
        "sim:cut-after 8",
    ):
        is_stream = "after" in text
        body = {
            "model": "claude-haiku-5-5",
            "max_tokens": 512,
            "stream": is_stream,
            "messages": [{"role": "user", "content": text}],
        }
        await _post(client, "/v1/messages", body, key, headers)
    # A client that loses patience: the upstream is dropped at once.
    impatient = {"model": "claude-sonnet-5-5", "max_tokens": 900, "stream": True}
    impatient["messages"] = [{"role": "user", "content": "sim:text 600"}]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.25):
            await _post(client, "/v1/messages", impatient, key, headers)
    unknown = {"model": "gpt-unknown", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    await _post(client, "/v1/messages", unknown, key, headers)


async def _post(
    client: HttpClient, path: str, body: dict[str, object], key: str, headers: list[tuple[bytes, bytes]]
) -> None:
    """Send one request and read its answer to the end, whole or not."""
    request = Request(
        method=b"POST",
        target=path.encode(),
        headers=[
            *headers,
            (b"x-api-key", key.encode()),
            (b"anthropic-version", b"2023-06-01"),
            (b"content-type", b"application/json"),
        ],
        body=msgspec.json.encode(body),
    )
    with contextlib.suppress(UpstreamError):
        async with client.open(request) as reply:
            while not reply.ended:
                await reply.read()
