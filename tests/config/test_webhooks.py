"""Which URLs a webhook may have."""

import pytest

from clearway.config.masking import masked_value
from clearway.config.webhooks import parse_hook

GOOD = [
    pytest.param("https://hooks.example/T/B?x=1", (), "https://hooks.example", b"/T/B?x=1", id="https"),
    pytest.param("https://HOOKS.example:8443", (), "https://hooks.example:8443", b"/", id="port-and-no-path"),
    pytest.param("http://127.0.0.1:9/x", (), "http://127.0.0.1:9", b"/x", id="loopback"),
    pytest.param("http://localhost:9/x", (), "http://localhost:9", b"/x", id="localhost"),
    pytest.param("http://[::1]:9/x", (), "http://[::1]:9", b"/x", id="loopback-six"),
    pytest.param("http://hook.internal/x", ("hook.internal",), "http://hook.internal", b"/x", id="allowed-name"),
    pytest.param("https://10.0.0.7/x", ("10.0.0.7",), "https://10.0.0.7", b"/x", id="allowed-address"),
    pytest.param("https://93.184.216.34/x", (), "https://93.184.216.34", b"/x", id="public-address"),
]
BAD = [
    pytest.param("hooks.example/x", "begins with https://", id="no-scheme"),
    pytest.param("ftp://hooks.example/x", "begins with https://", id="ftp"),
    pytest.param("https:///x", "begins with https://", id="no-host"),
    pytest.param("http://hooks.example/x", "in the clear", id="http"),
    pytest.param("http://localhost.hooks.example/x", "in the clear", id="not-loopback"),
    pytest.param("https://me:hush@hooks.example/", "no user, password", id="user"),
    pytest.param("https://hooks.example/#x", "fragment", id="fragment"),
    pytest.param("https://hooks.example/a b", "white space", id="blank"),
    pytest.param("https://hooks.example/\r\nx: y", "white space", id="line-break"),
    pytest.param("https://hooks.example/\u20ac", "percent-encoded", id="not-ascii"),
    pytest.param("https://169.254.169.254/latest/", "not public", id="metadata"),
    pytest.param("https://[fe80::1]/", "not public", id="link-local"),
    pytest.param("https://[fd00::1]/", "not public", id="private-six"),
    pytest.param("https://10.0.0.7/", "not public", id="private"),
    pytest.param("https://192.168.1.1/", "not public", id="home"),
    pytest.param("https://0.0.0.0/", "not public", id="unspecified"),
    pytest.param("https://[::ffff:169.254.169.254]/", "not public", id="four-in-six"),
    pytest.param("https://[::ffff:10.0.0.7]/", "not public", id="private-four-in-six"),
    pytest.param("http://2130706433/", "unusual form", id="decimal"),
    pytest.param("http://0x7f.1/", "unusual form", id="short"),
    pytest.param("http://0x7f000001/", "unusual form", id="hexadecimal"),
    pytest.param("http://0177.0.0.1/", "unusual form", id="octal"),
    pytest.param("http://127.1/", "unusual form", id="two-parts"),
    pytest.param("https://169.254.169.254./", "not public", id="dot-at-the-end"),
]


@pytest.mark.parametrize(("url", "allowed", "origin", "target"), GOOD)
def test_usable(url: str, allowed: tuple[str, ...], origin: str, target: bytes) -> None:
    """TLS, or this machine, or a host that the owner allowed."""
    hook = parse_hook(url, allowed)

    assert (origin, target) == (hook.origin, hook.target)
    assert target.decode() == "/" or target.decode() not in repr(hook)


@pytest.mark.parametrize(("url", "said"), BAD)
def test_refused(url: str, said: str) -> None:
    """With the reason, and without the URL."""
    with pytest.raises(ValueError, match=said) as caught:
        parse_hook(url, ("hook.internal",))

    assert "hush" not in str(caught.value)
    assert url not in str(caught.value)


def test_shown_without_what_lets_a_message_in() -> None:
    """`config show` and what tells of changes say where it leads, and no more."""
    urls = ("https://hooks.example/T0/hush", "https://me:hush@x.example/", "http://[hush")

    assert ("https://hooks.example/***", "https://x.example/***", "***") == masked_value("usage.webhooks", urls)
