"""What was measured, judged against the goals, and how that is shown.

Used by bench/run.py and tests/bench.
"""

from statistics import median

import msgspec
from rich.console import Console
from rich.table import Table

from bench.case import Against, Case

_COLUMNS = ("case", "unit", "nginx", "clearway", "compared", "first", "then")


class Row(msgspec.Struct, frozen=True):
    """One case: medians of its rounds."""

    name: str
    case: str
    unit: str
    against: str
    nginx: float
    clearway: float
    compared: float
    """The ratio, the difference or our own value, as `against` says."""
    first: float
    then: float
    rounds: int

    @property
    def is_first_met(self) -> bool:
        """What must be reached is reached."""
        return self.compared <= self.first

    @property
    def is_then_met(self) -> bool:
        """What is to be reached in the end is reached."""
        return self.compared <= self.then


def row(case: Case, limit: list[float], ours: list[float]) -> Row:
    """Medians over rounds; each round is compared by itself, because what disturbs it meets both."""
    pairs = list(zip(limit, ours, strict=True))
    compared = {
        Against.RATIO: [own / theirs if theirs else float("inf") for theirs, own in pairs],
        Against.ADDED: [own - theirs for theirs, own in pairs],
        Against.ITSELF: ours,
    }[case.against]
    values = median(limit), median(ours), median(compared)
    return Row(case.name, case.title, case.unit, case.against.value, *values, case.first, case.then, rounds=len(ours))


def cells(one: Row) -> tuple[str, ...]:
    """As the columns show it."""
    return (
        one.case,
        one.unit,
        _number(one.nginx),
        _number(one.clearway),
        _shown(one, one.compared),
        _goal(one, one.first, met=one.is_first_met),
        _goal(one, one.then, met=one.is_then_met),
    )


def show(rows: list[Row], missing: dict[str, str]) -> None:
    """Print the table."""
    table = Table(title="Clearway beside nginx")
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name in {"case", "unit"} else "right")
    for one in rows:
        table.add_row(*cells(one))
    for goal, part in missing.items():
        table.add_row(goal, "", "", "", f"not built: {part}", "", "")
    Console(width=max(120, Console().width)).print(table)


def markdown(rows: list[Row], missing: dict[str, str]) -> str:
    """The table for docs/performance.md."""
    lines = [_line(_COLUMNS), _line(("---", "---", *["---:"] * 5))]
    lines += [_line(cells(one)) for one in rows]
    lines += [_line((goal, "", "", "", f"not built: {part}", "", "")) for goal, part in missing.items()]
    return "\n".join(lines) + "\n"


def _line(cells_: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells_)} |"


def _goal(one: Row, goal: float, *, met: bool) -> str:
    return f"{_shown(one, goal)} {'met' if met else 'missed'}"


def _shown(one: Row, value: float) -> str:
    if one.against == Against.RATIO.value:
        return f"{value:.2f} \u00d7" if value < 10 else f"{value:.1f} \u00d7"  # noqa: PLR2004  # digits that mean something
    sign = "+" if one.against == Against.ADDED.value and value >= 0 else ""
    return sign + _number(value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004  # digits that mean something
