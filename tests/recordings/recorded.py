"""What the recordings say, read for these tests and without a word of Clearway's.

Owns the file form, the bytes of each answer, and what each answer says of itself:
model, id, stop reason, usage. The form: docs/recordings.md, and the notes beside the
collection. Used by asking.py and checks.py.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEVERAL = "several_messages_in_one_stream"
"""The note on a stream that no single request got: only its bytes can be compared."""
TRAILING = "done_marker_from_intermediate_proxy"
"""The note on a stream that goes on after its last event."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One exchange as it was recorded."""

    id: str
    notes: frozenset[str]
    method: str
    path: str
    """With the query."""
    request_headers: tuple[tuple[str, str], ...]
    request_body: object
    """None where none was kept, or none sent."""
    status: int
    headers: Mapping[str, str]
    """Of the answer; names in lower case."""
    sse: str | None
    text: str | None
    """The raw text of a plain answer, where it was kept."""
    body: object

    @property
    def is_model_call(self) -> bool:
        """It went to `/v1/messages`."""
        return self.method == "POST" and self.path.partition("?")[0] == "/v1/messages"

    @property
    def is_count(self) -> bool:
        """It counted tokens."""
        return self.path.partition("?")[0] == "/v1/messages/count_tokens"

    @property
    def is_probe(self) -> bool:
        """A client looked whether somebody is there; the gateway answers for itself."""
        return self.method == "HEAD"

    def answer(self, *, spaced: bool) -> bytes:
        """The recorded bytes.

        Args:
            spaced: How an upstream writes a body whose text was not kept.
        """
        if self.sse is not None:
            return self.sse.encode()
        if self.text is not None:
            return self.text.encode()
        if self.body is None:
            return b""
        separators = (", ", ": ") if spaced else (",", ":")
        return json.dumps(self.body, ensure_ascii=False, separators=separators).encode()


def read(folder: Path) -> list[Recorded]:
    """Every recording of Anthropic's API below a folder."""
    found = [_read(path) for path in sorted(folder.glob("anthropic.*/*.json"))]
    assert len(found) == len({one.id for one in found}), "two recordings have one id"
    return found


def _read(path: Path) -> Recorded:
    whole = json.loads(path.read_bytes())
    request, response = whole["request"], whole["response"]
    return Recorded(
        id=whole["id"],
        notes=frozenset(whole.get("notes", ())),
        method=request["method"],
        path=request["path"],
        request_headers=tuple(request["headers"].items()),
        request_body=request["body"],
        status=response["status"],
        headers={name.lower(): value for name, value in response["headers"].items()},
        sse=response.get("sse"),
        text=response.get("body_text"),
        body=response.get("body"),
    )


def events(stream: str) -> Iterator[Json]:
    """The data of a stream's events, the marker of an intermediate proxy left out."""
    for line in stream.splitlines():
        data = line.removeprefix("data:").strip()
        if line.startswith("data:") and data != "[DONE]":
            yield json.loads(data)


def told(one: Recorded) -> dict[str, object]:
    """What an answer says of itself, under the names of the ledger's columns.

    A stream's later counts replace the earlier ones. Source: the description of
    `message_delta` in the Anthropic API reference, "Streaming messages" (read 2026-11-21).
    """
    if one.sse is None:
        message: Any = one.body if isinstance(one.body, dict) else {}
        return {**_names(message, message.get("stop_reason")), **_usage(message.get("usage"))}
    start: Json = {}
    stop_reason, usage = None, None
    for event in events(one.sse):
        if event["type"] == "message_start":
            start = event["message"]
            usage = dict(start.get("usage") or {})
        elif event["type"] == "message_delta":
            stop_reason = event["delta"].get("stop_reason") or stop_reason
            later = {name: value for name, value in (event.get("usage") or {}).items() if value is not None}
            usage = {**(usage or {}), **later}
    return {**_names(start, stop_reason), **_usage(usage)}


def _names(message: Json, stop_reason: object) -> dict[str, object]:
    error = message.get("error")
    return {
        "response_model": message.get("model"),
        "response_id": message.get("id"),
        "stop_reason": stop_reason,
        "error_type": error["type"] if isinstance(error, dict) else None,
    }


_WORDS = ("service_tier", "speed", "inference_geo")
COUNTS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "thinking_tokens",
    "web_search_requests",
    "web_fetch_requests",
)


def _usage(usage: Json | None) -> dict[str, object]:
    if usage is None:
        return {**dict.fromkeys((*COUNTS, *_WORDS)), "iterations": None}
    tools, details = usage.get("server_tool_use") or {}, usage.get("output_tokens_details") or {}
    return {
        **_tokens(usage),
        "thinking_tokens": details.get("thinking_tokens", 0),
        "web_search_requests": tools.get("web_search_requests", 0),
        "web_fetch_requests": tools.get("web_fetch_requests", 0),
        **{name: genuine(usage.get(name)) for name in _WORDS},
        "iterations": [_iteration(run) for run in usage.get("iterations") or ()] or None,
    }


def genuine(value: str | None) -> str | None:
    """A value that the upstream said; None for what a recorder put in its place, such as `<REQUEST_ID>`."""
    return None if value is None or value == "REDACTED" or "<" in value else value


def _iteration(run: Json) -> dict[str, object]:
    return {**_tokens(run), "kind": run["type"], "model": run.get("model")}


def _tokens(usage: Json) -> dict[str, object]:
    written = usage.get("cache_creation_input_tokens") or 0
    hour = (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens") or 0
    assert hour <= written
    return {
        "input_tokens": usage["input_tokens"],
        "cache_read_tokens": usage.get("cache_read_input_tokens") or 0,
        # Without a split, all was written for five minutes.
        "cache_write_5m_tokens": written - hour,
        "cache_write_1h_tokens": hour,
        "output_tokens": usage["output_tokens"],
    }
