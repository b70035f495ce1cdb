"""A gateway before a workspace, two keys, and short ways to ask.

Used by the tests of files and batches.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Self

import msgspec

from clearway.keys.model import KeySpec
from clearway.ledger.protocol import ExchangeQuery, ExchangeRow
from tests.fake_upstream import FakeUpstream
from tests.gateway_process import GatewayProcess, passthrough
from tests.objects.workspace import Workspace
from tests.relay.stage import CREDENTIAL, NO_COOL_DOWN, Books
from tests.relay.wire_client import JSON, VERSION, Client, Whole

MODEL = "claude-haiku-4-5"
BOUNDARY = ("content-type", "multipart/form-data; boundary=cut")
UNKNOWN = {"file": "file_011CNha8iCJcU1wXNR6q4V8w", "batch": "msgbatch_01GUqGVJfUzZfBnjRymfPdV3"}


def holding(url: str, name: str = "api", extra: str = "files = true\nbatches = true\n") -> str:
    """An upstream of the gateway's own that holds files and batches."""
    return f"""
[[upstreams]]
name = "{name}"
kind = "anthropic"
base_url = "{url}"
api_key = {{ env = "UPSTREAM_CREDENTIAL" }}
{extra}
"""


class Scene:
    """Starts with the context, and ends with it.

    Args:
        home: An empty directory.
        settings: The beginning of the configuration.
        upstreams: The rest of it, from the address of the workspace.
    """

    def __init__(self, home: Path, *, settings: str = "", upstreams: Callable[[str], str] | None = None) -> None:
        self.workspace = Workspace()
        self.upstream = FakeUpstream(self.workspace.script)
        if "[server]" not in settings:
            # Here many keys are wrong on purpose.
            settings = "[server]\nwrong_keys_per_minute = 0\n" + settings
        config = NO_COOL_DOWN + '[models.aliases]\nswift = "claude-haiku-4-5"\n' + settings
        config += (
            upstreams(self.upstream.url) if upstreams else passthrough(self.upstream.url) + holding(self.upstream.url)
        )
        self.gateway = GatewayProcess(home, config, environment={"UPSTREAM_CREDENTIAL": CREDENTIAL})
        self._keys = 0

    def __enter__(self) -> Self:
        self.upstream.__enter__()
        self.gateway.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.gateway.__exit__(*error)  # type: ignore[arg-type]  # handed on
        finally:
            self.upstream.__exit__(*error)  # type: ignore[arg-type]  # handed on

    @property
    def books(self) -> Books:
        """Of the gateway."""
        return Books(self.gateway.data_dir)

    def key(self, **spec: object) -> str:
        """A new key's secret."""
        self._keys += 1
        return self.books.new_key(msgspec.structs.replace(KeySpec(name=f"key-{self._keys}"), **spec))

    def ask(self, key: str, method: str, target: str, body: bytes | None = None, *fields: tuple[str, str]) -> Whole:
        """One request, and its whole answer."""
        with Client(self.gateway.url) as client:
            client.request(method, target, [("x-api-key", key), VERSION, *fields], body)
            return client.read_whole()

    def post(self, key: str, target: str, value: object, *fields: tuple[str, str]) -> Whole:
        """JSON."""
        return self.ask(key, "POST", target, msgspec.json.encode(value), JSON, *fields)

    def upload(self, key: str, name: str = "a.txt") -> str:
        """A file's id."""
        answer = self.ask(key, "POST", "/v1/files", form(name), BOUNDARY)
        assert answer.head.status == 200, answer
        return str(told(answer)["id"])

    def batch(self, key: str, count: int = 1, *, ended: bool = True, **params: object) -> str:
        """A batch's id."""
        answer = self.post(key, "/v1/messages/batches", batch_body(count, "r", **params))
        assert answer.head.status == 200, answer
        batch_id = str(told(answer)["id"])
        self.workspace.batches[batch_id].ended = ended
        return batch_id

    def rows(self, **query: object) -> list[ExchangeRow]:
        """What the ledger has, newest first."""
        self.books.wait_idle()
        return self.books.ledger.exchanges(msgspec.structs.replace(ExchangeQuery(limit=1000), **query))

    def charges(self, key: str) -> list[ExchangeRow]:
        """The exchanges of a key that have what its batches used."""
        name = next(known.name for known in self.books.ledger.list_keys(revoked=True) if key.startswith(known.prefix))
        return [row for row in self.rows(key=name) if row.endpoint == "batches" and row.input_tokens is not None]


def form(name: str = "a.txt", content: bytes = b"hello") -> bytes:
    """A multipart body with a file."""
    head = f'--cut\r\ncontent-disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    return head + content + b"\r\n--cut--\r\n"


def batch_body(count: int = 1, custom: str = "r", /, **params: object) -> dict[str, object]:
    """What makes a batch."""
    message = {"role": "user", "content": "What is 2 + 2?"}
    usual = {"model": MODEL, "max_tokens": 64, "messages": [message]}
    return {"requests": [{"custom_id": f"{custom}{n}", "params": {**usual, **params}} for n in range(count)]}


def told(answer: Whole) -> dict[str, object]:
    """The JSON of an answer."""
    return msgspec.json.decode(answer.body, type=dict[str, object])


def as_told(answer: Whole) -> tuple[int, list[tuple[str, str]], bytes]:
    """An answer without what differs from one exchange to the next: its id."""
    ids = [value for name, value in answer.head.headers if name == "x-clearway-exchange"]
    body = answer.body
    for exchange_id in ids:
        body = body.replace(exchange_id.encode(), b"ID")
    fields = [(name, value) for name, value in answer.head.headers if name not in {"x-clearway-exchange", "request-id"}]
    return answer.head.status, fields, body
