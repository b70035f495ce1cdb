"""A coverage-guided loop: change an input, run it, keep it where it reached something new.

Bounds: time for each input, and memory over the run. A finding is an input that
breaks a promise, takes too long, or makes the process grow. Deterministic but for
the clock: the same seed and inputs make the same changes.
Used by `run`, in a process of its own.
"""

import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import clearway
from tests.fuzz.mutate import Mutator
from tests.fuzz.targets import Target

MAX_INPUT_S = 2.0
MAX_GROWTH = 96 * 1024 * 1024
_MAX_POOL = 4000
_MAX_FINDINGS = 5
_OURS = str(Path(clearway.__file__).parent)


@dataclass
class Finding:
    """An input that breaks a promise, and how."""

    data: bytes
    what: str


@dataclass
class Report:
    """What a run came to."""

    inputs: int = 0
    places: int = 0
    """Pairs of lines of our own code that were run one after the other."""
    grown: int = 0
    """Bytes by which the process has grown since a tenth of the run."""
    findings: list[Finding] = field(default_factory=list)


class _TooLong(BaseException):
    """Raised from the alarm into whatever runs."""


class _Tracer:
    """Which lines of our own code follow one another."""

    def __init__(self) -> None:
        self.seen: set[tuple[CodeType, int, int]] = set()
        self._ours: dict[CodeType, bool] = {}
        self._last = 0

    def call(self, frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ANN401, ARG002  # the signature of trace functions
        """What `sys.settrace` calls for each new frame."""
        code = frame.f_code
        is_ours = self._ours.get(code)
        if is_ours is None:
            is_ours = self._ours[code] = code.co_filename.startswith(_OURS)
        self._last = 0
        return self._line if is_ours else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ANN401, ARG002
        line = frame.f_lineno if event == "line" else -len(event)
        self.seen.add((frame.f_code, self._last, line))
        self._last = line
        return self._line


def fuzz(target: Target, seeds: Sequence[bytes], words: Sequence[bytes], *, seconds: float, seed: int) -> Report:
    """Run for `seconds`; at most five findings are looked for."""
    dice = random.Random(seed)  # noqa: S311  # repeatable on purpose
    mutator, tracer, report = Mutator(dice, words), _Tracer(), Report()
    pool = list(seeds) or [b""]
    before = signal.signal(signal.SIGALRM, _ring)
    begin = time.monotonic()
    size, warm = 0, False
    told: set[str] = set()
    try:
        for data in list(pool):
            _note(report, told, data, _run(target, data, tracer))
        while (elapsed := time.monotonic() - begin) < seconds and len(report.findings) < _MAX_FINDINGS:
            if not warm and elapsed > seconds / 10:
                warm, size = True, _memory()
            data = mutator.change(dice.choice(pool), dice.choice(pool))
            reached = len(tracer.seen)
            _note(report, told, data, _run(target, data, tracer))
            report.inputs += 1
            if len(tracer.seen) > reached and len(pool) < _MAX_POOL:
                pool.append(data)
    finally:
        signal.signal(signal.SIGALRM, before)
    report.places = len(tracer.seen)
    report.grown = max(0, _memory() - size) if warm else 0
    if report.grown > MAX_GROWTH:
        report.findings.append(Finding(b"", f"the process grew by {report.grown} bytes"))
    return report


def _run(target: Target, data: bytes, tracer: _Tracer) -> str | None:
    """Run one input; what is wrong with it, or None."""
    signal.setitimer(signal.ITIMER_REAL, MAX_INPUT_S)
    sys.settrace(tracer.call)
    try:
        target(data)
    except _TooLong:
        return _confirm(target, data)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is a finding
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error!s:.200} ({last.name}, line {last.lineno})"
    finally:
        sys.settrace(None)
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None


def _confirm(target: Target, data: bytes) -> str | None:
    """Once more without tracing: the machine may have been busy."""
    sys.settrace(None)
    signal.setitimer(signal.ITIMER_REAL, MAX_INPUT_S)
    try:
        target(data)
    except _TooLong:
        return f"it takes longer than {MAX_INPUT_S:g} s"
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error!s:.200}"
    return None


def _note(report: Report, told: set[str], data: bytes, what: str | None) -> None:
    if what is not None and _kind(what) not in told:
        told.add(_kind(what))
        report.findings.append(Finding(data, what))


def _kind(what: str) -> str:
    """The same for findings that are alike: the kind of error, and where it was raised."""
    return what.partition(":")[0] + what.rpartition("(")[2]


def _ring(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise _TooLong


def _memory() -> int:
    """Resident bytes of this process; where that cannot be read, the most it ever had."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def shrink(target: Target, finding: Finding, *, seconds: float) -> bytes:
    """A smaller input that breaks the target in the same way."""
    data, kind = finding.data, _kind(finding.what)
    deadline = time.monotonic() + seconds
    tracer, step = _Tracer(), max(1, len(data) // 2)
    before = signal.signal(signal.SIGALRM, _ring)
    try:
        while step:
            at, done = 0, False
            while at < len(data) and time.monotonic() < deadline:
                less = data[:at] + data[at + step :]
                what = _run(target, less, tracer)
                if what is not None and _kind(what) == kind:
                    data, done = less, True
                else:
                    at += step
            step = step if done and step > 1 else step // 2
    finally:
        signal.signal(signal.SIGALRM, before)
    return data
