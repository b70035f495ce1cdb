"""What holds for the cost of any usage."""

from datetime import UTC, datetime

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from clearway.core.usage import Iteration, Tokens, Usage
from clearway.pricing.cost import cost
from clearway.pricing.prices import PriceList

NOW = int(datetime(2026, 11, 21, tzinfo=UTC).timestamp()) * 1_000_000

MODELS = st.sampled_from(["claude-haiku-5-5", "claude-opus-5-5", "claude-sonnet-4-5-20250929", "claude-fable-5-2"])
TIERS = st.sampled_from([None, "standard", "batch"])

QUICK = settings(max_examples=150, deadline=None, database=None)


def tokens(counts: st.SearchStrategy[int]) -> st.SearchStrategy[Tokens]:
    """The five numbers that are billed."""
    return st.builds(Tokens, **{field.name: counts for field in msgspec.structs.fields(Tokens)})


ANY = tokens(st.integers(0, 1_000_000))


def usage(total: Tokens, tier: str | None = None) -> Usage:
    """Usage with these totals."""
    return msgspec.convert({**msgspec.structs.asdict(total), "service_tier": tier}, Usage)


def iterated(runs: list[tuple[Tokens, str | None]], tier: str | None = None) -> Usage:
    """Usage with these model runs, and totals that must not count."""
    iterations = [msgspec.convert({**msgspec.structs.asdict(run), "model": model}, Iteration) for run, model in runs]
    return Usage(input_tokens=1, output_tokens=1, service_tier=tier, iterations=tuple(iterations))


def nano(used: Usage, model: str | None) -> int:
    """The cost, which has to be known."""
    found = cost(used, model, at_us=NOW, billing="billed", prices=PriceList.shipped()).nano
    assert type(found) is int
    return found


def multiplied(total: Tokens, factor: int) -> Tokens:
    """Each of the five numbers times a factor."""
    return Tokens(**{name: count * factor for name, count in msgspec.structs.asdict(total).items()})


@given(st.lists(st.tuples(ANY, MODELS), min_size=1, max_size=6), TIERS)
@QUICK
def test_iterations_add_up(runs: list[tuple[Tokens, str | None]], tier: str | None) -> None:
    """The cost of iterations is the sum of each alone, but for the one rounding."""
    parts = sum(nano(usage(run, tier), model) for run, model in runs)

    assert abs(nano(iterated(runs, tier), None) - parts) * 2 <= len(runs) + 1


@given(st.lists(ANY, min_size=1, max_size=6), MODELS)
@QUICK
def test_iterations_add_up_exactly(runs: list[Tokens], model: str) -> None:
    """Where nothing needs rounding the sum is exact."""
    # Every list price of twenty tokens is a whole number of nano-dollars.
    whole = [multiplied(run, 20) for run in runs]
    parts = sum(nano(usage(run, "batch"), model) for run in whole)

    assert parts == nano(iterated([(run, None) for run in whole], "batch"), model)


@given(ANY, ANY, MODELS, TIERS)
@QUICK
def test_more_costs_more(some: Tokens, more: Tokens, model: str, tier: str | None) -> None:
    """No token ever makes an exchange cheaper."""
    added = msgspec.structs.asdict(more)
    larger = Tokens(**{name: count + added[name] for name, count in msgspec.structs.asdict(some).items()})

    assert nano(usage(some, tier), model) <= nano(usage(larger, tier), model)


@given(ANY, MODELS)
@QUICK
def test_one_iteration_is_the_whole(total: Tokens, model: str) -> None:
    """An only iteration costs what the same numbers cost as totals."""
    assert nano(usage(total), model) == nano(iterated([(total, None)]), model)


@given(tokens(st.integers(0, 10**6)), MODELS)
@QUICK
def test_exact_however_large(total: Tokens, model: str) -> None:
    """A million times the tokens is a million times the cost, to the nano-dollar."""
    base, larger = multiplied(total, 10**6), multiplied(total, 10**12)

    assert nano(usage(base), model) * 10**6 == nano(usage(larger), model)
