"""What the bench sends: bodies of any size, under the head that Claude Code sends.

A bare head would flatter: whatever reads fields one by one has little to read then.
Source of the fields: recorded requests of Claude Code (read 2026-11-21); the values
are invented. Used by bench/load.py and bench/cases.
"""

import msgspec

FIELDS = {
    "accept": "application/json",
    "content-type": "application/json",
    "user-agent": "claude-cli/2.1.329 (external, cli)",
    "x-claude-code-session-id": "11111111-2222-4333-8444-555555555555",
    "x-stainless-arch": "x64",
    "x-stainless-lang": "js",
    "x-stainless-os": "Linux",
    "x-stainless-package-version": "0.81.0",
    "x-stainless-retry-count": "0",
    "x-stainless-runtime": "node",
    "x-stainless-runtime-version": "v24.3.0",
    "x-stainless-timeout": "600",
    "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,"
    "prompt-caching-scope-2026-01-05,advisor-tool-2026-03-01,effort-2025-11-24",
    "anthropic-dangerous-direct-browser-access": "true",
    "anthropic-version": "2023-06-01",
    "x-app": "cli",
    "accept-encoding": "gzip, deflate, br, zstd",
    "connection": "keep-alive",
}
BARE_FIELDS = {"content-type": "application/json", "anthropic-version": "2023-06-01"}

_PROSE = 'I looked at "config.toml" and found nothing that says so;\nthe next step is to run the tests.  '
_TURN_BYTES = 1_000


def body(size: int, *, stream: bool = False, wanted: str = "bench") -> bytes:
    """A conversation of about `size` bytes in turns of 1 KB at most.

    Args:
        size: In bytes; what comes out is within a turn of it.
        stream: Ask for a stream.
        wanted: How the bench's upstream is to answer (bench/upstream.c).
    """
    turn = (_PROSE * 12)[: min(_TURN_BYTES, max(100, size - 300))]
    count = max(1, size // (len(turn) + 40)) | 1
    asked = {
        "model": "claude-sonnet-5-5",
        "stream": stream,
        "metadata": {"user_id": f"{wanted}-"},
        "max_tokens": 1024,
        "messages": [{"role": ("user", "assistant")[number % 2], "content": turn} for number in range(count)],
    }
    return msgspec.json.encode(asked)


def fields(key: str, *, bare: bool = False) -> list[str]:
    """The lines of a head, but for the first, `host` and the length."""
    chosen = BARE_FIELDS if bare else FIELDS
    return [*(f"{name}: {value}" for name, value in chosen.items()), f"x-api-key: {key}"]


def chat(size: int, *, wanted: str) -> bytes:
    """The same conversation as a request of Chat Completions for a stream.

    Args:
        size: In bytes.
        wanted: How the bench's upstream is to answer; it stands in the first message, as names are hidden.
    """
    asked = msgspec.json.decode(body(size), type=dict[str, object])
    messages = asked["messages"]
    assert isinstance(messages, list)  # noqa: S101  # made above
    messages[0]["content"] = f"{wanted}-"
    return msgspec.json.encode({"model": asked["model"], "stream": True, "max_tokens": 1024, "messages": messages})


def request(port: int, key: str, sent: bytes, *, length: int | None = None, path: str = "/v1/messages") -> bytes:
    """A whole request; `length` promises another length than the body has."""
    lines = [f"POST {path} HTTP/1.1", f"host: 127.0.0.1:{port}", *fields(key)]
    lines.append(f"content-length: {len(sent) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + sent
