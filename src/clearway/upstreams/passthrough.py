"""The client's own request, with the client's own credential, to hosts that the owner allowed.

Nothing is added, removed or kept; the credential is never looked at.
Used by compose, behind `upstreams/protocol.py`.
"""

from contextlib import AbstractAsyncContextManager

from clearway.config import model as config
from clearway.upstreams.http import Address, HttpClient
from clearway.upstreams.http.address import normal_host
from clearway.upstreams.protocol import Kind, Pays, Reply, Request


class PassthroughUpstream:
    """Sends what came.

    Args:
        settings: Name, models, and the hosts that a client's login may go to.
        client: Connections to the origin of `base_url`; closed by `aclose`.

    Raises:
        ValueError: The host of `base_url` is not in `allow_hosts`, loopback included,
            or `client` connects to another one.
    """

    kind: Kind = "passthrough"
    pays: Pays = "client"

    def __init__(self, settings: config.Upstream, client: HttpClient) -> None:
        address = Address.parse(settings.base_url)
        if address != client.address:
            raise ValueError(f"the connections of upstream {settings.name} lead elsewhere than its base_url")
        if address.host not in {_spelled(host) for host in settings.allow_hosts}:
            raise ValueError(
                f"upstream {settings.name} would send the logins of clients to {address.host}: "
                f"add it to allow_hosts if that is meant"
            )
        self.name = settings.name
        self.models = settings.models
        self.api_version = settings.api_version
        self._client = client

    def open(self, request: Request) -> AbstractAsyncContextManager[Reply]:
        """See `protocol.Upstream.open`."""
        return self._client.open(request)

    async def start(self) -> None:
        """Nothing to get ready: connections are made when they are needed."""

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _spelled(host: str) -> str:
    try:
        return normal_host(host)
    except ValueError:
        raise ValueError(f"{host!r} in allow_hosts is not a host name") from None
