"""The parts of docs/performance.md that programs write, between marks that stay.

Used by bench/run.py, bench/soak/__main__.py and tests/bench.
"""

from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"


def with_section(document: str, name: str, text: str) -> str:
    """The document with the part of that name said anew.

    Raises:
        ValueError: It has no such part.
    """
    begin, end = f"<!-- {name}: written by a program -->\n", f"<!-- {name}: end -->\n"
    before, found, rest = document.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"no part `{name}` in the document")
    return f"{before}{begin}\n{text.strip()}\n\n{end}{after}"


def write_section(name: str, text: str) -> None:
    """Say a part of docs/performance.md anew."""
    DOCUMENT.write_text(with_section(DOCUMENT.read_text(), name, text))
