"""The generated reference is whole, and the committed pages are what the code says."""

import subprocess
import sys
from pathlib import Path

import msgspec

from clearway.cli.app import whole
from clearway.config.model import Config
from clearway.config.types import docs_of, fields_of
from clearway.core import errors

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"


def test_pages_are_current() -> None:
    """`make docs` would change nothing."""
    done = subprocess.run(
        [sys.executable, "tools/docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert 0 == done.returncode, done.stderr


def test_every_setting_is_explained() -> None:
    """Each setting has a sentence of its own, in the model and so in the reference."""
    page = (REFERENCE / "settings.md").read_text()
    missing = [name for name, doc in _settings(Config) if not doc.strip() or f"| `{name}` |" not in page]

    assert [] == missing


def _settings(struct: type[msgspec.Struct]) -> list[tuple[str, str]]:
    docs = docs_of(struct)
    found: list[tuple[str, str]] = []
    for name, kind in fields_of(struct).items():
        table = kind.table or (kind.entry.table if kind.entry else None)
        if table is None or kind.is_optional:
            found.append((name, docs[name]))
        else:
            found += _settings(table)
    return found


def test_every_command_and_option_is_explained() -> None:
    """Nothing in the command line is without a word on what it does."""
    page = (REFERENCE / "cli.md").read_text()

    def silent(path: str, command: object) -> list[str]:
        inner = getattr(command, "commands", {})
        found = [] if getattr(command, "help", None) and f"`{path}" in page else [path]
        found += [
            f"{path} {param.name}"
            for param in getattr(command, "params", ())
            if param.name != "help" and not param.hidden and not param.help
        ]
        return found + [name for part, child in inner.items() for name in silent(f"{path} {part}", child)]

    assert [] == silent("clearway", whole())


def test_every_error_is_listed() -> None:
    """Each code of the tree has its row."""
    page = (REFERENCE / "errors.md").read_text()
    codes = {kind.code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")}

    assert [] == [code for code in sorted(codes) if f"| `{code}` |" not in page]
