"""How the environments of clients are made (tools/clients.py), on a copy of the tools and without a package index."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.setup import ROOT, find_uv

pytestmark = pytest.mark.timeout(90)

ASK = """
import sys
from tools import clients
clients.ENVIRONMENTS["one"] = clients.Environment("the one", pythons=sys.argv[1], newest=eval(sys.argv[2]))
print(clients.reason_to_miss("one") or clients.install_environment("one") or clients.place("one").name)
"""
UNHEARD_OF = "clearway-was-never-published==1 --hash=sha256:" + "0" * 64


class Copy:
    """Tools that take a folder of the test's for the project's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.requirements = root / "requirements" / "clients-one.txt"
        self.requirements.parent.mkdir()
        self.requirements.write_text("")
        shutil.copytree(ROOT / "tools", root / "tools", ignore=shutil.ignore_patterns("__pycache__"))

    def install(self, pythons: str = "", newest: tuple[int, int] | None = None) -> tuple[str, str]:
        """What is answered, and what is said meanwhile."""
        done = subprocess.run(
            [sys.executable, "-c", ASK, pythons, str(newest)],
            cwd=self.root,
            env={"PATH": f"{Path(find_uv()).parent}:/usr/bin:/bin", "HOME": str(self.root), "UV_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip(), done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """Empty so far."""
    return Copy(tmp_path)


def test_once(copy: Copy) -> None:
    """What is there is not made again; what has changed is made anew, and the old one goes."""
    name, said = copy.install()
    again = copy.install()
    copy.requirements.write_text("# changed\n")
    other, _ = copy.install()

    assert "installing the one\n" == said
    assert (name, "") == again
    assert name != other
    assert [other] == [path.name for path in (copy.root / ".cache" / "clients").iterdir()]


def test_failure(copy: Copy) -> None:
    """What cannot be installed is said, and tried again the next time."""
    copy.requirements.write_text(UNHEARD_OF)
    expected = "the one could not be installed from requirements/clients-one.txt, see above"

    for _ in range(2):
        answer, said = copy.install()
        assert expected == answer
        assert "clearway-was-never-published" in said


def test_no_python(copy: Copy) -> None:
    """A program that is too old for every Python here is named with its reason, and is no failure."""
    answer, _ = copy.install("<3.1", (3, 0))

    assert answer.startswith("the one works with no Python after 3.0, and there is none")
    assert not (copy.root / ".cache" / "clients").exists()
