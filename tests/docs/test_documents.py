"""The documents are held to the code: commands parse, targets and files exist, tables are complete."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from clearway.cli.app import whole

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "reference")]
)
_SCRIPT = re.compile(r"^```(?:sh|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`((?:clearway|make) [^`\n]+)`")


def _commands() -> list[tuple[str, str]]:
    """Every command line that a document shows, with the document's name."""
    found: list[tuple[str, str]] = []
    for path in DOCUMENTS:
        text = path.read_text()
        lines = [line for block in _SCRIPT.findall(text) for line in block.replace("\\\n", " ").splitlines()]
        lines += [
            line.removeprefix("$ ")
            for block in _CONSOLE.findall(text)
            for line in block.replace("\\\n", " ").splitlines()
            if line.startswith("$ ")
        ]
        lines += _INLINE.findall(text)
        found += [(path.name, line.strip()) for line in lines]
    return sorted(set(found))


def _words(line: str, program: str) -> list[str] | None:
    """The words after `program` where the line runs it (variables before it set aside); None where it doesn't."""
    words = shlex.split(line, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    return words[1:] if words and words[0] == program else None


def test_there_are_commands() -> None:
    """The search below looks at something."""
    assert len(_commands()) > 5


@pytest.mark.parametrize(("document", "line"), _commands())
def test_shown_command_exists(document: str, line: str) -> None:
    """A command in a document names commands and options that there are, and a target that make has."""
    clearway, make = _words(line, "clearway"), _words(line, "make")
    if clearway is not None:
        _check_command(document, clearway)
    if make is not None:
        targets = [word for word in make if "=" not in word and not word.startswith("-") and not word.isupper()]

        assert set(targets) <= _targets(), document


def _check_command(document: str, words: list[str]) -> None:
    command: object = whole()
    for word in words:
        if word == "--":
            break
        if word.startswith("-"):
            known = {name for param in getattr(command, "params", ()) for name in (*param.opts, *param.secondary_opts)}

            assert word.partition("=")[0] in known | {"--help", "-h"}, f"{document}: {' '.join(words)}"
        elif inner := getattr(command, "commands", {}):
            # `log|show` and the like stand for each of them; an ellipsis or capitals for any.
            names = word.strip("()[]").split("|")
            if names[0].isupper() or "\u2026" in word:
                break

            assert set(names) <= set(inner), f"{document}: {' '.join(words)}"
            command = inner[names[0]]


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_target_is_explained() -> None:
    """`make help` lists every target."""
    explained = set(re.findall(r"^([a-z-]+):.*## \S", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert _targets() == explained


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """A relative link or a path in backquotes that looks like one of ours exists."""
    text = path.read_text()
    links = [link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in link]
    ours = re.findall(r"`((?:docs|src|tests|tools|bench)/[\w./-]+\.(?:md|py|toml|json))`", text)

    assert [] == [link for link in links if not (path.parent / link).exists()]
    assert [] == [name for name in ours if not (ROOT / name).exists()]


def test_every_dependency_has_a_reason() -> None:
    """Each direct run-time dependency stands in the decision with its licence, and nothing else does."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    direct = {re.split(r"[\[><=; ]", name)[0] for name in project["dependencies"]}
    table = re.findall(
        r"^\| `([\w-]+)` \| [^|]+ \| [^|]+ \|$",
        (ROOT / "docs/decisions/0002-dependencies.md").read_text(),
        re.MULTILINE,
    )

    assert sorted(direct) == sorted(table)
    assert len(direct) <= 16


def test_few_dependencies_in_all() -> None:
    """What `make serve` installs stays under forty packages, all with hashes, from no named index."""
    locked = (ROOT / "requirements" / "run.txt").read_text()
    packages = re.findall(r"^([\w.-]+)==", locked, re.MULTILINE)

    assert 0 < len(packages) <= 40
    files = sorted((ROOT / "requirements").glob("*.txt"))
    assert len(files) >= 7
    for path in files:
        text = path.read_text()
        pinned = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]

        assert all("--hash=sha256:" in one for one in pinned)
        assert not re.search(r"https?://|--index|--find-links", text)
