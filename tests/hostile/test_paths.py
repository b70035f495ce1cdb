"""Paths made of tricks: what goes on is what was judged, byte for byte, or nothing goes on."""

import posixpath
import urllib.parse

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateway_process import GatewayProcess
from tests.hostile.tap import Tap
from tests.security.talk import conversation

LOGIN = b"authorization: Bearer sk-ant-oat01-x\r\n"
PIECES = st.sampled_from([
    b"v1", b"api", b"messages", b"files", b"models", b"run", b"0192f0c1-aaaa", b"health", b"admin", b"/", b"/",
    b"/", b"/", b"//", b".", b"..", b"...", b"%2e", b"%2E%2e", b".%2e", b"%2f", b"%5c", b"\\", b";", b";x=1",
    b"%00", b"%0a", b"%25", b"%252e", b"%c0%ae", b"%u002e", b"%", b"%zz", b"~", b"%7e", b"%7E", b"%41", b"%20",
    b"%C3%A9", b"+", b":", b"@", b"=", b"http:", b"*", b"a", b"-", b"_", b"%3f", b"%23", b"\x7f", b"\xe4", b"|",
    b"^", b'"', b"<", b"{", b"$", b"(", b"'",
])  # fmt: skip
PATHS = st.tuples(
    st.sampled_from([b"/", b"/v1/", b"/v1/files/", b"/api/", b"/run/0192f0c1-aaaa/", b"/run/0192f0c1-aaaa/v1/", b""]),
    st.lists(PIECES, max_size=6),
).map(lambda parts: parts[0] + b"".join(parts[1]))
QUERIES = st.lists(
    st.sampled_from([b"a=1", b"&", b"=", b"?", b"/", b"..", b"%2e", b"%00", b"%0d%0a", b"+", b";", b"|"])
)
METHODS = st.sampled_from([b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS"])


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(METHODS, PATHS, QUERIES)
def test_one_path_for_all(gateway: GatewayProcess, tap: Tap, method: bytes, path: bytes, query: list[bytes]) -> None:
    """Whoever reads it behind us, in whatever way, reads the same."""
    tap.renew()
    target = path + (b"?" + b"".join(query) if query else b"")
    lines = b"Host: 127.0.0.1\r\n" + LOGIN + b"connection: close\r\ncontent-length: 0\r\n"
    said = conversation(gateway.url, method + b" " + target + b" HTTP/1.1\r\n" + lines + b"\r\n")

    assert len(said) <= 1
    if not tap.bytes:
        return
    sent, _, _ = tap.bytes.partition(b" HTTP/1.1\r\n")
    judged = path.removeprefix(b"/run/0192f0c1-aaaa") + target[len(path) :]
    assert method + b" " + judged == sent
    reading = urllib.parse.unquote_to_bytes(path)
    assert reading == urllib.parse.unquote_to_bytes(reading)
    assert reading.rstrip(b"/") == posixpath.normpath(reading)
    assert judged.startswith((b"/v1/", b"/api/"))
    assert not set(reading) & set(b"\0\r\n\\;")


@pytest.mark.parametrize("target", [b"/v1/files?%b", b"/v1/models/%b", b"/api/%b"])
def test_every_byte_in_a_target(gateway: GatewayProcess, tap: Tap, target: bytes) -> None:
    """One after the other: it goes on as it is, or it goes nowhere."""
    for byte in range(256):
        tap.renew()
        asked = target % b"a%cb" % byte
        lines = b"Host: 127.0.0.1\r\n" + LOGIN + b"anthropic-version: 2023-06-01\r\nconnection: close\r\n"
        conversation(gateway.url, b"GET " + asked + b" HTTP/1.1\r\n" + lines + b"\r\n")

        assert tap.bytes == b"" or tap.bytes.startswith(b"GET " + asked + b" HTTP/1.1\r\n"), asked
