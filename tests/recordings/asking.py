"""Asking what was recorded, in bytes that this file alone decides.

Owns the request of each recording (its body in three spellings, its headers with
dummies for what was redacted, canaries that nobody knows) and a client that writes
and reads plain HTTP/1.1 on kept connections. Used by ways.py.
"""

import hashlib
import http.client
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.recordings.recorded import Recorded

Fields = list[tuple[str, str]]

THREADS = 4
API_KEY = "sk-ant-dummy-key-of-the-client"
LOGIN = "sk-ant-oat01-dummy-login-of-the-client"

# Valid JSON that no serializer writes: repeated unknown member, numbers and escapes in odd spellings.
_ODD_MEMBERS = '\r\n {\t"x_canary" : [1.0, 1E+2, -0, "\\u00e9\\/\\ud83d\\ude00"],\r\n"x_canary":null ,'

_CANARIES: Fields = [
    ("anthropic-beta", "canary-2099-01-01,  spaced-2099-01-01"),
    ("x-canary", 'q="0.5"; \xe9 , <>'),
    ("x-canary", "twice"),
    ("x-empty", ""),
]
# What never leaves the gateway, in the order of the reasons: hop-by-hop, named by `connection`, ours, cookies.
_STAYING: Fields = [
    ("connection", "keep-alive, x-hop"),
    ("te", "trailers"),
    ("x-hop", "1"),
    ("x-clearway-canary", "1"),
    ("cookie", "session=dummy"),
]
_STAYS = {"host", "content-length", "x-clearway-key"} | {name for name, _ in _STAYING}
_CREDENTIALS = {"x-api-key", "authorization"}
_QUERY = "canary=a%20b&canary=&%5Bx%5D=1+2"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, ready to be written."""

    recorded: Recorded
    method: str
    target: str
    headers: Fields
    """Without `host` and `content-length`."""
    body: bytes

    @property
    def body_sha256(self) -> str:
        """Of the body's bytes."""
        return hashlib.sha256(self.body).hexdigest()

    def forwarded(self, *, credential: tuple[str, str] | None) -> Fields:
        """The fields that an upstream must get, in order, without `host`.

        Args:
            credential: What the gateway shows of its own; None: the client's goes along.
        """
        watched = self.recorded.is_model_call or self.recorded.is_count
        gone = _STAYS | ({"accept-encoding"} if watched else set()) | (_CREDENTIALS if credential else set())
        fields = [field for field in self.headers if field[0] not in gone]
        fields += [("accept-encoding", "identity")] if watched else []
        fields += [credential] if credential else []
        return fields + ([("content-length", str(len(self.body)))] if self.body or self.method == "POST" else [])


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer as it was read."""

    status: int
    headers: Fields
    """In the order of the wire, names in lower case."""
    body: bytes

    def header(self, name: str) -> str | None:
        """The only value of a field, None where it is missing."""
        values = [value for field, value in self.headers if field == name]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    def fields(self, *without: str) -> Fields:
        """All but the framing and what is named."""
        return [field for field in self.headers if field[0] not in {"transfer-encoding", "content-length", *without}]


def spell(body: object, place: int) -> bytes:
    """A JSON body in one of three spellings, chosen by the place of its recording."""
    match place % 3:
        case 0:
            return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        case 1:
            return json.dumps(body, ensure_ascii=False).encode()
        case _:
            text = json.dumps(body, indent="\t", separators=(" ,", " :\r\n "))
            return (_ODD_MEMBERS + text.removeprefix("{") + " \r\n\t").encode()


def ask_for(one: Recorded, place: int, *credentials: tuple[str, str]) -> Asked:
    """The request of a recording.

    Args:
        one: Whose request it is.
        place: Chooses the spelling of the body.
        credentials: Fields that go into the middle of the others.
    """
    kept = [
        (name, value if value != "REDACTED" else f"dummy-{name}")
        for name, value in one.request_headers
        if name not in _CREDENTIALS
    ]
    half = len(kept) // 2
    headers = [("x-replay-id", one.id), *kept[:half], *credentials, *kept[half:], *_CANARIES, *_STAYING]
    separator = "&" if "?" in one.path else "?"
    return Asked(one, one.method, one.path + separator + _QUERY, headers, _body(one, place))


def _body(one: Recorded, place: int) -> bytes:
    if one.method != "POST":
        return b""
    if one.request_body is not None:
        return spell(one.request_body, place)
    # Only the answer was kept: any request that would get one of its kind.
    asked = {"model": "claude-haiku-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "grüß"}]}
    return spell({**asked, "stream": True} if one.sse is not None else asked, place)


def ask_all(url: str, requests: Sequence[Asked]) -> list[Answered]:
    """Ask everything over a few connections, none of which may be closed in between."""
    with ThreadPoolExecutor(THREADS) as pool:
        shares = pool.map(lambda first: _ask_share(url, requests[first::THREADS]), range(THREADS))
        answers: list[Answered | None] = [None] * len(requests)
        for first, share in enumerate(shares):
            answers[first::THREADS] = share
    return [answer for answer in answers if answer is not None]


def _ask_share(url: str, requests: Sequence[Asked]) -> list[Answered]:
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=15)
    connection.connect()
    connection.auto_open = 0  # a connection that ends is an error, not a reason for another one
    try:
        return [_ask(connection, where.netloc, asked) for asked in requests]
    finally:
        connection.close()


def _ask(connection: http.client.HTTPConnection, host: str, asked: Asked) -> Answered:
    connection.putrequest(asked.method, asked.target, skip_host=True, skip_accept_encoding=True)
    connection.putheader("host", host)
    for name, value in asked.headers:
        connection.putheader(name, value.encode("latin-1"))
    if asked.body or asked.method == "POST":
        connection.putheader("content-length", str(len(asked.body)))
    connection.endheaders(asked.body or None)
    with connection.getresponse() as answer:
        headers = [(name.lower(), value) for name, value in answer.getheaders()]
        return Answered(answer.status, headers, answer.read())
