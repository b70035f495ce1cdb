"""Several gateways on one PostgreSQL and one Valkey, in front of one upstream that keeps a bill.

Owns starting all of them, and the look at their counters. Used by the tests of shared limits.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from clearway.ledger.protocol import UsageQuery, UsageRow
from tests.gateway_process import GatewayProcess
from tests.limits.purse import Purse, body
from tests.relay.stage import CREDENTIAL, Books
from tests.relay.wire_client import Client, Whole
from tests.services import Postgres, ValkeyProcess

COUNT = "/v1/messages/count_tokens"
USAGE = "/api/oauth/usage"
"""Answered without an upstream."""
SUMS = ("billed", "estimates", "tokens", "held_nano", "held_tokens")


class Several:
    """The scene while the context is open.

    Args:
        home: An empty directory.
        postgres: Of all.
        valkey: Of all.
        count: How many gateways.
        settings: Further lines of the table `[limits]`.
    """

    def __init__(
        self, home: Path, postgres: Postgres, valkey: ValkeyProcess, *, count: int = 2, settings: str = ""
    ) -> None:
        self.valkey = valkey
        password = home / "password"
        password.write_text(valkey.server.password)
        limits = (
            f'[limits]\nvalkey_url = "{valkey.server.url}"\nvalkey_password = {{ file = "{password}" }}\n{settings}'
        )
        first = home / "first"
        first.mkdir()
        # Whoever waits for a key to be known shows it before.
        door = "[server]\nwrong_keys_per_minute = 0\n"
        self.purse = Purse(first, settings=f'{door}[store]\nurl = "{postgres.url}"\n{limits}')
        self._stack = ExitStack()
        self._homes = [home / f"further-{number}" for number in range(1, count)]
        self._config = (first / "clearway.toml").read_text()
        self.gateways: list[GatewayProcess] = []

    def __enter__(self) -> Self:
        self._stack.enter_context(self.purse)
        self.gateways = [self.purse.stage.gateway]
        for home in self._homes:
            home.mkdir()
            further = GatewayProcess(home, self._config, environment={"UPSTREAM_CREDENTIAL": CREDENTIAL})
            self.gateways.append(self._stack.enter_context(further))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def key(self, *budgets: str, **limits: object) -> str:
        """The secret of a new key, once every gateway knows it."""
        secret = self.purse.key(*budgets, **limits)
        for number in range(len(self.gateways)):
            self.wait_known(number, secret)
        return secret

    def wait_known(self, number: int, secret: str) -> None:
        """Return when a gateway knows a key."""
        # Counting costs nothing, no request of a limit either.
        until(lambda: self.ask(number, secret, body(output=1), target=COUNT).head.status == 200, "the key is known")

    def client(self, number: int) -> Client:
        """A connection to a gateway."""
        return Client(self.gateways[number].url)

    def ask(self, number: int, key: str, asked: bytes, *, target: str = "/v1/messages") -> Whole:
        """One request on a connection of its own."""
        with self.client(number) as client:
            client.ask(asked, [("x-api-key", key)], target=target)
            return client.read_whole()

    def get(self, number: int, key: str, target: str) -> Whole:
        """A question."""
        with self.client(number) as client:
            client.request("GET", target, [("x-api-key", key)])
            return client.read_whole()

    def ask_all(self, key: str, asked: bytes, count: int, gateways: Iterable[int] | None = None) -> list[Whole]:
        """Many requests, fifty at one moment, of all gateways in turn."""
        numbers = list(range(len(self.gateways)) if gateways is None else gateways)
        with ThreadPoolExecutor(50) as pool:
            return list(pool.map(lambda place: self.ask(numbers[place % len(numbers)], key, asked), range(count)))

    def use_up(self, key: str, asked: bytes) -> int:
        """Ask one gateway after the other until the budget is spent; how many were served.

        What the one has just settled the other may still take for held, for some milliseconds.
        """
        served = place = 0
        while (again := self.ask(place % len(self.gateways), key, asked)).head.header(
            "x-clearway-error"
        ) != "budget_exceeded":
            assert again.head.header("x-clearway-error") in {None, "limit_exceeded"}, again
            served += again.head.status == 200
            place += 1
        return served

    def spent(self, name: str | None = None) -> UsageRow:
        """By a key, or by all, as the ledger has it."""
        for gateway in self.gateways:
            Books(gateway.data_dir).wait_written()
        rows = self.purse.stage.books.ledger.usage(UsageQuery(by=("total",), key=name))
        assert rows, "nothing was asked"
        return rows[0]

    def name(self) -> str:
        """Of the newest key."""
        return f"key {len(self.purse.stage.books.ledger.list_keys(revoked=True))}"

    def counters(self) -> dict[str, dict[str, int]]:
        """The sums of every tally, by what follows its prefix."""
        with self.valkey.client() as client:
            names = [str(name) for name in client.scan_iter("clearway:*:tally:*")]
            found = {name: client.hmget(name, SUMS) for name in names}
        return {
            name.partition(":tally:")[2].partition(":")[0]: {
                field: int(value or 0) for field, value in zip(SUMS, values, strict=True)
            }
            for name, values in found.items()
        }

    def tally_of(self, name: str) -> dict[str, int]:
        """The sums of a key that has budgets of one period only."""
        return self.counters()[self.purse.stage.books.ledger.show_key(name).id]

    def wait_settled(self, name: str) -> dict[str, int]:
        """The sums of a key, when nothing is held any more."""
        until(lambda: self.tally_of(name)["held_tokens"] == 0, "nothing is held", lambda: self.tally_of(name))
        return self.tally_of(name)


def until(holds: Callable[[], bool], what: str, tell: Callable[[], object] = lambda: "", within_s: float = 15) -> None:
    """Return when `holds` does."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"still not so: {what}: {tell()}"
        time.sleep(0.02)
