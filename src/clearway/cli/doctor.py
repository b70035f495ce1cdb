"""`clearway doctor`: looks at everything that could be wrong, and says what to do."""

from collections.abc import Iterator
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from clearway.cli.clean import clean
from clearway.cli.diagnosis.counters import check_counters
from clearway.cli.diagnosis.finding import Finding, fail, ok
from clearway.cli.diagnosis.home import check_home, check_owner
from clearway.cli.diagnosis.network import check_cooling, check_listening, check_proxies, check_upstreams
from clearway.cli.diagnosis.surroundings import (
    check_claude_code,
    check_descriptors,
    check_prices,
    check_secrets,
    check_variables,
    check_webhooks,
)
from clearway.cli.failures import Exit
from clearway.cli.options import AsJson, load_config
from clearway.cli.screen import console, print_json
from clearway.config.load import Loaded, environment
from clearway.config.problems import ConfigError
from clearway.core.clock import SystemClock

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(context: typer.Context, *, json: AsJson = False) -> None:
    """Check this installation and say what to do. Exit code 1 if anything fails.

    Sends no credential and spends no token. Nothing is changed.
    """
    screen = console(context)
    findings: list[Finding] = []
    for finding in _findings(context):
        findings.append(finding)
        if not json:
            _print(finding, screen)
    if json:
        print_json(findings)
    if any(finding.level == "fail" for finding in findings):
        raise typer.Exit(Exit.FAILED)


def _findings(context: typer.Context) -> Iterator[Finding]:
    environ = environment()
    try:
        loaded = load_config(context)
    except ConfigError as error:
        for problem in error.problems:
            yield fail("configuration", str(problem), problem.hint)
    else:
        yield from _configured(loaded, environ)
    yield check_descriptors()
    yield from check_variables(environ)


def _configured(loaded: Loaded, environ: dict[str, str]) -> Iterator[Finding]:
    """What can be looked at only with valid settings."""
    config, clock = loaded.config, SystemClock()
    yield ok("configuration", f"valid, from {loaded.path or 'the defaults and the environment'}")
    yield from check_home(config)
    yield from check_counters(config, environ)
    owner, status = check_owner(config)
    yield owner
    yield from check_listening(config, status)
    yield from check_proxies(config)
    yield from check_secrets(config, environ)
    yield from check_webhooks(config, environ)
    yield from check_upstreams(config, loaded.origins, clock)
    yield from check_cooling(status)
    yield check_prices(config, clock)
    url = status.url if status is not None else f"http://{config.server.host}:{config.server.port}"
    yield from check_claude_code(environ, Path.cwd(), url)


def _print(finding: Finding, screen: Console) -> None:
    line = f"{clean(finding.check)}: {clean(finding.message)}"
    screen.print(Text.assemble((f"{finding.level:<5}", _STYLES[finding.level]), line))
    if finding.hint:
        screen.print(Text(f"     → {clean(finding.hint)}", style="dim"))
