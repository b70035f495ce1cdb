"""What is told is what is documented, in words that Prometheus' users expect."""

import re
from pathlib import Path

import pytest
from msgspec import structs
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from clearway.core.budget import parse_budget
from clearway.limits.protocol import BudgetState
from clearway.observe.exposition import Exposition
from clearway.observe.metrics import METRICS, Metric
from clearway.observe.otel import names
from clearway.observe.protocol import Cooling
from clearway.observe.reading import Reading
from clearway.observe.tally import Tally
from tests.observe.scraped import Scraped
from tests.observe.test_bounds import READING, drive, text
from tests.observe.test_states import Window

ROOT = Path(__file__).parents[2]
DOCUMENTS = "\n".join((ROOT / "docs" / name).read_text() for name in ("metrics.md", "reference/metrics.md"))
UNITS = ("_seconds", "_bytes", "_ratio", "_nanodollars", "_usd", "_tokens", "_info")
COUNTED = {"exchanges", "requests", "streams", "attempts", "updates", "batches", "watchers", "errors", "flight", "away"}
STATES = {"healthy", "ready", "reading", "downs"}
PLAIN = {"le"}


def filled() -> tuple[Tally, Reading]:
    """Figures of which every family has a series."""
    tally = Tally()
    drive(tally, asked="m", answered="m")
    drive(tally, asked="m", answered="m", error="api_error", status="500", billing="plan", tools="1")
    tally.count()
    day, tokens = parse_budget("5usd/day"), parse_budget("5tokens/day")
    level = BudgetState(key_id=None, key_name=None, budget=day, spent=1, held=1, since_us=0, resets_us=1)
    return (
        tally,
        structs.replace(
            READING,
            turned_away={"overloaded": 1},
            cool_downs={("api", "limited"): 1},
            cooling=(Cooling(upstream="api", model=None, why="limited", left_s=1.0, told=True),),
            budgets=(level, structs.replace(level, budget=tokens)),
            windows=(Window("own-1", "own-login", "5h", 0.5, 1),),
        ),
    )


@pytest.fixture(scope="module")
def everything() -> Scraped:
    """The text of them."""
    return text(*filled())


def test_the_strict_parser_takes_openmetrics() -> None:
    """In that format the order of lines, the endings of names and the end of the text are rules."""
    tally, reading = filled()
    content_type, said = Exposition(tally).text(reading, "application/openmetrics-text; version=1.0.0")
    found = parse_openmetrics(said.decode())  # type: ignore[no-untyped-call]  # the library's
    families = {family.name: family for family in found}

    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert {metric.name: metric.kind for metric in METRICS}.items() <= {
        name: family.type for name, family in families.items()
    }.items()


def _told(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.kind == "counter" else metric.name


def test_all_that_is_told_is_in_the_table(everything: Scraped) -> None:
    """The text has the families of the table and the library's, and no others; each has a series here."""
    ours = {name for name in everything.families if not name.startswith("process_")}

    assert {metric.name for metric in METRICS} == ours
    assert [] == [name for name in ours if not everything.families[name].samples]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_kind_and_labels_are_those_of_the_table(everything: Scraped, metric: Metric) -> None:
    """And so is what it says."""
    family = everything.families[metric.name]

    assert metric.kind == family.type
    # The parser leaves out labels without a value, as Prometheus does.
    assert {name for sample in family.samples for name in sample.labels} - PLAIN <= set(metric.labels)
    assert metric.help == family.documentation


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_documented(metric: Metric) -> None:
    """Each has its row in the reference."""
    assert f"| `{_told(metric)}` | {metric.kind} |" in DOCUMENTS
    assert metric.help.endswith(".")


def test_nothing_else_is_documented() -> None:
    """What the documents name is there, whatever is asked of it."""
    known = {_told(metric) for metric in METRICS} | {f"{metric.name}_bucket" for metric in METRICS}

    assert set() == set(re.findall(r"clearway_[a-z_]+", DOCUMENTS)) - known


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_follow_prometheus(metric: Metric) -> None:
    """Lower case, our prefix, a base unit or what is counted at the end; labels are short words."""
    assert re.fullmatch(r"clearway(_[a-z]+)+", metric.name)
    assert metric.name.endswith(UNITS) or metric.name.rpartition("_")[2] in COUNTED | STATES
    assert all(re.fullmatch(r"[a-z]+", label) for label in metric.labels)


def test_the_names_of_opentelemetry_are_documented() -> None:
    """Every metric that a collector gets."""
    sent = (
        names.CLIENT_TOKENS,
        names.CLIENT_DURATION,
        names.SERVER_DURATION,
        names.SERVER_FIRST_TOKEN,
        names.COST,
        *(words.client_first_chunk for words in names.SPELLINGS.values() if words.client_first_chunk),
        *(words.provider for words in names.SPELLINGS.values()),
    )

    assert [] == [name for name in sent if f"`{name}`" not in DOCUMENTS]
