"""The connection to the Valkey: one script, run for one batch at a time.

Owns the library's client and its settings: a second for a connection or an answer, one
more try at once, certificates and names verified. What goes wrong is told in one kind of
error, without the address's password. Imported where `limits.valkey_url` is set, and by
`clearway doctor`. Used by limits/shared/post.
"""

import asyncio
from collections.abc import Sequence
from importlib import resources
from ssl import SSLError
from typing import Any
from urllib.parse import urlsplit

from valkey.asyncio import Valkey
from valkey.asyncio.retry import Retry
from valkey.backoff import ConstantBackoff
from valkey.exceptions import AuthenticationError, ConnectionError, TimeoutError, ValkeyError  # noqa: A004  # its names

from clearway.core.secret import Secret

ANSWER_S = 1.0
"""How long a connection, and then an answer, may take."""
_AGAIN_S = 0.05


class Unreachable(Exception):
    """There is no answer; the text says why, for a person."""


class Link:
    """To one server.

    Args:
        url: As in the configuration.
        password: Beside it.
    """

    def __init__(self, url: str, password: Secret | None = None) -> None:
        more: dict[str, Any] = {"password": password.reveal()} if password is not None else {}
        if urlsplit(url).scheme == "valkeys":
            # Off by default in the library.
            more["ssl_check_hostname"] = True
        self._client = Valkey.from_url(
            url,
            socket_timeout=ANSWER_S,
            socket_connect_timeout=ANSWER_S,
            client_name="clearway",
            # A server that was started anew has closed what we had: that is no failure yet. The script counts
            # a batch that is sent twice once.
            retry=Retry(ConstantBackoff(_AGAIN_S), 1),
            retry_on_error=[ConnectionError, TimeoutError],
            **more,
        )
        self._script = self._client.register_script(
            resources.files("clearway.limits.shared").joinpath("counters.lua").read_text("utf-8")
        )

    async def run(self, names: Sequence[str], arguments: Sequence[str | bytes]) -> bytes:
        """Run the script; its answer. Raises Unreachable."""
        try:
            answer = bytes(await self._script(keys=names, args=arguments))
        except (ValkeyError, OSError, SSLError) as error:
            _heed()
            raise Unreachable(_told(error)) from error
        _heed()
        return answer

    async def ping(self) -> str:
        """The server's version. Raises Unreachable."""
        try:
            await self._client.ping()
            info = await self._client.info("server")
        except (ValkeyError, OSError, SSLError) as error:
            raise Unreachable(_told(error)) from error
        return str(info.get("valkey_version") or info.get("redis_version") or "unknown")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _heed() -> None:
    """End here what was cancelled: the library writes in `asyncio.wait_for`, which before Python 3.12 keeps a
    cancellation to itself where it comes as the write ends.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _told(error: Exception) -> str:
    if isinstance(error, AuthenticationError):
        return "it refuses the password"
    if isinstance(error, TimeoutError):
        return f"no answer within {ANSWER_S:g} s"
    return (str(error) or type(error).__name__).lower()
