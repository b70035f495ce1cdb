"""Hours of moderate load, and whether anything grows.

Clients of all sorts come at a steady pace to the real program: plain and large
requests, streams, some that leave in each phase, some that fail. Memory,
descriptors, threads, open exchanges and times are written down all the while;
ends with 1 where something grew.
`python -m bench.soak [--minutes 60] [--rate 50] [--output FILE] [--show FILE] [--write]`
"""

import argparse
import sys
import tempfile
from pathlib import Path

import msgspec

from bench.document import write_section
from bench.soak.report import Soak, markdown
from bench.soak.run import soak

_ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Run one and print what it has seen, or print an earlier one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=50.0, help="exchanges that begin each second")
    parser.add_argument("--output", type=Path, default=_ROOT / "build" / "soak.json")
    parser.add_argument("--show", type=Path, metavar="FILE", help="print what is in a file instead")
    parser.add_argument("--write", action="store_true", help="write what is shown into docs/performance.md")
    wanted = parser.parse_args()
    if wanted.show:
        _tell(msgspec.json.decode(wanted.show.read_bytes(), type=Soak), write=wanted.write)
        return
    seconds = wanted.minutes * 60
    with tempfile.TemporaryDirectory(prefix="clearway-soak-") as home:
        warm_s = min(600.0, seconds / 4)
        seen = soak(Path(home), seconds=seconds, rate=wanted.rate, warm_s=warm_s, every_s=min(5.0, seconds / 60))
    wanted.output.parent.mkdir(parents=True, exist_ok=True)
    wanted.output.write_bytes(msgspec.json.encode(seen) + b"\n")
    _tell(seen, write=wanted.write)
    for line in seen.unexpected[:10]:
        print(line, file=sys.stderr)
    raise SystemExit(not seen.holds)


def _tell(seen: Soak, *, write: bool) -> None:
    print(markdown(seen))
    if write:
        write_section("soak", markdown(seen))


if __name__ == "__main__":
    main()
