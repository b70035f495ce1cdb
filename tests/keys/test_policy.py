"""What a key may do, as a table."""

import msgspec
import pytest

from clearway.keys.model import Key, KeySecret
from clearway.keys.policy import ALLOW, Deny, judge, may, may_read_metrics

NOW_US = 1_000_000_000
KEY = Key(id="k", name="n", prefix="cw-AbCdEf", created_us=1)
SECRET = KeySecret(hash=b"", key_id="k")


@pytest.mark.parametrize(
    ("changes", "secret_expires_us", "expected"),
    [
        pytest.param({}, None, "", id="plain"),
        pytest.param({"expires_us": NOW_US + 1}, None, "", id="not-yet-expired"),
        pytest.param({"expires_us": NOW_US}, None, "expired", id="expires-at-the-moment"),
        pytest.param({"expires_us": NOW_US - 1}, None, "expired", id="expired"),
        pytest.param({"revoked_us": NOW_US + 5}, None, "revoked", id="revoked-by-a-clock-ahead"),
        pytest.param({"revoked_us": 1, "expires_us": 1}, None, "revoked", id="revoked-beats-expired"),
        pytest.param({}, NOW_US, "rotated", id="rotated-out"),
        pytest.param({}, NOW_US + 1, "", id="rotation-overlaps"),
    ],
)
def test_in_force(changes: dict[str, int], secret_expires_us: int | None, expected: str) -> None:
    """A key ends at its expiry, at once when revoked, and an old secret with its overlap."""
    key = msgspec.structs.replace(KEY, **changes)
    verdict = judge(key, msgspec.structs.replace(SECRET, expires_us=secret_expires_us), NOW_US)

    assert (expected in verdict.reason and verdict.hint) if isinstance(verdict, Deny) else not expected


@pytest.mark.parametrize(
    ("key", "asked", "expected"),
    [
        pytest.param({}, {"endpoint": "relay", "models": ("x",), "upstream": "u"}, "", id="no-rules"),
        pytest.param({"endpoints": ("messages",)}, {"endpoint": "messages"}, "", id="endpoint"),
        pytest.param({"endpoints": ("messages",)}, {"endpoint": "relay"}, "'relay'", id="other-endpoint"),
        pytest.param({"endpoints": ("messages",)}, {}, "", id="endpoint-not-asked"),
        pytest.param({"models": ("claude-haiku-*",)}, {"models": ("claude-haiku-4-5",)}, "", id="pattern"),
        pytest.param({"models": ("claude-haiku-*",)}, {"models": ("Claude-Haiku-4-5",)}, "'Claude", id="case-counts"),
        pytest.param({"models": ("small",)}, {"models": ("small", "claude-opus-5-5")}, "", id="the-alias-is-named"),
        pytest.param({"models": ("claude-*",)}, {"models": ("small", "claude-opus-5-5")}, "", id="its-target-is-named"),
        pytest.param({"models": ("b",)}, {"models": ("small", "claude-opus-5-5")}, "'small'", id="neither-is-named"),
        pytest.param({"models": ("claude-*",)}, {"models": (None,)}, "", id="no-model-in-the-request"),
        pytest.param({"models": ("a", "b*")}, {"models": ("bc",)}, "", id="second-pattern"),
        pytest.param({"upstreams": ("one",)}, {"upstream": "one"}, "", id="upstream"),
        pytest.param({"upstreams": ("on*",)}, {"upstream": "one"}, "'one'", id="upstreams-are-names"),
    ],
)
def test_may(key: dict[str, tuple[str, ...]], asked: dict[str, object], expected: str) -> None:
    """Every name that is asked about must be allowed; the refusal names it and says what is allowed."""
    verdict = may(msgspec.structs.replace(KEY, **key), **asked)  # type: ignore[arg-type]  # a table of keyword arguments

    if not expected:
        assert verdict == ALLOW
    else:
        assert isinstance(verdict, Deny)
        assert expected in verdict.reason
        assert next(iter(key.values()))[0] in verdict.hint


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        pytest.param({}, False, id="no-rules"),
        pytest.param({"owner": True}, True, id="owner"),
        pytest.param({"owner": True, "endpoints": ("messages",)}, False, id="owner-of-less"),
        pytest.param({"owner": True, "endpoints": ("metrics",)}, True, id="owner-of-that"),
        pytest.param({"endpoints": ("metrics",)}, True, id="made-for-it"),
        pytest.param({"endpoints": ("messages", "metrics")}, True, id="among-others"),
        pytest.param({"endpoints": ("messages",)}, False, id="not-among-others"),
        pytest.param({"endpoints": ("metrics",), "models": ("x",)}, True, id="models-do-not-matter"),
    ],
)
def test_metrics_are_for_the_owner_and_for_who_is_named(key: dict[str, object], expected: bool) -> None:  # noqa: FBT001  # a table
    """A key that may do everything may not read the metrics: they are of everybody."""
    verdict = may_read_metrics(msgspec.structs.replace(KEY, **key))

    assert expected == (verdict == ALLOW)


@pytest.mark.parametrize("endpoint", ["messages", "count_tokens", "models", "relay"])
def test_a_key_for_metrics_may_do_nothing_else(endpoint: str) -> None:
    """No endpoint of the API is meant by it."""
    key = msgspec.structs.replace(KEY, endpoints=("metrics",), owner=True)

    assert isinstance(may(key, endpoint=endpoint), Deny)
