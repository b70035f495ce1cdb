"""Which kinds of upstream there are. A new kind is one file and one line here."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from clearway.config.model import Timeouts
from clearway.config.model import Upstream as Settings
from clearway.core.clock import Clock
from clearway.core.secret import Secret
from clearway.upstreams.anthropic import AnthropicUpstream
from clearway.upstreams.http.address import Address
from clearway.upstreams.http.client import HttpClient
from clearway.upstreams.passthrough import PassthroughUpstream
from clearway.upstreams.protocol import Upstream
from clearway.upstreams.replay import ReplayUpstream
from clearway.upstreams.sim import SimUpstream


class Managed(Upstream, Protocol):
    """An upstream with a life of its own."""

    async def start(self) -> None:
        """Get ready to answer."""
        ...

    async def aclose(self) -> None:
        """Let go of everything."""
        ...


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What an upstream is built from."""

    settings: Settings
    timeouts: Timeouts
    clock: Clock
    credential: Callable[[], Secret]
    """Fetches the gateway's own credential. Raises ConfigError."""

    def client(self) -> HttpClient:
        """An HTTP client for the base URL."""
        return HttpClient(Address.parse(self.settings.base_url), self.timeouts, ca=self.settings.ca)


KINDS: dict[str, Callable[[Parts], Managed]] = {
    "anthropic": lambda parts: AnthropicUpstream(parts.settings, parts.credential(), parts.client()),
    "passthrough": lambda parts: PassthroughUpstream(parts.settings, parts.client()),
    "replay": lambda parts: ReplayUpstream(parts.settings, parts.clock),
    "sim": lambda parts: SimUpstream(parts.settings, parts.clock, parts.timeouts),
}


def build(parts: Parts) -> Managed:
    """The upstream that `parts.settings` describe.

    Raises:
        ValueError: The settings cannot be used; the text says why.
        ConfigError: Its credential cannot be had.
    """
    return KINDS[parts.settings.kind](parts)
