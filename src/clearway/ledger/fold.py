"""Many records as the newest state of each exchange.

Owns what was told of exchanges that run. Everything is told again with each news of
an exchange: then every row is written by statements of many rows (ledger/statements),
whether it is there already or not. Pure. Used by ledger/writer, on the loop's side.
"""

from clearway.core.exchange import Admission, AttemptEnd, AttemptStart, Progress, Settlement


class AttemptChange:
    """What is known of one try."""

    __slots__ = ("end", "progress", "start")

    def __init__(self, start: AttemptStart, progress: Progress | None = None, end: AttemptEnd | None = None) -> None:
        self.start = start
        self.progress = progress
        self.end = end


class Change:
    """What is known of one exchange."""

    __slots__ = ("admission", "attempts", "settlement")

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.attempts: dict[int, AttemptChange] = {}
        self.settlement: Settlement | None = None

    def copy(self) -> "Change":
        """One that stays as it is."""
        copied = Change(self.admission)
        for number, attempt in self.attempts.items():
            copied.attempts[number] = AttemptChange(attempt.start, attempt.progress, attempt.end)
        return copied


Changes = dict[str, Change]
"""By exchange id. Grows with exchanges, not with records: a newer `Progress` replaces an older one."""


class Fold:
    """What was told, folded: what comes first stands, but for `Progress`, where the last does.

    What is told of an exchange that was not admitted, or is settled, is not heard.
    Growth: what runs, and what has news since `take`.
    """

    def __init__(self) -> None:
        self._open: Changes = {}
        self._news: Changes = {}

    def __len__(self) -> int:
        """Exchanges of which there is news."""
        return len(self._news)

    def take(self) -> Changes:
        """The news, for somebody else to keep."""
        news, self._news = self._news, {}
        for exchange_id, change in news.items():
            if change.settlement is None:
                news[exchange_id] = change.copy()
        return news

    def admit(self, admission: Admission) -> None:
        """An exchange begins."""
        change = self._open.setdefault(admission.id, Change(admission))
        self._news[admission.id] = change

    def begin(self, start: AttemptStart) -> None:
        """A try begins."""
        change = self._open.get(start.exchange_id)
        if change is not None:
            change.attempts.setdefault(start.number, AttemptChange(start))
            self._news[start.exchange_id] = change

    def progress(self, progress: Progress) -> None:
        """Something was seen of a try."""
        attempt = self._attempt(progress)
        if attempt is not None:
            attempt.progress = progress

    def end(self, end: AttemptEnd) -> None:
        """A try is over."""
        attempt = self._attempt(end)
        if attempt is not None:
            attempt.end = end

    def settle(self, settlement: Settlement) -> None:
        """An exchange is over."""
        change = self._open.pop(settlement.exchange_id, None)
        if change is not None:
            change.settlement = settlement
            self._news[settlement.exchange_id] = change

    def _attempt(self, record: Progress | AttemptEnd) -> AttemptChange | None:
        """The try that runs."""
        change = self._open.get(record.exchange_id)
        attempt = None if change is None else change.attempts.get(record.number)
        if change is None or attempt is None or attempt.end is not None:
            return None
        self._news[record.exchange_id] = change
        return attempt
