"""Rules that a single value cannot break: between settings, and with the world of names.

Pure but for the time zone database. Each rule appends to the list of problems;
none stops the others. Used by config/load.
"""

import ipaddress
import itertools
import re
import zoneinfo
from collections.abc import Mapping
from urllib.parse import urlsplit

from clearway.config.model import Config, SecretSource, Upstream
from clearway.config.problems import Problem
from clearway.core.budget import BudgetError, parse_budget

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?", re.ASCII)
_UPSTREAM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_MAX_HOST = 253
_DEFAULT = "default"
_ONLY_FOR = {
    "api_key": {"anthropic"},
    "auth": {"anthropic"},
    "withhold_betas": {"anthropic"},
    "allow_hosts": {"passthrough"},
    "files": {"anthropic"},
    "batches": {"anthropic"},
    "recordings": {"replay"},
    "delays": {"replay"},
    "pace_ms": {"sim"},
    "base_url": {"anthropic", "passthrough"},
    "api_version": {"anthropic", "passthrough"},
    "ca": {"anthropic", "passthrough"},
    "proxy": {"anthropic", "passthrough"},
}
"""Settings that mean something for these kinds; elsewhere they would be ignored in silence."""


class Rules:
    """Checks one configuration.

    Args:
        config: What to check.
        origins: Where each value came from, for the messages.
        problems: Where to put what is wrong.
    """

    def __init__(self, config: Config, origins: Mapping[str, str], problems: list[Problem]) -> None:
        self._config = config
        self._origins = origins
        self._problems = problems

    def check(self) -> None:
        """Apply every rule."""
        self._check_server()
        self._check_retries()
        self._check_limits()
        self._check_store()
        self._check_names()
        for place, upstream in enumerate(self._config.upstreams):
            self._check_upstream(f"upstreams[{place}]", upstream)
        self._check_aliases()
        self._check_timezone()
        self._check_otel()
        self._check_alerts()

    def _complain(self, setting: str, message: str, hint: str = "") -> None:
        self._problems.append(Problem(self._where(setting), setting, message, hint))

    def _where(self, setting: str) -> str:
        """The layer that set it, or else the table or list that it stands in; empty for defaults."""
        while setting:
            origin = self._origins.get(setting, _DEFAULT)
            if origin != _DEFAULT:
                return origin
            setting = setting[: max(setting.rfind("."), setting.rfind("["), 0)]
        return ""

    def _check_server(self) -> None:
        server = self._config.server
        if not is_host(server.host):
            self._complain("server.host", f"{server.host!r} is not an address or host name")
        elif not is_loopback(server.host) and not server.behind_proxy:
            self._complain(
                "server.host",
                f"{server.host} can be reached from other machines, and Clearway would speak plain HTTP there",
                "put a reverse proxy with TLS in front and set server.behind_proxy = true, or use 127.0.0.1",
            )
        for place, host in enumerate(server.hosts):
            if not is_host(host):
                self._complain(f"server.hosts[{place}]", f"{host!r} is not a host name", "leave out scheme and port")
        for place, origin in enumerate(server.cors_origins):
            parts = urlsplit(origin)
            if origin != f"{parts.scheme}://{parts.netloc}" or parts.scheme not in {"http", "https"}:
                self._complain(
                    f"server.cors_origins[{place}]",
                    f"{origin!r} is not an origin",
                    'write it like "https://app.example"',
                )
        for place, network in enumerate(server.trusted_proxies):
            self._check_network(f"server.trusted_proxies[{place}]", network)
        if server.max_body > server.max_buffered:
            self._complain("server.max_body", "is larger than server.max_buffered, so that no such body could be read")

    def _check_network(self, setting: str, text: str) -> None:
        try:
            network = ipaddress.ip_network(text)
        except ValueError:
            self._complain(
                setting,
                f"{text!r} is no address and no network",
                'write it like "10.0.0.7", "10.0.0.0/8" or "fd00::/8"',
            )
            return
        if not network.prefixlen:
            self._complain(setting, "is everybody: anybody could say to come from anywhere", "name the proxies only")

    def _check_retries(self) -> None:
        retries = self._config.retries
        if retries.wait_s > retries.total_s:
            self._complain("retries.wait_s", "is longer than retries.total_s, so that nobody would wait that long")

    def _check_limits(self) -> None:
        for place, text in enumerate(self._config.limits.budgets):
            try:
                parse_budget(text)
            except BudgetError as error:
                self._complain(f"limits.budgets[{place}]", str(error))
        limits = self._config.limits
        if limits.valkey_url:
            self._check_valkey(limits.valkey_url)
        if limits.valkey_password is not None:
            self._check_secret("limits.valkey_password", limits.valkey_password)
            if not limits.valkey_url:
                self._complain("limits.valkey_password", "is the password of nothing", "set limits.valkey_url")

    def _check_valkey(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            is_one = parts.scheme in {"valkey", "valkeys"} and bool(parts.hostname) and (parts.port or 1) > 0
            is_one = is_one and re.fullmatch(r"/?\d{0,4}", parts.path) is not None
        except ValueError:
            is_one = False
            parts = urlsplit("")
        if not is_one or parts.fragment:
            # The URL may hold a password: it is not repeated.
            hint = "a number after the host chooses the database; valkeys:// is with TLS"
            self._complain("limits.valkey_url", 'expected "valkey://host:6379/0"', hint)
        elif parts.password is not None:
            self._complain("limits.valkey_url", "must hold no password", "set limits.valkey_password")
        elif parts.query and not re.fullmatch(r"ssl_ca_certs=[^&]+", parts.query):
            self._complain("limits.valkey_url", "may be followed by ?ssl_ca_certs=FILE only")

    def _check_store(self) -> None:
        url = self._config.store.url
        if url != "sqlite" and urlsplit(url).scheme not in {"postgresql", "postgres"}:
            # The URL may hold a password: it is not repeated.
            self._complain("store.url", 'expected "sqlite" or "postgresql://…"')

    def _check_names(self) -> None:
        seen: set[str] = set()
        for place, upstream in enumerate(self._config.upstreams):
            setting = f"upstreams[{place}].name"
            if not _UPSTREAM_NAME.fullmatch(upstream.name):
                self._complain(setting, "expected letters, digits, dots, dashes; 64 characters at most")
            if upstream.name in seen:
                self._complain(setting, f"{upstream.name!r} is the name of another upstream too", "choose another name")
            seen.add(upstream.name)

    def _check_upstream(self, setting: str, upstream: Upstream) -> None:
        fresh = Upstream(name=upstream.name, kind=upstream.kind)
        for field, kinds in _ONLY_FOR.items():
            if upstream.kind not in kinds and getattr(upstream, field) != getattr(fresh, field):
                kind = " or ".join(f'"{kind}"' for kind in sorted(kinds))
                self._complain(
                    f"{setting}.{field}", f"is for upstreams of kind {kind} only, this one is {upstream.kind!r}"
                )
        host = self._check_base_url(f"{setting}.base_url", upstream.base_url)
        for place, allowed in enumerate(upstream.allow_hosts):
            if not is_host(allowed):
                self._complain(
                    f"{setting}.allow_hosts[{place}]", f"{allowed!r} is not a host name", "leave out scheme and port"
                )
        if upstream.kind == "anthropic":
            self._check_secret(f"{setting}.api_key", upstream.api_key)
        if upstream.kind == "replay" and not upstream.recordings:
            self._complain(f"{setting}.recordings", "is missing", "name the folder of recordings to answer from")
        if upstream.kind == "passthrough" and host and host not in {name.lower() for name in upstream.allow_hosts}:
            self._complain(
                f"{setting}.allow_hosts",
                f"lacks {host}, the host of base_url, so that no login could go there",
                f'add "{host}" if clients may send their own login to it',
            )

    def _check_base_url(self, setting: str, url: str) -> str | None:
        """Complain, or return the host in lower case."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host, parts = None, urlsplit("")
        if parts.scheme not in {"http", "https"} or not host or not is_host(host):
            self._complain(setting, "is not a URL", 'write it like "https://api.anthropic.com"')
            return None
        if parts.username is not None or parts.query or parts.fragment:
            self._complain(setting, "must hold no user, password, query or fragment")
        return host

    def _check_secret(self, setting: str, source: SecretSource | None) -> None:
        named = [name for name in ("env", "file", "keyring") if source is not None and getattr(source, name)]
        if len(named) != 1:
            problem = "is missing" if not named else f"names {len(named)} places"
            self._complain(setting, problem, 'say where it is: { env = "NAME" }, { file = "…" } or { keyring = "…" }')

    def _check_aliases(self) -> None:
        aliases = self._config.models.aliases
        for name, target in aliases.items():
            setting = f"models.aliases.{name}"
            if not name or not target:
                self._complain(setting, "neither the alias nor its model may be empty")
            elif name == target:
                self._complain(setting, "is its own target")
            elif target in aliases:
                self._complain(
                    setting,
                    f"points to {target!r}, which is an alias too",
                    "name the model itself: an alias is replaced once",
                )

    def _check_alerts(self) -> None:
        # Not at the top: `webhooks` judges hosts as this module does.
        from clearway.config.webhooks import parse_hook  # noqa: PLC0415

        usage = self._config.usage
        ascending = all(low < high for low, high in itertools.pairwise(usage.thresholds))
        if not ascending or not all(0 < part <= 1 for part in usage.thresholds):
            self._complain("usage.thresholds", "expected numbers above 0 and up to 1, ascending", "0.95 is 95 %")
        for place, host in enumerate(usage.webhook_hosts):
            if not is_host(host):
                self._complain(
                    f"usage.webhook_hosts[{place}]", f"{host!r} is not a host name", "leave out scheme and port"
                )
        for place, url in enumerate(usage.webhooks):
            try:
                parse_hook(url, usage.webhook_hosts)
            except ValueError as error:
                self._complain(f"usage.webhooks[{place}]", str(error))
        if usage.webhook_secret is not None:
            self._check_secret("usage.webhook_secret", usage.webhook_secret)

    def _check_timezone(self) -> None:
        name = self._config.usage.timezone
        if name == "UTC":
            return
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            self._complain("usage.timezone", f"{name!r} is not a time zone", 'write it like "Europe/Berlin"')

    def _check_otel(self) -> None:
        endpoint = self._config.otel.endpoint
        if not endpoint:
            return
        try:
            parts = urlsplit(endpoint)
            is_url = parts.scheme in {"http", "https"} and is_host(parts.hostname or "") and parts.port != 0
        except ValueError:
            is_url, parts = False, urlsplit("")
        if not is_url:
            self._complain("otel.endpoint", "is not a URL", 'write it like "http://127.0.0.1:4318"')
        elif parts.username is not None or parts.query or parts.fragment:
            self._complain("otel.endpoint", "must hold no user, password, query or fragment")


def is_host(text: str) -> bool:
    """Whether it is a host name or an IP address, without a port."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= _MAX_HOST and _HOST_NAME.fullmatch(text) is not None
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
