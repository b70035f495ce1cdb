"""The official SDK for Python, shut off from what this machine knows: no proxies, no variables, no retries.

Used by the tests of real clients and of the checks.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import anthropic
import httpx2
import pytest

Place = Literal["x-api-key", "bearer"]
"""Where a secret stands in a request."""
Seen = Callable[[httpx2.Request], None]


def forget_this_machine(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """The SDK looks into the environment and the home directory: both are empty afterwards."""
    for name in ("API_KEY", "AUTH_TOKEN", "BASE_URL", "CUSTOM_HEADERS", "PROFILE", "LOG"):
        monkeypatch.delenv(f"ANTHROPIC_{name}", raising=False)
    monkeypatch.setenv("HOME", str(home))


def connect(
    url: str, secret: str, place: Place = "x-api-key", *, retries: int = 0, seen: Seen | None = None
) -> anthropic.Anthropic:
    """A client that is to be closed.

    Args:
        url: Of a gateway.
        secret: A key, or a credential of the client's own.
        place: Where it stands.
        retries: How often it asks again by itself.
        seen: Told of each request as it leaves.
    """
    return anthropic.Anthropic(
        api_key=secret if place == "x-api-key" else None,
        auth_token=secret if place == "bearer" else None,
        base_url=url,
        max_retries=retries,
        http_client=anthropic.DefaultHttpxClient(trust_env=False, event_hooks={"request": [seen] if seen else []}),
    )


def connect_async(url: str, secret: str, place: Place = "x-api-key") -> anthropic.AsyncAnthropic:
    """The same, asynchronous."""
    return anthropic.AsyncAnthropic(
        api_key=secret if place == "x-api-key" else None,
        auth_token=secret if place == "bearer" else None,
        base_url=url,
        max_retries=0,
        http_client=anthropic.DefaultAsyncHttpxClient(trust_env=False),
    )
