"""TLS to the upstream: verified always, with the system's authorities and one's own."""

import asyncio
import contextlib
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from clearway.config.model import Timeouts
from clearway.core.errors import UpstreamProtocolError, UpstreamUnreachable
from clearway.upstreams.http import Address, HttpClient
from clearway.upstreams.http.dial import make_context
from tests.upstreams.hostile import AT_ONCE_S, Peer, chunked, fetch, get, hostile, plain, post, until
from tests.upstreams.tls import SelfSigned, echo, only_tls_1_1, request_body, serving


def client_of(port: int, ca: str | None, host: str = "127.0.0.1") -> contextlib.aclosing[HttpClient]:
    limits = Timeouts(connect_s=5, first_byte_s=5, idle_s=5)
    return contextlib.aclosing(HttpClient(Address.parse(f"https://{host}:{port}"), limits, ca=ca))


async def test_a_certificate_of_an_added_authority(authority: trustme.CA, ca_file: str) -> None:
    """Bodies of any size go both ways, over one connection that is kept."""
    async with serving(authority.issue_cert("127.0.0.1"), echo) as port, client_of(port, ca_file) as client:
        for size in (1, 100_000, 5 << 20):
            assert (200, b"x" * size) == await fetch(client, post(b"x" * size))


async def test_tls_1_2_is_enough(authority: trustme.CA, ca_file: str) -> None:
    """Older vendors have nothing newer."""
    certificate = authority.issue_cert("127.0.0.1")
    async with serving(certificate, echo, ssl.TLSVersion.TLSv1_2) as port, client_of(port, ca_file) as client:
        assert (200, b"TLSv1.2") == await fetch(client, get())


async def test_an_unknown_authority_is_refused(authority: trustme.CA) -> None:
    """Nothing is sent to somebody who cannot be told from an attacker."""
    async with serving(authority.issue_cert("127.0.0.1"), echo) as port, client_of(port, None) as client:
        with pytest.raises(UpstreamUnreachable, match=rf"certificate of 127.0.0.1:{port} is not trusted"):
            await fetch(client, post())


async def test_a_certificate_for_another_host_is_refused(authority: trustme.CA, ca_file: str) -> None:
    """Trusted, but not for this name."""
    async with serving(authority.issue_cert("other.example"), echo) as port, client_of(port, ca_file) as client:
        with pytest.raises(UpstreamUnreachable, match=r"is not trusted: .*127\.0\.0\.1"):
            await fetch(client, post())


async def test_an_expired_certificate_is_refused(authority: trustme.CA, ca_file: str) -> None:
    """Trusted and for this name, but in another time."""
    for first, last, reason in ((2000, 2001, "certificate has expired"), (2999, 3000, "certificate is not yet valid")):
        begin, end = datetime(first, 1, 1, tzinfo=UTC), datetime(last, 1, 1, tzinfo=UTC)
        certificate = authority.issue_cert("127.0.0.1", not_before=begin, not_after=end)
        async with serving(certificate, echo) as port, client_of(port, ca_file) as client:
            with pytest.raises(UpstreamUnreachable, match=f"is not trusted: {reason}"):
                await fetch(client, post())


async def test_a_certificate_that_signed_itself_is_refused(ca_file: str, tmp_path: Path) -> None:
    """It is no authority of ours."""
    async with serving(SelfSigned(tmp_path), echo) as port, client_of(port, ca_file) as client:
        with pytest.raises(UpstreamUnreachable, match="is not trusted: self-signed certificate"):
            await fetch(client, post())


async def test_a_server_without_tls_1_2_is_refused(authority: trustme.CA, ca_file: str) -> None:
    """It can be spoken to by whoever allows it; we do not."""
    certificate = authority.issue_cert("127.0.0.1")
    lax = ssl.create_default_context(cafile=ca_file)
    only_tls_1_1(lax)
    async with serving(certificate, echo, ssl.TLSVersion.TLSv1_1) as port, client_of(port, ca_file) as client:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=lax)

        assert "TLSv1.1" == writer.get_extra_info("ssl_object").version()
        writer.transport.abort()
        with pytest.raises(UpstreamUnreachable, match=rf"127.0.0.1:{port}: connection reset by peer"):
            await fetch(client, post())


def test_what_every_context_insists_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Verification, names, TLS 1.2; and no variable makes it write down its keys."""
    keys = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
    make_context.cache_clear()
    context = make_context(None)
    make_context.cache_clear()

    assert (ssl.CERT_REQUIRED, True) == (context.verify_mode, context.check_hostname)
    assert ssl.TLSVersion.TLSv1_2 == context.minimum_version
    assert context.keylog_filename is None
    assert not keys.exists()


async def test_an_upstream_without_tls_is_told() -> None:
    """`https` where plain HTTP is spoken."""

    async def speak_http(peer: Peer) -> None:
        await peer.send(plain(b"no"))

    async with hostile(speak_http) as journal, client_of(Address.parse(journal.url).port, None) as client:
        with pytest.raises(UpstreamUnreachable, match=r"TLS with 127\.0\.0\.1"):
            await fetch(client, get())


async def test_leaving_early_closes_at_once(authority: trustme.CA, ca_file: str) -> None:
    """Also through TLS."""
    gone = asyncio.Event()

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_body(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc")
        with contextlib.suppress(ConnectionError):
            await reader.read()
        gone.set()
        writer.close()

    async with serving(authority.issue_cert("127.0.0.1"), stream) as port, client_of(port, ca_file) as client:
        async with client.open(post()) as reply:
            assert b"abc" == await reply.read()
        async with asyncio.timeout(AT_ONCE_S):
            await gone.wait()


async def test_a_body_until_the_close_ends_with_close_notify(authority: trustme.CA, ca_file: str) -> None:
    """An answer without a length, through TLS."""

    async def until_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_body(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"abc" * 100_000)
        writer.close()

    async with serving(authority.issue_cert("127.0.0.1"), until_close) as port, client_of(port, ca_file) as client:
        assert (200, b"abc" * 100_000) == await fetch(client, get())


# asyncio's own TLS tells a cut connection like a closed one (decision 0003).
@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_a_body_until_the_close_that_was_cut_is_an_error(authority: trustme.CA, ca_file: str) -> None:
    """Without close_notify anybody on the way could have cut it."""

    async def until_cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_body(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nabc")
        await writer.drain()
        writer.transport.abort()

    async with serving(authority.issue_cert("127.0.0.1"), until_cut) as port, client_of(port, ca_file) as client:
        with pytest.raises(UpstreamProtocolError, match="broke off"):
            await fetch(client, get())


@pytest.mark.parametrize(
    "cut", [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", chunked(b"abc")[:-5]], ids=["length", "chunks"]
)
async def test_a_cut_body_is_an_error(authority: trustme.CA, ca_file: str, cut: bytes) -> None:
    """Where the length is told, on both event loops."""

    async def until_cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_body(reader)
        writer.write(cut)
        await writer.drain()
        writer.transport.abort()

    async with serving(authority.issue_cert("127.0.0.1"), until_cut) as port, client_of(port, ca_file) as client:
        with pytest.raises(UpstreamProtocolError, match="broke off"):
            await fetch(client, get())


async def test_an_idle_connection_that_is_closed_is_replaced(authority: trustme.CA, ca_file: str) -> None:
    """And the request is sent once."""
    seen: list[bytes] = []

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request_body(reader))
        writer.write(plain(b"ok"))
        writer.close()

    async with serving(authority.issue_cert("127.0.0.1"), one) as port, client_of(port, ca_file) as client:
        for number in range(1, 4):
            assert (200, b"ok") == await fetch(client, post())
            await until(lambda: len(seen) == number)  # noqa: B023 - called before the next turn

        assert len(seen) == 3


def test_a_ca_file_that_cannot_be_loaded_is_told_at_once(tmp_path: Path) -> None:
    """Before anything is served."""
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    for path in (broken, tmp_path / "missing.pem"):
        with pytest.raises(ValueError, match="certificate authorities"):
            HttpClient(Address.parse("https://a.example"), Timeouts(), ca=str(path))


def test_a_context_that_does_not_verify_is_refused() -> None:
    """There is no way to turn it off."""
    context = ssl.create_default_context()
    context.check_hostname = False
    with pytest.raises(ValueError, match="must verify"):
        HttpClient(Address.parse("https://a.example"), Timeouts(), ssl_context=context)
