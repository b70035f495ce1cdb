"""The `response` object: how far an answer is, and what it repeats of the request. Pure.

What is repeated is written once; it may be as long as the request's tools.
Source: `Response` of the `openai` SDK 3.x (read 2026-11-27). Used by stream.py.
"""

from typing import Literal

import msgspec

from clearway.core.usage import Usage
from clearway.wire.hub.tier import service_tier
from clearway.wire.responses.form import Form
from clearway.wire.responses.ids import response_id
from clearway.wire.responses.usage import usage_object

Status = Literal["in_progress", "completed", "incomplete", "failed"]

_DEFAULTS: dict[str, object] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "store": False,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""What OpenAI says of a request that says nothing."""
_OURS = (
    "id", "object", "created_at", "model", "status", "error", "incomplete_details", "output", "usage", "service_tier",
)  # fmt: skip

_encode = msgspec.json.encode


class Whole:
    """Writes the object.

    Args:
        form: How the client wants it.
        message_id: Of the answer, without its prefix.
    """

    def __init__(self, form: Form, message_id: str) -> None:
        echo = {**_DEFAULTS, **form.echo}
        told = {"id": response_id(message_id), "object": "response", "created_at": form.created, "model": form.model}
        told.update((name, value) for name, value in echo.items() if name not in _OURS)
        self._head = _encode(told)[:-1]
        self._tier = form.echo.get("service_tier")

    def body(
        self,
        status: Status,
        output: bytes = b"",
        *,
        usage: Usage | None = None,
        reason: str | None = None,
        error: tuple[str, str] | None = None,
    ) -> bytes:
        """The object.

        Args:
            status: How far it is.
            output: The items, between commas.
            usage: Once it is known.
            reason: Why it is incomplete.
            error: Code and message of a failure.
        """
        rest = _encode(
            {
                "status": status,
                "error": None if error is None else {"code": error[0], "message": error[1]},
                "incomplete_details": None if reason is None else {"reason": reason},
                "service_tier": self._tier if usage is None else service_tier(usage) or self._tier,
                "usage": None if usage is None else usage_object(usage),
            }
        )
        return b'%b,"output":[%b],%b' % (self._head, output, rest[1:])
