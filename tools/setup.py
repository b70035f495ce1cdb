"""Prepares `.venv` from hashed requirements; the first thing that every target runs.

Owns the environment and the installer (uv), nothing else. Runs before anything
is installed: standard library only, any python >= 3.11. Does nothing when what
is installed was made from the same files.
Used by the Makefile; `find_uv` by tools/lock.py too.
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = {
    "run": ("requirements/run.txt", "requirements/build.txt"),
    "dev": ("requirements/dev.txt",),
}
OLDEST_UV = (0, 8)


def main() -> None:
    """Bring `.venv` to the asked-for state."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=REQUIREMENTS)
    kind = parser.parse_args().kind
    # Whoever develops also serves from the same environment: `run` is part of `dev`.
    if any(_stamp(have).is_file() and _stamp(have).read_text() == _wanted(have) for have in {kind, "dev"}):
        return
    try:
        _install(kind)
    except subprocess.CalledProcessError as error:
        print(f"error: could not prepare {VENV}: `{Path(error.cmd[0]).name}` failed, see above", file=sys.stderr)
        raise SystemExit(1) from error


def find_uv() -> str:
    """The machine's uv, or a pinned one of our own in `.cache`, fetched where missing."""
    known = shutil.which("uv")
    if known and _version(known) >= OLDEST_UV:
        return known
    home = ROOT / ".cache" / "uv"
    ours = home / "bin" / "uv"
    if not ours.is_file():
        print(f"fetching uv into {home}", file=sys.stderr)
        _make_venv(home)
        requirements = str(ROOT / "requirements" / "uv.txt")
        _run(str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", requirements)
    return str(ours)


def _install(kind: str) -> None:
    for name in REQUIREMENTS:
        _stamp(name).unlink(missing_ok=True)
    uv = find_uv()
    if not PYTHON.exists() or _version(str(PYTHON)) < (3, 11):
        _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV))
    files = [str(ROOT / name) for name in REQUIREMENTS[kind]]
    _run(uv, "pip", "sync", "--require-hashes", "--python", str(PYTHON), *files)
    # No isolation: the build's own requirements were installed with hashes just now.
    editable = ("--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    _run(uv, "pip", "install", "--python", str(PYTHON), *editable)
    _stamp(kind).write_text(_wanted(kind))


def _make_venv(home: Path) -> None:
    try:
        _run(sys.executable, "-m", "venv", "--clear", str(home))
    except subprocess.CalledProcessError as error:
        print("error: this python has no venv; on Debian: apt-get install python3-venv", file=sys.stderr)
        raise SystemExit(1) from error


def _version(program: str) -> tuple[int, ...]:
    """First two numbers of what `program --version` says; () where it doesn't run."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ()
    found = re.search(r"(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else ()


def _stamp(kind: str) -> Path:
    return VENV / f".clearway-{kind}"


def _wanted(kind: str) -> str:
    """A hash over everything that decides what is installed."""
    digest = hashlib.sha256(str(ROOT).encode())
    for name in (*REQUIREMENTS[kind], "pyproject.toml", "tools/setup.py"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, cwd=ROOT)


if __name__ == "__main__":
    main()
