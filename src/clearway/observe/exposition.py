"""The metrics as text, for whoever collects them: Prometheus, or OpenMetrics where it is asked for.

Owns turning cells and states into the library's families; the library owns the text.
Runs in a thread and reads the cells while the loop goes on adding (observe/cells).
Imported when somebody first asks: the library takes a quarter of a second.
Sources: https://prometheus.io/docs/instrumenting/exposition_formats/ (read 2026-11-27).
Used by observe/page.
"""

import platform
from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from clearway import __version__
from clearway.observe import metrics
from clearway.observe.cells import Count, Spent, Times
from clearway.observe.metrics import Metric
from clearway.observe.reading import BudgetLevel, Reading, WindowLevel
from clearway.observe.tally import Series, Tally

_US = 1_000_000
_NANO = 1_000_000_000
_MOST_LEVELS = 1_000
"""Budgets and windows that are told, each."""
_OPENMETRICS = "application/openmetrics-text"
# Nothing of what a client says gets further: the library repeats it in the type of the answer.
_ACCEPTS = {True: f"{_OPENMETRICS}; version=1.0.0", False: ""}
Row = tuple[tuple[str, ...], float]


class Exposition:
    """Makes the text. Used by one thread at a time.

    Args:
        tally: Has counted.
    """

    def __init__(self, tally: Tally) -> None:
        self._registry = CollectorRegistry()
        self._states = _States(tally)
        self._registry.register(_Counted(tally))
        self._registry.register(self._states)
        ProcessCollector(registry=self._registry)

    def text(self, reading: Reading, accept: str) -> tuple[str, bytes]:
        """The type of the content, and the content.

        Args:
            reading: The states.
            accept: The field of the request; may hold anything.
        """
        self._states.reading = reading
        encode, content_type = choose_encoder(_ACCEPTS[_OPENMETRICS in accept.lower()])
        return content_type, encode(self._registry)


class _Counted(Collector):
    """What was counted on the way."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def collect(self) -> Iterator[Family]:
        """Every family."""
        tally = self._tally
        yield _family(metrics.EXCHANGES, _counts(tally.exchanges))
        yield _family(metrics.ERRORS, _counts(tally.errors))
        yield from _spent(tally)
        yield _family(metrics.KEY_EXCHANGES, _counts(tally.of_keys))
        yield from _spent_by_key(tally)
        yield _histogram(metrics.DURATION, tally.durations)
        yield _histogram(metrics.FIRST_TOKEN, tally.first_tokens)
        yield _family(metrics.ATTEMPTS, _counts(tally.attempts))


class _States(Collector):
    """What was looked up."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self.reading: Reading | None = None

    def collect(self) -> Iterator[Family]:
        """Every family."""
        now = self.reading
        if now is None:
            return
        yield _family(metrics.COOL_DOWNS, now.cool_downs.items())
        yield _family(metrics.COOLING, self._cooling(now))
        yield _family(metrics.TURNED_AWAY, (((code,), count) for code, count in now.turned_away.items()))
        running = now.running
        open_ones = Counter({"messages": 0}) + Counter(admission.endpoint for admission in running)
        yield _family(metrics.OPEN, (((name,), count) for name, count in ({"messages": 0} | open_ones).items()))
        streams = sum(bool(admission.stream) for admission in running)
        for metric, value in (
            (metrics.OPEN_STREAMS, streams),
            (metrics.IN_FLIGHT, now.in_flight),
            (metrics.BODY_BYTES, now.body_bytes),
            (metrics.BODIES_READING, now.bodies_reading),
            (metrics.LEDGER_WAITING, now.ledger_waiting),
            (metrics.LEDGER_BATCHES, now.ledger_batches),
            (metrics.LEDGER_HEALTHY, now.ledger_healthy),
            (metrics.LEDGER_REFUSED, now.ledger_refused),
            (metrics.LEDGER_SWEPT, now.ledger_swept),
            (metrics.LIMITS_HEALTHY, now.limits_healthy),
            (metrics.LIMITS_ERRORS, now.limits_errors),
            (metrics.WATCHERS, now.watchers),
            (metrics.DROPPED, now.dropped),
            (metrics.OTEL_DROPPED, now.otel_dropped),
            (metrics.READY, now.is_ready),
        ):
            yield _family(metric, [((), int(value))])
        yield _family(metrics.BUILD, [((__version__, platform.python_version()), 1)])
        yield from self._budgets(now.budgets[:_MOST_LEVELS])
        yield from _windows(now.windows[:_MOST_LEVELS])

    def _cooling(self, now: Reading) -> Iterable[Row]:
        # Models that share a label share a series: the longest of them is told.
        longest: dict[tuple[str, ...], float] = {}
        for mark in now.cooling:
            labels = (mark.upstream, self._tally.model(mark.model), mark.why)
            longest[labels] = max(longest.get(labels, 0.0), mark.left_s)
        return longest.items()

    def _budgets(self, levels: Iterable[BudgetLevel]) -> Iterator[Family]:
        rows: dict[Metric, dict[tuple[str, ...], float]] = {
            metric: {} for metric in (*metrics.BUDGETS.values(), metrics.BUDGET_RESETS)
        }
        for level in levels:
            budget = level.budget
            # The name decides, as in the ledger; past the bound the names are one, and the last stands.
            labels = (self._tally.key(level.key_name), budget.period)
            left = max(0, budget.amount - level.spent - level.held)
            told = {"limit": budget.amount, "spent": level.spent, "held": level.held, "left": left}
            for name, value in told.items():
                rows[metrics.BUDGETS[name, budget.unit]][labels] = value
            if level.resets_us is not None:
                rows[metrics.BUDGET_RESETS][*labels, budget.unit] = level.resets_us / _US
        for metric, series in rows.items():
            yield _family(metric, series.items())


def _windows(levels: Iterable[WindowLevel]) -> Iterator[Family]:
    used: dict[tuple[str, ...], float] = {}
    resets: dict[tuple[str, ...], float] = {}
    for level in levels:
        labels = (level.credential_label, level.upstream, level.window)
        if level.utilization is not None:
            used[labels] = level.utilization
        if level.resets_us is not None:
            resets[labels] = level.resets_us / _US
    yield _family(metrics.WINDOW, used.items())
    yield _family(metrics.WINDOW_RESETS, resets.items())


def _spent(tally: Tally) -> Iterator[Family]:
    cells = [(labels, cell) for labels, cell in list(tally.spent.cells.items()) if labels[2] or cell.unpriced]
    places = _merged((labels[:2], cell) for labels, cell in cells)
    kinds = (((kind, *labels), value) for labels, cell in cells for kind, value in _by_kind(cell))
    yield _family(metrics.TOKENS, kinds)
    yield _family(metrics.THINKING, places("thinking"))
    tools = [
        ((tool, *labels), value) for tool in ("web_search", "web_fetch") for labels, value in places(tool) if value
    ]
    yield _family(metrics.TOOLS, tools)
    cost = [(labels[:2], cell.cost_nano) for labels, cell in cells if labels[2] == "billed"]
    yield _family(metrics.COST, cost)
    yield _family(metrics.COST_USD, ((labels, nano / _NANO) for labels, nano in cost))
    free = ((labels, cell.estimate_nano) for labels, cell in cells if labels[2] not in {"", "billed"})
    yield _family(metrics.ESTIMATE, free)
    yield _family(metrics.UNPRICED, places("unpriced"))
    yield _family(metrics.ESTIMATED, places("estimated"))


def _spent_by_key(tally: Tally) -> Iterator[Family]:
    cells = list(tally.spent_by_key.cells.items())
    kinds = (((*labels, kind), value) for labels, cell in cells for kind, value in _by_kind(cell))
    yield _family(metrics.KEY_TOKENS, kinds)
    yield _family(metrics.KEY_COST, ((labels, cell.cost_nano) for labels, cell in cells))
    yield _family(metrics.KEY_ESTIMATE, ((labels, cell.estimate_nano) for labels, cell in cells))


def _by_kind(cell: Spent) -> tuple[tuple[str, int], ...]:
    return (
        ("input", cell.input),
        ("cache_read", cell.cache_read),
        ("cache_write_5m", cell.cache_write_5m),
        ("cache_write_1h", cell.cache_write_1h),
        ("output", cell.output),
    )


class _merged:  # noqa: N801  # called like a function
    """Sums of one number over cells that share their first labels."""

    def __init__(self, cells: Iterable[tuple[tuple[str, ...], Spent]]) -> None:
        self._cells = list(cells)

    def __call__(self, name: str) -> list[Row]:
        sums: dict[tuple[str, ...], int] = {}
        for labels, cell in self._cells:
            sums[labels] = sums.get(labels, 0) + int(getattr(cell, name))
        return list(sums.items())


def _counts(series: Series[Count]) -> Iterator[Row]:
    return ((labels, cell.count) for labels, cell in list(series.cells.items()))


def _family(metric: Metric, rows: Iterable[Row]) -> Family:
    make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = make(metric.name, metric.help, labels=metric.labels)
    for labels, value in rows:
        family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, series: Series[Times]) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, cell in list(series.cells.items()):
        sum_us, buckets = cell.sum_us, list(cell.buckets)
        so_far, told = 0, []
        for bound_us, count in zip((*cell.bounds_us, None), buckets, strict=True):
            so_far += count
            told.append(("+Inf" if bound_us is None else str(bound_us / _US), so_far))
        if so_far:
            family.add_metric(labels, told, sum_us / _US)
    return family
