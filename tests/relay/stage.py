"""A gateway between a client and a scripted upstream, and a look into its books.

Owns putting them together; one gateway serves many tests, each with a script of its
own. Used by the tests of the relay.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from clearway.cli.remote import RemoteLedger, read_feed, read_status
from clearway.core.clock import SystemClock
from clearway.core.ids import IdMaker
from clearway.keys.model import KeySpec
from clearway.ledger.lock import read_owner
from clearway.ledger.protocol import AttemptRow, ExchangeDetail, ExchangeQuery, ExchangeRow, NotInLedger
from clearway.observe.protocol import Status
from tests.fake_upstream import Answer, FakeUpstream, Received
from tests.gateway_process import GatewayProcess, anthropic, passthrough
from tests.relay.wire_client import OWN_CREDENTIAL, PATIENCE_S, Client, Whole

Payer = Literal["client", "gateway"]
PAYERS = (pytest.param("client", id="passthrough"), pytest.param("gateway", id="anthropic"))
"""Whose credential goes upstream, and the kind of upstream that leads to."""
CREDENTIAL = "dummy-upstream-credential"
"""What the gateway itself shows an upstream of kind `anthropic`."""
AT_ONCE_S = 2.0
"""What is promised within 250 ms, on a machine that has other things to do."""
_PAUSE_S = 0.01
NO_COOL_DOWN = "[retries]\nlongest_cool_down_s = 0\n"
"""For tests that have an upstream fail on purpose, again and again."""


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Return when `holds` does."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"still not so: {what}"
        time.sleep(_PAUSE_S)


class Books:
    """What a gateway says about itself over its control socket."""

    def __init__(self, data_dir: Path) -> None:
        owner = read_owner(data_dir)
        assert owner is not None
        assert owner.socket is not None
        self._socket = owner.socket
        self.ledger = RemoteLedger(owner.socket)

    def status(self) -> Status:
        """Of the process."""
        return read_status(self._socket)

    def wait_idle(self) -> None:
        """Return when no exchange is open."""
        wait_until(lambda: self.status().open_exchanges == 0, "no open exchanges")

    def wait_written(self) -> None:
        """Return when no exchange is open and the ledger holds all that has happened."""
        self.wait_idle()
        # Who follows is told first when everything before is written.
        assert next(read_feed(self._socket)) is None

    def settled(self, exchange_id: str) -> ExchangeRow:
        """One exchange, once it is settled."""
        return self._detail(exchange_id).exchange

    def attempts(self, exchange_id: str) -> tuple[AttemptRow, ...]:
        """Its tries, in order, once it is settled."""
        return self._detail(exchange_id).attempts

    def _detail(self, exchange_id: str) -> ExchangeDetail:
        wait_until(lambda: self._is_settled(exchange_id), f"{exchange_id} is settled")
        return self.ledger.exchange(exchange_id)

    def _is_settled(self, exchange_id: str) -> bool:
        try:
            return self.ledger.exchange(exchange_id).exchange.outcome is not None
        except NotInLedger:
            # Written within milliseconds; only whole answers wait for it.
            return False

    def later_than(self, mark: str, count: int) -> list[ExchangeRow]:
        """What was admitted after an id was made, oldest first, once `count` are there and all are settled."""
        query = ExchangeQuery(limit=1000, after=mark)

        def are_there() -> bool:
            rows = self.ledger.exchanges(query)
            return len(rows) >= count and all(row.outcome for row in rows)

        wait_until(are_there, f"{count} exchanges are settled")
        return self.ledger.exchanges(query)

    def new_key(self, spec: KeySpec) -> str:
        """A key's secret."""
        return self.ledger.create_key(spec).secret


def _both(url: str) -> str:
    return passthrough(url) + anthropic(url)


class Stage:
    """One gateway in front of one scripted upstream, which it reaches in two ways: with
    the client's own credential (`passthrough`) and with the gateway's (`anthropic`).

    Without cool-downs, unless `settings` have a table `[retries]`.

    Args:
        home: An empty directory.
        settings: The beginning of the configuration.
        upstreams: Makes the rest of it from the address of the upstream, where it is not the usual.
    """

    def __init__(self, home: Path, *, settings: str = "", upstreams: Callable[[str], str] | None = None) -> None:
        self._script: Callable[[Received], Answer] | None = None
        self.upstream = FakeUpstream(self._play)
        settings = settings if "[retries]" in settings else NO_COOL_DOWN + settings
        config = settings + (upstreams or _both)(self.upstream.url)
        self.gateway = GatewayProcess(home, config, environment={"UPSTREAM_CREDENTIAL": CREDENTIAL})
        self._seen = 0
        self._ids = IdMaker(SystemClock())
        self._mark = ""
        self.key = ""

    def _play(self, received: Received) -> Answer:
        assert self._script is not None, "nobody expected a request"
        return self._script(received)

    @property
    def books(self) -> Books:
        """Of the gateway."""
        return Books(self.gateway.data_dir)

    def play(self, script: Callable[[Received], Answer] | Answer) -> None:
        """What the upstream says from now on."""
        self._script = (lambda _: script) if isinstance(script, Answer) else script
        self._seen = len(self.upstream.received)
        # The first id of this millisecond: the gateway may make the next one within it.
        self._mark = self._ids.new()[:13] + "-7000-8000-000000000000"

    @property
    def received(self) -> list[Received]:
        """What the upstream got since the script began."""
        return self.upstream.received[self._seen :]

    def exchanges(self, count: int) -> list[ExchangeRow]:
        """What the books have since the script began, oldest first; `count` are expected."""
        rows = self.books.later_than(self._mark, count)
        assert count == len(rows), rows
        return rows

    def client(self, *, receive_buffer: int | None = None) -> Client:
        """A connection to the gateway."""
        return Client(self.gateway.url, receive_buffer=receive_buffer)

    @property
    def key_field(self) -> tuple[str, str]:
        """The credential of a client for which the gateway pays."""
        if not self.key:
            self.key = self.books.new_key(KeySpec(name="stage"))
        return ("x-api-key", self.key)

    def credential(self, payer: Payer) -> tuple[str, str]:
        """What a client shows so that `payer` pays."""
        return OWN_CREDENTIAL if payer == "client" else self.key_field

    def ask(self, payer: Payer, body: bytes, *fields: tuple[str, str], target: str = "/v1/messages") -> Whole:
        """One request on a connection of its own, and its whole answer."""
        with self.client() as client:
            client.ask(body, [self.credential(payer), *fields], target=target)
            return client.read_whole()
