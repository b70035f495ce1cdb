"""The metrics of a running gateway, as whoever collects them reads them.

Used by tests/observe.
"""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families

from tests.security.talk import Answered, ask

Labels = dict[str, str]


class Scraped:
    """One text of metrics, read by the library's own parser."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}

    def rows(self, sample: str) -> Iterator[tuple[Labels, float]]:
        """Labels and values of all series of one name."""
        for family in self.families.values():
            for found in family.samples:
                if found.name == sample:
                    yield found.labels, found.value

    def sums(self, sample: str, *by: str, **where: str) -> dict[tuple[str, ...], int]:
        """Sums of whole numbers, by some of the labels."""
        sums: Counter[tuple[str, ...]] = Counter()
        for labels, value in self.rows(sample):
            assert int(value) == value
            if all(labels.get(name, "") == wanted for name, wanted in where.items()):
                sums[tuple(labels.get(name, "") for name in by)] += int(value)
        return {labels: total for labels, total in sums.items() if total}

    def total(self, sample: str, **where: str) -> int:
        """The sum over all series."""
        return self.sums(sample, **where).get((), 0)


def get(url: str, *fields: tuple[str, str], method: str = "GET", target: str = "/metrics") -> Answered:
    """Ask for the metrics."""
    return ask(url, *fields, target=target, method=method, body=b"")


def scrape(url: str, *fields: tuple[str, str]) -> Scraped:
    """The metrics."""
    said = get(url, *fields)

    assert 200 == said.status, said
    return Scraped(said.body.decode())
