"""The counters that several gateways share."""

import asyncio
import contextlib
import importlib.util
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from clearway.cli.diagnosis.finding import Finding, fail, ok, warn
from clearway.config.masking import masked_value
from clearway.config.model import Config
from clearway.config.problems import ConfigError
from clearway.config.secrets import resolve

if TYPE_CHECKING:
    from clearway.limits.shared.link import Link

_NAME = "shared limits"


def check_counters(config: Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the Valkey that counts for several gateways answers. Nothing is counted."""
    limits = config.limits
    if not limits.valkey_url:
        return
    if importlib.util.find_spec("valkey") is None:
        yield fail(_NAME, "valkey-py is not installed", "install it with: pip install 'clearway[valkey]'")
        return
    from clearway.limits.shared.link import Link, Unreachable  # noqa: PLC0415  # only where it is asked for

    where = masked_value("limits.valkey_url", limits.valkey_url)
    try:
        password = None
        if limits.valkey_password is not None:
            password = resolve(limits.valkey_password, environ, setting="limits.valkey_password")
        version = asyncio.run(_version(Link(limits.valkey_url, password)))
    except ConfigError as error:
        problem = error.problems[0]
        yield fail(_NAME, str(problem), problem.hint)
    except Unreachable as error:
        hint = "check limits.valkey_url and the server; until it answers, what is limited is refused with 503"
        yield fail(_NAME, f"{where} cannot be reached: {error}", hint)
    else:
        yield ok(_NAME, f"{where} answers (version {version})")
        if config.store.url == "sqlite":
            hint = 'share one with store.url = "postgresql://…", or leave limits.valkey_url out'
            yield warn(_NAME, "no other gateway can use this ledger, so that nothing is shared", hint)


async def _version(link: "Link") -> str:
    async with contextlib.aclosing(link):
        return await link.ping()
