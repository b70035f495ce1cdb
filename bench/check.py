"""Guards against getting slower: a short bench, beside the ratios in bench/baseline.json.

By hand or at night, not in `make test`: timings are no test. A case that is worse
is measured once more before it is called so. Ends with 1 where a ratio to nginx is
more than a quarter worse.
`python -m bench.check [--update]`
"""

import argparse
import datetime as dt
import os
import sys

from bench.baseline import Baseline, Change, changes, read, write
from bench.case import Against, Case
from bench.cases.listing import CASES
from bench.machine import machine
from bench.places import Failed, Missing
from bench.run import measure

_ROUNDS = 5
_SECONDS = 1.0
_BUSY = 1.5
"""Runnable processes before the bench began; half of a small machine."""
GUARDED = [case for case in CASES if case.against is Against.RATIO]


def main() -> None:
    """Measure and compare, or store."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--update", action="store_true", help="make what is measured now the baseline")
    wanted = parser.parse_args()
    load = os.getloadavg()[0]
    try:
        ratios = _ratios(GUARDED)
        if wanted.update:
            today = dt.datetime.now(dt.UTC).date().isoformat()  # noqa: TID251  # when a file was made
            write(Baseline(today, machine(), "make bench-check ARGS=--update", ratios))
            return
        baseline = read()
        found = changes(baseline, ratios)
        again = {change.name for change in found if change.is_regression}
        if again:
            second = _ratios([case for case in GUARDED if case.name in again])
            found = changes(baseline, {name: min(now, second.get(name, now)) for name, now in ratios.items()})
    except (Missing, Failed, LookupError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    print(f"baseline of {baseline.date}: {baseline.machine}")
    if load > _BUSY:
        print(f"the machine was busy with other things (load {load:.1f}): repeat what follows at a quiet moment")
    print("\n".join(_line(change) for change in found))
    raise SystemExit(any(change.is_regression for change in found))


def _ratios(cases: list[Case]) -> dict[str, float]:
    return {one.name: round(one.compared, 3) for one in measure(cases, _ROUNDS, _SECONDS)}


def _line(change: Change) -> str:
    said = "REGRESSION" if change.is_regression else "better: store it with --update" if change.is_gain else "as it was"
    return f"{change.name:16} {change.before:7.2f} -> {change.now:7.2f}  {change.grown:+6.0%}  {said}"


if __name__ == "__main__":
    main()
