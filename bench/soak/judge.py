"""What a soak must show: memory that stays, descriptors that come back, times that don't creep.

No I/O; used by bench/soak/run.py and tests/bench.
"""

from collections.abc import Sequence
from statistics import median

import msgspec

from bench.soak.sample import Sample

GROWTH = 0.05
"""Of memory, after the warm-up."""
SLOWER = 2.0
SLOWER_MS = 5.0
"""The p99 of the last fifth may be so many times that of the first, or so much more where both are small."""
_FIFTH = 0.2


class Finding(msgspec.Struct, frozen=True):
    """One thing that was asked, and how it came out."""

    asked: str
    seen: str
    holds: bool


def after(warm_s: float, samples: Sequence[Sample]) -> list[Sample]:
    """The samples from the warm-up's end on."""
    return [sample for sample in samples if sample.at_s >= warm_s]


def memory(samples: Sequence[Sample]) -> Finding:
    """The last fifth against the first, medians, so that no single moment decides."""
    early, late = _ends([float(sample.rss_kb) for sample in samples])
    growth = late / early - 1
    said = f"{early / 1024:.1f} MB at first, {late / 1024:.1f} MB at last, {growth:+.1%}"
    return Finding(f"memory grows by less than {GROWTH:.0%} after the warm-up", said, growth < GROWTH)


def descriptors(before: Sample, afterwards: Sample) -> Finding:
    """Before the load against after it, connections to the upstream set aside."""
    said = f"{before.own_descriptors} before, {afterwards.own_descriptors} after"
    is_back = afterwards.own_descriptors <= before.own_descriptors
    return Finding("descriptors come back", said, is_back)


def threads(before: Sample, samples: Sequence[Sample]) -> Finding:
    """None that was not there after the warm-up."""
    most = max(sample.threads for sample in samples)
    allowed = max(before.threads, samples[0].threads)
    return Finding("no thread is added after the warm-up", f"{allowed} at first, {most} at most", most <= allowed)


def nothing_open(afterwards: Sample) -> Finding:
    """Every exchange has ended, whatever its client did."""
    return Finding("no exchange stays open", f"{afterwards.open_exchanges} open", afterwards.open_exchanges == 0)


def times(plain_ms: Sequence[tuple[float, float]], warm_s: float) -> Finding:
    """The p99 of plain exchanges, the last fifth against the first."""
    took = [each for began, each in plain_ms if began >= warm_s]
    count = max(1, round(len(took) * _FIFTH))
    early, late = percentile(took[:count], 0.99), percentile(took[-count:], 0.99)
    said = f"{early:.1f} ms at first, {late:.1f} ms at last"
    return Finding("the p99 of plain exchanges is stable", said, late <= max(early * SLOWER, early + SLOWER_MS))


def answers(unexpected: Sequence[str], skipped: int) -> Finding:
    """Everybody saw what they must see."""
    said = f"{len(unexpected)} unexpected, {skipped} not begun"
    return Finding("every client sees what it must", said, not unexpected and not skipped)


def percentile(values: Sequence[float], part: float) -> float:
    """The value that such a part of all stays under; 0 without any."""
    return sorted(values)[int((len(values) - 1) * part)] if values else 0.0


def _ends(values: Sequence[float]) -> tuple[float, float]:
    count = max(1, round(len(values) * _FIFTH))
    return median(values[:count]), median(values[-count:])
