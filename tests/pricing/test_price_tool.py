"""tools/prices.py: the shipped list is what its sources give."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = Path("src/clearway/pricing/prices.json")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the tool, its table and the list that it makes."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=lambda _, names: [n for n in names if "prices" not in n])
    (tmp_path / SHIPPED).parent.mkdir(parents=True)
    shutil.copy(ROOT / SHIPPED, tmp_path / SHIPPED)
    return tmp_path


def run(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tool with nothing in its environment."""
    return subprocess.run(
        [sys.executable, "tools/prices.py", *arguments], cwd=tree, env={}, capture_output=True, text=True, check=False
    )


def test_committed_list() -> None:
    """The committed list is up to date with genai-prices and the reviewed table."""
    done = run(ROOT, "--check")

    assert (done.returncode, done.stderr) == (0, "")


def test_check_and_write(tree: Path) -> None:
    """A list that was edited by hand is noticed, and written anew byte for byte."""
    (tree / SHIPPED).write_bytes((ROOT / SHIPPED).read_bytes().replace(b"20000000000", b"20000000001"))

    checked = run(tree, "--check")
    written = run(tree)

    assert checked.returncode == 1
    assert "make prices" in checked.stderr
    assert written.returncode == 0
    assert (ROOT / SHIPPED).read_bytes() == (tree / SHIPPED).read_bytes()


@pytest.mark.parametrize(
    ("row", "told"),
    [
        pytest.param('[[same]]\nid = "x"\nas = "claude-opus-5"\n', "without source", id="no-source"),
        pytest.param(
            '[[same]]\nid = "claude-opus-5"\nas = "claude-opus-5-5"\nsource = "https://example.org"\n',
            "claude-opus-5: genai-prices has it now",
            id="learnt-model",
        ),
        pytest.param(
            '[[fast]]\nid = "claude-opus-5"\ninput = "1"\noutput = "5"\nsource = "https://example.org"\n',
            "claude-opus-5: genai-prices has fast rates now",
            id="learnt-fast-rates",
        ),
        pytest.param(
            '[[fast]]\nid = "claude-opus-4-5"\ninput = "30"\noutput = "75"\nsource = "https://example.org"\n',
            "other factors",
            id="fast-rates-that-do-not-fit",
        ),
        pytest.param('[[unpriced]]\nid = "claude-opus-5"\nwhy = "x"\n', "has it now", id="learnt-unpriced"),
    ],
)
def test_refused_rows(tree: Path, row: str, told: str) -> None:
    """A row of the table that isn't sourced, or isn't needed any more, stops the tool."""
    with (tree / "tools" / "prices_extra.toml").open("a") as table:
        table.write("\n" + row)

    done = run(tree)

    assert done.returncode == 1
    assert told in done.stderr
    assert (ROOT / SHIPPED).read_bytes() == (tree / SHIPPED).read_bytes()
