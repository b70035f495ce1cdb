"""When an upstream says that it may be asked again, in every spelling that is seen."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from clearway.upstreams.resets import Told, read

NOW_US = 1_800_000_000_000_000
"""2027-01-15 08:00 UTC."""
NOW_S = NOW_US // 1_000_000
LIMIT = "anthropic-ratelimit-"
UNIFIED = "anthropic-ratelimit-unified-"


def said(**fields: str) -> Told:
    """What the head says; `_` stands for `-`."""
    headers = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in fields.items()]
    return read(headers, NOW_US)


def under(prefix: str, **fields: str) -> dict[str, str]:
    """Fields with a prefix."""
    return {prefix + name: value for name, value in fields.items()}


AFTER = [
    pytest.param({"retry-after": "17"}, 17, id="seconds"),
    pytest.param({"retry-after": " 17 "}, 17, id="blanks-around-it"),
    pytest.param({"retry-after": "0.5"}, 0.5, id="half-a-second"),
    pytest.param({"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30, id="date"),
    pytest.param({"retry-after": "Friday, 15-Jan-27 08:00:30 GMT"}, 30, id="date-of-rfc-850"),
    pytest.param({"retry-after": "Fri, 15 Jan 2027 07:59:00 GMT"}, None, id="date-that-is-over"),
    pytest.param({"retry-after": "0"}, None, id="zero-means-nothing"),
    pytest.param({"retry-after": "-5"}, None, id="negative"),
    pytest.param({"retry-after": "soon"}, None, id="word"),
    pytest.param({"retry-after": ""}, None, id="empty"),
    pytest.param({"retry-after": "nan"}, None, id="nan"),
    pytest.param({"retry-after": "1e9"}, None, id="exponent"),
    pytest.param({"retry-after": "9" * 60}, None, id="too-many-digits"),
    pytest.param({"retry-after": "9" * 1000}, None, id="too-long"),
    pytest.param({"retry-after": "\xb2"}, None, id="digit-of-another-script"),
    pytest.param({"retry-after": "999999999999"}, 999_999_999_999, id="absurd-but-said"),
    pytest.param({"retry-after-ms": "1500", "retry-after": "17"}, 1.5, id="milliseconds-first"),
    pytest.param({"retry-after-ms": "x", "retry-after": "17"}, 17, id="milliseconds-unreadable"),
    pytest.param({}, None, id="nothing-said"),
]


@pytest.mark.parametrize(("fields", "expected"), AFTER)
def test_retry_after(fields: dict[str, str], expected: float | None) -> None:
    """Seconds or a date, more than 0; what cannot be read was not said."""
    assert expected == said(**fields).wait_s


USED_UP = [
    pytest.param({"tokens-remaining": "0", "tokens-reset": "2027-01-15T08:00:12Z"}, 12, id="one-limit"),
    pytest.param({"tokens-remaining": "0", "tokens-reset": "2027-01-15T09:00:12+01:00"}, 12, id="with-an-offset"),
    pytest.param({"tokens-remaining": "0", "tokens-reset": "2027-01-15T08:00:12"}, 12, id="utc-unsaid"),
    pytest.param(
        {
            "requests-remaining": "0",
            "requests-reset": "2027-01-15T08:00:05Z",
            "input-tokens-remaining": "0",
            "input-tokens-reset": "2027-01-15T08:00:40Z",
            "output-tokens-remaining": "8000",
            "output-tokens-reset": "2027-01-15T08:00:59Z",
        },
        40,
        id="the-latest-of-those-used-up",
    ),
    pytest.param({"tokens-remaining": "0", "tokens-reset": "2027-01-15T07:00:00Z"}, None, id="over"),
    pytest.param({"tokens-remaining": "0", "tokens-reset": "tomorrow"}, None, id="unreadable"),
    pytest.param({"tokens-remaining": "0"}, None, id="no-reset"),
    pytest.param({"tokens-remaining": "1000", "tokens-reset": "2027-01-15T08:00:12Z"}, None, id="something-is-left"),
]


@pytest.mark.parametrize(("fields", "expected"), USED_UP)
def test_limits_of_a_key(fields: dict[str, str], expected: float | None) -> None:
    """Without `retry-after`, the reset of what is used up."""
    assert expected == said(**under(LIMIT, **fields)).wait_s


def test_retry_after_counts_before_resets_of_a_key() -> None:
    """A reset is when the whole limit is back; this request fits in before."""
    fields = under(LIMIT, **{"tokens-remaining": "0", "tokens-reset": "2027-01-15T08:00:59Z"})

    assert 3 == said(**{"retry-after": "3"}, **fields).wait_s


SMALLER = [
    pytest.param({"tokens-remaining": "1000", "requests-remaining": "49"}, True, id="something-of-each"),
    pytest.param({"tokens-remaining": "0", "requests-remaining": "49"}, False, id="nothing-of-one"),
    pytest.param({}, False, id="unsaid"),
]


@pytest.mark.parametrize(("fields", "expected"), SMALLER)
def test_a_smaller_request_may_pass(fields: dict[str, str], *, expected: bool) -> None:
    """Where something is left of every limit."""
    assert expected is said(**{"retry-after": "20"}, **under(LIMIT, **fields)).takes_smaller


def _in(seconds: int) -> str:
    return str(NOW_S + seconds)


WINDOWS = [
    pytest.param({"status": "rejected", "reset": _in(600)}, 600, False, id="only-the-whole"),
    pytest.param(
        {"status": "rejected", "reset": _in(600), "representative-claim": "five_hour"}, 600, True, id="claim-of-account"
    ),
    pytest.param(
        {"status": "rejected", "reset": _in(600), "representative-claim": "seven_day_opus"},
        600,
        False,
        id="claim-of-a-model",
    ),
    pytest.param(
        {"status": "rejected", "5h-status": "rejected", "5h-reset": _in(600), "7d-status": "allowed_warning",
         "7d-reset": _in(9000), "reset": _in(600)},
        600, True, id="one-window",
    ),
    pytest.param(
        {"status": "rejected", "5h-status": "rejected", "5h-reset": _in(600), "7d-status": "rejected",
         "7d-reset": _in(9000), "reset": _in(600), "representative-claim": "five_hour"},
        9000, True, id="the-latest-of-several-wins",
    ),
    pytest.param(
        {"status": "rejected", "7d_opus-status": "rejected", "7d_opus-reset": _in(50)}, 50, False, id="a-model's-window"
    ),
    pytest.param(
        {"status": "rejected", "30d_new-status": "rejected", "30d_new-reset": _in(50)}, 50, False, id="unknown-window"
    ),
    pytest.param(
        {"status": "rejected", "5h-status": "rejected", "5h-reset": _in(600), "overage-status": "rejected",
         "overage-reset": _in(900_000)},
        600, True, id="credits-on-top-are-no-window",
    ),
    pytest.param({"status": "rejected", "5h-status": "rejected"}, None, True, id="no-reset-told"),
    pytest.param({"status": "rejected", "5h-status": "rejected", "reset": _in(70)}, 70, True, id="reset-of-the-whole"),
    pytest.param({"status": "allowed", "overage-status": "rejected", "reset": _in(70)}, None, False, id="allowed"),
    pytest.param({"status": "rejected", "reset": _in(-70)}, None, False, id="over"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "expected", "of_account"), WINDOWS)
def test_windows_of_a_plan(fields: dict[str, str], expected: float | None, *, of_account: bool) -> None:
    """The rejected ones count, the latest of them; which they are says for how many models it holds."""
    told = said(**under(UNIFIED, **fields))

    assert (expected, of_account) == (told.wait_s, told.is_of_account)


def test_a_window_and_retry_after() -> None:
    """Both must be over."""
    fields = under(UNIFIED, **{"5h-status": "rejected", "5h-reset": _in(600)})

    assert 600 == said(**{"retry-after": "3"}, **fields).wait_s
    assert 700 == said(**{"retry-after": "700"}, **fields).wait_s


def test_should_retry() -> None:
    """`x-should-retry: false` is final, anything else is not."""
    assert [True, False, False] == [
        said(x_should_retry="false").is_final,
        said(x_should_retry="true").is_final,
        said().is_final,
    ]


NAMES = st.sampled_from(
    ["retry-after", "retry-after-ms", "x-should-retry", LIMIT + "tokens-remaining", LIMIT + "tokens-reset"]
    + [UNIFIED + name for name in ("status", "reset", "5h-status", "5h-reset", "-status", "representative-claim")]
)
VALUES = st.one_of(st.binary(max_size=80), st.sampled_from([b"rejected", b"0", b"1800000500", b"2027-01-15T08:00:00Z"]))


@given(st.lists(st.tuples(NAMES.map(str.encode), VALUES), max_size=12))
def test_whatever_comes(headers: list[tuple[bytes, bytes]]) -> None:
    """Nothing that an upstream sends is an error, and no wait is negative or endless."""
    told = read(headers, NOW_US)

    assert told.wait_s is None or 0 < told.wait_s < 1e13
