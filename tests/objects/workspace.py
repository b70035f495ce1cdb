"""An upstream with a workspace: files and batches as the real API holds them, for everybody who has its key.

Owns what was made and tells it in the shapes of the recorded exchanges; it knows no
keys of a gateway, so that whatever one key sees of another is the gateway's doing.
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import msgspec

from tests.fake_upstream import Answer, Received, answer, error_answer, json_answer

HOST = "https://api.anthropic.com"
"""What `results_url` begins with at the real one."""
_USAGE = {
    "input_tokens": 20,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 5,
    "service_tier": "batch",
    "inference_geo": "not_available",
}
_NAMED = re.compile(rb'filename="([^"]*)"')


@dataclass
class Batch:
    """One batch."""

    id: str
    requests: list[dict[str, object]]
    ended: bool = False
    canceled: bool = False


@dataclass
class Workspace:
    """Answers as the API would."""

    files: dict[str, dict[str, object]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, Batch] = field(default_factory=dict)
    before: Callable[[Received], Answer | None] = lambda _: None
    """Asked first: what it returns is said instead."""
    tail: Callable[[bytes], Answer] | None = None
    """How results are said, where not at once and whole."""
    _count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def clear(self) -> None:
        """As new, but for the count of ids."""
        self.files.clear()
        self.contents.clear()
        self.batches.clear()
        self.before = lambda _: None
        self.tail = None

    def next_id(self, prefix: str) -> str:
        """Like `file_011CNha8iCJcU1wXNR6q4V8w`."""
        with self._lock:
            self._count += 1
            return f"{prefix}01{self._count:022d}"

    def script(self, received: Received) -> Answer:
        """One answer."""
        said = self.before(received)
        if said is not None:
            return said
        url = urlsplit(received.target)
        query = dict(parse_qsl(url.query))
        parts = url.path.strip("/").split("/")
        match parts[1:]:
            case ["files", *rest]:
                return self._files(received, rest)
            case ["messages", "batches", *rest]:
                return self._batches(received, rest)
            case ["messages"]:
                return json_answer(_message("msg_1", "claude-haiku-4-5"))
            case ["messages", "count_tokens"]:
                return json_answer({"input_tokens": 3})
            case _:
                return error_answer(404, "not_found_error", f"{url.path} {query}")

    def _files(self, received: Received, rest: list[str]) -> Answer:
        match received.method, rest:
            case "POST", []:
                file_id = self.next_id("file_")
                name = _NAMED.search(received.body)
                self.files[file_id] = {
                    "type": "file",
                    "id": file_id,
                    "filename": name[1].decode() if name else "unnamed",
                    "mime_type": "text/plain",
                    "size_bytes": len(received.body),
                    "created_at": "2026-11-27T12:00:00Z",
                    "downloadable": True,
                    "expires_at": None,
                }
                self.contents[file_id] = received.body
                return json_answer(self.files[file_id])
            case "GET", []:
                return json_answer({"data": list(self.files.values()), "next_page": None})
            case "GET", [file_id] if file_id in self.files:
                return json_answer(self.files[file_id])
            case "GET", [file_id, "content"] if file_id in self.files:
                return answer(self.contents[file_id], headers=[("content-type", "application/octet-stream")])
            case "DELETE", [file_id] if file_id in self.files:
                del self.files[file_id]
                return json_answer({"id": file_id, "type": "file_deleted"})
            case _:
                return error_answer(404, "not_found_error", "File not found")

    def _batches(self, received: Received, rest: list[str]) -> Answer:  # noqa: PLR0911  # one for each route
        match received.method, rest:
            case "POST", []:
                requests = msgspec.json.decode(received.body)["requests"]
                batch = Batch(self.next_id("msgbatch_"), requests)
                self.batches[batch.id] = batch
                return json_answer(self._told(batch))
            case "GET", []:
                data = [self._told(batch) for batch in self.batches.values()]
                return json_answer({"data": data, "has_more": False, "first_id": None, "last_id": None})
            case "GET", [batch_id] if batch_id in self.batches:
                return json_answer(self._told(self.batches[batch_id]))
            case "POST", [batch_id, "cancel"] if batch_id in self.batches:
                self.batches[batch_id].canceled = True
                return json_answer(self._told(self.batches[batch_id]))
            case "DELETE", [batch_id] if batch_id in self.batches:
                if not self.batches[batch_id].ended:
                    return error_answer(400, "invalid_request_error", "the batch has not ended")
                del self.batches[batch_id]
                return json_answer({"id": batch_id, "type": "message_batch_deleted"})
            case "GET", [batch_id, "results"] if batch_id in self.batches:
                return self._results(self.batches[batch_id])
            case _:
                return error_answer(404, "not_found_error", "Batch not found")

    def _told(self, batch: Batch) -> dict[str, object]:
        count = len(batch.requests)
        status = "ended" if batch.ended else "canceling" if batch.canceled else "in_progress"
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": {
                "processing": 0 if batch.ended else count,
                "succeeded": count if batch.ended else 0,
                "errored": 0,
                "canceled": 0,
                "expired": 0,
            },
            "ended_at": "2026-11-27T12:02:00+00:00" if batch.ended else None,
            "created_at": "2026-11-27T12:00:00+00:00",
            "expires_at": "2026-11-28T12:00:00+00:00",
            "archived_at": None,
            "cancel_initiated_at": "2026-11-27T12:01:00+00:00" if batch.canceled else None,
            "results_url": f"{HOST}/v1/messages/batches/{batch.id}/results" if batch.ended else None,
        }

    def _results(self, batch: Batch) -> Answer:
        if not batch.ended:
            return error_answer(404, "not_found_error", "no results yet")
        body = results(batch)
        if self.tail is not None:
            return self.tail(body)
        return answer(body, headers=[("content-type", "application/x-jsonl")])


def results(batch: Batch) -> bytes:
    """The JSON Lines of a batch: all succeeded, but for those whose custom_id begins with another outcome."""
    lines = []
    for request in batch.requests:
        custom_id, params = str(request["custom_id"]), request["params"]
        assert isinstance(params, dict)
        outcome = next((word for word in ("errored", "canceled", "expired") if custom_id.startswith(word)), "succeeded")
        result: dict[str, object] = {"type": outcome}
        if outcome == "succeeded":
            result["message"] = _message(f"msg_{custom_id}", str(params["model"]))
        elif outcome == "errored":
            result["error"] = {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}
        lines.append(msgspec.json.encode({"custom_id": custom_id, "result": result}) + b"\n")
    return b"".join(lines)


def _message(message_id: str, model: str) -> dict[str, object]:
    return {
        "model": model,
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": "4"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "stop_details": None,
        "usage": _USAGE,
    }
