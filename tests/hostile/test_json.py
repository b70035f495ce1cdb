"""Bodies that abuse JSON: an answer at once, in the API's own shape, and the process lives.

With a key they must be read, so what cannot be read is a 400; a login alone is the
provider's business, and goes on as it came.
"""

import time
from collections.abc import Callable

import msgspec
import pytest

from tests.gateway_process import GatewayProcess
from tests.hostile.memory import peak_mb
from tests.hostile.tap import Tap
from tests.security.talk import ask, exchange, request
from tests.security.test_framing import ours

LOGIN = ("authorization", "Bearer sk-ant-oat01-x")
PATIENT_S = 4.0
"""The promise is a second; the machine may have other things to do."""
EXTRA_MB = 50
GOOD = b'{"model":"claude-sonnet-4-5","max_tokens":16,"messages":[%b]}'


def around(value: bytes) -> bytes:
    """A good body with a member more."""
    return b'{"model":"claude-sonnet-4-5","max_tokens":16,"messages":[],"x":%b}' % value


READ: dict[str, Callable[[], bytes]] = {
    "a-million-members": lambda: b'{"model":"claude-x",' + b'"k":1,' * 1_000_000 + b'"z":1}',
    "ten-megabytes-of-text": lambda: GOOD % (b'"' + b"x" * 10_000_000 + b'"'),
    "ten-megabytes-of-escapes": lambda: GOOD % (b'"' + b"\\u0061" * 1_600_000 + b'"'),
    "ten-megabytes-of-brackets": lambda: GOOD % (b"[]," * 3_300_000 + b"0"),
    "five-thousand-digits": lambda: around(b"9" * 5000),
    "five-thousand-digits-beside-an-escape": lambda: around(b"9" * 5000 + b',"\\u0061":1'),
    "too-large-a-number": lambda: around(b"1e999"),
    "deep": lambda: around(b"[" * 500 + b"]" * 500),
    "pair-of-surrogates": lambda: around(b'"\\ud83d\\ude00"'),
    "nul": lambda: around(b'"\\u0000"'),
}
UNREAD: dict[str, Callable[[], bytes]] = {
    "nesting": lambda: around(b"[" * 100_000 + b"]" * 100_000),
    "nesting-without-end": lambda: around(b"[" * 100_000),
    "nested-objects": lambda: around(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "nested-messages": lambda: GOOD % (b"[" * 100_000 + b"]" * 100_000),
    "members-beside-an-escape": lambda: b'{"model":"claude-x","\\u0061":1,' + b'"k":1,' * 1_000_000 + b'"z":1}',
    "brackets-beside-an-escape": lambda: around(b'1,"\\u0061":[' + b"[]," * 3_300_000 + b"0]"),
    "five-thousand-digits-that-count": lambda: b'{"model":"claude-x","max_tokens":%b}' % (b"9" * 5000),
    "past-64-bits": lambda: b'{"model":"claude-x","max_tokens":18446744073709551617}',
    "nan": lambda: around(b"NaN"),
    "infinity": lambda: around(b"-Infinity"),
    "lone-surrogate-in-a-name": lambda: b'{"model":"claude-x","\\ud800":1}',
    "lone-surrogate-that-counts": lambda: b'{"model":"claude-\\udfff"}',
    "byte-order-mark": lambda: b"\xef\xbb\xbf" + around(b"1"),
    "utf-16": lambda: around(b"1").decode().encode("utf-16"),
    "utf-16-le": lambda: around(b"1").decode().encode("utf-16-le"),
    "utf-32": lambda: around(b"1").decode().encode("utf-32"),
    "not-utf-8": lambda: b'{"model":"claude-\xff"}',
    "overlong-utf-8": lambda: b'{"model":"claude-\xc0\xae"}',
    "control-character": lambda: b'{"model":"claude-\n"}',
    "single-quotes": lambda: b"{'model':'claude-x'}",
    "comment": lambda: around(b"1/* */"),
    "comma-at-the-end": lambda: b'{"model":"claude-x",}',
    "two-values": lambda: around(b"1") * 2,
    "a-list": lambda: b"[" + around(b"1") + b"]",
    "nothing": lambda: b"",
    "a-nul-behind": lambda: around(b"1") + b"\0",
    "leading-zero": lambda: around(b"01"),
    "hexadecimal": lambda: around(b"0x10"),
    "deep-and-cut": lambda: around(b"[" * 50_000)[:-30],
}


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("with_key", [True, False], ids=["key", "login"])
def test_what_is_large_and_good_goes_on(
    gateway: GatewayProcess, tap: Tap, key: str, name: str, *, with_key: bool
) -> None:
    """As it came, in less than a second, without a copy of it."""
    body = READ[name]()
    before = peak_mb(gateway.pid)
    begin = time.monotonic()
    said = exchange(gateway.url, request("/v1/messages", ("x-api-key", key) if with_key else LOGIN, body=body))
    took_s = time.monotonic() - begin

    assert said is not None
    assert 200 == said.status
    assert tap.bytes.endswith(b"\r\n\r\n" + body)
    assert PATIENT_S > took_s
    assert EXTRA_MB > peak_mb(gateway.pid) - before


@pytest.mark.parametrize("name", UNREAD)
def test_what_cannot_be_read_is_refused(gateway: GatewayProcess, tap: Tap, key: str, name: str) -> None:
    """With a key: a 400 that says why, in less than a second, and nothing goes on."""
    before = peak_mb(gateway.pid)
    begin = time.monotonic()
    said = exchange(gateway.url, request("/v1/messages", ("x-api-key", key), body=UNREAD[name]()))
    took_s = time.monotonic() - begin

    assert (400, "invalid_request") == ours(said)
    assert b"" == tap.bytes
    assert PATIENT_S > took_s
    assert EXTRA_MB > peak_mb(gateway.pid) - before


@pytest.mark.parametrize("name", UNREAD)
def test_a_login_alone_takes_it_to_the_provider(gateway: GatewayProcess, tap: Tap, name: str) -> None:
    """Byte for byte: it is not ours to judge."""
    body = UNREAD[name]()
    said = exchange(gateway.url, request("/v1/messages", LOGIN, body=body))

    assert said is not None
    assert 200 == said.status
    assert tap.bytes.endswith(b"\r\n\r\n" + body)


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_an_alias_in_a_strange_body(gateway: GatewayProcess, tap: Tap, key: str, path: str) -> None:
    """One value changes, whatever stands around it: escapes, text that is not UTF-8, large members."""
    before, after = b'{"\\u006dodel" :\t', b',"x":["\xff\xfe"],"messages":["' + b"\\u0061" * 500 + b'"],"y":1e5}'
    said = exchange(gateway.url, request(path, ("x-api-key", key), body=before + b'"sw\\u0069ft"' + after))

    assert said is not None
    assert 200 == said.status
    assert tap.bytes.endswith(b"\r\n\r\n" + before + b'"claude-haiku-4-5"' + after)


def test_it_lives(gateway: GatewayProcess, key: str) -> None:
    """After all of it, in whatever order."""
    for build in (*UNREAD.values(), *READ.values()):
        exchange(gateway.url, request("/v1/messages", ("x-api-key", key), body=build()[:100_000]))
    said = ask(gateway.url, ("x-api-key", key))

    assert 200 == said.status
    assert "claude-sonnet-4-5" == msgspec.json.decode(said.body)["model"]
    assert "exchange_failed" not in gateway.log
