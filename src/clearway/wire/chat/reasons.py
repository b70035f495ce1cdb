"""Why an answer ended, and what it cites, in Chat Completions' words. Pure.

Source: the specification's table of stop reasons (3.9), and `ChatCompletionMessage` of
the `openai` SDK 3.x (read 2026-11-21). Used by chunks.py and whole.py.
"""

from collections.abc import Iterable
from typing import Literal

from clearway.wire.hub.pausing import PAUSED
from clearway.wire.hub.pieces import Citation, Ended

Reason = Literal["stop", "length", "tool_calls", "content_filter"]

REASONS: dict[str, Reason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    # What was broken off is not complete, though the model would go on.
    PAUSED: "length",
    "refusal": "content_filter",
}
"""`finish_reason` by `stop_reason`."""


def reason_of(ended: Ended) -> Reason:
    """The `finish_reason` of an answer."""
    reason = REASONS.get(ended.stop_reason or "")
    if ended.is_emulated and reason == "stop":
        return "tool_calls"
    if reason == "tool_calls" and not ended.has_calls:
        return "stop"  # of the tool that stands for a structured answer, or of the upstream's own tools
    return reason or ("tool_calls" if ended.has_calls else "stop")


def annotations_of(citations: Iterable[Citation]) -> list[dict[str, object]]:
    """The `annotations` of a message."""
    return [{"type": "url_citation", "url_citation": _url(citation)} for citation in citations]


def _url(citation: Citation) -> dict[str, object]:
    return {
        "start_index": citation.start,
        "end_index": citation.end,
        "title": citation.title,
        "url": citation.url,
    }
