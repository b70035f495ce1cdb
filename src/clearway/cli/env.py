"""`clearway env`: what a client needs to be told, for a shell to evaluate.

No secret is printed, as none is known: where a key is needed, the variable
`CLEARWAY_KEY` of the shell is used, and a note says so.
"""

import json as jsonlib
import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from clearway.cli import codex
from clearway.cli.access import find_socket
from clearway.cli.failures import Exit, Failure
from clearway.cli.options import KEY_VARIABLE, AsJson, load_config
from clearway.cli.remote import Unreachable, read_status
from clearway.cli.screen import note, print_json
from clearway.config.model import Config

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # names what `serve` may listen on


class Shell(StrEnum):
    """Whose words to print."""

    bash = "bash"
    fish = "fish"
    powershell = "powershell"


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """How one client is told where to go."""

    title: str
    url_variables: tuple[str, ...]
    key_variable: str
    """What carries a Clearway key when that is all the client shows."""
    own: str
    """What the client's own credential is called."""
    path: str = ""
    """What its URL has behind the gateway's address."""


_OPENAI = Client(
    title="OpenAI's SDK",
    url_variables=("OPENAI_BASE_URL",),
    key_variable="OPENAI_API_KEY",
    own="an API key of Anthropic's in OPENAI_API_KEY",
    path="/v1",
)
_PYTHON = Client(
    title="Anthropic's Python SDK",
    url_variables=("ANTHROPIC_BASE_URL",),
    key_variable="ANTHROPIC_API_KEY",
    own="its own ANTHROPIC_API_KEY",
)
CLIENTS = {
    # Source: code.claude.com, "LLM gateway configuration" (read 2026-11-21).
    "claude-code": Client(
        title="Claude Code",
        url_variables=("ANTHROPIC_BASE_URL",),
        key_variable="ANTHROPIC_AUTH_TOKEN",
        own="its own login",
    ),
    "anthropic-sdk": _PYTHON,
    "python": _PYTHON,
    "node": msgspec.structs.replace(_PYTHON, title="Anthropic's TypeScript SDK"),
    # Source: langchain-anthropic, `ChatAnthropic.anthropic_api_url`.
    "langchain": msgspec.structs.replace(
        _PYTHON, title="LangChain's ChatAnthropic", url_variables=("ANTHROPIC_API_URL", "ANTHROPIC_BASE_URL")
    ),
    # Source: README of the `openai` SDK 3.x (read 2026-11-21).
    "openai": _OPENAI,
    # Source: aider.chat, "OpenAI compatible APIs" (read 2026-11-27).
    "aider": msgspec.structs.replace(_OPENAI, title="aider", url_variables=("OPENAI_API_BASE",)),
    # It reads a file: cli/codex.
    "codex": msgspec.structs.replace(
        _OPENAI, title="Codex", url_variables=(), own="an API key of Anthropic's in ANTHROPIC_API_KEY"
    ),
    "curl": msgspec.structs.replace(_PYTHON, title="curl", own="an API key of its own"),
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("env")(env)


def env(
    context: typer.Context,
    client: Annotated[str, typer.Argument(help=f"{', '.join(CLIENTS)}.")] = "",
    *,
    with_key: Annotated[
        bool, typer.Option("--with-key", help=f"Show a Clearway key ({KEY_VARIABLE}), not the client's own login.")
    ] = False,
    shell: Annotated[Shell, typer.Option(help="Whose words to print.")] = Shell.bash,
    json: AsJson = False,
) -> None:
    """Print what a client needs to be told, to evaluate in a shell."""
    chosen = CLIENTS.get(client)
    if chosen is None:
        message = f"there is no client {client!r}" if client else "which client?"
        raise Failure(message, f"known: {', '.join(CLIENTS)}", Exit.USAGE)
    config = load_config(context).config
    url = gateway_url(config)
    has_passthrough = any(upstream.kind == "passthrough" for upstream in config.upstreams)
    by_key = with_key or not has_passthrough
    settings = _settings(chosen, url, config, by_key=by_key)
    notes = _notes(chosen, config, by_key=by_key)
    shown = codex.credential_of(config, by_key=by_key)
    told: dict[str, object] = {"client": client, "url": url, "credential": "key" if by_key else "own"}
    told |= {"variables": settings}
    if client == "codex":
        told |= {"variables": {}, "arguments": codex.arguments(url, shown)}
        notes.append("save this as ~/.codex/clearway.config.toml, and start: codex -p clearway")
    if json:
        print_json(told)
        return
    if client == "codex":
        typer.echo(codex.profile(url, shown))
    elif client == "curl":
        typer.echo(_curl(url, by_key=by_key, two=_needs_both(config)))
    else:
        for name, value in settings.items():
            typer.echo(_assignment(shell, name, value))
    for line in notes:
        note(line)


def gateway_url(config: Config) -> str:
    """Where clients reach the gateway: the running one, or the configured address."""
    socket = find_socket(Path(config.server.data_dir))
    if socket is not None:
        try:
            return read_status(socket).url
        except Unreachable:
            note("the gateway does not answer; printing the configured address")
    if config.server.port == 0:
        raise Failure("server.port is 0, so the address is not known before it runs", "start it with: clearway serve")
    host = _WILDCARDS.get(config.server.host, config.server.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{config.server.port}"


def _settings(client: Client, url: str, config: Config, *, by_key: bool) -> dict[str, str]:
    """Values by name; `$CLEARWAY_KEY` stands for the variable of the shell."""
    settings = dict.fromkeys(client.url_variables, url + client.path)
    if by_key:
        settings[client.key_variable] = f"${KEY_VARIABLE}"
    elif _needs_both(config) and client.title == "Claude Code":
        settings["ANTHROPIC_CUSTOM_HEADERS"] = f"x-clearway-key: ${KEY_VARIABLE}"
    return settings


def _needs_both(config: Config) -> bool:
    """Whether every request needs a key, beside a credential of the client's own."""
    return config.server.behind_proxy


def _notes(client: Client, config: Config, *, by_key: bool) -> list[str]:
    if by_key:
        lines = [
            f"{client.title} shows a Clearway key, and the gateway's own credential pays",
            f"put the key into {KEY_VARIABLE} first; make one with: clearway keys create NAME",
        ]
        if all(upstream.kind == "passthrough" for upstream in config.upstreams):
            lines.append("no upstream with a credential of the gateway's is configured yet: a key alone reaches none")
        return lines
    lines = [f"{client.title} goes on with {client.own}, which passes through unchanged and pays"]
    if _needs_both(config):
        lines.append(f"this gateway wants a key beside it, in the header x-clearway-key; put it into {KEY_VARIABLE}")
    return lines


def _assignment(shell: Shell, name: str, value: str) -> str:
    variable = f"${KEY_VARIABLE}"
    if shell is Shell.powershell:
        quoted = '"' + value.replace(variable, f"$env:{KEY_VARIABLE}") + '"' if variable in value else f"'{value}'"
        return f"$env:{name} = {quoted}"
    quoted = f'"{value}"' if variable in value else shlex.quote(value)
    return f"set -gx {name} {quoted}" if shell is Shell.fish else f"export {name}={quoted}"


def _curl(url: str, *, by_key: bool, two: bool) -> str:
    body = {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}
    lines = [f"curl {shlex.quote(url + '/v1/messages')}"]
    lines.append(f'-H "x-api-key: ${KEY_VARIABLE if by_key else "ANTHROPIC_API_KEY"}"')
    if two and not by_key:
        lines.append(f'-H "x-clearway-key: ${KEY_VARIABLE}"')
    lines += ["-H 'anthropic-version: 2023-06-01'", "-H 'content-type: application/json'"]
    lines.append(f"-d {shlex.quote(jsonlib.dumps(body))}")
    return " \\\n  ".join(lines)
