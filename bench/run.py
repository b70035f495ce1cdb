"""The bench: what the gateway costs, beside nginx in the same run, and whether the goals are met.

Rounds are interleaved, so that a busy moment of the machine meets both. Numbers
are medians over rounds; what counts are the ratios, absolute numbers are this
machine's. Prints a table and writes the same as JSON.
`python -m bench.run [--only NAME…] [--rounds N] [--seconds S] [--write | --profile]`
"""

import argparse
import datetime as dt
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from bench.case import Case
from bench.cases.listing import CASES, NOT_BUILT
from bench.document import write_section
from bench.machine import machine
from bench.places import PLACES, Failed, Fake, Missing, Place, upstream
from bench.profile import profile
from bench.table import Row, markdown, row, show

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Measure, print, write, and judge where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [case.name for case in CASES]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each measurement")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench.json")
    parser.add_argument("--write", action="store_true", help="write the table into docs/performance.md")
    parser.add_argument("--profile", action="store_true", help="where the gateway's time goes, by py-spy, instead")
    wanted = parser.parse_args()
    if wanted.write and wanted.only:
        parser.error("--write needs the whole table")
    load = os.getloadavg()[0]
    chosen = [case for case in CASES if not wanted.only or case.name in wanted.only]
    try:
        if wanted.profile:
            with _stage() as stage, stage.place("clearway", fresh=False) as place:
                profile(chosen, place, wanted.seconds, wanted.output.parent)
            return
        rows = measure(chosen, wanted.rounds, wanted.seconds)
    except (Missing, Failed) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    show(rows, {} if wanted.only else NOT_BUILT)
    if wanted.write:
        today = dt.datetime.now(dt.UTC).date().isoformat()  # noqa: TID251  # when it was measured
        said = f"`{_command()}`, {today}, {machine()}; medians of {wanted.rounds} rounds of {wanted.seconds:g} s."
        said += f" Load of the machine before it began: {load:.1f}."
        write_section("bench", f"{said}\n\n{markdown(rows, NOT_BUILT)}")
    wanted.output.parent.mkdir(parents=True, exist_ok=True)
    wanted.output.write_bytes(msgspec.json.format(msgspec.json.encode(rows)) + b"\n")


def measure(cases: Sequence[Case], rounds: int, seconds: float) -> list[Row]:
    """Each case at each place, in turns."""
    measured: dict[tuple[str, str], list[float]] = {}
    with _stage() as stage:
        for number in range(rounds):
            for case in cases:
                if number and case.once:
                    continue
                # Turn about, so that neither is always the one that runs first.
                for name in sorted(PLACES, reverse=number % 2 == 0):
                    with stage.place(name, fresh=case.fresh) as place:
                        value = case.measure(place, seconds)
                    measured.setdefault((case.name, name), []).append(value)
                    print(f"round {number + 1}: {name}: {case.title}: {value:.5g} {case.unit}", file=sys.stderr)
    return [row(case, measured[case.name, "nginx"], measured[case.name, "clearway"]) for case in cases]


def _command() -> str:
    arguments = " ".join(sys.argv[1:])
    return f"make bench ARGS='{arguments}'"


class Stage:
    """The upstream and what stands before it, for as long as the bench runs."""

    def __init__(self, home: Path, fake: Fake, running: ExitStack) -> None:
        self._home = home
        self._fake = fake
        self._running = running
        self._kept: dict[str, Place] = {}

    @contextmanager
    def place(self, name: str, *, fresh: bool) -> Iterator[Place]:
        """The one that runs already, or one of its own."""
        if fresh:
            with tempfile.TemporaryDirectory(dir=self._home) as home, PLACES[name](Path(home), self._fake) as place:
                yield place
            return
        if name not in self._kept:
            (home_ := self._home / name).mkdir()
            self._kept[name] = self._running.enter_context(PLACES[name](home_, self._fake))
        yield self._kept[name]


@contextmanager
def _stage() -> Iterator[Stage]:
    with ExitStack() as running:
        home = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="clearway-bench-")))
        yield Stage(home, running.enter_context(upstream(home)), running)


if __name__ == "__main__":
    main()
