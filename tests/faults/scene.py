"""A gateway to which something happens while a stream runs through it.

Owns the stream, those who ask anew meanwhile, and telling in the words of
`docs/failures.md` what became of both. Used by the scenarios of this folder.
"""

import contextlib
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Self

import msgspec

from clearway.keys.model import KeySpec
from clearway.ledger.protocol import ExchangeRow, NotInLedger
from tests.clients.answers import events, message
from tests.fake_upstream import Answer, FakeUpstream, Gate, Received, json_answer, stream_answer
from tests.faults.table import ClientSees, LedgerHas
from tests.gateway_process import GatewayProcess, anthropic
from tests.relay.stage import CREDENTIAL, Books, wait_until
from tests.relay.wire_client import MODEL, Client, Whole, prompt

SAID = events("while something happens", MODEL)
"""The stream that runs."""
HALF = 5
"""So many of its events come before something happens."""
PLAIN = json_answer(message("asked anew", MODEL))


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a scenario saw; columns of the table."""

    runs: str
    """`finishes`, `is cut`."""
    client: ClientSees
    """Who asks anew while it lasts."""
    health: tuple[str, ...]
    """`health 200`, `ready 503`; or `no answer`."""
    ledger: LedgerHas
    """Of the stream that ran."""
    afterwards: tuple[str, ...]


class Scene:
    """One gateway, a scripted upstream, and a stream between them.

    Args:
        home: An empty directory.
        settings: Of the gateway, before its upstream.
        environment: Further variables of the gateway.
        before: Words before the program's name.
    """

    def __init__(
        self,
        home: Path,
        *,
        settings: str = "",
        environment: Mapping[str, str] | None = None,
        before: tuple[str, ...] = (),
    ) -> None:
        self.upstream = FakeUpstream(self._say)
        self._gates: list[Gate] = []
        self.gateway = GatewayProcess(
            home,
            settings + anthropic(self.upstream.url),
            environment={"UPSTREAM_CREDENTIAL": CREDENTIAL, **(environment or {})},
            before=before,
        )
        self.key = ""
        self._client: Client | None = None
        self.running_id = ""
        self.acknowledged: set[str] = set()
        """Exchanges whose answers came whole."""

    def _say(self, received: Received) -> Answer:
        asked = received.json()
        assert isinstance(asked, dict)
        if not asked.get("stream"):
            return PLAIN
        gate = Gate()
        self._gates.append(gate)
        return stream_answer([*SAID[:HALF], gate, *SAID[HALF:]])

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.upstream)
            stack.enter_context(self.gateway)
            self.key = self.books.new_key(KeySpec(name="scene"))
            self._client = stack.enter_context(self.client())
            self.running_id = self.begin(self._client)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    @property
    def books(self) -> Books:
        """Of the gateway."""
        return Books(self.gateway.data_dir)

    def client(self) -> Client:
        """A connection to the gateway."""
        return Client(self.gateway.url)

    def begin(self, client: Client) -> str:
        """Have another stream run up to its middle; returns its id."""
        client.ask(prompt(), [("x-api-key", self.key)])
        exchange_id = client.read_head().exchange_id
        client.read_until(SAID[HALF - 1])
        return exchange_id

    def let_go(self, place: int) -> None:
        """Let a stream go on to its end, in the order in which they began."""
        self._gates[place].open()

    def run_to_the_end(self) -> str:
        """Let the running stream go on, and tell what comes of it."""
        assert self._client is not None
        with contextlib.suppress(ConnectionError):
            self.let_go(0)
        rest, complete = self._client.read_rest()
        if complete:
            assert b"".join(SAID[HALF:]) == rest
            self.acknowledged.add(self.running_id)
        return "finishes" if complete else "is cut"

    def was_cut(self) -> str:
        """What became of the running stream, which the upstream did not continue."""
        assert self._client is not None
        return "finishes" if self._client.read_rest()[1] else "is cut"

    def ask(self) -> Whole:
        """One more plain request, on a connection of its own."""
        with self.client() as client:
            client.ask(prompt(stream=False), [("x-api-key", self.key)])
            whole = client.read_whole()
        return self._note(whole)

    def _note(self, whole: Whole) -> Whole:
        if whole.complete and whole.head.status == 200:
            self.acknowledged.add(whole.head.exchange_id)
        return whole

    def ask_anew(self) -> ClientSees:
        """What a client sees that asks now."""
        try:
            client = self.client()
        except ConnectionRefusedError:
            return ClientSees(answer="no answer", connection="closed")
        with client:
            client.ask(prompt(stream=False), [("x-api-key", self.key)])
            whole = self._note(client.read_whole())
            return _told(whole, is_kept=_serves(client))

    def wait_refused(self) -> None:
        """Return when a new exchange is refused."""
        wait_until(lambda: self.ask().head.status != 200, "new exchanges are refused")

    def wait_ready(self) -> None:
        """Return when the gateway says that it is ready."""
        wait_until(lambda: self.health() == ("health 200", "ready 200"), "it is ready again")

    def health(self) -> tuple[str, ...]:
        """What a balancer hears."""
        try:
            return tuple(f"{name} {self._get(name)}" for name in ("health", "ready"))
        except (ConnectionError, AssertionError):
            return ("no answer",)

    def _get(self, name: str) -> int:
        with self.client() as balancer:
            balancer.request("GET", f"/{name}")
            return balancer.read_whole().head.status

    def row(self) -> LedgerHas:
        """What the ledger has of the stream that ran, once it is settled."""
        row = self.books.settled(self.running_id)
        return msgspec.convert(
            {
                "outcome": row.outcome,
                "status": row.status,
                "error": row.error_type,
                "code": row.error_code,
                "usage": _usage(row),
                "charged": "charged" if row.cost_nano else "not charged",
                "attempts": len(self.books.attempts(self.running_id)),
            },
            LedgerHas,
        )

    def wait_noted(self) -> None:
        """Return when the journal has what the running stream used so far."""

        def is_noted() -> bool:
            with contextlib.suppress(NotInLedger):
                return any(one.input_tokens for one in self.books.ledger.exchange(self.running_id).attempts)
            return False

        wait_until(is_noted, "the journal has its progress")

    def nothing_lost(self) -> bool:
        """Whether each answer that came whole is in the ledger as `ok`."""
        return {"ok"} == {self.books.settled(one).outcome for one in self.acknowledged}

    def durations(self) -> list[int]:
        """All that the ledger has, of the stream and of its attempt."""
        row = self.books.settled(self.running_id)
        found = [row.first_byte_us, row.first_token_us, row.total_us]
        for one in self.books.attempts(self.running_id):
            found += [one.first_byte_us, one.first_token_us, one.total_us]
        return [duration for duration in found if duration is not None]

    def send(self, number: signal.Signals) -> None:
        """Give the gateway a signal."""
        os.kill(self.gateway.pid, number)

    def is_over(self) -> bool:
        """Whether the gateway's process has ended."""
        said = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(self.gateway.pid)], capture_output=True, text=True, check=False
        )
        return not said.stdout.strip() or "Z" in said.stdout


def is_whole(data_dir: Path) -> bool:
    """Whether a ledger that nobody has open is in order."""
    with closing(sqlite3.connect(data_dir / "ledger.db")) as ledger:
        return [("ok",)] == ledger.execute("PRAGMA integrity_check").fetchall()


@contextlib.contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Nobody else can write to the ledger while the context is open."""
    with closing(sqlite3.connect(data_dir / "ledger.db", isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def _usage(row: ExchangeRow) -> str:
    if row.input_tokens is None:
        return "none"
    return "estimated" if row.estimated else "final"


def _serves(client: Client) -> bool:
    """Whether the connection answers once more."""
    try:
        client.request("GET", "/health")
        client.read_whole()
    except (ConnectionError, AssertionError):
        return False
    return True


def _told(whole: Whole, *, is_kept: bool) -> ClientSees:
    code = whole.head.header("x-clearway-error")
    retry_after = whole.head.header("retry-after")
    return msgspec.convert(
        {
            "status": whole.head.status,
            "by": "upstream" if code is None else "Clearway",
            "error": None if code is None else whole.error()[0],
            "code": code,
            "end": "whole" if whole.complete else "cut",
            "retry_after": None if retry_after is None else int(retry_after),
            "should_retry": whole.head.header("x-should-retry"),
            "connection": "kept" if is_kept else "closed",
        },
        ClientSees,
    )
