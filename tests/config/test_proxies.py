"""Outgoing proxies: their URLs, who is spared, and which layer decides."""

from pathlib import Path

import pytest

from clearway.config.load import Loaded, load
from clearway.config.problems import ConfigError
from clearway.config.proxies import Proxy, is_spared, masked, proxy_of

REMOTE = "https://api.example"


def loaded(tmp_path: Path, base_url: str = REMOTE, proxy: str | None = None, **environ: str) -> Loaded:
    """One upstream of kind `anthropic`, in a world of its own."""
    file = tmp_path / "clearway.toml"
    written = f"proxy = '{proxy}'\n" if proxy is not None else ""
    upstream = f'[[upstreams]]\nname = "a"\nkind = "anthropic"\nbase_url = "{base_url}"\napi_key = {{ env = "K" }}\n'
    file.write_text(upstream + written)
    return load(path=file, environ={"HOME": str(tmp_path), **environ}, cwd=tmp_path)


def in_force(settings: Loaded) -> tuple[str, str]:
    """Host and port of the first upstream's proxy, and the origin of that decision."""
    proxy = proxy_of(settings.config.upstreams[0])
    return (proxy.authority if proxy else "direct"), settings.origins["upstreams[0].proxy"]


VARIABLES = [
    pytest.param(REMOTE, {}, ("direct", "default"), id="nothing"),
    pytest.param(REMOTE, {"HTTPS_PROXY": "http://p:1"}, ("p:1", "environment HTTPS_PROXY"), id="https"),
    pytest.param(REMOTE, {"https_proxy": "http://p:1"}, ("p:1", "environment https_proxy"), id="lower-case"),
    pytest.param(
        REMOTE,
        {"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"},
        ("p:1", "environment https_proxy"),
        id="lower-case-wins",
    ),
    pytest.param(
        REMOTE, {"https_proxy": "", "HTTPS_PROXY": "http://q:1"}, ("direct", "default"), id="empty-lower-case-wins"
    ),
    pytest.param(REMOTE, {"HTTPS_PROXY": " "}, ("direct", "default"), id="blank"),
    pytest.param(REMOTE, {"HTTP_PROXY": "http://p:1"}, ("direct", "default"), id="http-is-for-http"),
    pytest.param("http://api.example", {"HTTP_PROXY": "http://p:1"}, ("p:1", "environment HTTP_PROXY"), id="http"),
    pytest.param("http://api.example", {"HTTPS_PROXY": "http://p:1"}, ("direct", "default"), id="https-is-for-https"),
    pytest.param(REMOTE, {"ALL_PROXY": "https://p"}, ("p:443", "environment ALL_PROXY"), id="all"),
    pytest.param(
        REMOTE,
        {"ALL_PROXY": "socks5://s:1", "HTTPS_PROXY": "http://p:1"},
        ("p:1", "environment HTTPS_PROXY"),
        id="scheme-before-all",
    ),
    pytest.param(REMOTE, {"HTTPS_PROXY": "p.example:3128"}, ("p.example:3128", "environment HTTPS_PROXY"), id="bare"),
    pytest.param(REMOTE, {"HTTPS_PROXY": "http://p"}, ("p:80", "environment HTTPS_PROXY"), id="usual-port"),
    pytest.param(REMOTE, {"HTTPS_PROXY": "http://[::1]:8/"}, ("[::1]:8", "environment HTTPS_PROXY"), id="ipv6"),
    pytest.param(
        REMOTE,
        {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example"},
        ("direct", "environment NO_PROXY"),
        id="spared",
    ),
    pytest.param(
        REMOTE,
        {"HTTPS_PROXY": "http://p:1", "no_proxy": "other", "NO_PROXY": "example"},
        ("p:1", "environment HTTPS_PROXY"),
        id="lower-case-no-proxy-wins",
    ),
    pytest.param(REMOTE, {"NO_PROXY": "example"}, ("direct", "default"), id="spared-from-nothing"),
    pytest.param("https://127.0.0.1:9", {"HTTPS_PROXY": "http://p:1"}, ("direct", "default"), id="loopback-4"),
    pytest.param("http://127.9.9.9", {"ALL_PROXY": "http://p:1"}, ("direct", "default"), id="loopback-net"),
    pytest.param("http://[::1]:9", {"ALL_PROXY": "http://p:1"}, ("direct", "default"), id="loopback-6"),
    pytest.param("http://localhost:9", {"ALL_PROXY": "socks4://p:1"}, ("direct", "default"), id="loopback-name"),
]


@pytest.mark.parametrize(("base_url", "environ", "expected"), VARIABLES)
def test_what_the_environment_says(
    tmp_path: Path, base_url: str, environ: dict[str, str], expected: tuple[str, str]
) -> None:
    """The variable of the upstream's scheme, then `ALL_PROXY`; loopback is never proxied by a variable."""
    assert expected == in_force(loaded(tmp_path, base_url, **environ))


def test_an_upstream_decides_for_itself(tmp_path: Path) -> None:
    """Its `proxy` beats every variable, `NO_PROXY` and loopback included; `none` is a direct connection."""
    environ = {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}
    file = str(tmp_path / "clearway.toml")

    assert ("own:2", file) == in_force(loaded(tmp_path, REMOTE, "http://own:2", **environ))
    assert ("direct", file) == in_force(loaded(tmp_path, REMOTE, "none", HTTPS_PROXY="http://p:1"))
    assert ("own:2", file) == in_force(loaded(tmp_path, "http://127.0.0.1:1", "http://own:2"))


def test_the_default_upstreams_obey_the_environment_too(tmp_path: Path) -> None:
    """Without a configuration file; what answers by itself needs none."""
    environ = {"HOME": str(tmp_path), "HTTPS_PROXY": "http://p:1", "CLEARWAY_SERVER__PORT": "1"}

    assert ("p:1", "environment HTTPS_PROXY") == in_force(load(path=None, environ=environ, cwd=tmp_path))
    sim = load(path=None, environ=environ | {"CLEARWAY_UPSTREAMS": '[{"name": "s", "kind": "sim"}]'}, cwd=tmp_path)

    assert sim.config.upstreams[0].proxy is None


REFUSED = [
    pytest.param("socks5://h:1", "is a SOCKS proxy, which is not supported", id="socks5"),
    pytest.param("socks5h://u:hunter2@h:1", "is a SOCKS proxy, which is not supported", id="socks5h"),
    pytest.param("SOCKS4A://h", "is a SOCKS proxy, which is not supported", id="socks4a"),
    pytest.param("ftp://u:hunter2@h", "must begin with http:// or https://", id="scheme"),
    pytest.param("http://u:hunter2@", "names no host", id="no-host"),
    pytest.param("http://h/hunter2", "must hold nothing after host and port", id="path"),
    pytest.param("http://h?hunter2", "must hold nothing after host and port", id="query"),
    pytest.param("http://h#hunter2", "must hold nothing after host and port", id="fragment"),
    pytest.param("http://h:0", "port that is not from 1 to 65535", id="port-0"),
    pytest.param("http://u:hunter2@h:99999", "is not a valid URL", id="port-large"),
    pytest.param("http://hunter2 @h", "holds white space", id="blank"),
    pytest.param("http://u:hunter2@h\u00fc", "names no host", id="unicode"),
    pytest.param("http://u%3Av:hunter2@h", "has a user with a colon in it", id="colon-in-user"),
]


@pytest.mark.parametrize("by", ["file", "environment"])
@pytest.mark.parametrize(("url", "reason"), REFUSED)
def test_what_cannot_be_used_is_told_at_once(tmp_path: Path, url: str, reason: str, by: str) -> None:
    """With the layer that said it and what to do; a password is not repeated."""
    written, environ = (url, {}) if by == "file" else (None, {"ALL_PROXY": url})
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, REMOTE, written, **environ)
    (problem,) = caught.value.problems

    assert "upstreams[0].proxy" == problem.setting
    assert problem.where == (str(tmp_path / "clearway.toml") if by == "file" else "environment ALL_PROXY")
    assert reason in problem.message
    assert 'proxy = "none"' in problem.hint
    assert "hunter2" not in str(problem) + problem.hint


def test_a_file_must_write_the_scheme(tmp_path: Path) -> None:
    """`proxy = "direct"` is no host; an empty one is nothing."""
    for value in ("direct", "h:3128", "", "None"):
        with pytest.raises(ConfigError, match=r"upstreams\[0\]\.proxy: must begin with http"):
            loaded(tmp_path, REMOTE, value)


def test_other_kinds_have_no_proxy(tmp_path: Path) -> None:
    """A setting that would do nothing is refused."""
    file = tmp_path / "c.toml"
    file.write_text('[[upstreams]]\nname = "s"\nkind = "sim"\nproxy = "http://h:1"\n')
    with pytest.raises(ConfigError, match="is for upstreams of kind"):
        load(path=file, environ={"HOME": str(tmp_path)}, cwd=tmp_path)


@pytest.mark.parametrize(
    ("url", "credentials"),
    [
        ("http://h:1", None),
        ("http://u@h:1", "u:"),
        ("http://u:p@h:1", "u:p"),
        ("http://u:p:q@h:1", "u:p:q"),
        ("http://u%40x:p%3Aq%20%25@h:1", "u@x:p:q %"),
        ("http://u:p@q@h:1", "u:p@q"),
        ("http://:p@h:1", ":p"),
    ],
)
def test_credentials_of_a_url(url: str, credentials: str | None) -> None:
    """Percent-decoded; a proxy does not print them."""
    proxy = Proxy.parse(url)

    assert credentials == (proxy.credentials.reveal() if proxy.credentials else None)
    assert ("h", 1, False) == (proxy.host, proxy.port, proxy.tls)
    assert "p:q" not in repr(proxy)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://h:1", "http://h:1"),
        ("http://u:p@h:1", "http://***@h:1"),
        ("https://token@h", "https://***@h"),
        ("http://u:p@q@h:1/", "http://***@h:1/"),
        ("none", "none"),
    ],
)
def test_masking(url: str, shown: str) -> None:
    """A user may be a token: both go."""
    assert shown == masked(url)


SPARED = [
    ("*", "api.example", 443),
    ("api.example", "api.example", 443),
    ("API.Example", "api.example", 443),
    ("example", "api.example", 443),
    (".example", "api.example", 443),
    (".api.example", "api.example", 443),
    ("*.example", "api.example", 443),
    ("example.", "api.example", 443),
    ("api.example:443", "api.example", 443),
    (".example:443", "api.example", 443),
    ("other, api.example", "api.example", 443),
    ("other api.example", "api.example", 443),
    (" , ,example,", "api.example", 443),
    ("10.0.0.1", "10.0.0.1", 80),
    ("10.0.0.1:80", "10.0.0.1", 80),
    ("10.0.0.0/8", "10.9.9.9", 80),
    ("10.1.2.3/8", "10.9.9.9", 80),
    ("2001:db8::1", "2001:db8::1", 80),
    ("2001:DB8:0::1", "2001:db8::1", 80),
    ("[2001:db8::1]", "2001:db8::1", 80),
    ("[2001:db8::1]:80", "2001:db8::1", 80),
    ("2001:db8::/32", "2001:db8::9", 80),
]


@pytest.mark.parametrize(("no_proxy", "host", "port"), SPARED)
def test_spared(no_proxy: str, host: str, port: int) -> None:
    """Hosts, domains with and without a dot, ports, addresses, networks, all."""
    assert is_spared(host, port, no_proxy)


NOT_SPARED = [
    ("", "api.example", 443),
    (",", "api.example", 443),
    (".", "api.example", 443),
    ("pi.example", "api.example", 443),
    ("api.example.com", "api.example", 443),
    ("www.api.example", "api.example", 443),
    ("api.*", "api.example", 443),
    ("api.example:80", "api.example", 443),
    ("api.example:x", "api.example", 443),
    ("https://api.example", "api.example", 443),
    ("10.0.0.0/8", "11.0.0.1", 80),
    ("10.0.0.0/8", "api.example", 443),
    ("10.0.0.0/99", "10.0.0.1", 80),
    ("10.", "10.0.0.1", 80),
    ("0.1", "10.0.0.1", 80),
    ("::/0", "10.0.0.1", 80),
    ("0.0.0.0/0", "2001:db8::1", 80),
    ("[2001:db8::1]:81", "2001:db8::1", 80),
    ("[2001:db8::1", "2001:db8::2", 80),
]


@pytest.mark.parametrize(("no_proxy", "host", "port"), NOT_SPARED)
def test_not_spared(no_proxy: str, host: str, port: int) -> None:
    """What only looks like it."""
    assert not is_spared(host, port, no_proxy)
