"""Posting a message to a webhook, signed, by our own client.

No redirect is followed, no answer is read but its status, certificates are verified.
Signature: Standard Webhooks 1.0 ("Signature scheme", read 2026-11-27): HMAC-SHA256 over
`id.timestamp.body`, as `v1,` and base64, in `webhook-signature`.
Used by compose and `clearway alerts test`, behind observe/delivery.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping

from clearway import __version__
from clearway.config.model import Config, Timeouts
from clearway.config.problems import ConfigError, Problem
from clearway.config.proxies import Proxy, proxy_for
from clearway.config.secrets import resolve
from clearway.config.webhooks import Hook, parse_hook
from clearway.core.secret import Secret
from clearway.upstreams.http import Address, HttpClient
from clearway.upstreams.protocol import Request

_TIMEOUTS = Timeouts(connect_s=5, first_byte_s=10, idle_s=10, total_s=20)
_PREFIX = "whsec_"
_SHORTEST = 16


class Webhook:
    """One receiver.

    Args:
        hook: Where it is.
        secret: What messages are signed with; None: they are not.
        proxy: Through which it is reached.
    """

    def __init__(self, hook: Hook, secret: Secret | None, proxy: Proxy | None = None) -> None:
        self.shown = hook.origin
        self.identity = (hook, secret, proxy)
        self.hashed = hashlib.sha256(hook.origin.encode() + hook.target).hexdigest()
        self._target = hook.target
        self._secret = secret
        self._client = HttpClient(Address.parse(hook.origin), _TIMEOUTS, proxy=proxy, max_idle=1)

    async def post(self, message_id: str, body: bytes, now_s: int) -> int:
        """Send a message; returns the status of the answer.

        Args:
            message_id: The same for each try.
            body: JSON.
            now_s: When it is sent, in seconds since 1970.

        Raises:
            UpstreamError: There was none.
        """
        headers = [
            (b"content-type", b"application/json"),
            (b"user-agent", f"clearway/{__version__}".encode()),
            (b"webhook-id", message_id.encode()),
            (b"webhook-timestamp", b"%d" % now_s),
        ]
        if self._secret is not None:
            headers.append((b"webhook-signature", sign(self._secret, message_id, now_s, body)))
        async with self._client.open(Request(method=b"POST", target=self._target, headers=headers, body=body)) as reply:
            return reply.status

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.aclose()


def sign(secret: Secret, message_id: str, now_s: int, body: bytes) -> bytes:
    """The value of `webhook-signature`."""
    signed = b"%b.%d.%b" % (message_id.encode(), now_s, body)
    return b"v1," + base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256))


def key_of(secret: Secret) -> bytes:
    """The bytes that a secret's text stands for.

    Raises:
        ValueError: It is too short, or not base64 behind `whsec_`.
    """
    text = secret.reveal()
    if text.startswith(_PREFIX):
        try:
            key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        except ValueError:
            raise ValueError(f"is not base64 behind {_PREFIX}") from None
    else:
        key = text.encode()
    if len(key) < _SHORTEST:
        raise ValueError(f"is shorter than {_SHORTEST} bytes")
    return key


def webhooks(config: Config, environ: Mapping[str, str]) -> list[Webhook]:
    """All that are configured.

    Raises:
        ConfigError: The secret cannot be had or used, or a proxy.
    """
    usage = config.usage
    secret = None
    if usage.webhook_secret is not None and usage.webhooks:
        secret = resolve(usage.webhook_secret, environ, setting="usage.webhook_secret")
        try:
            key_of(secret)
        except ValueError as error:
            raise ConfigError(
                Problem("", "usage.webhook_secret", str(error), "make one with: openssl rand -base64 32")
            ) from None
    made = []
    for place, url in enumerate(usage.webhooks):
        try:
            made.append(Webhook(parse_hook(url, usage.webhook_hosts), secret, proxy_for(url, environ)))
        except ValueError as error:
            raise ConfigError(Problem("", f"usage.webhooks[{place}]", str(error))) from None
    return made
