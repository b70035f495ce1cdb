"""Writes `requirements/*.txt`: every version with its hashes, for all platforms.

Sources are pyproject.toml (run time) and `requirements/*.in`. Index addresses
are never written. New releases are taken a week after they came out at the
earliest, so that a stolen release is likely to be found before it gets here.
Used by `make lock` and `make prices`; arguments go to uv (`--upgrade`).
"""

import subprocess
import sys

from tools.setup import ROOT, find_uv

OPTIONS = (
    "--quiet",
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--exclude-newer=7 days",
    "--custom-compile-command=make lock",
)
SOURCES = {
    "uv.txt": ("requirements/uv.in",),
    "build.txt": ("requirements/build.in",),
    "run.txt": ("pyproject.toml", "--constraint=requirements/build.txt"),
    "dev.txt": (
        "pyproject.toml",
        "--extra=postgres",
        "--extra=valkey",
        "--extra=otel",
        "--extra=password",
        "requirements/dev.in",
        "--constraint=requirements/run.txt",
        "--constraint=requirements/build.txt",
    ),
    "clients-common.txt": ("requirements/clients-common.in",),
    "clients-instructor.txt": ("requirements/clients-instructor.in",),
    "clients-aider.txt": ("requirements/clients-aider.in",),
}


def main() -> None:
    """Compile each file in turn; later ones are held to the versions of earlier ones, those of clients to none."""
    uv = find_uv()
    for name, sources in SOURCES.items():
        print(f"requirements/{name}", file=sys.stderr)
        command = [uv, "pip", "compile", *OPTIONS, *sys.argv[1:], f"--output-file=requirements/{name}", *sources]
        subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
