"""The models that the simulated API lists.

Source: `spec/anthropic.md` section 4 and the ids that the `anthropic` SDK 2.12 knows
(read 2026-11-21). Every id that begins with `claude-` is answered, listed or not.
Release dates are not invented: the SDK says that an epoch value means "unknown".
"""

import fnmatch
from collections.abc import Sequence
from urllib.parse import parse_qs

import msgspec

from clearway.upstreams.simulation.faults import Fault

IDS = (
    "claude-fable-5-2",
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
    "claude-opus-4-8",
    "claude-sonnet-4-6",
    "claude-haiku-4-5",
)
_LINES = frozenset({"haiku", "sonnet", "opus", "fable", "mythos"})
_YES, _NO = {"supported": True}, {"supported": False}
_CAPABILITIES: dict[str, object] = {
    "batch": _NO,
    "citations": _NO,
    "code_execution": _NO,
    "context_management": {
        **_NO,
        "clear_thinking_20251015": _NO,
        "clear_tool_uses_20250919": _NO,
        "compact_20260112": _NO,
    },
    "effort": dict.fromkeys(("low", "medium", "high", "xhigh", "max"), _YES) | _YES,
    "image_input": _YES,
    "pdf_input": _YES,
    "server_tools": {**_NO, "code_execution": _NO, "web_search": _NO},
    "structured_outputs": _YES,
    "thinking": {
        **_YES,
        "types": {"adaptive": _YES, "between_tools": _YES, "disabled": _YES, "enabled": _YES},
    },
}
_DEFAULT_LIMIT = 20
_MAX_LIMIT = 1000


def one(model: str) -> bytes:
    """A model by id. Raises Fault: 404, it does not begin with `claude-`."""
    if not model.startswith("claude-"):
        raise Fault(404, f"model: {model[:100]}")
    return msgspec.json.encode(_info(model))


def page(patterns: Sequence[str], query: str) -> bytes:
    """A page of the models that fit `patterns`. Raises Fault: 400, a wrong `limit`."""
    asked = parse_qs(query)
    ids = [name for name in IDS if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    limit = _limit(asked.get("limit", [""])[-1])
    if (after := asked.get("after_id", [""])[-1]) in ids:
        ids = ids[ids.index(after) + 1 :]
        shown = ids[:limit]
    elif (before := asked.get("before_id", [""])[-1]) in ids:
        ids = ids[: ids.index(before)]
        shown = ids[-limit:]
    else:
        shown = ids[:limit]
    return msgspec.json.encode(
        {
            "data": [_info(name) for name in shown],
            "has_more": len(shown) < len(ids),
            "first_id": shown[0] if shown else None,
            "last_id": shown[-1] if shown else None,
        }
    )


def _limit(text: str) -> int:
    if not text:
        return _DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:5]) <= _MAX_LIMIT):
        raise Fault(400, f"limit: must be from 1 to {_MAX_LIMIT}")
    return int(text)


def _info(model: str) -> dict[str, object]:
    line, _, version = model.removeprefix("claude-").partition("-")
    display = " ".join(part for part in ("Claude", line.capitalize(), version.replace("-", "."), "(simulated)") if part)
    return {
        "type": "model",
        "id": model,
        "display_name": display,
        "created_at": "1970-01-01T00:00:00Z",
        "lifecycle": "active",
        "line": line if line in _LINES else None,
        "deprecated_at": None,
        "retires_at": None,
        "max_input_tokens": 1_000_000,
        "max_tokens": 128_000,
        "capabilities": _CAPABILITIES,
    }
