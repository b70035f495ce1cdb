"""Small bodies that become large ones, in both directions."""

import time
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard

from tests.gateway_process import GatewayProcess
from tests.hostile.memory import peak_mb
from tests.hostile.tap import Tap
from tests.security.talk import exchange, request
from tests.security.test_framing import ours

LOGIN = ("authorization", "Bearer sk-ant-oat01-x")
MEGABYTE = b"\0" * 1_000_000
MOST_MB = 100
MOST_S = 5.0
"""Half a second is what it takes; the machine may have other things to do."""


def deflated(count: int, *, wbits: int) -> bytes:
    """So many megabytes, made without compressing them all."""
    packer = zlib.compressobj(9, wbits=wbits)
    first = packer.compress(MEGABYTE) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(MEGABYTE) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + again * (count - 1)


def brotlied(count: int) -> bytes:
    """In Brotli."""
    packer = brotli.Compressor(quality=1)
    return b"".join([*(packer.process(MEGABYTE) for _ in range(count)), packer.finish()])


def wide_frame() -> bytes:
    """A frame that asks for a window of 128 MiB."""
    parameters = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    return zstandard.ZstdCompressor(compression_params=parameters).compress(b"\0" * 100)


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "gzip": ("gzip", lambda: deflated(1000, wbits=31)),
    "deflate": ("deflate", lambda: deflated(1000, wbits=15)),
    "raw-deflate": ("deflate", lambda: deflated(1000, wbits=-15)),
    "br": ("br", lambda: brotlied(200)),
    "zstd": ("zstd", lambda: zstandard.compress(MEGABYTE) * 1000),
    "gzip-in-gzip": ("gzip, gzip", lambda: zlib.compress(deflated(1000, wbits=31), wbits=31)),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_request_that_unpacks_to_a_gigabyte(gateway: GatewayProcess, tap: Tap, key: str, bomb: str) -> None:
    """413 at the limit, at once, for little memory; with a login alone as with a key."""
    coding, make = BOMBS[bomb]
    body = make()
    before = peak_mb(gateway.pid)
    for credential in (LOGIN, ("x-api-key", key)):
        begin = time.monotonic()
        said = exchange(gateway.url, request("/v1/messages", credential, ("content-encoding", coding), body=body))

        assert (413, "too_large") == ours(said)
        assert MOST_S > time.monotonic() - begin
    assert b"" == tap.bytes
    assert MOST_MB > peak_mb(gateway.pid) - before


def test_a_window_that_nobody_needs(gateway: GatewayProcess, tap: Tap, key: str) -> None:
    """RFC 9659: 8 MiB are enough for every content coding."""
    said = exchange(
        gateway.url, request("/v1/messages", ("x-api-key", key), ("content-encoding", "zstd"), body=wide_frame())
    )

    assert (400, "invalid_request") == ours(said)
    assert b"" == tap.bytes


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_an_answer_that_unpacks_to_a_gigabyte(gateway: GatewayProcess, tap: Tap, kind: str, framing: str) -> None:
    """It is the client's to unpack: what passes is what came, and watching it costs little."""
    packed = deflated(1000, wbits=31)
    length = b"content-length: %d\r\n" % len(packed) if framing == "length" else b"transfer-encoding: chunked\r\n"
    body = packed if framing == "length" else b"%x\r\n%b\r\n0\r\n\r\n" % (len(packed), packed)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-encoding: gzip\r\n" % kind.encode()
    tap.says = head + length + b"\r\n" + body
    before = peak_mb(gateway.pid)
    said = exchange(gateway.url, request("/v1/messages", LOGIN, body=b'{"model":"claude-x"}'))

    assert said is not None
    assert (200, packed) == (said.status, said.body)
    assert MOST_MB > peak_mb(gateway.pid) - before
