"""What header fields and quota answers say of windows: tables, and a promise for everything else."""

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from clearway.core.fields import Fields
from clearway.core.window import Reading
from clearway.wire.messages.quota import read_quota
from clearway.wire.messages.windows import MOST_WINDOWS, plan_of, ppm, read, short_name, values_of

PREFIX = "anthropic-ratelimit-unified-"
RESET_S = 1_795_255_200
RESET_US = RESET_S * 1_000_000


def heard(fields: dict[str, str]) -> list[Reading]:
    """What a head with these fields says, other fields among them."""
    pairs = [
        (b"date", b"today"),
        *((f"{PREFIX}{name}".encode(), value.encode("latin-1")) for name, value in fields.items()),
    ]
    head = Fields.of([*pairs, (b"anthropic-ratelimit-tokens-reset", b"2026-11-21T10:00:00Z")])
    plan = plan_of(head.names)
    return read(plan, values_of(plan, head))


HEADS = [
    pytest.param({}, [], id="nothing"),
    pytest.param({"fallback-percentage": "0.2", "upgrade-paths": "max_20x, x"}, [], id="no-window-in-it"),
    pytest.param(
        {"5h-status": "allowed", "5h-utilization": "0.42", "5h-reset": str(RESET_S), "5h-surpassed-threshold": "0.25"},
        [Reading(window="5h", status="allowed", utilization_ppm=420_000, resets_us=RESET_US, threshold_ppm=250_000)],
        id="all-four",
    ),
    pytest.param(
        {"7d_oi-utilization": "1.07", "30d_of_2027-status": "new_word"},
        [Reading(window="7d_oi", utilization_ppm=1_070_000), Reading(window="30d_of_2027", status="new_word")],
        id="over-one-and-unknown",
    ),
    pytest.param(
        {"5h-status": "allowed", "status": "allowed", "reset": str(RESET_S), "representative-claim": "five_hour"},
        [Reading(window="5h", status="allowed", resets_us=RESET_US, is_claim=True)],
        id="what-is-said-of-the-whole-is-the-claims",
    ),
    pytest.param(
        {"status": "rejected", "reset": str(RESET_S), "representative-claim": "seven_day_opus"},
        [Reading(window="7d_opus", status="rejected", resets_us=RESET_US, is_claim=True)],
        id="claim-without-fields-of-its-own",
    ),
    pytest.param(
        {"status": "rejected", "reset": str(RESET_S)},
        [Reading(window="unified", status="rejected", resets_us=RESET_US, is_claim=True)],
        id="no-window-named",
    ),
    pytest.param(
        {"status": "rejected", "5h-status": "allowed"},
        [Reading(window="5h", status="allowed"), Reading(window="unified", status="rejected", is_claim=True)],
        id="rejected-by-none-that-is-named",
    ),
    pytest.param(
        {"status": "allowed", "5h-status": "allowed"},
        [Reading(window="5h", status="allowed")],
        id="allowed-says-nothing-more",
    ),
    pytest.param(
        {
            "overage-status": "rejected",
            "overage-disabled-reason": "out_of_credits",
            "overage-in-use": "false",
            "overage-period-monthly-utilization": "0.5",
        },
        [
            Reading(
                window="overage", status="rejected", notes={"disabled-reason": "out_of_credits", "in-use": "false"}
            ),
            Reading(window="overage-period-monthly", utilization_ppm=500_000),
        ],
        id="overage",
    ),
    pytest.param({"grace-5h-utilization": "1.02"}, [Reading(window="grace-5h", utilization_ppm=1_020_000)], id="grace"),
    pytest.param({"5h-utilization": "1e-7"}, [Reading(window="5h", utilization_ppm=0)], id="exponent"),
    pytest.param({"5h-reset": "2026-11-21T10:00:00Z"}, [Reading(window="5h", resets_us=RESET_US)], id="reset-as-date"),
    *(
        pytest.param({"5h-utilization": value}, [], id=f"utilization-{value[:8]}")
        for value in ("nan", "inf", "-0.1", "1e400", "9" * 300, "0x1", "", "1_0", "\xb2", "100.1")
    ),
    *(
        pytest.param({"5h-reset": value}, [], id=f"reset-{value[:8]}-{len(value)}")
        for value in ("nan", "-1", "0", "9" * 12, "9" * 60, "10000-01-01", "soon", "2026-13-01T00:00:00Z", "\xb2")
    ),
    pytest.param({"5h-status": "<b>"}, [], id="status-that-is-no-word"),
    pytest.param({f"{'w' * 33}-status": "allowed"}, [], id="name-too-long"),
    pytest.param({"-status": "allowed", "5H-status": "allowed", "5 h-status": "allowed"}, [], id="names-that-are-none"),
]


@pytest.mark.parametrize(("fields", "expected"), HEADS)
def test_heads(fields: dict[str, str], expected: list[Reading]) -> None:
    """Fractions, Unix seconds and words; windows by name, known or not; what cannot be read was not said."""
    assert expected == heard(fields)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("five_hour", "5h"),
        ("seven_day", "7d"),
        ("seven_day_opus", "7d_opus"),
        ("seven_day_overage_included", "7d_oi"),
        ("overage", "overage"),
        ("iguana_necktie", "iguana_necktie"),
    ],
)
def test_names(name: str, expected: str) -> None:
    """Long names and short ones are of the same window."""
    assert expected == short_name(name)


def test_the_first_of_equal_fields_counts() -> None:
    """As elsewhere in a head."""
    name = f"{PREFIX}5h-utilization".encode()
    head = Fields.of([(name, b"0.25"), (name, b"0.75")])
    plan = plan_of(head.names)

    assert [Reading(window="5h", utilization_ppm=250_000)] == read(plan, values_of(plan, head))


def test_thousands_of_names() -> None:
    """The first windows and notes count; no more are handed out."""
    fields = {f"w{number}-utilization": "0.5" for number in range(5000)}
    notes = {f"overage-{'a' * (1 + number // 26)}{chr(97 + number % 26)}": "x" for number in range(500)}
    found = heard(fields | {"status": "rejected"})

    assert MOST_WINDOWS == len(found)
    assert 8 == len(heard(notes)[0].notes)


PARTS = st.sampled_from(
    ["5h-status", "5h-utilization", "5h-reset", "status", "reset", "representative-claim", "overage-in-use", "x-status"]
)


@given(st.dictionaries(PARTS | st.text(max_size=40), st.text(st.characters(max_codepoint=255), max_size=80)))
def test_nothing_makes_it_raise(fields: dict[str, str]) -> None:
    """Whatever names and values come: at most so many readings, each within its bounds."""
    pairs = [(f"{PREFIX}{name}".encode(errors="replace"), value.encode("latin-1")) for name, value in fields.items()]
    head = Fields.of(pairs)
    plan = plan_of(head.names)
    for reading in read(plan, values_of(plan, head)):
        assert reading.utilization_ppm is None or 0 <= reading.utilization_ppm <= 100_000_000
        assert len(reading.window) <= 32


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_ppm(fraction: float) -> None:
    """A whole number of millionths, or None for what is no part."""
    found = ppm(fraction)

    assert (found is None) == (not 0 <= fraction <= 100)
    assert found is None or abs(found / 1_000_000 - fraction) <= 5.1e-7


DATE = "2026-11-21T10:00:00.4Z"
BODIES = [
    pytest.param(
        {"five_hour": {"utilization": 42, "resets_at": DATE}, "seven_day": None},
        [Reading(window="5h", utilization_ppm=420_000, resets_us=RESET_US)],
        id="percent-and-date",
    ),
    pytest.param(
        {"seven_day_sonnet": {"utilization": 0, "resets_at": None}},
        [Reading(window="7d_sonnet", utilization_ppm=0)],
        id="no-reset",
    ),
    pytest.param(
        {"extra_usage": {"is_enabled": True, "monthly_limit": 50_000, "utilization": 54.5}},
        [Reading(window="overage", utilization_ppm=545_000)],
        id="extra-usage",
    ),
    pytest.param(
        {
            "five_hour": {"utilization": 1, "resets_at": None},
            "limits": [{"kind": "session", "percent": 1}],
        },
        [Reading(window="5h", utilization_ppm=10_000)],
        id="windows-before-limits",
    ),
    pytest.param(
        {
            "limits": [
                {"kind": "spend", "percent": 54, "resets_at": "2026-11-21T10:00:00Z"},
                {"kind": "weekly", "percent": 7, "scope": {"model": {"display_name": "Opus 5"}}},
                {"kind": 3},
                None,
            ]
        },
        [
            Reading(window="overage", utilization_ppm=540_000, resets_us=RESET_US),
            Reading(window="weekly-opus_5", utilization_ppm=70_000),
        ],
        id="limits-alone",
    ),
    pytest.param({"five_hour": {"utilization": "42", "resets_at": 5}}, [], id="other-types"),
    pytest.param({"five_hour": {"utilization": True}}, [], id="a-truth-is-no-number"),
    pytest.param({"five_hour": {"utilization": -1}}, [], id="negative"),
    pytest.param({"x" * 40: {"utilization": 1}, "a b": {"utilization": 1}}, [], id="names-that-are-none"),
    pytest.param({"account": {"email": "x"}, "limits": {}}, [], id="something-else"),
]


@pytest.mark.parametrize(("body", "expected"), BODIES)
def test_quota(body: dict[str, object], expected: list[Reading]) -> None:
    """Percentages and dates of a quota answer mean the same as fractions and seconds of a head."""
    assert expected == read_quota(msgspec.json.encode(body))


def test_quota_with_a_very_long_number() -> None:
    """A number that cannot be divided is none."""
    assert [] == read_quota(b'{"five_hour": {"utilization": ' + b"9" * 3000 + b"}}")


@given(st.binary(max_size=200))
def test_any_bytes_for_a_quota(body: bytes) -> None:
    """No body makes it raise."""
    assert len(read_quota(body)) <= MOST_WINDOWS


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "five_hour",
                        "limits",
                        "utilization",
                        "resets_at",
                        "percent",
                        "kind",
                        "scope",
                        "model",
                        "display_name",
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_for_a_quota(body: object) -> None:
    """Nor does any shape of JSON."""
    assert len(read_quota(msgspec.json.encode(body))) <= MOST_WINDOWS
