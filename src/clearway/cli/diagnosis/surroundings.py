"""What surrounds the gateway: secrets, prices, limits of the system, variables, Claude Code.

Reads settings files of Claude Code for one value only, and no credential file at all.
"""

import json
import os
import resource
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlsplit

from clearway.cli.diagnosis.finding import Finding, fail, ok, warn
from clearway.cli.options import KEY_VARIABLE
from clearway.config.load import ignored_variables
from clearway.config.model import Config
from clearway.config.problems import ConfigError
from clearway.config.secrets import resolve
from clearway.core.clock import Clock
from clearway.pricing.prices import PriceFileError, PriceList
from clearway.upstreams.webhooks import webhooks

_OLD_PRICES_DAYS = 120
_FEW_DESCRIPTORS = 4096
_MAX_SETTINGS_BYTES = 1_000_000
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_SETTINGS_FILES = (".claude/settings.json", ".claude/settings.local.json")


def check_secrets(config: Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether each upstream's credential and authority are where the configuration says."""
    for place, upstream in enumerate(config.upstreams):
        name = f"credential of {upstream.name}"
        if upstream.api_key is not None:
            try:
                resolve(upstream.api_key, environ, setting=f"upstreams[{place}].api_key")
                yield ok(name, "is there (not tried: that would be a request)")
            except ConfigError as error:
                problem = error.problems[0]
                yield fail(name, str(problem), problem.hint)
        if upstream.ca and not os.access(upstream.ca, os.R_OK):
            yield fail(f"ca of {upstream.name}", f"{upstream.ca} cannot be read", "set upstreams.ca to a PEM file")


def check_webhooks(config: Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether messages to webhooks can be signed. Nothing is sent."""
    if not config.usage.webhooks:
        return
    try:
        receivers = webhooks(config, environ)
    except ConfigError as error:
        problem = error.problems[0]
        yield fail("webhooks", str(problem), problem.hint)
        return
    where = ", ".join(receiver.shown for receiver in receivers)
    if config.usage.webhook_secret is None:
        hint = "set usage.webhook_secret, so that the receiver can tell our messages from others"
        yield warn("webhooks", f"{where}; messages are not signed", hint)
    else:
        yield ok("webhooks", f"{where} (not tried: clearway alerts test does)")


def check_prices(config: Config, clock: Clock) -> Finding:
    """Whether the prices can be read, and how old they are."""
    try:
        prices = PriceList.shipped()
        if config.usage.prices:
            prices = prices.with_override(Path(config.usage.prices))
    except PriceFileError as error:
        return fail("prices", str(error), "costs cannot be computed without it")
    try:
        made = date.fromisoformat(prices.version[:10])
    except ValueError:
        return ok("prices", prices.version)
    age_days = (datetime.fromtimestamp(clock.now_us() / 1_000_000, UTC).date() - made).days
    if age_days > _OLD_PRICES_DAYS:
        hint = "update Clearway, or set usage.prices to a file with newer ones"
        return warn("prices", f"{prices.version}, {age_days} days old", hint)
    return ok("prices", f"{prices.version}")


def check_descriptors() -> Finding:
    """Each exchange takes two or three descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    reachable = hard if hard != resource.RLIM_INFINITY else 1 << 30
    if reachable < _FEW_DESCRIPTORS:
        return warn("descriptors", f"at most {reachable} open files", f"raise the limit to {_FEW_DESCRIPTORS} or more")
    return ok("descriptors", f"{soft} open files, {'unlimited' if hard == resource.RLIM_INFINITY else hard} at most")


def check_variables(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Variables that keep clients from the gateway, or are misspelt. Names only."""
    set_proxies = [name for name in environ if name.upper() in _PROXIES and environ[name]]
    spared = (environ.get("NO_PROXY") or environ.get("no_proxy") or "").replace(" ", "").split(",")
    if set_proxies and not {"127.0.0.1", "localhost", "*"} & set(spared):
        yield warn(
            "proxy variables",
            f"{', '.join(sorted(set_proxies))}: clients would ask that proxy for the gateway on loopback",
            "add 127.0.0.1 and localhost to NO_PROXY",
        )
    elif set_proxies:
        yield ok("proxy variables", f"{', '.join(sorted(set_proxies))}, loopback excepted")
    else:
        yield ok("proxy variables", "none")
    ignored = [name for name in ignored_variables(environ) if name != KEY_VARIABLE]
    if ignored:
        hint = "settings have two underscores: CLEARWAY_SERVER__PORT"
        yield warn("variables", f"not read: {', '.join(ignored)}", hint)


def check_claude_code(environ: Mapping[str, str], cwd: Path, url: str) -> Iterator[Finding]:
    """Whether Claude Code is here, and whether this project sends it elsewhere."""
    found = shutil.which("claude", path=environ.get("PATH", ""))
    yield ok("Claude Code", f"found at {found}" if found else "not found on PATH")
    for file in _SETTINGS_FILES:
        target = _base_url_in(cwd / file)
        if target is None:
            continue
        host = urlsplit(target).netloc.rpartition("@")[2]
        if host == urlsplit(url).netloc:
            yield ok(file, "sends Claude Code to this gateway")
        else:
            hint = "remove it there: settings files win over the environment of `clearway run`"
            yield warn(file, f"sends Claude Code in this directory to {host or 'an address that is no URL'}", hint)


def _base_url_in(path: Path) -> str | None:
    """`env.ANTHROPIC_BASE_URL` of a settings file; nothing else of it is kept."""
    try:
        with path.open("rb") as file:
            settings = json.loads(file.read(_MAX_SETTINGS_BYTES))
    except (OSError, ValueError):
        return None
    variables = settings.get("env") if isinstance(settings, dict) else None
    target = variables.get("ANTHROPIC_BASE_URL") if isinstance(variables, dict) else None
    return target if isinstance(target, str) else None
