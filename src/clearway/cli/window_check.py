"""`clearway usage --check`: for scripts that ask before they begin something large."""

import re

import msgspec
import typer

from clearway.cli import figures
from clearway.cli.clean import clean
from clearway.cli.failures import Exit, Failure
from clearway.cli.screen import note, print_json
from clearway.cli.windows import from_now, used
from clearway.ledger.protocol import WindowState
from clearway.ledger.window_states import Concern, concerns

DEFAULT_THRESHOLD = "90%"

_THRESHOLD = re.compile(r"(\d{1,3}(?:\.\d{1,4})?)\s*%|(0?\.\d{1,6}|1(?:\.0{1,6})?)", re.ASCII)


class WindowConcern(msgspec.Struct, frozen=True, kw_only=True):
    """A window that is used up, nearly so, or will be before its reset."""

    concern: Concern
    """`rejected`, `over_threshold` or `runs_out`; the weightiest."""
    state: WindowState


def threshold_of(text: str) -> float:
    """A used fraction as people type it: `80%` or `0.8`."""
    found = _THRESHOLD.fullmatch(text.strip())
    value = 0.0 if found is None else float(found[1]) / 100 if found[1] else float(found[2])
    if not 0 < value <= 1:
        raise Failure(f"--threshold: {text!r} is no part of a window", "write 80% or 0.8", Exit.USAGE)
    return value


def check(states: list[WindowState], threshold: float, now_us: int, *, json: bool) -> None:
    """Print what gives cause for concern; then the exit code is 6."""
    found = [WindowConcern(concern=concern, state=state) for state, concern in concerns(states, threshold)]
    if json:
        print_json(found)
    else:
        for one in found:
            typer.echo(line_of(one, threshold, now_us))
    if found:
        raise typer.Exit(Exit.FOUND)
    note("no window gives cause for concern" if states else "no windows seen yet: nothing to check")


def line_of(found: WindowConcern, threshold: float, now_us: int) -> str:
    """One line about one window."""
    state = found.state
    share = "" if state.utilization is None else f"{used(state.utilization)} used, "
    resets = "reset unknown" if state.resets_us is None else f"resets {from_now(state.resets_us, now_us)}"
    whys: dict[Concern, str] = {
        "rejected": f"rejected, {share}",
        "over_threshold": f"{share}threshold {100 * threshold:g}%, ",
        "runs_out": f"{share}out {from_now(state.runs_out_us or now_us, now_us)}, ",
    }
    seen = f"seen {figures.lapse(state.age_us)} ago"
    return clean(f"{state.credential_label} {state.upstream} {state.window}: {whys[found.concern]}{resets}, {seen}")
