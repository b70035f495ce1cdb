"""Where a request comes from, in every combination of peer, trusted proxies and what was forwarded."""

import pytest

from clearway.core.fields import Fields
from clearway.server.sources import Sources

PROXY, INNER, CLIENT, LIAR = "10.0.0.1", "10.0.0.2", "203.0.113.7", "198.51.100.1"
TRUSTED = ("10.0.0.0/8", "fd00::/8", "192.0.2.1")

CASES = [
    pytest.param(CLIENT, [], CLIENT, id="nobody-between"),
    pytest.param(CLIENT, [("x-forwarded-for", LIAR)], CLIENT, id="not-a-proxy"),
    pytest.param(CLIENT, [("forwarded", f"for={LIAR}")], CLIENT, id="not-a-proxy-standard"),
    pytest.param(CLIENT, [("x-forwarded-for", "127.0.0.1")], CLIENT, id="claims-loopback"),
    pytest.param(PROXY, [], PROXY, id="the-proxy-itself"),
    pytest.param(PROXY, [("x-forwarded-for", CLIENT)], CLIENT, id="one-proxy"),
    pytest.param("192.0.2.1", [("x-forwarded-for", CLIENT)], CLIENT, id="named-by-address"),
    pytest.param("192.0.2.2", [("x-forwarded-for", CLIENT)], "192.0.2.2", id="its-neighbour"),
    pytest.param(PROXY, [("x-forwarded-for", f"{LIAR}, {CLIENT}")], CLIENT, id="the-last-counts"),
    pytest.param(PROXY, [("x-forwarded-for", LIAR), ("x-forwarded-for", CLIENT)], CLIENT, id="two-lines"),
    pytest.param(PROXY, [("x-forwarded-for", f"{LIAR}, {CLIENT}, {INNER}")], CLIENT, id="two-proxies"),
    pytest.param(PROXY, [("x-forwarded-for", "10.1.1.1, 10.2.2.2")], "10.1.1.1", id="all-are-ours"),
    pytest.param(PROXY, [("x-forwarded-for", f"{CLIENT}, unknown")], PROXY, id="unknown"),
    pytest.param(PROXY, [("x-forwarded-for", f"{CLIENT}, ")], CLIENT, id="empty-element"),
    pytest.param(PROXY, [("x-forwarded-for", "9" * 5000)], PROXY, id="garbage"),
    pytest.param(PROXY, [("x-forwarded-for", f"{CLIENT}:4711")], CLIENT, id="with-a-port"),
    pytest.param(PROXY, [("x-forwarded-for", "[2001:db8::7]:4711")], "2001:db8::/64", id="six-with-a-port"),
    pytest.param(PROXY, [("x-forwarded-for", "2001:db8::7")], "2001:db8::/64", id="six"),
    pytest.param(PROXY, [("forwarded", f'for="{LIAR}", For={CLIENT};proto=https')], CLIENT, id="standard"),
    pytest.param(PROXY, [("forwarded", 'by=x; for="[2001:db8::7]:80"')], "2001:db8::/64", id="standard-six"),
    pytest.param(PROXY, [("forwarded", f'for="open, for={CLIENT}')], CLIENT, id="a-quote-that-does-not-end"),
    pytest.param(PROXY, [("forwarded", f"for={CLIENT}, for=_hidden")], PROXY, id="hidden"),
    pytest.param(PROXY, [("forwarded", "proto=https")], PROXY, id="no-for"),
    pytest.param(PROXY, [("forwarded", f"for={CLIENT}"), ("x-forwarded-for", CLIENT)], CLIENT, id="both-agree"),
    pytest.param(PROXY, [("forwarded", f"for={LIAR}"), ("x-forwarded-for", CLIENT)], PROXY, id="both-differ"),
    pytest.param("::ffff:10.0.0.1", [("x-forwarded-for", CLIENT)], CLIENT, id="four-in-six-proxy"),
    pytest.param("::ffff:203.0.113.7", [], CLIENT, id="four-in-six"),
    pytest.param("fd00::1", [("x-forwarded-for", CLIENT)], CLIENT, id="six-proxy"),
    pytest.param("2001:db8:0:1:aaaa::1", [], "2001:db8:0:1::/64", id="one-of-its-network"),
    pytest.param("fe80::1%eth0", [], "fe80::/64", id="with-a-zone"),
    pytest.param("", [("x-forwarded-for", CLIENT)], "", id="unix-socket"),
]


@pytest.mark.parametrize(("peer", "headers", "source"), CASES)
def test_source(peer: str, headers: list[tuple[str, str]], source: str) -> None:
    """Only who is trusted is believed, and of what they say the end that they wrote themselves."""
    fields = Fields.of([(name.encode(), value.encode()) for name, value in headers])

    assert source == Sources(TRUSTED).of(peer, fields)


def test_nobody_is_trusted_by_default() -> None:
    """Without the setting nothing that was forwarded counts, not even from loopback."""
    assert "127.0.0.1" == Sources().of("127.0.0.1", Fields.of([(b"x-forwarded-for", CLIENT.encode())]))


def test_a_long_list_costs_little() -> None:
    """Of ten thousand hops only the last few are looked at."""
    fields = Fields.of([(b"x-forwarded-for", b",".join([b"203.0.113.9", *[b"10.0.0.9"] * 10_000]))])

    assert "10.0.0.9" == Sources(TRUSTED).of(PROXY, fields)
