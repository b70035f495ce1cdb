"""Base URLs."""

import pytest

from clearway.upstreams.http.address import Address, normal_host

GOOD = [
    pytest.param("https://api.anthropic.com", Address(host="api.anthropic.com", port=443, tls=True), id="name"),
    pytest.param("https://api.anthropic.com/", Address(host="api.anthropic.com", port=443, tls=True), id="slash"),
    pytest.param("http://127.0.0.1:8080", Address(host="127.0.0.1", port=8080, tls=False), id="ipv4-port"),
    pytest.param("http://[::1]:81/a", Address(host="::1", port=81, tls=False, prefix=b"/a"), id="ipv6"),
    pytest.param(
        "https://API.Z.AI/api/anthropic/",
        Address(host="api.z.ai", port=443, tls=True, prefix=b"/api/anthropic"),
        id="path",
    ),
    pytest.param("https://bücher.example", Address(host="xn--bcher-kva.example", port=443, tls=True), id="idna"),
    pytest.param("https://api.example.", Address(host="api.example", port=443, tls=True), id="dot-at-end"),
]


@pytest.mark.parametrize(("url", "expected"), GOOD)
def test_a_base_url_is_taken_apart(url: str, expected: Address) -> None:
    """Scheme, host, port and prefix; names in one spelling."""
    assert expected == Address.parse(url)


BAD = [
    pytest.param("ftp://a", "https://", id="scheme"),
    pytest.param("api.anthropic.com", "https://", id="no-scheme"),
    pytest.param("https://", "no host", id="no-host"),
    pytest.param("https://u:hunter2@a", "user name", id="user-info"),
    pytest.param("https://hunter2@a", "user name", id="user"),
    pytest.param("https://a?hunter2=1", "query", id="query"),
    pytest.param("https://a#hunter2", "query", id="fragment"),
    pytest.param("https://a:0", "port", id="port-0"),
    pytest.param("https://a:65536", "valid URL", id="port-large"),
    pytest.param("https://a:hunter2", "valid URL", id="port-text"),
    pytest.param("https://a b", "white space", id="blank"),
    pytest.param("https://a\r\nx: y", "white space", id="line-break"),
    pytest.param("https://a/../b", "dot segments", id="dots"),
    pytest.param("https://a/%2e%2E/b", "dot segments", id="encoded-dots"),
    pytest.param("https://a//b", "percent-encoded", id="double-slash"),
    pytest.param("https://a/ü", "percent-encoded", id="raw-unicode"),
    pytest.param("https://[::1", "valid URL", id="open-bracket"),
    pytest.param("https://a,b", "neither", id="bad-name"),
]


@pytest.mark.parametrize(("url", "reason"), BAD)
def test_what_is_wrong_is_told_without_the_url(url: str, reason: str) -> None:
    """A base URL can hold a password, so that no error repeats it."""
    with pytest.raises(ValueError, match=reason) as caught:
        Address.parse(url)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a", "a"),
        ("https://a:443", "a"),
        ("http://a:443", "a:443"),
        ("http://a", "a"),
        ("http://[::1]:80", "[::1]"),
        ("http://[::1]:8080", "[::1]:8080"),
    ],
)
def test_the_authority_names_the_port_only_where_it_is_unusual(url: str, expected: str) -> None:
    """As `Host` has it."""
    assert expected == Address.parse(url).authority


def test_spellings_of_a_host_are_one() -> None:
    """Case, brackets and a dot at the end make no difference."""
    assert {"::1"} == {normal_host("[::1]"), normal_host("0:0:0:0:0:0:0:1")}
    assert {"a.example"} == {normal_host("A.Example"), normal_host("a.example.")}
