"""From runs of a window to its state, and which windows give cause for concern. Pure.

Owns how a further look at a window goes on from the last one, so that its history stays
short: a run is drawn out while nothing changes, and changes that follow one another
closely share one. Used by observe/windows (in memory), ledger/store (from the tables)
and `clearway usage`.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Literal

import msgspec

from clearway.core.window import MILLION, Reading
from clearway.ledger.forecast import MINUTE_US, Run, is_same_period, length_us, rate_per_hour, runs_out_us, span_us
from clearway.ledger.protocol import WindowState

BESIDE = frozenset({"overage", "grace", "slow", "fallback"})
"""Ways around a limit, by the beginning of their names: to be refused there stops nobody."""
LOGIN = "login"
"""The kind of a credential that is a subscription's; others last for longer."""
SHOWN_US = 35 * 24 * 60 * MINUTE_US
"""A window that was not seen for so long is forgotten: the longest period is a month."""

_PIECES = 32
"""Runs in a span, at most."""
_SHORTEST_RUN_US = MINUTE_US // 6
_SAME_ACCOUNT_PPM = MILLION // 50
_SAME_RESET_US = 2 * MINUTE_US
_SHOWN_OF_ID = 8

Key = tuple[str, str]
"""Credential and window."""
Concern = Literal["rejected", "over_threshold", "runs_out"]


class WindowRun(Run, kw_only=True):
    """A run with everything that was said in it: a row of the table."""

    credential_id: str
    window: str
    upstream: str
    kind: str
    """Of the credential: `login`, `api key`."""
    account: str | None
    """A keyed hash of the account that the upstream named."""
    status: str | None
    threshold_ppm: int | None
    is_claim: bool
    notes: dict[str, str]


class Source(msgspec.Struct, frozen=True):
    """Who was told."""

    credential_id: str
    kind: str
    upstream: str
    account: str | None


def carried_on(before: WindowRun | None, source: Source, reading: Reading, at_us: int) -> WindowRun:
    """The run that a reading belongs to: `before` drawn out, which has the same
    `first_us` then, or a new one.

    Args:
        before: The window's last run.
        source: Who was told.
        reading: What.
        at_us: When.
    """
    new = _first(source, reading, at_us)
    if before is None:
        return new
    goes_on = is_same_period(before, reading.resets_us, reading.utilization_ppm, at_us)
    if goes_on:
        _fill(new, before, reading)
    if _is_one_run(before, new, goes_on=goes_on):
        new.first_us = before.first_us
        if goes_on and before.began_ppm is not None:
            new.began_ppm = before.began_ppm
    return new


def _is_one_run(before: WindowRun, new: WindowRun, *, goes_on: bool) -> bool:
    age_us = new.seen_us - before.first_us
    if age_us < 0:
        return False
    if not goes_on or (new.status, new.upstream) != (before.status, before.upstream):
        # What flickers leaves one run, with what was said last.
        return age_us < _SHORTEST_RUN_US
    return (before.used_ppm == new.used_ppm and may_go_on(before, new.seen_us)) or age_us < _piece_us(new.window)


def may_go_on(run: WindowRun, at_us: int) -> bool:
    """Whether a run is just drawn out where the same is said again: one that is level, or has only begun."""
    return run.began_ppm == run.used_ppm or at_us - run.first_us < _piece_us(run.window)


@lru_cache(256)
def _piece_us(window: str) -> int:
    return span_us(window) // _PIECES


def _first(source: Source, reading: Reading, at_us: int) -> WindowRun:
    return WindowRun(
        first_us=at_us,
        seen_us=at_us,
        began_ppm=reading.utilization_ppm,
        used_ppm=reading.utilization_ppm,
        resets_us=reading.resets_us,
        credential_id=source.credential_id,
        window=reading.window,
        upstream=source.upstream,
        kind=source.kind,
        account=source.account,
        status=reading.status,
        threshold_ppm=reading.threshold_ppm,
        is_claim=reading.is_claim,
        notes=reading.notes,
    )


def _fill(new: WindowRun, before: WindowRun, reading: Reading) -> None:
    """What is not said this time stays as it was said."""
    if reading.utilization_ppm is None:
        new.began_ppm = new.used_ppm = before.used_ppm
    if reading.resets_us is None:
        new.resets_us = before.resets_us
    if new.account is None:
        new.account = before.account
    if reading.status is None:
        # No answer to a request, but one about the account: it says nothing of these.
        new.status, new.threshold_ppm, new.is_claim = before.status, before.threshold_ppm, before.is_claim
        new.notes = {**before.notes, **new.notes}


def label_of(kind: str, credential_id: str) -> str:
    """What a credential is called."""
    return f"{kind} {credential_id[:_SHOWN_OF_ID]}"


def states_of(runs: Mapping[Key, Sequence[WindowRun]], now_us: int) -> list[WindowState]:
    """Every window that is worth showing, by credential; the one that was seen last first.

    Args:
        runs: Of each window the last ones, in the order in which they were seen.
        now_us: The time.
    """
    latest = [found[-1] for found in runs.values() if found and now_us - found[-1].seen_us < SHOWN_US]
    shown = [run for run in latest if not _is_superseded(run, latest, now_us)]
    seen: dict[str, int] = {}
    for run in shown:
        seen[run.credential_id] = max(run.seen_us, seen.get(run.credential_id, 0))
    shown.sort(key=lambda run: (-seen[run.credential_id], run.credential_id, is_beside(run.window), run.window))
    states: list[WindowState] = []
    for _, group in groupby(shown, attrgetter("credential_id")):
        of_credential = list(group)
        first = _deciding(of_credential, now_us)
        states += [
            _state(run, runs[run.credential_id, run.window], now_us, decides=run is first) for run in of_credential
        ]
    return states


def _state(run: WindowRun, runs: Sequence[WindowRun], now_us: int, *, decides: bool) -> WindowState:
    is_over = _is_past(run, now_us)
    last = None if run.used_ppm is None else run.used_ppm / MILLION
    rate = None if is_over else rate_per_hour(run.window, runs, now_us)
    return WindowState(
        credential_id=run.credential_id,
        credential_label=label_of(run.kind, run.credential_id),
        upstream=run.upstream,
        window=run.window,
        status=None if is_over else run.status,
        utilization=None if is_over else last,
        last_utilization=last,
        surpassed_threshold=None if is_over or run.threshold_ppm is None else run.threshold_ppm / MILLION,
        resets_us=run.resets_us,
        seen_us=run.seen_us,
        # The clock may have gone back since.
        age_us=max(0, now_us - run.seen_us),
        is_over=is_over,
        rate_per_hour=rate,
        runs_out_us=runs_out_us(last, rate, now_us=now_us, resets_us=run.resets_us),
        decides=decides,
        notes=run.notes,
    )


def is_beside(window: str) -> bool:
    """Whether it is a way around a limit rather than one."""
    return window.partition("-")[0] in BESIDE


def _deciding(runs: Iterable[WindowRun], now_us: int) -> WindowRun | None:
    """Of the windows of one credential the one that matters most."""
    open_ones = [run for run in runs if not is_beside(run.window) and not _is_past(run, now_us)]
    rejecting = [run for run in open_ones if run.status == "rejected"]
    if rejecting:
        # All of them must be over: the latest decides.
        return max(rejecting, key=lambda run: run.resets_us or 0)
    claimed = [run for run in open_ones if run.is_claim]
    if claimed:
        return max(claimed, key=attrgetter("seen_us"))
    return max(open_ones, key=lambda run: run.used_ppm or 0, default=None)


def _is_past(run: WindowRun, now_us: int) -> bool:
    if run.resets_us is not None:
        return run.resets_us <= now_us
    length = length_us(run.window)
    return length is not None and run.seen_us + length <= now_us


def _is_superseded(run: WindowRun, latest: Sequence[WindowRun], now_us: int) -> bool:
    """Whether a newer credential of the same account tells of the same window.

    Logins are exchanged for new ones every few hours; the window goes on. Members of one
    organization share its name, but hardly the moment of a reset and the use as well.
    """
    if run.account is None or run.kind != LOGIN:
        return False
    for other in latest:
        if (
            other is not run
            and (other.account, other.window, other.kind) == (run.account, run.window, run.kind)
            and other.upstream == run.upstream
            and (other.seen_us, other.credential_id) > (run.seen_us, run.credential_id)
            and (_is_past(run, now_us) or _goes_on(run, other))
        ):
            return True
    return False


def _goes_on(run: WindowRun, other: WindowRun) -> bool:
    if run.resets_us is None or other.resets_us is None:
        return False
    used, more = run.used_ppm or 0, other.used_ppm or 0
    return abs(other.resets_us - run.resets_us) <= _SAME_RESET_US and more >= used - _SAME_ACCOUNT_PPM


def concerns(states: Iterable[WindowState], threshold: float) -> list[tuple[WindowState, Concern]]:
    """The windows that are used up, nearly so, or will be before their reset, with the weightiest reason.

    What was reset since it was seen is no concern. Of the ways around a limit only
    `overage`, which costs money, and only by its use: to be refused there is usual.

    Args:
        states: The windows.
        threshold: From this used fraction on.
    """
    found: list[tuple[WindowState, Concern]] = []
    for state in states:
        if state.is_over or (is_beside(state.window) and state.window != "overage"):
            continue
        if state.status == "rejected" and not is_beside(state.window):
            found.append((state, "rejected"))
        elif state.utilization is not None and state.utilization >= threshold:
            found.append((state, "over_threshold"))
        elif state.runs_out_us is not None:
            found.append((state, "runs_out"))
    return found
