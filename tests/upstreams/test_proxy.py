"""Outgoing proxies: what they see, what the upstream sees, and what becomes of those that fail."""

import asyncio
import base64
import socket
from collections.abc import Awaitable, Callable

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from clearway import __version__
from clearway.config.model import Timeouts
from clearway.core.errors import UpstreamUnreachable
from clearway.upstreams.http.proxy import MAX_ANSWER, TunnelAnswer
from tests.forward_proxy import ESTABLISHED, ForwardProxy
from tests.upstreams.hostile import (
    Peer,
    answering,
    chunked,
    connected,
    fetch,
    get,
    hostile,
    plain,
    post,
    silent,
    until,
    whole,
)
from tests.upstreams.tls import echo, request_body, serving

NAME = "api.example"
"""A name that only the proxy can resolve."""
USER, PASSWORD = "me%40here", "pa%3Ass%20word"
SHOWN = b"Basic " + base64.b64encode(b"me@here:pa:ss word")


def asked(target: str, *fields: bytes) -> bytes:
    """All that a proxy is told."""
    lines = [f"CONNECT {target} HTTP/1.1", f"host: {target}", f"user-agent: clearway/{__version__}"]
    return b"\r\n".join([*(line.encode() for line in lines), *fields, b"", b""])


@pytest.fixture
def certificate(authority: trustme.CA) -> trustme.LeafCert:
    """For the upstream by its name and the proxy by its address."""
    return authority.issue_cert(NAME, "127.0.0.1")


@pytest.mark.parametrize("is_tls", [False, True], ids=["http-proxy", "https-proxy"])
async def test_a_plain_upstream_sees_what_it_always_sees(
    certificate: trustme.LeafCert, ca_file: str, *, is_tls: bool
) -> None:
    """The head is the same with and without a proxy, which resolves the name and is told host and port alone."""
    async with hostile(answering(plain(b"ok"))) as journal:
        with ForwardProxy(journal.url, certificate=certificate if is_tls else None) as proxy:
            async with connected(f"http://{NAME}/base", proxy=proxy.url(), ca=ca_file) as client:
                assert (200, b"ok") == await fetch(client, post(b"body"))

    (request,) = journal.requests

    assert (
        b"POST /base/v1/messages HTTP/1.1\r\nhost: api.example\r\n"
        b"content-type: application/json\r\ncontent-length: 4\r\n\r\nbody"
    ) == request
    assert [asked("api.example:80")] == [tunnel.head for tunnel in proxy.tunnels]


@pytest.mark.parametrize("is_tls", [False, True], ids=["http-proxy", "https-proxy"])
async def test_a_tls_upstream_is_verified_through_the_tunnel(
    certificate: trustme.LeafCert, ca_file: str, *, is_tls: bool
) -> None:
    """By the upstream's own name; bodies of any size go both ways, and the proxy reads none of it."""
    async with serving(certificate, echo) as port:
        with ForwardProxy(f"127.0.0.1:{port}", certificate=certificate if is_tls else None) as proxy:
            async with connected(f"https://{NAME}", proxy=proxy.url(), ca=ca_file) as client:
                for size in (9, 100_000, 5 << 20):
                    body = b"canary-99" * (size // 9)

                    assert (200, body) == await fetch(client, post(body))

    (tunnel,) = proxy.tunnels

    assert asked("api.example:443") == tunnel.head
    assert len(tunnel.there) > 5 << 20
    assert b"canary-99" not in tunnel.there


async def test_a_wrong_upstream_behind_a_proxy_is_refused(authority: trustme.CA, ca_file: str) -> None:
    """A proxy that leads elsewhere gains nothing: TLS is with the upstream."""
    async with serving(authority.issue_cert("evil.example"), echo) as port:
        with ForwardProxy(f"127.0.0.1:{port}") as proxy:
            async with connected(f"https://{NAME}", proxy=proxy.url(), ca=ca_file) as client:
                with pytest.raises(UpstreamUnreachable) as caught:
                    await fetch(client, post(b"canary-99"))

    assert str(caught.value).startswith(
        f"the certificate of {NAME} through the proxy {proxy.authority} is not trusted: "
    )


@pytest.mark.parametrize("host", ["other.example", "127.0.0.1"], ids=["other-name", "unknown-authority"])
async def test_a_proxy_that_cannot_be_told_from_an_attacker_is_refused(
    authority: trustme.CA, ca_file: str, host: str
) -> None:
    """TLS to the proxy is verified as TLS to an upstream is; credentials are not shown before that."""
    ca = ca_file if host == "other.example" else None
    async with hostile(answering(plain(b"ok"))) as journal:
        with ForwardProxy(journal.url, certificate=authority.issue_cert(host)) as proxy:
            async with connected(f"http://{NAME}", proxy=proxy.url("u:hunter2"), ca=ca) as client:
                with pytest.raises(
                    UpstreamUnreachable, match=r"certificate of the proxy 127.*is not trusted"
                ) as caught:
                    await fetch(client, post())

    assert "hunter2" not in str(caught.value)
    assert not proxy.tunnels


async def test_credentials_are_for_the_proxy_alone(certificate: trustme.LeafCert, ca_file: str) -> None:
    """Decoded from the URL, in the one request that asks for the tunnel; no upstream sees them."""
    async with hostile(answering(plain(b"ok"))) as journal:
        with ForwardProxy(journal.url, certificate=certificate) as proxy:
            url = proxy.url(f"{USER}:{PASSWORD}")
            async with connected(f"http://{NAME}:8080", proxy=url, ca=ca_file) as client:
                await fetch(client, post())

    assert [asked("api.example:8080", b"proxy-authorization: " + SHOWN)] == [tunnel.head for tunnel in proxy.tunnels]
    assert b"proxy-authorization" not in journal.requests[0]


async def test_an_ipv6_upstream_is_asked_for_in_brackets() -> None:
    """As in a URL."""
    async with hostile(answering(plain(b"ok"))) as journal:
        with ForwardProxy(journal.url) as proxy:
            async with connected("http://[2001:db8::1]:81", proxy=proxy.url()) as client:
                assert (200, b"ok") == await fetch(client, get())

    assert "[2001:db8::1]:81" == proxy.tunnels[0].target


async def test_a_tunnel_is_kept_for_the_next_request() -> None:
    """One tunnel serves many requests, as a connection does; who goes directly never gets it."""
    async with hostile(answering(*[plain(b"ok")] * 3)) as journal:
        with ForwardProxy(journal.url) as proxy:
            async with connected(journal.url, proxy=proxy.url()) as client, connected(journal.url) as direct:
                for _ in range(3):
                    await fetch(client, post())
                await fetch(direct, post())

    assert len(proxy.tunnels) == 1
    assert journal.connections == 2
    assert proxy.tunnels[0].there.count(b"POST ") == 3


@pytest.mark.parametrize("is_tls", [False, True], ids=["http-proxy", "https-proxy"])
async def test_leaving_early_closes_the_tunnel_at_once(
    certificate: trustme.LeafCert, ca_file: str, *, is_tls: bool
) -> None:
    """The proxy sees the client go, and ends the upstream's side; TLS inside of TLS included."""
    gone = asyncio.Event()

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_body(reader)
        writer.write(chunked(b"abc")[:-5])
        await reader.read()
        gone.set()
        writer.close()

    async with serving(certificate, stream) as port:
        with ForwardProxy(f"127.0.0.1:{port}", certificate=certificate if is_tls else None) as proxy:
            async with connected(f"https://{NAME}", proxy=proxy.url(), ca=ca_file) as client:
                async with client.open(post()) as reply:
                    assert b"abc" == await reply.read()
                async with asyncio.timeout(1):
                    await gone.wait()


def saying(*pieces: bytes, end: str = "stay") -> Callable[[Peer], Awaitable[None]]:
    """A proxy that hears the request for a tunnel and says something of its own."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(*pieces)
        if end == "reset":
            peer.reset()
            return
        if end == "fin":
            peer.finish()
        await peer.left()

    return script


async def endless(peer: Peer) -> None:
    """A head without an end."""
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await peer.send(b"x-more: " + b"a" * 1000 + b"\r\n")


async def unfriendly(peer: Peer) -> None:
    """It closes before it is asked."""
    peer.reset()


FAILING = [
    pytest.param(
        saying(plain(b"no", status=b"403 Forbidden")), "made no connection to api.example:443 (403)", id="403"
    ),
    pytest.param(saying(plain(b"no", status=b"502 x")), "made no connection to api.example:443 (502)", id="502"),
    pytest.param(saying(b"HTTP/1.0 504\r\n\r\n", end="fin"), "made no connection to api.example:443 (504)", id="1.0"),
    pytest.param(saying(plain(b"", b"location: /", status=b"302 x")), "made no connection", id="redirect"),
    pytest.param(saying(b"HTTP/1.1 101 x\r\n\r\n"), "made no connection to api.example:443 (101)", id="101"),
    pytest.param(saying(b"HTTP/1.1 403 x\r\n\r\n", b"<html>", end="reset"), "made no connection", id="403-reset"),
    pytest.param(saying(b"SSH-2.0-OpenSSH_9.2\r\n"), "unusable: it is not valid HTTP", id="garbage"),
    pytest.param(saying(b"\x16\x03\x01\x02\x00"), "unusable: it is not valid HTTP", id="tls"),
    pytest.param(saying(b"HTTP/2 200 OK\r\n\r\n"), "unusable: it is not valid HTTP", id="http-2"),
    pytest.param(saying(b"HTTP/1.1 2000 OK\r\n\r\n"), "unusable: it is not valid HTTP", id="four-digits"),
    pytest.param(saying(b"HTTP/1.1 200 OK\n\n"), "unusable: it is not valid HTTP", id="bare-lines"),
    pytest.param(saying(b"HTTP/1.1 200 OK\r\na: \0\r\n\r\n"), "unusable: it is not valid HTTP", id="nul"),
    pytest.param(saying(ESTABLISHED + b"HTTP/1.1 200 OK\r\n"), "unusable: more came than the head", id="leftover"),
    pytest.param(saying(ESTABLISHED + b"\x16"), "unusable: more came than the head", id="leftover-byte"),
    pytest.param(saying(b"HTTP/1.1 200 OK\r\nconte", end="fin"), "ended before there was a tunnel", id="half-head"),
    pytest.param(saying(end="fin"), "ended before there was a tunnel", id="nothing"),
    pytest.param(saying(end="reset"), "ended before there was a tunnel", id="reset"),
    pytest.param(saying(ESTABLISHED, end="reset"), "", id="tunnel-reset"),
    pytest.param(unfriendly, "", id="closes-at-once"),
    pytest.param(endless, f"unusable: its head is larger than {MAX_ANSWER} bytes", id="endless-head"),
    pytest.param(saying(b"HTTP/1.1 100 x\r\n\r\n" * 2000), "head is larger", id="endless-interim"),
    pytest.param(saying(), "within connect_s = 0.3 s", id="silence"),
    pytest.param(saying(b"HTTP/1.1 100 x\r\n\r\n"), "within connect_s = 0.3 s", id="interim-only"),
    pytest.param(saying(b"HTTP/1.1 200 OK\r\n"), "within connect_s = 0.3 s", id="silence-in-the-head"),
    pytest.param(saying(ESTABLISHED), "within connect_s = 0.3 s", id="silence-in-the-tunnel"),
]


@pytest.mark.parametrize(("script", "reason"), FAILING)
async def test_a_proxy_that_fails_is_told_and_nothing_was_sent(
    script: Callable[[Peer], Awaitable[None]], reason: str
) -> None:
    """Whatever it says or does not say: unreachable, by the proxy's host, without its credentials; it was
    told where to and nothing of the request, and the connection is closed.
    """
    limits = Timeouts(connect_s=0.3 if "connect_s" in reason else 5)
    async with hostile(script) as journal:
        url = journal.url.replace("//", "//me:hunter2@")
        async with connected(f"https://{NAME}", proxy=url, timeouts=limits) as client:
            with pytest.raises(UpstreamUnreachable) as caught:
                await fetch(client, post(b"canary-99"))
            told = caught.value.sentence

            assert reason in told
            assert journal.url.removeprefix("http://") in told
            assert "hunter2" not in told
            assert base64.b64encode(b"me:hunter2").decode() not in told
            assert journal.connections == 1
            head = asked("api.example:443", b"proxy-authorization: Basic " + base64.b64encode(b"me:hunter2"))
            assert set(journal.requests) <= {head}
            await until(lambda: not journal.open)


@pytest.mark.parametrize(
    ("user_info", "reason"),
    [("", "wants credentials (407)"), ("u:hunter2@", "refused the credentials in its URL (407)")],
    ids=["none", "wrong"],
)
async def test_a_proxy_that_wants_credentials_says_so(user_info: str, reason: str) -> None:
    """And the owner is told where they belong."""
    answer = plain(b"", b"proxy-authenticate: Basic realm=hunter2", status=b"407 Who are you")
    async with hostile(saying(answer)) as journal:
        url = journal.url.replace("//", f"//{user_info}")
        async with connected(f"https://{NAME}", proxy=url) as client:
            with pytest.raises(UpstreamUnreachable) as caught:
                await fetch(client, post())

    assert reason in str(caught.value)
    assert "user:password@" in caught.value.hint
    assert "hunter2" not in caught.value.sentence


async def test_a_proxy_that_is_not_there() -> None:
    """Refused, or without an address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with connected(f"https://{NAME}", proxy=f"http://u:hunter2@127.0.0.1:{port}") as client:
        with pytest.raises(
            UpstreamUnreachable, match=rf"^no connection to the proxy 127\.0\.0\.1:{port}: connection refused$"
        ):
            await fetch(client, get())
    async with connected(f"https://{NAME}", proxy="http://no-such-host.invalid:3128") as client:
        with pytest.raises(UpstreamUnreachable, match=r"^the host of the proxy no-such-host\.invalid:3128 cannot"):
            await fetch(client, get())


@pytest.mark.parametrize("script", [silent, saying(ESTABLISHED)], ids=["before-the-tunnel", "in-the-handshake"])
async def test_cancelling_leaves_no_connection_to_the_proxy(script: Callable[[Peer], Awaitable[None]]) -> None:
    """A client that goes away while the tunnel is dug costs nothing more."""
    async with hostile(script) as journal, connected(f"https://{NAME}", proxy=journal.url) as client:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(fetch(client, post()))
            await until(lambda: bool(journal.requests))
            await asyncio.sleep(0.02)  # until the handshake, where there is one, has begun
            left_at = asyncio.get_running_loop().time()
            task.cancel()
        await until(lambda: bool(journal.gone))

        assert task.cancelled()
        assert journal.gone[0] - left_at < 0.25


async def test_interim_answers_of_a_proxy_are_skipped() -> None:
    """The final one counts."""
    async with hostile(answering(plain(b"ok"))) as journal:
        with ForwardProxy(
            journal.url, says=b"HTTP/1.1 100 x\r\n\r\nHTTP/1.1 103 y\r\na: b\r\n\r\n" + ESTABLISHED
        ) as proxy:
            async with connected(f"http://{NAME}", proxy=proxy.url()) as client, client.open(get()) as reply:
                assert b"ok" == await whole(reply)


HEADS = [
    pytest.param(ESTABLISHED, 200, id="200"),
    pytest.param(b"HTTP/1.0 200 OK\r\n\r\n", 200, id="1.0"),
    pytest.param(
        b"HTTP/1.1 299\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n", 299, id="length-is-nothing"
    ),
    pytest.param(b"HTTP/1.1 102 x\r\n\r\n" + ESTABLISHED, 200, id="interim"),
    pytest.param(b"HTTP/1.1 403 No\r\nx: y\r\n\r\n", 403, id="403"),
]


@pytest.mark.parametrize(("wire", "status"), HEADS)
def test_an_answer_of_a_proxy_is_read_the_same_however_it_is_cut(wire: bytes, status: int) -> None:
    """In two pieces, anywhere; it is over with its last byte and not before."""
    for cut in range(len(wire)):
        answer = TunnelAnswer()
        answer.feed(wire[:cut])

        assert not answer.is_over
        answer.feed(wire[cut:])

        assert (status, None) == (answer.status, answer.failure)


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"HTTP/1.1 200 ", b"HTTP/1.1 100", b"\r\n", b"\r\n\r\n"])))
def test_whatever_a_proxy_says_is_read_or_refused(pieces: list[bytes]) -> None:
    """Never an exception, never more than a bounded amount, and what is over stays over."""
    answer = TunnelAnswer()
    for piece in pieces:
        was = answer.is_over
        answer.feed(piece)

        assert answer.is_over or not was
    wire = b"".join(pieces)
    if answer.failure is None and answer.status in range(200, 300):
        assert wire.endswith(b"\r\n\r\n")
