"""Tools whose form OpenAI fixed and which the client runs: as functions, and their calls in the history. Pure.

The arguments of a call are the members of the item's own `action` or `operation`, so that either
is made of the other without a loss.
Source: `ResponseInputItemParam` of the `openai` SDK 3.x (read 2026-11-21).
Used by tools.py and reader.py.
"""

import msgspec

from clearway.wire.hub.notes import Refusal
from clearway.wire.hub.turns import Block, text_block
from clearway.wire.hub.typed import Json, typed
from clearway.wire.responses.form import Kind


class OwnTool(msgspec.Struct, frozen=True, kw_only=True):
    """One of them."""

    kind: Kind
    """Its type, and its name upstream."""
    description: str
    schema: Json


def _object(required: list[str], **properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": required}


_TEXT: Json = {"type": "string"}
_NUMBER: Json = {"type": "integer"}
_TEXTS: Json = {"type": "array", "items": _TEXT}

LOCAL_SHELL = OwnTool(
    kind="local_shell",
    description="Runs a command on the client's machine, without a shell, and returns its output.",
    schema=_object(
        ["command"],
        command={**_TEXTS, "description": "The program and its arguments."},
        env={"type": "object", "additionalProperties": _TEXT, "description": "Environment variables to set."},
        timeout_ms={**_NUMBER, "description": "Milliseconds after which it is ended."},
        user={**_TEXT, "description": "The user to run it as."},
        working_directory={**_TEXT, "description": "The directory to run it in."},
    ),
)
SHELL = OwnTool(
    kind="shell",
    description="Runs shell commands on the client's machine and returns their output and exit codes.",
    schema=_object(
        ["commands"],
        commands={**_TEXTS, "description": "Commands; each is run in a shell of its own."},
        timeout_ms={**_NUMBER, "description": "Milliseconds after which they are ended."},
        max_output_length={**_NUMBER, "description": "Characters of output to return."},
    ),
)
APPLY_PATCH = OwnTool(
    kind="apply_patch",
    description="Creates, updates or deletes one file on the client's machine.",
    schema=_object(
        ["type", "path"],
        type={"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
        path={**_TEXT, "description": "The file."},
        diff={**_TEXT, "description": "What changes, as a V4A diff; for a new file every line begins with +."},
    ),
)


class _Outcome(msgspec.Struct):
    type: str
    exit_code: int | None = None


class _ShellOutput(msgspec.Struct):
    stdout: str = ""
    stderr: str = ""
    outcome: _Outcome | None = None


def shell_output(given: str | list[Json] | None, where: str) -> list[Block]:
    """The output of shell commands as text, a block for each.

    Raises:
        Refusal: It is of another form.
    """
    if given is None or isinstance(given, str):
        return [text_block(given)] if given else []
    blocks = []
    for place, raw in enumerate(given):
        one = typed(raw, _ShellOutput, f"{where}[{place}]")
        lines = [text.rstrip("\n") for text in (one.stdout, one.stderr) if text.strip()]
        if one.outcome is not None:
            lines.append(_ended(one.outcome, f"{where}[{place}].outcome"))
        if lines:
            blocks.append(text_block("\n".join(lines)))
    return blocks


def _ended(outcome: _Outcome, where: str) -> str:
    if outcome.type == "timeout":
        return "(timed out)"
    if outcome.type != "exit" or outcome.exit_code is None:
        raise Refusal(where, "expected an exit with its exit_code, or a timeout")
    return f"(exit code {outcome.exit_code})"
