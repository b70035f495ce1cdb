"""Makes sure that the programs which the tests drive are on this machine.

PostgreSQL and libfaketime come from the system (installed where we are root on
Debian, told otherwise); the clients come from npm and PyPI (tools/clients.py).
Nothing is started here: tests start their own.
Used by `make services`, after `make setup`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools import clients


def main() -> None:
    """Look for each and install what is missing."""
    problems, notes = clients.install()
    problems += [problem for problem in (_postgresql(),) if problem]
    notes += [note for note in (_faketime(),) if note]
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    raise SystemExit(1 if problems else 0)


def _postgresql() -> str | None:
    if _has_postgresql() or (_apt_install("postgresql") and _has_postgresql()):
        return None
    return "PostgreSQL's server programs (initdb, pg_ctl) are missing: install the package `postgresql`"


def _has_postgresql() -> bool:
    # Debian keeps the server's programs off PATH.
    return shutil.which("initdb") is not None or any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


def _faketime() -> str | None:
    """For a clock that jumps; without it those tests are skipped, and say so."""
    if _has_faketime() or (_apt_install("libfaketime") and _has_faketime()):
        return None
    return "libfaketime is missing: the tests of clock jumps are skipped; install the package `libfaketime`"


def _has_faketime() -> bool:
    return any(Path("/usr").glob("lib/*/faketime/libfaketimeMT.so.1"))


def _apt_install(package: str) -> bool:
    """Whether it could be installed: as root, on Debian."""
    apt = shutil.which("apt-get")
    if os.geteuid() != 0 or apt is None:
        return False
    print(f"installing {package} with apt-get", file=sys.stderr)
    quietly = ["env", "DEBIAN_FRONTEND=noninteractive", apt, "-qq", "-o", "DPkg::Lock::Timeout=120"]
    steps = (["update"], ["install", "--yes", "--no-install-recommends", package])
    return all(
        subprocess.run([*quietly, *step], check=False, stdout=subprocess.DEVNULL).returncode == 0 for step in steps
    )


if __name__ == "__main__":
    main()
