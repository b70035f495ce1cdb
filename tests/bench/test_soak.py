"""A short soak of the real program, and what a soak calls growth."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.soak import judge
from bench.soak.report import curve
from bench.soak.run import soak
from bench.soak.sample import Sample

SECONDS = 20.0
WARM_S = 8.0
RATE = 50.0


def sample(at_s: float = 0.0, *, rss_kb: int = 80_000, descriptors: int = 30, upstream: int = 8, **more: int) -> Sample:
    """A look at a gateway that is well."""
    others = {"pss_kb": 60_000, "threads": 7, "open_exchanges": 0, "ledger_bytes": 1_000_000, **more}
    return Sample(at_s=at_s, rss_kb=rss_kb, descriptors=descriptors, upstream_connections=upstream, **others)


@pytest.mark.timeout(90)
def test_short_soak(tmp_path: Path) -> None:
    """A thousand clients that wait, leave and fail: all see what they must, and nothing is left of them."""
    seen = soak(tmp_path, seconds=SECONDS, rate=RATE, warm_s=WARM_S, every_s=0.5)

    assert [] == seen.unexpected
    assert SECONDS * RATE == sum(seen.counts.values())
    # Times are for the long one: here other tests run beside it.
    assert [] == [finding for finding in seen.findings if not finding.holds and "p99" not in finding.asked]


def _growing(share: float) -> list[Sample]:
    return [sample(at, rss_kb=round(80_000 * (1 + share * at / 100))) for at in range(101)]


MEMORY = [
    pytest.param(0.0, True, id="flat"),
    pytest.param(0.03, True, id="a-little"),
    pytest.param(0.1, False, id="a-tenth"),
    pytest.param(-0.1, True, id="shrinks"),
]


@pytest.mark.parametrize(("share", "holds"), MEMORY)
def test_memory(share: float, holds: bool) -> None:  # noqa: FBT001  # what is expected
    """Memory that rises all the while is found, whatever single moments say."""
    assert holds == judge.memory(_growing(share)).holds


def test_memory_forgives_a_peak() -> None:
    """One large body in the middle is no growth."""
    samples = _growing(0.0)
    samples[60] = sample(60, rss_kb=200_000)

    assert judge.memory(samples).holds


OTHERS: list[object] = [
    pytest.param(lambda: judge.descriptors(sample(), sample(descriptors=40, upstream=18)), True, id="kept-upstream"),
    pytest.param(lambda: judge.descriptors(sample(), sample(descriptors=31)), False, id="one-descriptor-left"),
    pytest.param(lambda: judge.threads(sample(), [sample(1), sample(2, threads=8)]), False, id="one-thread-more"),
    pytest.param(lambda: judge.threads(sample(), [sample(1, threads=8), sample(2, threads=8)]), True, id="warm-thread"),
    pytest.param(lambda: judge.nothing_open(sample(open_exchanges=1)), False, id="one-exchange-open"),
    pytest.param(lambda: judge.answers([], 0), True, id="as-expected"),
    pytest.param(lambda: judge.answers(["500"], 0), False, id="one-unexpected"),
    pytest.param(lambda: judge.answers([], 1), False, id="one-not-begun"),
    pytest.param(lambda: judge.times([(float(at), 10.0) for at in range(100)], 10), True, id="steady-times"),
    pytest.param(lambda: judge.times([(float(at), 1.0 + at) for at in range(100)], 10), False, id="creeping-times"),
]


@pytest.mark.parametrize(("finding", "holds"), OTHERS)
def test_other_findings(finding: Callable[[], judge.Finding], holds: bool) -> None:  # noqa: FBT001  # what is expected
    """Each thing that can be left behind is found by itself."""
    assert holds == finding().holds


def test_curve_begins_at_zero() -> None:
    """What grows by little looks flat."""
    assert "▇▇█" == curve([95, 98, 100])
    assert "▁▄█" == curve([0, 50, 100])
