"""Every path is one thing only, and tricks lead nowhere."""

import pytest

from clearway.core.errors import BadRequest, NotFound
from clearway.server.paths import Place, place

PLACES = [
    pytest.param("POST", b"/v1/messages", Place("/v1/messages", None, endpoint="messages"), id="messages"),
    pytest.param(
        "POST",
        b"/v1/messages/count_tokens",
        Place("/v1/messages/count_tokens", None, endpoint="count_tokens"),
        id="count-tokens",
    ),
    pytest.param("GET", b"/v1/models", Place("/v1/models", None, endpoint="models"), id="models"),
    pytest.param("GET", b"/v1/models/claude-x", Place("/v1/models/claude-x", None, endpoint="models"), id="model"),
    pytest.param("GET", b"/v1/skills", Place("/v1/skills", None, endpoint="relay"), id="unknown-v1"),
    pytest.param("GET", b"/v1/files", Place("/v1/files", None, endpoint="files"), id="files"),
    pytest.param("GET", b"/v1/files/x/content", Place("/v1/files/x/content", None, endpoint="files"), id="content"),
    pytest.param("PUT", b"/v1/files", Place("/v1/files", None, endpoint="relay"), id="no-route-of-files"),
    pytest.param("GET", b"/v1/files/x/y", Place("/v1/files/x/y", None, endpoint="relay"), id="beyond-files"),
    pytest.param("GET", b"/v1/filesystem", Place("/v1/filesystem", None, endpoint="relay"), id="like-files"),
    pytest.param(
        "POST", b"/v1/messages/batches", Place("/v1/messages/batches", None, endpoint="batches"), id="batches"
    ),
    pytest.param("GET", b"/api/oauth/usage", Place("/api/oauth/usage", None, endpoint="relay"), id="api"),
    pytest.param("HEAD", b"/", Place("/", None, local="probe"), id="probe"),
    pytest.param("HEAD", b"/api/hello", Place("/api/hello", None, local="probe"), id="hello"),
    pytest.param("GET", b"/metrics", Place("/metrics", None, local="metrics"), id="metrics"),
    pytest.param("GET", b"/v1/health", Place("/v1/health", None, local="health"), id="health"),
    pytest.param(
        "POST",
        b"/run/0192f0c1-aaaa/v1/messages",
        Place("/v1/messages", "0192f0c1-aaaa", endpoint="messages"),
        id="of-a-run",
    ),
    pytest.param("HEAD", b"/run/0192f0c1-aaaa/", Place("/", "0192f0c1-aaaa", local="probe"), id="probe-of-a-run"),
]


@pytest.mark.parametrize(("method", "raw", "expected"), PLACES)
def test_places(method: str, raw: bytes, expected: Place) -> None:
    """The table of routes."""
    assert place(method, raw) == expected


NOWHERE = [
    pytest.param("GET", b"/v1/messages", id="wrong-method"),
    pytest.param("POST", b"/metrics", id="wrong-method-on-metrics"),
    pytest.param("DELETE", b"/v1/models", id="wrong-method-on-models"),
    pytest.param("POST", b"/v1/messages/", id="slash-at-the-end"),
    pytest.param("POST", b"/V1/messages", id="upper-case"),
    pytest.param("POST", b"/v1", id="prefix-alone"),
    pytest.param("GET", b"/v1/chat/completions", id="stored-completions"),
    pytest.param("GET", b"/v1/responses/resp_1", id="kept-responses"),
    pytest.param("GET", b"/v1/responses", id="web-socket"),
    pytest.param("GET", b"/favicon.ico", id="file"),
    pytest.param("POST", b"/run/short/v1/messages", id="no-run-id"),
    pytest.param("POST", b"/run/0192f0c1-aaaa/run/0192f0c1-aaaa/v1/messages", id="run-in-a-run"),
    pytest.param("GET", b"/admin/api/keys", id="admin"),
]


@pytest.mark.parametrize(("method", "raw"), NOWHERE)
def test_nowhere(method: str, raw: bytes) -> None:
    """What is not in the table is not served, and never relayed."""
    with pytest.raises(NotFound):
        place(method, raw)


TRICKS = [
    b"/v1/../admin",
    b"/v1/./messages",
    b"/v1/messages/..",
    b"/v1//messages",
    b"//v1/messages",
    b"/v1/%2e%2e/messages",
    b"/v1/%2E/messages",
    b"/v1/%6dessages",
    b"/v1%2fmessages",
    b"/v1/mess%61ges",
    b"/v1/messages%00",
    b"/v1/messages%0d%0a",
    b"/v1/messages;x=1",
    b"/v1\\messages",
    b"/v1/messages%5c",
    b"/v1/%252e%252e/x",
    b"/v1/files/a%2",
    b"/v1/files/a%zz",
    b"/v1/messages\xff",
    b"/v1/files/a b",
    b"/v1/files/%7Euser",
    b"/v1/files/%2D",
    b"/v1/files/%5F",
]


@pytest.mark.parametrize("raw", TRICKS)
def test_tricks(raw: bytes) -> None:
    """A path that another reader could read otherwise is refused."""
    with pytest.raises(BadRequest):
        place("POST", raw)


@pytest.mark.parametrize("raw", [b"/v1/files/a%20b", b"/v1/files/%C3%A9", b"/v1/files/a+b@c:d,e"])
def test_needed_encoding_passes(raw: bytes) -> None:
    """What cannot be written otherwise may be encoded, and goes on as it came."""
    assert place("GET", raw).path == raw.decode()
