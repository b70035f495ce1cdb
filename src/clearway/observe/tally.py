"""Counts what happens: a feed that does nothing but add integers.

Owns the labels of every series and their bounds. Nothing here waits, fails or
formats; observe/exposition reads the cells when somebody asks. Which cells an
exchange adds to depends on a few words, and is found out once for each set of them.
What is over is collected and counted `_AT_ONCE` at a time, which costs a fraction of
counting each by itself: the processor has the way of it at hand.
Used by compose, as one of the feeds; from the event loop's thread only.

Growth: `_MODELS`, `_KEYS` and `_ERRORS` values of labels; `_SERIES` cells of each kind
(`_HISTOGRAMS` of those with buckets) and a few more; `_PATHS` sets of words remembered;
`_AT_ONCE` exchanges that are over.
"""

from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, TypeVar

from clearway.core.exchange import Admission, Finished, Settlement, Tried
from clearway.observe.bounded import OTHER, Bounded
from clearway.observe.cells import DURATION_US, FIRST_TOKEN_US, Count, Spent, Times

_MODELS = 100
_KEYS = 200
_ERRORS = 64
_STATUSES = 40
_UPSTREAMS = 64
_SERIES = 500
_HISTOGRAMS = 200
_PATHS = 1_024
_AT_ONCE = 32

C = TypeVar("C")
Labels = tuple[str, ...]


class Series(Generic[C]):
    """The cells of one kind, by their labels.

    Args:
        make: Makes a cell.
        wide: Which of the labels has many values; None: they are few together.
        most: Past so many cells that label is `other`.
    """

    def __init__(self, make: Callable[[], C], wide: int | None = None, most: int = _SERIES) -> None:
        self._make = make
        self._wide = wide
        self._most = most
        self.cells: dict[Labels, C] = {}

    def cell(self, labels: Labels) -> C:
        """The cell of these labels."""
        cell = self.cells.get(labels)
        if cell is not None:
            return cell
        wide = self._wide
        if wide is not None and len(self.cells) >= self._most and labels[wide] != OTHER:
            return self.cell((*labels[:wide], OTHER, *labels[wide + 1 :]))
        cell = self.cells[labels] = self._make()
        return cell


class _Cells(NamedTuple):
    """What one exchange adds to."""

    exchanges: Count
    of_key: Count
    spent: Spent
    spent_by_key: Spent
    duration: Times
    first_token: Times
    error: Count | None


class Tally:
    """Hears of what is over (`observe.feeds.Listener`).

    Args:
        models: Names that the owner's configuration and price list know: these have a label before any has answered.
    """

    def __init__(self, models: Iterable[str] = ()) -> None:
        self.exchanges = Series(Count, 3)
        """By endpoint, outcome, upstream, model."""
        self.of_keys = Series(Count)
        """By key."""
        self.spent = Series(Spent, 1)
        """By upstream, model, billing."""
        self.spent_by_key = Series(Spent)
        """By key."""
        self.durations = Series(lambda: Times(DURATION_US), 2, _HISTOGRAMS)
        """By endpoint, upstream, model, stream."""
        self.first_tokens = Series(lambda: Times(FIRST_TOKEN_US), 1, _HISTOGRAMS)
        """By upstream, model."""
        self.errors = Series(Count, 2)
        """By endpoint, upstream, error."""
        self.attempts = Series(Count, 2)
        """By upstream, outcome, status."""
        self._models = Bounded(_MODELS, models)
        self._keys = Bounded(_KEYS)
        self._errors = Bounded(_ERRORS)
        self._statuses = Bounded(_STATUSES)
        self._upstreams = Bounded(_UPSTREAMS)
        self._paths: dict[tuple[object, ...], _Cells] = {}
        self._tries: dict[tuple[object, ...], Count] = {}
        self._waiting: list[Finished] = []

    def model(self, name: str | None) -> str:
        """The label of a model that anybody may have invented."""
        return self._models.find(name)

    def key(self, name: str | None) -> str:
        """The label of a key's name."""
        return self._keys.learn(name)

    def settled(self, finished: Finished) -> None:
        """An exchange is over."""
        waiting = self._waiting
        waiting.append(finished)
        if len(waiting) >= _AT_ONCE:
            self.count()

    def count(self) -> None:
        """Count what has been collected: before the cells are read."""
        waiting, self._waiting = self._waiting, []
        for finished in waiting:
            for tried in finished.tries:
                self._count_try(tried)
            self._count(finished.admission, finished.settlement)

    def _count_try(self, tried: Tried) -> None:
        end = tried.end
        words = (tried.start.upstream, end.outcome, end.measure.status)
        count = self._tries.get(words)
        if count is None:
            count = self._try(*words)
        count.count += 1

    def _count(self, admission: Admission, settlement: Settlement) -> None:
        measure = settlement.measure
        cost = measure.cost
        words = (
            settlement.outcome,
            settlement.upstream,
            measure.response_model,
            admission.key_name,
            measure.error_code or measure.error_type,
            None if cost is None else cost.billing,
            admission.stream,
            admission.endpoint,
            admission.request_model,
        )
        cells = self._paths.get(words)
        if cells is None:
            cells = self._learn(admission, settlement)
            if len(self._paths) >= _PATHS:
                self._paths.clear()
            self._paths[words] = cells
        cells.exchanges.count += 1
        cells.of_key.count += 1
        if cells.error is not None:
            cells.error.count += 1
        usage = measure.usage
        if usage is not None:
            cells.spent.add(usage, cost)
            cells.spent_by_key.add(usage, cost)
        if measure.total_us is not None:
            cells.duration.add(measure.total_us)
        if measure.first_token_us is not None:
            cells.first_token.add(measure.first_token_us)

    def _learn(self, admission: Admission, settlement: Settlement) -> _Cells:
        measure = settlement.measure
        # A name that is not listed gets a label when an upstream answers by it: what clients ask for, they may invent.
        known = len(self._models)
        model = self._models.learn(measure.response_model) or self._models.find(admission.request_model)
        if len(self._models) > known:
            # Those who asked for it before, in vain, were `other`.
            self._paths.clear()
        key = self._keys.learn(admission.key_name)
        upstream = self._upstreams.learn(settlement.upstream)
        error = self._errors.learn(measure.error_code or measure.error_type)
        billing = "" if measure.cost is None else measure.cost.billing
        stream = "" if admission.stream is None else str(admission.stream).lower()
        endpoint = admission.endpoint
        return _Cells(
            exchanges=self.exchanges.cell((endpoint, settlement.outcome, upstream, model)),
            of_key=self.of_keys.cell((key,)),
            spent=self.spent.cell((upstream, model, billing)),
            spent_by_key=self.spent_by_key.cell((key,)),
            duration=self.durations.cell((endpoint, upstream, model, stream)),
            first_token=self.first_tokens.cell((upstream, model)),
            error=self.errors.cell((endpoint, upstream, error)) if error else None,
        )

    def _try(self, upstream: str, outcome: str, status: int | None) -> Count:
        told = self._statuses.learn(None if status is None else str(status))
        count = self.attempts.cell((self._upstreams.learn(upstream), outcome, told))
        if len(self._tries) >= _PATHS:
            self._tries.clear()
        self._tries[upstream, outcome, status] = count
        return count
