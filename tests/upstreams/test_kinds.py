"""The two kinds that speak HTTP: who pays, what is sent."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from clearway.config import model as config
from clearway.core.fields import Headers
from clearway.core.secret import Secret
from clearway.upstreams.anthropic import AnthropicUpstream
from clearway.upstreams.http import Address, HttpClient
from clearway.upstreams.passthrough import PassthroughUpstream
from clearway.upstreams.protocol import Request, Upstream
from tests.upstreams.hostile import Journal, answering, hostile, plain, whole

OWN = "sk-dummy-own"


def client_of(url: str) -> HttpClient:
    return HttpClient(Address.parse(url), config.Timeouts())


@contextlib.asynccontextmanager
async def anthropic(**settings: object) -> AsyncIterator[tuple[AnthropicUpstream, Journal]]:
    async with hostile(answering(*[plain(b"ok")] * 9)) as journal:
        made = config.Upstream(name="own", kind="anthropic", base_url=journal.url + "/base", **settings)  # type: ignore[arg-type]  # a table of settings
        async with contextlib.aclosing(AnthropicUpstream(made, Secret(OWN), client_of(made.base_url))) as upstream:
            yield upstream, journal


async def sent(upstream: Upstream, journal: Journal, headers: Headers) -> list[bytes]:
    """The lines of the head that arrived, without those that the client adds."""
    async with upstream.open(Request(method=b"GET", target=b"/v1/models?a=b", headers=headers)) as reply:
        await whole(reply)
    lines = journal.requests[-1].removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert lines[1].startswith(b"host: ")
    return [lines[0], *lines[2:]]


@pytest.mark.parametrize(
    ("auth", "line"), [("x-api-key", b"x-api-key: sk-dummy-own"), ("bearer", b"authorization: Bearer sk-dummy-own")]
)
async def test_the_gateways_credential_replaces_any_other(auth: str, line: bytes) -> None:
    """Nothing crosses, in whatever case it is written; the rest goes on as it came."""
    headers = [
        (b"b", b"1"),
        (b"authorization", b"Bearer client-login"),
        (b"x-api-key", b"client-key"),
        (b"X-Api-Key", b"client-key"),
        (b"anthropic-version", b"2026-10-21"),
        (b"b", b"2"),
    ]
    async with anthropic(auth=auth) as (upstream, journal):
        assert [
            b"GET /base/v1/models?a=b HTTP/1.1",
            b"b: 1",
            b"anthropic-version: 2026-10-21",
            b"b: 2",
            line,
        ] == await sent(upstream, journal, headers)


BETAS = [
    pytest.param([b"a,b"], [b"a,b"], id="none-withheld"),
    pytest.param([b"bad"], [], id="only-one"),
    pytest.param([b" bad , worse "], [], id="all"),
    pytest.param([b"a, bad, b"], [b"a, b"], id="middle"),
    pytest.param([b"bad, a"], [b"a"], id="first"),
    pytest.param([b"a,bad"], [b"a"], id="last"),
    pytest.param([b"a ,  b,bad,,c"], [b"a ,  b,,c"], id="blanks-are-kept"),
    pytest.param([b"a,bad", b"worse", b"c"], [b"a", b"c"], id="repeated-headers"),
    pytest.param([b"badly, bad2"], [b"badly, bad2"], id="whole-names-only"),
    pytest.param([b""], [b""], id="empty-as-it-came"),
]


@pytest.mark.parametrize(("came", "went"), BETAS)
async def test_withheld_betas(came: list[bytes], went: list[bytes]) -> None:
    """Taken out of their lists; a header that becomes empty goes, all else stays to the byte."""
    async with anthropic(withhold_betas=("bad", "worse")) as (upstream, journal):
        lines = await sent(upstream, journal, [(b"anthropic-beta", value) for value in came])

        assert [b"anthropic-beta: " + value for value in went] == lines[1:-1]


async def test_betas_are_untouched_where_none_is_withheld() -> None:
    """Full fidelity is the default."""
    async with anthropic() as (upstream, journal):
        lines = await sent(upstream, journal, [(b"anthropic-beta", b" a ,b,")])

        assert [b"anthropic-beta: a ,b,"] == [line.replace(b":  ", b": ") for line in lines[1:-1]]


@pytest.mark.parametrize("value", ["", "a b", "a\r\nx: y", "a\nb", "ключ", "a\x00"])
def test_a_credential_that_no_header_may_have_is_refused_at_once(value: str) -> None:
    """And not repeated."""
    settings = config.Upstream(name="own", kind="anthropic")
    with pytest.raises(ValueError, match="credential of upstream own") as caught:
        AnthropicUpstream(settings, Secret(value), client_of(settings.base_url))

    assert not value or value not in str(caught.value)


def test_the_credential_is_not_shown() -> None:
    """By nothing that prints an object."""
    settings = config.Upstream(name="own", kind="anthropic")
    upstream = AnthropicUpstream(settings, Secret(OWN), client_of(settings.base_url))

    assert OWN not in repr(upstream) + repr(vars(upstream))


async def test_passthrough_sends_what_came() -> None:
    """The client's login included; nothing is added, nothing removed."""
    headers = [
        (b"authorization", b"Bearer client-login"),
        (b"X-Odd", b"1"),
        (b"anthropic-beta", b"a, b"),
        (b"x-odd", b"2"),
    ]
    async with hostile(answering(plain(b"ok"))) as journal:
        settings = config.Upstream(
            name="login", kind="passthrough", base_url=journal.url, allow_hosts=("127.0.0.1",), withhold_betas=("a",)
        )
        async with contextlib.aclosing(PassthroughUpstream(settings, client_of(journal.url))) as upstream:
            assert [
                b"GET /v1/models?a=b HTTP/1.1",
                b"authorization: Bearer client-login",
                b"X-Odd: 1",
                b"anthropic-beta: a, b",
                b"x-odd: 2",
            ] == await sent(upstream, journal, headers)


ALLOWED = [
    pytest.param("https://api.anthropic.com", ("api.anthropic.com",), id="name"),
    pytest.param("https://API.Anthropic.com/", ("api.ANTHROPIC.com",), id="case"),
    pytest.param("http://[::1]:8080", ("[::1]",), id="ipv6"),
    pytest.param("http://127.0.0.1:1", ("other", "127.0.0.1"), id="listed-loopback"),
]


@pytest.mark.parametrize(("url", "hosts"), ALLOWED)
def test_a_login_may_go_to_a_listed_host(url: str, hosts: tuple[str, ...]) -> None:
    """Spelled in any way."""
    settings = config.Upstream(name="login", kind="passthrough", base_url=url, allow_hosts=hosts)

    assert PassthroughUpstream(settings, client_of(url)).pays == "client"


FORBIDDEN = [
    pytest.param("https://evil.example", ("api.anthropic.com",), id="other"),
    pytest.param("https://api.anthropic.com.evil.example", ("api.anthropic.com",), id="suffix"),
    pytest.param("https://xapi.anthropic.com", ("api.anthropic.com",), id="prefix"),
    pytest.param("http://127.0.0.1:1", ("api.anthropic.com",), id="loopback-not-listed"),
    pytest.param("http://localhost", ("127.0.0.1",), id="another-name-of-loopback"),
    pytest.param("https://api.anthropic.com", (), id="empty-list"),
    pytest.param("https://api.anthropic.com", ("*",), id="no-patterns"),
]


@pytest.mark.parametrize(("url", "hosts"), FORBIDDEN)
def test_a_login_goes_nowhere_else(url: str, hosts: tuple[str, ...]) -> None:
    """The gateway does not even start with such a setting."""
    settings = config.Upstream(name="login", kind="passthrough", base_url=url, allow_hosts=hosts)
    with pytest.raises(ValueError, match="allow_hosts"):
        PassthroughUpstream(settings, client_of(url))


def test_the_connections_must_lead_to_the_host_that_was_checked() -> None:
    """A list that is checked against one host and used for another would be none."""
    settings = config.Upstream(name="login", kind="passthrough")
    with pytest.raises(ValueError, match="lead elsewhere"):
        PassthroughUpstream(settings, client_of("https://evil.example"))
