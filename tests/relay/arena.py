"""A gateway in front of many upstreams, a few for each case, which know nothing of each other.

Cases are told apart by the model they ask for: each has its own upstreams, so that one
gateway serves a whole table and nothing that cools in one row is felt in the next. All
scripted upstreams are one listener; the path before `/v1` says who is meant.
Also the places where nobody answers: a port without a listener, one that never
accepts, one whose certificate nobody trusts.
Used by tests/relay/test_retries and test_cool_down.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import trustme

from clearway.keys.model import KeySpec
from clearway.ledger.protocol import AttemptRow
from tests.clients.answers import events
from tests.fake_upstream import Answer, FakeUpstream, Fields, Received, json_answer, stream_answer
from tests.gateway_process import GatewayProcess
from tests.relay.stage import CREDENTIAL, Books
from tests.relay.wire_client import OWN_CREDENTIAL, Client, Whole, prompt

Payer = Literal["gateway", "client"]
Script = Callable[[Received], Answer]
MESSAGES, COUNT = "/v1/messages", "/v1/messages/count_tokens"
GOOD_COUNT = {"input_tokens": 5}


def good(received: Received) -> Answer:
    """An answer as it should be."""
    if received.target.endswith(COUNT):
        return json_answer(GOOD_COUNT)
    return stream_answer(events("a good answer", "claude-x"))


def _always(said: Answer) -> Script:
    return lambda _: said


@dataclass(frozen=True, slots=True)
class Case:
    """Some upstreams of one payer that serve one model, named `<name>` or `<name>-…`."""

    name: str
    payer: Payer = "gateway"
    places: int = 2
    first_at: str = ""
    """The first one is elsewhere: at this URL."""


class Arena:
    """The gateway and its upstreams while the context is open.

    Args:
        home: An empty directory.
        cases: Which upstreams there are.
        settings: Further configuration.
    """

    def __init__(self, home: Path, cases: list[Case], settings: str) -> None:
        self._scripts: dict[tuple[str, int], Script] = {}
        self.upstream = FakeUpstream(self._play)
        self._cases = {case.name: case for case in cases}
        tables = [self._table(case, place) for case in cases for place in range(1, case.places + 1)]
        self.gateway = GatewayProcess(home, settings + "".join(tables), environment={"UPSTREAM_CREDENTIAL": CREDENTIAL})
        self._stack = ExitStack()
        self._key = ""

    def _table(self, case: Case, place: int) -> str:
        url = f"{self.upstream.url}/{case.name}/{place}"
        kind = "anthropic" if case.payer == "gateway" else "passthrough"
        credential = 'api_key = { env = "UPSTREAM_CREDENTIAL" }'
        if case.payer == "client":
            credential = 'allow_hosts = ["127.0.0.1"]'
        return (
            f'[[upstreams]]\nname = "{case.name}.{place}"\nkind = "{kind}"\n{credential}\n'
            f'base_url = "{(case.first_at if place == 1 else "") or url}"\n'
            f'models = ["{case.name}", "{case.name}-*"]\n'
        )

    def _play(self, received: Received) -> Answer:
        if received.method == "HEAD":
            # `clearway doctor` looks whether anybody is there.
            return Answer((b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",))
        _, name, place, _ = received.target.split("/", 3)
        return self._scripts.get((name, int(place)), good)(received)

    def play(self, name: str, *scripts: Script | Answer) -> None:
        """What the upstreams of a case say, in their order; those without a script answer well."""
        for place, script in enumerate(scripts, 1):
            self._scripts[name, place] = _always(script) if isinstance(script, Answer) else script

    def hits(self, name: str) -> str:
        """Who was asked, in order: `112` is the first twice, then the second."""
        targets = [received.target.split("/", 3) for received in self.upstream.received if received.method == "POST"]
        return "".join(place for _, asked, place, _ in targets if asked == name)

    @property
    def books(self) -> Books:
        """Of the gateway."""
        return Books(self.gateway.data_dir)

    def field(self, payer: Payer) -> tuple[str, str]:
        """The credential of a client who pays, or for whom the gateway does."""
        if payer == "client":
            return OWN_CREDENTIAL
        return ("x-api-key", self._key)

    def client(self) -> Client:
        """A connection to the gateway."""
        return Client(self.gateway.url)

    def ask(self, name: str, *, target: str = MESSAGES, model: str = "", field: tuple[str, str] | None = None) -> Whole:
        """One request of a case and its answer."""
        with self.client() as client:
            body = prompt(model=model or name, stream=target == MESSAGES)
            client.ask(body, [field or self.field(self._cases[name].payer)], target)
            return client.read_whole()

    def attempts(self, whole: Whole) -> tuple[AttemptRow, ...]:
        """The tries behind an answer."""
        header = whole.head.header("x-clearway-exchange")
        assert header is not None
        return self.books.attempts(header)

    def asked(self, whole: Whole) -> str:
        """Who was tried for an answer, by the ledger: `12`."""
        return "".join(attempt.upstream.rpartition(".")[2] for attempt in self.attempts(whole))

    def __enter__(self) -> Self:
        self._stack.enter_context(self.upstream)
        self._stack.enter_context(self.gateway)
        self._key = self.books.new_key(KeySpec(name="arena"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, traceback)


def busy(status: int, *fields: tuple[str, str]) -> Answer:
    """A refusal that costs nothing."""
    headers: Fields = [("request-id", "req_busy00000001"), *fields]
    return json_answer(
        {"type": "error", "error": {"type": "busy_error", "message": "no"}}, status=status, headers=headers
    )


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """The URL of a port that is taken and not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextlib.contextmanager
def deaf() -> Iterator[str]:
    """The URL of a listener whose queue is full: nobody is ever let in (listen(2))."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003  # by position only
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def untrusted() -> Iterator[str]:
    """The URL of a server with a certificate of an authority that nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    accepted, _ = listener.accept()
                    with accepted, contextlib.suppress(OSError), context.wrap_socket(accepted, server_side=True):
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
