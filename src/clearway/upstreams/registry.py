"""Which kinds of upstream there are. A new kind is one file and one line here."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from clearway.config.model import Timeouts
from clearway.config.model import Upstream as Settings
from clearway.config.proxies import proxy_of
from clearway.core.clock import Clock
from clearway.core.secret import Secret
from clearway.upstreams.anthropic import AnthropicUpstream
from clearway.upstreams.http.address import Address
from clearway.upstreams.http.client import HttpClient
from clearway.upstreams.passthrough import PassthroughUpstream
from clearway.upstreams.protocol import Upstream


class Managed(Upstream, Protocol):
    """An upstream with a life of its own."""

    async def start(self) -> None:
        """Get ready to answer."""
        ...

    async def aclose(self) -> None:
        """Let go of everything."""
        ...


def client_of(settings: Settings, timeouts: Timeouts) -> HttpClient:
    """The HTTP client that reaches the base URL of `settings` as they say.

    Raises:
        ValueError: They cannot be used; the text says why.
    """
    return HttpClient(Address.parse(settings.base_url), timeouts, ca=settings.ca, proxy=proxy_of(settings))


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What an upstream is built from."""

    settings: Settings
    timeouts: Timeouts
    clock: Clock
    credential: Callable[[], Secret]
    """Fetches the gateway's own credential. Raises ConfigError."""

    def client(self) -> HttpClient:
        """An HTTP client for the base URL."""
        return client_of(self.settings, self.timeouts)


def _replay(parts: Parts) -> Managed:
    from clearway.upstreams.replay import ReplayUpstream  # noqa: PLC0415  # few gateways have one

    return ReplayUpstream(parts.settings, parts.clock)


def _sim(parts: Parts) -> Managed:
    from clearway.upstreams.sim import SimUpstream  # noqa: PLC0415  # few gateways have one

    return SimUpstream(parts.settings, parts.clock, parts.timeouts)


KINDS: dict[str, Callable[[Parts], Managed]] = {
    "anthropic": lambda parts: AnthropicUpstream(parts.settings, parts.credential(), parts.client()),
    "passthrough": lambda parts: PassthroughUpstream(parts.settings, parts.client()),
    "replay": _replay,
    "sim": _sim,
}


def build(parts: Parts) -> Managed:
    """The upstream that `parts.settings` describe.

    Raises:
        ValueError: The settings cannot be used; the text says why.
        ConfigError: Its credential cannot be had.
    """
    return KINDS[parts.settings.kind](parts)
