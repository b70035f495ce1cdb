"""Which upstreams are left alone after which failures, for how long, and who finds out that they are well."""

from math import inf

import pytest

from clearway.upstreams.health import RULES, Failure, Health, Mark, failure_of_event, failure_of_status
from clearway.upstreams.resets import Told

UP, OTHER = "first", "second"
MODEL, OTHER_MODEL = "claude-a", "claude-b"
LONGEST_S = 600.0


class HandClock:
    """Turned by hand; both sides move together."""

    def __init__(self) -> None:
        self.seconds = 5_000.0

    def now_us(self) -> int:
        """Wall time."""
        return int(self.seconds * 1_000_000)

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds


class Case:
    """One upstream, its attempts, and a clock."""

    def __init__(self, longest_s: float = LONGEST_S) -> None:
        self.clock = HandClock()
        self.health = Health(self.clock, longest_s)

    def fail(
        self,
        why: Failure,
        told: Told | None = None,
        *,
        model: str = MODEL,
        began: float | None = None,
        most_s: float = inf,
    ) -> Mark | None:
        """An attempt fails at once, or one that began earlier."""
        at = self.clock.seconds if began is None else began
        return self.health.failed(UP, model, why, began=at, told=told or Told(), most_s=most_s)

    def succeed(self, *, model: str = MODEL, began: float | None = None, whole: bool = True) -> int:
        """An attempt succeeds; how many cool-downs it ended."""
        at = self.clock.seconds if began is None else began
        return len(self.health.succeeded(UP, model, began=at, whole=whole))

    def forward(self, seconds: float) -> None:
        """Time passes."""
        self.clock.seconds += seconds

    def is_held(self, upstream: str = UP, model: str | None = MODEL) -> bool:
        """It had better not be asked."""
        return self.health.holds_back(upstream, model) is not None

    @property
    def left_s(self) -> float:
        """The longest cool-down that is running."""
        return max((left for _, left in self.health.cooling()), default=0.0)


BY_STATUS: list[tuple[int, Failure | None]] = [
    *((status, None) for status in (200, 204, 302, 400, 404, 405, 408, 409, 413, 415, 422, 431, 499)),
    *((status, "credential") for status in (401, 402, 403)),
    (429, "limited"),
    (503, "unavailable"),
    (529, "overloaded"),
    *((status, "failed") for status in (500, 501, 502, 504, 520)),
]


@pytest.mark.parametrize(("status", "expected"), BY_STATUS)
def test_statuses(status: int, expected: Failure | None) -> None:
    """A client's error says nothing about the upstream."""
    assert expected == failure_of_status(status)


def test_events() -> None:
    """An `error` event within a stream says the same as a status would; a client's error says nothing."""
    types = ("rate_limit_error", "overloaded_error", "api_error", "timeout_error", "invalid_request_error", "unknown")

    assert ["limited", "overloaded", "broken", "timeout", None, None] == [failure_of_event(kind) for kind in types]


BACK_OFF: list[tuple[Failure, list[float]]] = [
    ("unreachable", [5, 10, 20, 40, 60, 60]),
    ("credential", [30, 60, 120, 240, 480, 600]),
    ("limited", [5, 10, 20, 40, 80, 120]),
    ("overloaded", [5, 10, 20, 40, 60]),
    ("unavailable", [5, 10, 20, 40, 60]),
    ("failed", [0, 0, 5, 10, 20, 40, 60]),
    ("timeout", [0, 0, 10, 20, 40, 80, 120]),
    ("broken", [0, 0, 5, 10, 20, 40, 60]),
    ("no_model", [300, 300]),
]


@pytest.mark.parametrize(("why", "expected"), BACK_OFF, ids=[why for why, _ in BACK_OFF])
def test_back_off(why: Failure, expected: list[float]) -> None:
    """Each failure in a row doubles the cool-down, up to a bound; after a success it begins anew."""
    case = Case()
    seen = []
    for _ in expected:
        case.fail(why)
        seen.append(case.left_s)
        case.forward(case.left_s + 0.001)
        assert not case.is_held()
    case.succeed()
    case.fail(why)

    assert expected == seen
    assert expected[0] == case.left_s


def test_every_failure_has_a_back_off() -> None:
    """The table above is whole."""
    assert set(RULES) == {why for why, _ in BACK_OFF}


SCOPES: list[tuple[Failure, bool]] = [
    ("unreachable", True),
    ("credential", True),
    ("unavailable", True),
    ("limited", False),
    ("overloaded", False),
    ("no_model", False),
]


@pytest.mark.parametrize(("why", "for_all"), SCOPES, ids=[why for why, _ in SCOPES])
def test_scope(why: Failure, *, for_all: bool) -> None:
    """A limit, an overload and a missing model are one model's; the rest is every model's; never another upstream's."""
    case = Case()
    case.fail(why)

    assert (True, for_all, False) == (case.is_held(), case.is_held(model=OTHER_MODEL), case.is_held(OTHER))


def test_a_limit_of_the_account() -> None:
    """It holds for every model where the upstream says so."""
    case = Case()
    case.fail("limited", Told(wait_s=20, is_of_account=True))

    assert case.is_held(model=OTHER_MODEL)


TOLD = [
    pytest.param("limited", Told(wait_s=17), 17, True, id="retry-after"),
    pytest.param("overloaded", Told(wait_s=90), 90, True, id="longer-than-the-rule"),
    pytest.param("unavailable", Told(wait_s=0.25), 0.25, True, id="shorter-than-the-rule"),
    pytest.param("failed", Told(wait_s=4), 4, True, id="at-the-first-strike"),
    pytest.param("limited", Told(wait_s=1e12), LONGEST_S, True, id="absurd"),
    pytest.param("limited", Told(), 5, False, id="nothing-said"),
    pytest.param("limited", Told(wait_s=17, takes_smaller=True), 17, False, id="for-large-requests"),
]


@pytest.mark.parametrize(("why", "told", "expected", "surely"), TOLD)
def test_what_is_told_counts_first(why: Failure, told: Told, expected: float, *, surely: bool) -> None:
    """In bounds; and only it makes asking certainly vain."""
    case = Case()
    mark = case.fail(why, told)

    assert mark is not None
    assert (expected, surely) == (case.left_s, mark.is_told)


def test_many_at_once_are_one_failure() -> None:
    """Fifty requests that were on their way together do not double anything fifty times."""
    case = Case()
    began = case.clock.seconds
    case.forward(0.5)
    begun = [case.fail("overloaded", began=began) is not None for _ in range(50)]

    assert [True] + [False] * 49 == begun
    assert 5 == case.left_s


def test_the_latest_of_what_was_told() -> None:
    """Answers that were under way together: the one that asks for the most is obeyed, a guess shortens nothing."""
    case = Case()
    began = case.clock.seconds
    case.forward(1)
    for told in (Told(wait_s=10), Told(wait_s=30), Told(wait_s=20), Told()):
        case.fail("limited", told, began=began)

    assert 30 == case.left_s


def test_what_began_before_proves_nothing() -> None:
    """A stream that began before the failure and ends well does not end the cool-down."""
    case = Case()
    began = case.clock.seconds
    case.forward(1)
    case.fail("overloaded")

    assert 0 == case.succeed(began=began)
    assert case.is_held()
    assert 1 == case.succeed()
    assert not case.health.marks


def test_a_success_is_for_its_model() -> None:
    """It ends what holds for the upstream and for this model, not another model's limit."""
    case = Case()
    case.fail("limited")
    case.fail("unavailable")
    case.succeed(model=OTHER_MODEL)

    assert (True, False) == (case.is_held(), case.is_held(model=OTHER_MODEL))


def test_one_probe_at_a_time() -> None:
    """After the cool-down one attempt finds out; until it has, others keep away."""
    case = Case()
    case.fail("unavailable")
    case.forward(5.5)
    assert not case.is_held()
    probes = case.health.probe(UP, MODEL)

    assert 1 == len(probes)
    assert case.is_held()
    assert [] == case.health.probe(UP, MODEL)
    case.succeed(whole=False)
    assert not case.health.marks


def test_a_probe_that_fails() -> None:
    """The next cool-down is longer, and begins now."""
    case = Case()
    case.fail("unavailable")
    case.forward(5.5)
    case.health.probe(UP, MODEL)
    case.fail("unavailable")

    assert 10 == case.left_s
    case.forward(10.5)
    assert not case.is_held()


def test_a_probe_that_finds_out_nothing() -> None:
    """The client left: the next attempt is the probe."""
    case = Case()
    case.fail("unavailable")
    case.forward(5.5)
    for mark in case.health.probe(UP, MODEL):
        mark.is_probed = False

    assert not case.is_held()
    assert 1 == len(case.health.probe(UP, MODEL))


def test_heads_say_nothing_where_answers_were_cut() -> None:
    """Streams that begin well and break cool the upstream all the same; one that ends well counts."""
    case = Case()
    for _ in range(2):
        case.succeed(whole=False)
        case.fail("broken")
        assert not case.is_held()
    case.succeed(whole=False)
    case.fail("broken")
    assert case.is_held()
    case.forward(5.5)
    case.health.probe(UP, MODEL)
    case.succeed(whole=False)
    assert not case.is_held()
    case.fail("broken")

    assert 10 == case.left_s
    case.succeed(whole=True)
    assert not case.health.marks


def test_failures_far_apart() -> None:
    """Three in an hour are accidents, not a pattern."""
    case = Case()
    for _ in range(5):
        case.fail("failed")
        assert not case.is_held()
        case.forward(700)


def test_bound_from_outside() -> None:
    """What is guessed is bounded further where the upstream serves others, too."""
    case = Case()
    for expected in (5, 8, 8):
        case.fail("unreachable", most_s=8)
        assert expected == case.left_s
        case.forward(case.left_s + 0.001)


def test_switched_off() -> None:
    """With `longest_cool_down_s = 0` nothing is remembered."""
    case = Case(longest_s=0)

    assert case.fail("limited", Told(wait_s=17)) is None
    assert not case.health.marks


def test_it_stays_small() -> None:
    """However many models are asked for, and however long their names are; old marks go."""
    case = Case()
    for number in range(2_000):
        case.fail("limited", model=f"model-{number}")
    case.fail("limited", model="x" * 10_000)
    assert 512 == len(case.health.marks)
    case.forward(LONGEST_S + 1_000)

    assert not case.is_held()
    assert not case.health.marks
