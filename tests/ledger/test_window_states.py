"""How looks at a window become its history and its state; what gives cause for concern."""

from collections import defaultdict
from collections.abc import Sequence

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from clearway.core.window import Reading
from clearway.ledger.forecast import HOUR_US, MINUTE_US
from clearway.ledger.protocol import WindowState
from clearway.ledger.window_states import SHOWN_US, Key, Source, WindowRun, carried_on, concerns, states_of

NOW = 1_800_000_000_000_000
RESET = NOW + 2 * HOUR_US
ME = Source("a" * 32, "login", "own-login", None)
SECOND_US = 1_000_000


def reading(used: float | None = 0.5, *, status: str | None = "allowed", resets_us: int | None = RESET) -> Reading:
    """Of the 5-hour window."""
    used_ppm = None if used is None else round(used * 1_000_000)
    return Reading(window="5h", status=status, utilization_ppm=used_ppm, resets_us=resets_us)


def history(looks: Sequence[tuple[int, Reading]], source: Source = ME) -> list[WindowRun]:
    """The runs that come of looks at (time from now in µs, reading)."""
    runs: list[WindowRun] = []
    for at_us, seen in looks:
        run = carried_on(runs[-1] if runs else None, source, seen, NOW + at_us)
        if runs and runs[-1].first_us == run.first_us:
            runs.pop()
        runs.append(run)
    return runs


def spans(runs: list[WindowRun]) -> list[tuple[int, int, float | None, float | None]]:
    """Beginning and end, in seconds from now and in use."""
    return [
        (
            (run.first_us - NOW) // SECOND_US,
            (run.seen_us - NOW) // SECOND_US,
            None if run.began_ppm is None else run.began_ppm / 1_000_000,
            None if run.used_ppm is None else run.used_ppm / 1_000_000,
        )
        for run in runs
    ]


LOOKS = [
    pytest.param([(0, 0.5), (10, 0.5), (9000, 0.5)], [(0, 9000, 0.5, 0.5)], id="level-is-drawn-out"),
    pytest.param([(0, 0.5), (30, 0.51), (60, 0.53)], [(0, 60, 0.5, 0.53)], id="close-changes-share-a-run"),
    pytest.param([(0, 0.5), (900, 0.6)], [(0, 0, 0.5, 0.5), (900, 900, 0.6, 0.6)], id="later-changes-do-not"),
    pytest.param(
        [(0, 0.5), (60, 0.6), (7000, 0.6)], [(0, 60, 0.5, 0.6), (7000, 7000, 0.6, 0.6)], id="a-slope-is-not-drawn-out"
    ),
    pytest.param([(0, 0.9), (60, 0.1)], [(0, 0, 0.9, 0.9), (60, 60, 0.1, 0.1)], id="a-fall-begins-anew"),
    pytest.param([(0, 0.9), (5, 0.1), (8, 0.9), (9, 0.1)], [(0, 9, 0.1, 0.1)], id="what-flickers-leaves-one"),
    pytest.param([(0, 0.5), (-7200, 0.5)], [(0, 0, 0.5, 0.5), (-7200, -7200, 0.5, 0.5)], id="the-clock-goes-back"),
    pytest.param([(0, None), (60, 0.5)], [(0, 60, 0.5, 0.5)], id="use-told-late"),
    pytest.param([(0, 0.5), (600, None)], [(0, 600, 0.5, 0.5)], id="use-not-told-again"),
]


@pytest.mark.parametrize(("looks", "expected"), LOOKS)
def test_runs(looks: list[tuple[int, float | None]], expected: list[tuple[int, int, float, float]]) -> None:
    """A history holds what changed, and little more."""
    assert expected == spans(history([(at_s * SECOND_US, reading(used)) for at_s, used in looks]))


def test_a_moved_reset_begins_anew() -> None:
    """Two hours earlier or later is another period; a minute is rounding."""
    later = reading(0.5, resets_us=RESET + 5 * HOUR_US)

    assert 2 == len(history([(0, reading()), (60 * SECOND_US, later)]))
    assert 1 == len(history([(0, reading()), (60 * SECOND_US, reading(resets_us=RESET - MINUTE_US))]))


def test_a_change_of_status_is_kept() -> None:
    """It is what people look for later."""
    runs = history([(0, reading(0.99)), (60 * SECOND_US, reading(0.99, status="rejected"))])

    assert ["allowed", "rejected"] == [run.status for run in runs]


def test_what_is_not_said_stays() -> None:
    """A quota answer says nothing of status; an answer without a reset has the one from before."""
    first = msgspec.structs.replace(reading(), is_claim=True, threshold_ppm=250_000, notes={"in-use": "true"})
    told = Reading(window="5h", utilization_ppm=500_000, notes={"disabled-reason": "x"})
    (run,) = history([(0, first), (60 * SECOND_US, told)])

    assert ("allowed", RESET, True, 250_000) == (run.status, run.resets_us, run.is_claim, run.threshold_ppm)
    assert {"in-use": "true", "disabled-reason": "x"} == run.notes
    # A threshold that a later head does not name is not passed any more.
    assert history([(0, first), (60 * SECOND_US, reading())])[-1].threshold_ppm is None


READINGS = st.builds(
    reading,
    st.none() | st.floats(0, 2),
    status=st.sampled_from(["allowed", "rejected", None]),
    resets_us=st.none() | st.integers(NOW - 10 * HOUR_US, NOW + 10 * HOUR_US),
)


@given(st.lists(st.tuples(st.integers(-HOUR_US, HOUR_US), READINGS), min_size=1, max_size=30))
def test_the_last_word_is_the_state(looks: list[tuple[int, Reading]]) -> None:
    """Whatever jumps: the last run holds what was said last, ends when it was said, and began no later."""
    at_us, last = looks[-1]
    run = history(looks)[-1]

    assert NOW + at_us == run.seen_us
    assert run.first_us <= run.seen_us
    for said, kept in (
        (last.utilization_ppm, run.used_ppm),
        (last.resets_us, run.resets_us),
        (last.status, run.status),
    ):
        assert said is None or said == kept


@given(st.lists(st.tuples(st.integers(0, 10 * SECOND_US), READINGS), min_size=1, max_size=60))
def test_history_stays_short(steps: list[tuple[int, Reading]]) -> None:
    """However it flickers: a run for ten seconds at most."""
    at_us, looks = 0, []
    for step, seen in steps:
        at_us += step
        looks.append((at_us, seen))

    assert len(history(looks)) <= 1 + at_us // (10 * SECOND_US)


def shown(*found: tuple[str, str, Reading], source: Source = ME, now_us: int = NOW) -> dict[str, WindowState]:
    """States of one credential, seen now, by window."""
    runs: dict[Key, list[WindowRun]] = {}
    for window, status, seen in found:
        named = msgspec.structs.replace(seen, window=window, status=status)
        runs[source.credential_id, window] = [carried_on(None, source, named, NOW)]
    return {state.window: state for state in states_of(runs, now_us)}


DECIDERS = [
    pytest.param([("5h", "allowed", 0.2, 1, True), ("7d", "allowed", 0.9, 9, False)], "5h", id="the-one-named"),
    pytest.param([("5h", "rejected", 1, 1, True), ("7d", "rejected", 1, 9, False)], "7d", id="the-latest-rejection"),
    pytest.param([("5h", "rejected", 1, 9, False), ("7d", "rejected", 1, 1, True)], "5h", id="whoever-is-named"),
    pytest.param([("5h", "allowed", 0.2, 1, False), ("7d", "allowed", 0.9, 9, False)], "7d", id="the-fullest"),
    pytest.param([("5h", "rejected", 1, -1, True), ("7d", "allowed", 0.1, 9, False)], "7d", id="not-one-that-is-over"),
    pytest.param(
        [("overage", "rejected", 1, 99, False), ("5h", "allowed", 0.1, 1, False)], "5h", id="not-a-way-around"
    ),
    pytest.param([("overage", "rejected", 1, 99, True)], None, id="nor-if-it-is-alone"),
]


@pytest.mark.parametrize(("windows", "expected"), DECIDERS)
def test_who_decides(windows: list[tuple[str, str, float, float, bool]], expected: str | None) -> None:
    """Of several windows that reject the one that does so longest, else the one named, else the fullest."""
    states = shown(
        *(
            (
                window,
                status,
                msgspec.structs.replace(reading(used, resets_us=NOW + round(hours * HOUR_US)), is_claim=is_claim),
            )
            for window, status, used, hours, is_claim in windows
        )
    )

    assert [expected] * (expected is not None) == [state.window for state in states.values() if state.decides]


def test_after_its_reset() -> None:
    """What was used before says nothing of now; the last value stays, as such."""
    state = shown(("5h", "rejected", reading(1.0)), now_us=RESET)["5h"]

    assert (True, None, None, 1.0) == (state.is_over, state.status, state.utilization, state.last_utilization)
    assert (None, None, 2 * HOUR_US) == (state.rate_per_hour, state.runs_out_us, state.age_us)


def test_without_a_reset() -> None:
    """It is over when its length has passed since it was seen."""
    for after_us, is_over in ((4 * HOUR_US, False), (5 * HOUR_US, True)):
        assert is_over == shown(("5h", "allowed", reading(resets_us=None)), now_us=NOW + after_us)["5h"].is_over


def test_forgotten() -> None:
    """What was not seen for longer than any period is not shown."""
    assert shown(("overage", "allowed", reading(resets_us=None)), now_us=NOW + SHOWN_US - 1)
    assert not shown(("overage", "allowed", reading(resets_us=None)), now_us=NOW + SHOWN_US)


def test_no_age_is_negative() -> None:
    """Also where the clock has gone back since."""
    assert 0 == shown(("5h", "allowed", reading()), now_us=NOW - HOUR_US)["5h"].age_us


def pair(old: Source, new: Source, old_seen: Reading, new_seen: Reading) -> list[str]:
    """Which credentials are shown, of an old one and one that came an hour later."""
    runs: dict[Key, list[WindowRun]] = defaultdict(list)
    for source, seen, at_us in ((old, old_seen, NOW), (new, new_seen, NOW + HOUR_US)):
        runs[source.credential_id, seen.window].append(carried_on(None, source, seen, at_us))
    return sorted(state.credential_id for state in states_of(runs, NOW + HOUR_US))


OLD, NEW = Source("old", "login", "u", "account"), Source("new", "login", "u", "account")
SUCCESSORS = [
    pytest.param(OLD, NEW, reading(0.5), reading(0.6), ["new"], id="the-same-window-goes-on"),
    pytest.param(OLD, NEW, reading(0.5), reading(0.3), ["new", "old"], id="less-used-is-somebody-elses"),
    pytest.param(
        OLD, NEW, reading(0.5), reading(0.6, resets_us=RESET + HOUR_US), ["new", "old"], id="another-reset-too"
    ),
    pytest.param(OLD, NEW, reading(0.5, resets_us=NOW + 60), reading(0.1), ["new"], id="what-is-over-says-nothing"),
    pytest.param(
        OLD, msgspec.structs.replace(NEW, account="other"), reading(), reading(), ["new", "old"], id="another-account"
    ),
    pytest.param(
        msgspec.structs.replace(OLD, account=None),
        msgspec.structs.replace(NEW, account=None),
        reading(),
        reading(),
        ["new", "old"],
        id="account-unknown",
    ),
    pytest.param(
        msgspec.structs.replace(OLD, kind="api key"),
        msgspec.structs.replace(NEW, kind="api key"),
        reading(),
        reading(),
        ["new", "old"],
        id="keys-are-not-exchanged",
    ),
]


@pytest.mark.parametrize(("old", "new", "old_seen", "new_seen", "expected"), SUCCESSORS)
def test_a_login_that_was_exchanged(
    old: Source, new: Source, old_seen: Reading, new_seen: Reading, expected: list[str]
) -> None:
    """A login's token is new every few hours: its window is shown once, and nobody else's is hidden."""
    assert expected == pair(old, new, old_seen, new_seen)


CONCERNS = [
    pytest.param("5h", "rejected", reading(0.2), ["rejected"], id="rejected"),
    pytest.param("5h", "allowed", reading(0.9), ["over_threshold"], id="at-the-threshold"),
    pytest.param("5h", "allowed", reading(0.899), ["runs_out"], id="runs-out"),
    pytest.param("5h", "allowed", reading(0.3), [], id="lasts"),
    pytest.param("5h", "allowed", reading(None), [], id="use-unknown"),
    pytest.param("5h", "rejected", reading(1.0, resets_us=NOW), [], id="reset-since"),
    pytest.param("overage", "rejected", reading(0.0), [], id="overage-refused-is-usual"),
    pytest.param("overage", "allowed", reading(0.95), ["over_threshold"], id="overage-costs"),
    pytest.param("grace-5h", "eligible", reading(1.0), [], id="grace"),
    pytest.param("some_new_window", "allowed", reading(0.95), ["over_threshold"], id="unknown"),
]


@pytest.mark.parametrize(("window", "status", "seen", "expected"), CONCERNS)
def test_concerns(window: str, status: str, seen: Reading, expected: list[str]) -> None:
    """Rejected, used to the threshold, or out before its reset; each window once, for the weightiest reason."""
    states = shown((window, status, seen)).values()

    assert expected == [concern for _, concern in concerns(states, 0.9)]
