"""Request heads, as bytes."""

import pytest

from clearway.core.fields import Headers
from clearway.upstreams.http.head import write_head
from clearway.upstreams.protocol import Request


def written(request: Request) -> bytes:
    return write_head(request, host=b"up.example", prefix=b"/base")


def test_headers_go_out_as_given() -> None:
    """Order, duplicates, case and odd bytes are kept; only two fields are added."""
    headers = [(b"b", b"2"), (b"a", b"1"), (b"b", b"3"), (b"X-Case", b"v\xff\t w"), (b"empty", b"")]
    request = Request(method=b"POST", target=b"/v1/messages?beta=true", headers=headers, body=b"12")

    expected = (
        b"POST /base/v1/messages?beta=true HTTP/1.1\r\nhost: up.example\r\n"
        b"b: 2\r\na: 1\r\nb: 3\r\nX-Case: v\xff\t w\r\nempty: \r\ncontent-length: 2\r\n\r\n"
    )

    assert expected == written(request)


@pytest.mark.parametrize(
    ("method", "body", "expected"),
    [
        (b"GET", b"", b""),
        (b"HEAD", b"", b""),
        (b"DELETE", b"", b""),
        (b"GET", b"x", b"content-length: 1\r\n"),
        (b"POST", b"", b"content-length: 0\r\n"),
        (b"PUT", bytearray(b"xyz"), b"content-length: 3\r\n"),
        (b"POST", memoryview(b"abcdefgh").cast("I"), b"content-length: 8\r\n"),
    ],
)
def test_content_length(method: bytes, body: bytes, expected: bytes) -> None:
    """Told wherever a body has a meaning, counted in bytes."""
    head = written(Request(method=method, target=b"/", headers=(), body=body))

    assert b" /base/ HTTP/1.1\r\nhost: up.example\r\n" + expected + b"\r\n" == head.removeprefix(method)


@pytest.mark.parametrize("bad", [b"\r", b"\n", b"\0", b"\r\nx: y", b"\x1b", b"\x7f"])
@pytest.mark.parametrize("place", ["method", "target", "name", "value"])
def test_line_breaks_and_controls_are_refused_everywhere(bad: bytes, place: str) -> None:
    """No value can end a line early, and none is repeated in the error."""
    evil = b"secret" + bad
    headers: Headers = [(b"a", b"1"), (evil if place == "name" else b"b", evil if place == "value" else b"2")]
    request = Request(
        method=evil if place == "method" else b"POST",
        target=b"/" + evil if place == "target" else b"/",
        headers=headers,
    )

    with pytest.raises(ValueError, match=r"sent|controls?|blanks") as caught:
        written(request)

    assert place == "name" or "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        b"",
        b"a b",
        b"a:",
        b" a",
        b"a\xff",
        b"host",
        b"Host",
        b"content-length",
        b"Transfer-Encoding",
        b"connection",
        b"upgrade",
    ],
)
def test_names_that_could_frame_the_request_anew_are_refused(name: bytes) -> None:
    """The connection is the client's; so are the fields that describe it."""
    with pytest.raises(ValueError, match="cannot be sent"):
        written(Request(method=b"POST", target=b"/", headers=[(name, b"1")]))


@pytest.mark.parametrize("target", [b"", b"v1", b"http://other/", b"*", b"/a b", b"/a\tb"])
def test_targets_are_paths(target: bytes) -> None:
    """A target can never name another origin."""
    with pytest.raises(ValueError, match="target"):
        written(Request(method=b"GET", target=target, headers=()))


def test_no_tunnel_is_asked_for() -> None:
    """After CONNECT the bytes would no longer be HTTP."""
    with pytest.raises(ValueError, match="method"):
        written(Request(method=b"CONNECT", target=b"/", headers=()))
