"""Codex in its mode without a terminal, shut off from everything but the gateway.

Owns its configuration: a directory of its own with telemetry, plug-ins and updates off, and the profile that
`clearway env codex` writes. Its sandbox is off, for containers have none to give; what the scripted model
says is run in a scratch directory.
Source: `codex exec --help`, and who is asked for by Codex CLI 0.169.0 (measured 2026-11-27).
"""

import json
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.clients.outside import Outside

QUIET = """
check_for_update_on_startup = false
[analytics]
enabled = false
[features]
plugins = false
"""
PATIENCE_S = 60
Event = dict[str, Any]


class Said:
    """What one run of Codex told."""

    def __init__(self, code: int, output: str, errors: str) -> None:
        self.code = code
        self.errors = errors
        self.events: list[Event] = [json.loads(line) for line in output.splitlines() if line.startswith("{")]

    def items(self, kind: str) -> list[Event]:
        """What it did, by kind."""
        done = [event["item"] for event in self.events if event["type"] == "item.completed"]
        return [item for item in done if item["type"] == kind]

    @property
    def session(self) -> str:
        """Its id."""
        return str(self.events[0]["thread_id"])

    @property
    def answers(self) -> list[str]:
        """What it showed of the model's words, message by message."""
        return [item["text"] for item in self.items("agent_message")]

    @property
    def usage(self) -> Event:
        """What it counted, of a turn that went well."""
        (usage,) = [event["usage"] for event in self.events if event["type"] == "turn.completed"]
        used: Event = usage
        return used

    @property
    def failure(self) -> str:
        """Why the turn failed."""
        (failure,) = [event["error"]["message"] for event in self.events if event["type"] == "turn.failed"]
        return str(failure)

    @property
    def troubles(self) -> list[str]:
        """What it told of on the way."""
        told = [event["message"] for event in self.events if event["type"] == "error"]
        return told + [item["message"] for item in self.items("error")]

    def __repr__(self) -> str:
        return f"{self.code} {self.events}\n{self.errors}"


class Codex:
    """Starts Codex, each time with the same configuration and in the same scratch directory.

    Args:
        program: The binary.
        outside: Its home, and what it may reach.
        profile: What `clearway env codex` has written.
        key: A Clearway key.
    """

    def __init__(self, program: Path, outside: Outside, profile: str, key: str) -> None:
        self._program = program
        self.folder = outside.home / "codex"
        self.scratch = outside.home / "scratch"
        self.environment = {**outside.environment, "CODEX_HOME": str(self.folder), "CLEARWAY_KEY": key}
        self.folder.mkdir()
        self.scratch.mkdir()
        (self.folder / "config.toml").write_text(QUIET)
        (self.folder / "clearway.config.toml").write_text(profile)

    def ask(self, prompt: str, *arguments: str, model: str = "", resume: bool = False) -> Said:
        """One prompt, to its end."""
        with self.started(prompt, *arguments, model=model, resume=resume) as process:
            return self.ended(process)

    def started(
        self, prompt: str, *arguments: str, model: str = "", resume: bool = False, before: Iterable[str] = ()
    ) -> "subprocess.Popen[str]":
        """One prompt, begun.

        Args:
            prompt: What to do.
            arguments: Of `exec`.
            model: By any of its names; empty for Codex's own choice.
            resume: It goes on with the session before.
            before: Words before the program's name, which then is told by them.
        """
        command = [*before, str(self._program), *(() if before else ("-p", "clearway")), "exec", "--json"]
        command += ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", *arguments]
        command += ["-m", model] if model else []
        command += ["resume", "--last", prompt] if resume else [prompt]
        return subprocess.Popen(
            command,
            cwd=self.scratch,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @staticmethod
    def ended(process: "subprocess.Popen[str]") -> Said:
        """What it said, when it is done."""
        try:
            output, errors = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
        return Said(process.returncode, output, errors)

    @classmethod
    def interrupted(cls, process: "subprocess.Popen[str]") -> Said:
        """The same, after Ctrl-C."""
        process.send_signal(signal.SIGINT)
        return cls.ended(process)
