"""Claude Code in print mode, shut off from everything but the gateway.

Owns its environment: emptied, a home of its own, dummy credentials, telemetry
and updates off. Source of the variables: Anthropic's documentation of Claude
Code, "Settings" and "LLM gateways" (read 2026-11-21).
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path

QUIET = {
    "DISABLE_TELEMETRY": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    # Whatever else it may want to reach, nothing listens there: tests stay on loopback.
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1,localhost",
}
# Not a login of anybody: only its form is real.
LOGIN = "sk-ant-oat01-" + "dummy" * 16
MODEL = "claude-sonnet-5-5"
PATIENCE_S = 60


def environment(home: Path) -> dict[str, str]:
    """All the variables there are, before a credential and an address are added."""
    home.mkdir(exist_ok=True)
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "SHELL": "/bin/bash",
        "CLAUDE_CONFIG_DIR": str(home / "claude"),
        **QUIET,
    }


def arguments(prompt: str) -> list[str]:
    """One turn in print mode with one tool allowed, its result as one JSON object."""
    return ["-p", prompt, "--model", MODEL, "--allowedTools", "Bash", "--output-format", "json"]


def ask(
    program: Path, home: Path, prompt: str, variables: Mapping[str, str], *, url: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one prompt and return when Claude Code is done."""
    where = {"ANTHROPIC_BASE_URL": url} if url else {}
    return run([str(program), *arguments(prompt)], {**environment(home), **where, **variables}, home)


def run(command: list[str], variables: Mapping[str, str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a command line that ends in Claude Code."""
    return subprocess.run(
        command,
        cwd=directory,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
