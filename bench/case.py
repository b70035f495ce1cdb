"""What a case is: one way to load a place, and the goals for what it costs there.

Used by bench/cases, bench/run.py and bench/table.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from bench.places import Place


class Against(Enum):
    """What a goal is for."""

    RATIO = "ratio"
    """Ours, divided by nginx's in the same run."""
    ADDED = "added"
    """Ours, less nginx's in the same run."""
    ITSELF = "itself"
    """Ours."""


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table.

    Args:
        name: For `--only`.
        title: For readers.
        unit: Of what is measured at each place.
        against: What the goals are for.
        first: The goal that must be met, in the unit, or a factor.
        then: The goal to come near.
        measure: Loads a place for about so many seconds and returns the value.
        fresh: Each measurement begins with a new process.
        once: One round is enough; it takes long, or is the same in each.
    """

    name: str
    title: str
    unit: str
    against: Against
    first: float
    then: float
    measure: Callable[[Place, float], float]
    fresh: bool = False
    once: bool = False
