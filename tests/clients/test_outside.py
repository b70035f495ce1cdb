"""What clients run in holds: nothing of this machine gets in, and nobody gets out unseen."""

import sys
from pathlib import Path

import pytest

from tests.clients.outside import Outside

FETCH = "fetch('https://elsewhere.invalid/').catch(() => {})"
OPEN = """
import contextlib, urllib.request
with contextlib.suppress(OSError):
    urllib.request.urlopen("https://elsewhere.invalid/")
"""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("language", ["python", "node"])
def test_leaving(language: str, tmp_path: Path, node_program: Path) -> None:
    """Whoever wants to reach another host fails its test, whatever it makes of the refusal."""
    command = (sys.executable, "-c", OPEN) if language == "python" else (node_program, "-e", FETCH)
    with pytest.raises(AssertionError, match=r"CONNECT elsewhere\.invalid:443"), Outside(tmp_path) as outside:
        outside.run(*command)


def test_variables(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of this process's variables a client sees none, and its home is empty."""
    monkeypatch.setenv("OPENAI_API_KEY", "somebody's own")

    assert "somebody" not in outside.run("env")
    assert [] == list(outside.home.iterdir())
