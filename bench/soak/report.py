"""What a soak has seen, for readers: a curve in text and a table. Used by bench/soak/__main__.py."""

from collections.abc import Sequence

import msgspec

from bench.soak.judge import Finding, percentile
from bench.soak.sample import Sample

_BARS = "▁▂▃▄▅▆▇█"
_CURVE_POINTS = 60
_ROWS = 12


class Soak(msgspec.Struct, frozen=True):
    """All of it, as it is written."""

    date: str
    machine: str
    seconds: float
    rate: float
    warm_s: float
    counts: dict[str, int]
    unexpected: list[str]
    skipped: int
    before: Sample
    samples: list[Sample]
    afterwards: Sample
    plain_ms: list[tuple[float, float]]
    findings: list[Finding]

    @property
    def holds(self) -> bool:
        """All that was asked."""
        return all(finding.holds for finding in self.findings)


def markdown(soak: Soak) -> str:
    """The curve, the table and the findings."""
    rss = [sample.rss_kb / 1024 for sample in soak.samples]
    total = sum(soak.counts.values())
    ran = f"{total:,} exchanges in {soak.seconds / 60:.3g} minutes on {soak.machine} ({soak.date})"
    lines = [
        f"{ran}; memory of the gateway from {min(rss):.0f} to {max(rss):.0f} MB:",
        "",
        f"`{curve(rss)}`",
        "",
        "| until minute | RSS MB | descriptors | threads | open exchanges | ledger MB | p50 ms | p99 ms |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_row(soak, number) for number in range(_ROWS)),
        "",
        *(f"- {finding.asked}: {finding.seen}{'' if finding.holds else ' (MISSED)'}" for finding in soak.findings),
    ]
    return "\n".join(lines) + "\n"


def curve(values: Sequence[float]) -> str:
    """Bars from zero to the highest, so that what looks flat is flat."""
    if not values:
        return ""
    step = max(1, len(values) // _CURVE_POINTS)
    points = [max(values[at : at + step]) for at in range(0, len(values), step)]
    return "".join(_BARS[min(len(_BARS) - 1, int(point / max(points) * (len(_BARS) - 1)))] for point in points)


def _row(soak: Soak, number: int) -> str:
    begin, end = (soak.seconds * each / _ROWS for each in (number, number + 1))
    samples = [sample for sample in soak.samples if begin <= sample.at_s < end]
    took = [each for began, each in soak.plain_ms if begin <= began < end]
    shown = ["", "", "", "", ""]
    if samples:
        last = samples[-1]
        most = max(sample.rss_kb for sample in samples)
        shown = [f"{most / 1024:.1f}", str(last.descriptors), str(last.threads), str(last.open_exchanges)]
        shown.append(f"{last.ledger_bytes / 1e6:.1f}")
    times = [f"{percentile(took, part):.1f}" for part in (0.5, 0.99)]
    return f"| {' | '.join([f'{end / 60:.1f}', *shown, *times])} |"
