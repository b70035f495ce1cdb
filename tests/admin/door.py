"""Speaking to a gateway's admin API, as a program with a key or as a browser with a session."""

import http.client
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msgspec

from clearway.cli.remote import RemoteLedger
from clearway.keys.model import KeySpec
from tests.gateway_process import GatewayProcess

PATIENCE_S = 15.0
HELLO: dict[str, object] = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 8,
    "messages": [{"role": "user", "content": "hi"}],
}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401  # whatever the route answers
        """The body."""
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str | None:
        """Of a refusal; in the body as in the header."""
        code = self.headers.get("x-clearway-error")
        assert code is None or code == self.json["error"]["code"]
        return code


@dataclass
class Door:
    """A gateway, seen by somebody who shows `fields` with each request."""

    url: str
    fields: Mapping[str, str] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | Iterator[bytes] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request. `body` goes as JSON; `raw` as it is, without a type; pieces go chunked."""
        sent = dict(self.fields)
        data: bytes | Iterator[bytes] | None = raw
        if body is not None:
            data = msgspec.json.encode(body)
            sent["content-type"] = "application/json"
        sent |= fields or {}
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, headers, answer.read())
        finally:
            connection.close()

    def get(self, path: str) -> Any:  # noqa: ANN401  # whatever the route answers
        """What a route under `/admin/api/` answers."""
        answer = self.ask("GET", f"/admin/api/{path}")
        assert 200 == answer.status, answer.body
        return answer.json

    def showing(self, **fields: str) -> "Door":
        """Somebody else."""
        return Door(self.url, {name.replace("_", "-"): value for name, value in fields.items()})


def with_key(gateway: GatewayProcess, secret: str) -> Door:
    """A program with a key."""
    return Door(gateway.url, {"x-clearway-key": secret})


def signed_in(gateway: GatewayProcess, shown: dict[str, str] | None = None) -> Door:
    """A browser's page of ours with a session of its own."""
    if shown is None:
        shown = {"link": new_link(gateway)}
    begun = Door(gateway.url).ask("POST", "/admin/api/session", shown)
    assert 201 == begun.status, begun.body
    cookie = begun.headers["set-cookie"].partition(";")[0]
    return Door(gateway.url, {"cookie": cookie, "origin": gateway.url, "x-clearway-csrf": begun.json["csrf"]})


def new_link(gateway: GatewayProcess) -> str:
    """What stands behind `#` in a link of `clearway open`."""
    return ledger(gateway).make_link()


def ledger(gateway: GatewayProcess) -> RemoteLedger:
    """What the commands ask, without the time that a command takes."""
    return RemoteLedger(gateway.data_dir / "control.sock")


def new_key(gateway: GatewayProcess, name: str, *, owner: bool = False) -> str:
    """Make a key and return its secret."""
    return ledger(gateway).create_key(KeySpec(name=name, owner=owner)).secret


def settled(door: Door, count: int) -> list[dict[str, Any]]:
    """Exchanges, the newest first, when so many are settled and none is open."""
    while True:
        rows: list[dict[str, Any]] = door.get("exchanges?limit=500")["exchanges"]
        if len(rows) >= count and all(row["outcome"] for row in rows):
            return rows
