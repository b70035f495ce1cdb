"""The ratios to nginx that were once reached, and what counts as having lost them.

Used by bench/check.py and tests/bench.
"""

from pathlib import Path

import msgspec

FILE = Path(__file__).with_name("baseline.json")
TOLERATED = 0.25
"""How much worse a ratio may be: a busy machine moves ratios by a tenth or two."""


class Baseline(msgspec.Struct, frozen=True):
    """What was measured, when, on what, and by which command."""

    date: str
    machine: str
    command: str
    ratios: dict[str, float]
    """By case: the gateway's figure, divided by nginx's."""


class Change(msgspec.Struct, frozen=True):
    """A ratio beside the one in the baseline."""

    name: str
    before: float
    now: float

    @property
    def grown(self) -> float:
        """0.25: by a quarter."""
        return self.now / self.before - 1

    @property
    def is_regression(self) -> bool:
        """Worse by more than is tolerated."""
        return self.grown > TOLERATED

    @property
    def is_gain(self) -> bool:
        """Better by so much that the baseline no longer guards it."""
        return self.now * (1 + TOLERATED) < self.before


def changes(baseline: Baseline, ratios: dict[str, float]) -> list[Change]:
    """What was measured now beside the baseline.

    Raises:
        LookupError: A case is not in the baseline, which would then guard nothing.
    """
    unknown = sorted(ratios.keys() - baseline.ratios.keys())
    if unknown:
        raise LookupError(f"not in the baseline: {', '.join(unknown)}; write it again with --update")
    return [Change(name, baseline.ratios[name], now) for name, now in ratios.items()]


def read(path: Path = FILE) -> Baseline:
    """The stored baseline."""
    return msgspec.json.decode(path.read_bytes(), type=Baseline)


def write(baseline: Baseline, path: Path = FILE) -> None:
    """Store one for those who come later."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(baseline)) + b"\n")
