"""A gateway in front of as many upstreams as there are failures and ways to ask.

Each test talks to an upstream of its own, found by the model it asks for, so that no
connection, and nothing that is remembered of an upstream, passes from one test to the
next. All of them are one scripted upstream, but for the doors that nobody opens.
Used by the tests of the failures.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from clearway.core.clock import SystemClock
from clearway.core.ids import IdMaker
from clearway.keys.model import KeySpec
from clearway.ledger.protocol import ExchangeRow
from tests.clients.answers import message
from tests.fake_upstream import Answer, FakeUpstream, Received, Talk, json_answer
from tests.faults import hurried
from tests.faults.doors import Door
from tests.faults.said import body_of
from tests.faults.table import Asked, Payer, Row
from tests.gateway_process import GatewayProcess
from tests.relay.stage import CREDENTIAL, NO_COOL_DOWN, Books
from tests.relay.wire_client import MODEL, OWN_CREDENTIAL, Client, prompt

ALWAYS = "always"
"""A model whose upstream can be talked to, whatever a test is about."""
TIMEOUTS = {"connect_s": 1.0, "first_byte_s": 2.0, "idle_s": 1.0, "total_s": 5.0}
LIMITS = {**TIMEOUTS, "stall_s": hurried.STALL_S}
"""How long the hasty gateway waits, in seconds."""
MAX_BODY = 15_000_000
PATIENT = f"[server]\nmax_body = {MAX_BODY}\n"
"""The settings of a gateway that waits as long as it does by default."""
HASTY = PATIENT + "[server.timeouts]\n" + "".join(f"{name} = {limit}\n" for name, limit in TIMEOUTS.items())
"""The settings of a gateway that waits for nobody."""

_KINDS: dict[Payer, str] = {"passthrough": "passthrough", "own": "anthropic"}
_PROBE = ("x-probe", "1")
_ALIVE = json_answer(message("alive", MODEL), headers=[("connection", "close")])


def model_of(row: Row, asked: Asked) -> str:
    """What is asked for in a test, which leads to its own upstream."""
    return f"{row.id}.{'stream' if asked.stream else 'plain'}"


def _upstream(payer: Payer, url: str, model: str, ca: Path | None = None) -> str:
    pays = 'allow_hosts = ["127.0.0.1"]' if payer == "passthrough" else 'api_key = { env = "UPSTREAM_CREDENTIAL" }'
    lines = [
        f'name = "{model}.{payer}"',
        f'kind = "{_KINDS[payer]}"',
        f'base_url = "{url}"',
        f'models = ["{model}"]',
        pays,
        "" if ca is None else f'ca = "{ca}"',
    ]
    return "\n".join(["[[upstreams]]", *lines, ""])


class FaultStage:
    """One gateway, its upstreams, and what happened since a test began.

    Args:
        home: An empty directory.
        rows: The failures that are played here.
        settings: Of the gateway, before its upstreams.
        doors: Upstreams that cannot be talked to, by the id of their row.
        ca: Certificate authorities for those.
        before: Words before the program's name.
    """

    def __init__(
        self,
        home: Path,
        rows: Sequence[Row],
        *,
        settings: str = "",
        doors: Mapping[str, Door] | None = None,
        ca: Mapping[str, Path] | None = None,
        before: tuple[str, ...] = (),
    ) -> None:
        # Small, so that a large request is not on its way whole before anybody reads it.
        self.upstream = FakeUpstream(self._say, early=self._interrupt, receive_buffer=256 * 1024)
        self.doors = dict(doors or {})
        self._ids = IdMaker(SystemClock())
        self._answers: list[Answer] = []
        self._early: list[Answer] = []
        self._mark = ""
        self._seen = 0
        self._since = 0.0
        # Failures are played one after the other, so that none may be remembered (test_cool_down does that).
        # First of all those that everybody reaches: also who names no model.
        config = [NO_COOL_DOWN, settings, *(_upstream(payer, self.upstream.url, ALWAYS) for payer in _KINDS)]
        for row in rows:
            url = self.doors[row.id].url if row.id in self.doors else self.upstream.url
            config += [_upstream(way.payer, url, model_of(row, way), (ca or {}).get(row.id)) for way in row.asked]
        environment = {"UPSTREAM_CREDENTIAL": CREDENTIAL}
        self.gateway = GatewayProcess(home, "".join(config), environment=environment, before=before)
        self._credentials: dict[Payer, tuple[str, str]] = {"passthrough": OWN_CREDENTIAL}

    def _say(self, received: Received) -> Answer:
        if received.header(_PROBE[0]):
            return _ALIVE
        assert self._answers, "nobody expected a request"
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def _interrupt(self, head: bytes) -> Answer | None:
        return None if b"\r\nx-probe:" in head or not self._early else self._early.pop(0)

    @contextlib.contextmanager
    def running(self) -> Iterator["FaultStage"]:
        """Open while the context is."""
        with self.upstream, self.gateway:
            self._credentials["own"] = ("x-api-key", self.books.new_key(KeySpec(name="faults")))
            yield self

    def begin(self, answers: Sequence[Answer], *, early: Sequence[Answer] = ()) -> None:
        """A test begins.

        Args:
            answers: What the upstream says to one request after the other; the last one to all that follow.
            early: What it says instead to the first ones, as soon as it has their heads.
        """
        self._answers, self._early = list(answers), list(early)
        self._seen = len(self.upstream.received)
        # The first id of this millisecond: the gateway may make the next one within it.
        self._mark = self._ids.new()[:13] + "-7000-8000-000000000000"
        self._since = time.monotonic()

    @property
    def books(self) -> Books:
        """Of the gateway."""
        return Books(self.gateway.data_dir)

    def client(self, *, receive_buffer: int | None = None) -> Client:
        """A connection to the gateway."""
        return Client(self.gateway.url, receive_buffer=receive_buffer)

    def credential(self, payer: Payer) -> tuple[str, str]:
        """What a client shows so that this one pays."""
        return self._credentials[payer]

    def probe(self, client: Client, model: str, payer: Payer, target: str = "/v1/messages") -> bool:
        """Ask once more, as if nothing had happened. False: the connection is closed.

        The upstream ends the connection that it answers on, so that none is left over.
        """
        try:
            client.ask(prompt(stream=False, model=model), [self.credential(payer), _PROBE], target)
            if client.is_ended():
                return False
        except ConnectionError:
            return False
        whole = client.read_whole()

        assert (200, body_of(_ALIVE), True) == (whole.head.status, whole.body, whole.complete)
        return True

    @property
    def received(self) -> list[Received]:
        """The requests of this test, without probes."""
        return [one for one in self.upstream.received[self._seen :] if one.header(_PROBE[0]) is None]

    def talks(self, row: Row) -> list[Talk]:
        """The connections of this test: opened in it, or asked on in it."""
        talks = self.doors[row.id].talks if row.id in self.doors else self.upstream.talks
        return [talk for talk in talks if max([talk.opened_at, *talk.heard_at]) >= self._since]

    def wait_over(self, row: Row, talk: Talk) -> None:
        """Return when either side has ended a connection."""
        (self.doors.get(row.id) or self.upstream).wait_over(talk)

    def written(self) -> list[ExchangeRow]:
        """The exchanges of this test, oldest first and all settled; the probe that ended it is the last."""
        return self.books.later_than(self._mark, 1)
