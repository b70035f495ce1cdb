"""A home of its own for each test, and the real program in it."""

import os
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from clearway.cli.app import app

PROGRAM = Path(sys.executable).parent / "clearway"


class Desk:
    """Somebody at a shell: a home, a working directory, an emptied environment."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.cwd = root / "work"
        self.data_dir = root / "data"
        self.home.mkdir()
        self.cwd.mkdir()
        self.environ = {
            "HOME": str(self.home),
            "PATH": f"{PROGRAM.parent}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "LANG": "C.UTF-8",
            "CLEARWAY_SERVER__DATA_DIR": str(self.data_dir),
            "CLEARWAY_UPSTREAMS": '[{"name": "sim", "kind": "sim"}]',
        }

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run `clearway` to its end."""
        return subprocess.run(
            [PROGRAM, *arguments],
            cwd=self.cwd,
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=15,
            check=False,
        )

    def quick(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """The same inside this process: for what does not depend on being a process."""
        with chdir(self.cwd), patch.dict(os.environ, self.environ | environ, clear=True):  # noqa: TID251  # ours to set
            done = CliRunner().invoke(app, list(arguments), prog_name="clearway")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `clearway` and go on."""
        return subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=self.cwd,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
