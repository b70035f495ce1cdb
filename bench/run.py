"""The bench: CPU per request and per event of the gateway, beside nginx in the same run.

Rounds are interleaved, so that a busy moment of the machine meets both. Numbers
are medians over rounds; what counts are the ratios, absolute numbers are this
machine's. Prints a table and writes the same as JSON.
`python -m bench.run [--rounds N] [--seconds S] [--check] [--output FILE]`
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.load import body, plain, streams
from bench.places import Missing, Place, clearway, nginx, upstream

ROOT = Path(__file__).resolve().parent.parent
EVENTS = 40
GAP_MS = 20.0


@dataclass(frozen=True, slots=True)
class Case:
    """One way to load a place, and the goal for its ratio to nginx."""

    name: str
    unit: str
    measure: Callable[[Place, float], tuple[float, int]]
    """Gives the value and how many requests failed."""
    goal: float
    added: bool = False
    """The goal is for the difference to nginx instead of the ratio."""


def _cpu_plain(sent: Path, connections: int) -> Callable[[Place, float], tuple[float, int]]:
    def measure(place: Place, seconds: float) -> tuple[float, int]:
        before = place.cpu_s()
        done = plain(place, sent, connections=connections, seconds=seconds)
        return (place.cpu_s() - before) / max(1, done.requests) * 1e6, done.failed

    return measure


def _cpu_streams(sent: bytes, connections: int) -> Callable[[Place, float], tuple[float, int]]:
    def measure(place: Place, seconds: float) -> tuple[float, int]:
        before = place.cpu_s()
        done = streams(place, sent, connections=connections, seconds=seconds)
        return (place.cpu_s() - before) / max(1, done.events) * 1e6, done.failed

    return measure


def _latency(sent: Path) -> Callable[[Place, float], tuple[float, int]]:
    def measure(place: Place, seconds: float) -> tuple[float, int]:
        done = plain(place, sent, connections=1, seconds=seconds)
        return float(done.p50), done.failed

    return measure


def cases(home: Path) -> list[Case]:
    """What is measured; goals are the project's first ones."""
    bodies = {size: home / f"body-{size}.json" for size in (1_000, 200_000, 20_000_000)}
    for size, path in bodies.items():
        path.write_bytes(body(size, stream=False))
    return [
        Case("1 KB request, 32 connections", "CPU \u00b5s/request", _cpu_plain(bodies[1_000], 32), 6),
        Case("200 KB request, 8 connections", "CPU \u00b5s/request", _cpu_plain(bodies[200_000], 8), 4),
        Case("20 MB request, 1 connection", "CPU \u00b5s/request", _cpu_plain(bodies[20_000_000], 1), 5),
        Case("event, 200 streams", "CPU \u00b5s/event", _cpu_streams(body(1_000, stream=True), 200), 2),
        Case("1 KB request, 1 connection", "p50 \u00b5s", _latency(bodies[1_000]), 600, added=True),
    ]


def main() -> None:
    """Measure, print, write, and judge where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each measurement")
    parser.add_argument("--check", action="store_true", help="fail where a goal is missed")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench.json")
    wanted = parser.parse_args()
    try:
        rows = _measure(wanted.rounds, wanted.seconds)
    except Missing as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    _print(rows)
    wanted.output.parent.mkdir(parents=True, exist_ok=True)
    wanted.output.write_text(json.dumps(rows, indent=2) + "\n")
    missed = [str(row["case"]) for row in rows if not row["met"]]
    if wanted.check and missed:
        print(f"error: goals missed: {', '.join(missed)}", file=sys.stderr)
        raise SystemExit(1)


def _measure(rounds: int, seconds: float) -> list[dict[str, object]]:
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clearway-bench-")))
        (home / "gateway").mkdir()
        port = stack.enter_context(upstream(home, events=EVENTS, gap_ms=GAP_MS))
        gateway = stack.enter_context(clearway(home / "gateway", port))
        idle_kb = gateway.memory_kb()
        places = [stack.enter_context(nginx(home, port, gateway.key)), gateway]
        measured: dict[tuple[str, str], list[float]] = {}
        listed = cases(home)
        for number in range(rounds):
            for case in listed:
                # Turn about, so that neither is always the one that runs first.
                for place in places if number % 2 == 0 else places[::-1]:
                    value, failed = case.measure(place, seconds)
                    if failed:
                        raise Missing(f"{place.name}: {failed} requests failed in `{case.name}`")
                    measured.setdefault((case.name, place.name), []).append(value)
                    print(f"round {number + 1}: {place.name}: {case.name}: {value:.1f} {case.unit}", file=sys.stderr)
        return [_row(case, measured, rounds) for case in listed] + [_memory(idle_kb)]


def _row(case: Case, measured: dict[tuple[str, str], list[float]], rounds: int) -> dict[str, object]:
    limit, ours = (median(measured[case.name, name]) for name in ("nginx", "clearway"))
    compared = ours - limit if case.added else ours / limit if limit else float("inf")
    goal = f"+{case.goal:.0f}" if case.added else f"{case.goal:g} \u00d7"
    return {
        "case": case.name,
        "unit": case.unit,
        "nginx": round(limit, 1),
        "clearway": round(ours, 1),
        "compared": f"+{compared:.0f}" if case.added else f"{compared:.2f} \u00d7",
        "goal": goal,
        "met": compared <= case.goal,
        "rounds": rounds,
    }


def _memory(idle_kb: int) -> dict[str, object]:
    shown = round(idle_kb / 1024, 1)
    row: dict[str, object] = {"case": "idle memory", "unit": "MB (PSS)", "nginx": None, "clearway": shown}
    return row | {"compared": f"{shown}", "goal": "80", "met": shown <= 80, "rounds": 1}  # noqa: PLR2004  # the goal


def _print(rows: list[dict[str, object]]) -> None:
    table = Table(title="Clearway beside nginx")
    for name in ("case", "unit", "nginx", "clearway", "compared", "goal", ""):
        table.add_column(name, justify="left" if name in {"case", "unit"} else "right")
    for row in rows:
        shown = [str(row[name] if row[name] is not None else "") for name in ("case", "unit", "nginx", "clearway")]
        table.add_row(*shown, str(row["compared"]), str(row["goal"]), "met" if row["met"] else "missed")
    Console().print(table)


if __name__ == "__main__":
    main()
