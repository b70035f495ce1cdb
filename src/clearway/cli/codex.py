"""Codex is told where to go: by a provider of its own, for one process or in a profile.

Owns how Codex is configured; its own files are neither read nor written, and no secret is put on a
command line: the provider names the variable that holds it.
Source: `codex --help` and config.toml's `model_providers` of Codex CLI 0.169.0 (measured 2026-11-27).
Used by cli/env and cli/running.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePath

import msgspec

from clearway.cli.failures import Exit, Failure
from clearway.cli.options import KEY_VARIABLE
from clearway.config.model import Config

PROVIDER = "clearway"
"""What Codex calls us, and the name of its profile."""
_OWN_VARIABLE = "ANTHROPIC_API_KEY"
_PROGRAMS = ("codex", "codex.exe")


class Credential(msgspec.Struct, frozen=True):
    """What Codex shows us, by the names of variables."""

    variable: str
    has_key_beside: bool = False
    """The variable is not that of a key, and every request needs one."""


def credential_of(config: Config, *, by_key: bool) -> Credential:
    """A Clearway key, or an API key of Anthropic's that passes through."""
    return Credential(KEY_VARIABLE) if by_key else Credential(_OWN_VARIABLE, config.server.behind_proxy)


def settings(url: str, credential: Credential) -> dict[str, object]:
    """The provider, as Codex's configuration has it.

    Args:
        url: The gateway's address.
        credential: What to show it.
    """
    provider: dict[str, object] = {
        "name": "Clearway",
        "base_url": f"{url}/v1",
        "env_key": credential.variable,
        "wire_api": "responses",
    }
    if credential.has_key_beside:
        provider["env_http_headers"] = {"x-clearway-key": KEY_VARIABLE}
    return provider


def arguments(url: str, credential: Credential) -> list[str]:
    """What to put behind the program's name, so that this process alone is told.

    They stand before its subcommand: what is said of these settings behind one wins. A Codex that is told
    anything in this way does not use the background server of others, which has its own settings.
    """
    provider = settings(url, credential)
    return ["-c", f'model_provider="{PROVIDER}"', "-c", f"model_providers.{PROVIDER}={_inline(provider)}"]


def profile(url: str, credential: Credential) -> str:
    """The same as a file that Codex lays over its configuration where it is started with `-p clearway`."""
    lines = [f"{name} = {_inline(value)}" for name, value in settings(url, credential).items()]
    return "\n".join([f'model_provider = "{PROVIDER}"', "", f"[model_providers.{PROVIDER}]", *lines])


def told(command: Sequence[str], url: str, credential: Credential | None) -> list[str]:
    """The command line, with what Codex must be told; that of another program as it is."""
    if credential is None:
        return list(command)
    return [command[0], *arguments(url, credential), *command[1:]]


def credential_for(command: Sequence[str], config: Config, environ: Mapping[str, str]) -> Credential | None:
    """What a command can show; None for another program than Codex.

    Its own logins are OpenAI's, which nobody here has a use for.

    Raises:
        Failure: The environment has nothing for it.
    """
    if PurePath(command[0]).name not in _PROGRAMS:
        return None
    passes = [upstream.kind == "passthrough" for upstream in config.upstreams]
    has_key = bool(environ.get(KEY_VARIABLE))
    if has_key and not all(passes):
        return credential_of(config, by_key=True)
    own = credential_of(config, by_key=False)
    if any(passes) and environ.get(own.variable) and (has_key or not own.has_key_beside):
        return own
    hint = f"put a key into {KEY_VARIABLE}; make one with: clearway keys create NAME"
    if all(passes):
        hint = f"no upstream with a credential of the gateway's is configured; put an API key into {own.variable}"
        hint += f", and a Clearway key into {KEY_VARIABLE}" if own.has_key_beside else ""
    raise Failure("Codex has nothing to show the gateway: its own login is not Anthropic's", hint, Exit.REFUSED)


def _inline(value: object) -> str:
    """A value in TOML, on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_name(name)} = {_inline(inner)}" for name, inner in value.items()) + " }"
    return json.dumps(value)


def _name(name: str) -> str:
    return json.dumps(name) if "-" in name else name
