"""The kill loop: a gateway under load is killed at random, again and again, and its ledger held against the bills.

Owns the load, the kills and the comparison; knows the program from outside only:
HTTP, the ready line, and the database file once nobody has it open.
Used by tests/chaos and, with more rounds, by bench/kills.py.
"""

import os
import random
import shutil
import sqlite3
import tempfile
import threading
import time
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tests.chaos.billing import Bill, BillingUpstream, Plan
from tests.gateway_process import GatewayProcess, anthropic
from tests.relay.wire_client import PATIENCE_S, Client

CREDENTIAL = {"UPSTREAM_CREDENTIAL": "dummy-upstream-credential", "CLEARWAY_LOG__LEVEL": "warning"}
NOTED_EVERY_S = 5.0
"""How old the last note of a running stream may be."""
COMMIT_S = 0.5
"""What a commit may take beside what the machine took for a write of ours at the same time."""
_PACE_S = 0.02
_LATELY_S = 2.0
PLAIN = Plan(tokens=40, gap_s=0.01, stream=False)
SHORT = Plan(tokens=20, gap_s=0.01, stream=True)
LONG = Plan(tokens=600, gap_s=0.05, stream=True)
CROWD = (PLAIN,) * 4 + (SHORT,) * 4 + (LONG,) * 8
"""Who asks at the same time, each again and again."""


@dataclass
class Asked:
    """One request of a client, and how much of its answer came."""

    request_id: str
    exchange_id: str = ""
    whole: bool = False
    refused: int = 0
    """A status that is not 200."""


class _Caller(threading.Thread):
    """Asks the same again and again until the gateway is gone."""

    def __init__(self, url: str, key: str, plan: Plan) -> None:
        super().__init__(daemon=True)
        self.asked: list[Asked] = []
        self._url = url
        self._key = key
        self._plan = plan

    def run(self) -> None:
        """Until the connection fails."""
        try:
            with Client(self._url) as client:
                while True:
                    self._ask(client)
        except (ConnectionError, AssertionError):
            return

    def _ask(self, client: Client) -> None:
        asked = Asked(str(uuid.uuid4()))
        self.asked.append(asked)
        client.ask(self._plan.body(), [("x-api-key", self._key), ("x-client-request-id", asked.request_id)])
        head = client.read_head()
        asked.exchange_id = head.exchange_id
        asked.refused = head.status if head.status != 200 else 0
        _, asked.whole = client.read_rest()
        if not asked.whole:
            raise ConnectionError


@dataclass
class Round:
    """One life of the gateway, from its ready line to its kill."""

    killed_at: float
    """On the monotonic clock."""
    commit_s: float
    """What a commit could take just before."""
    ready_s: float
    """From the start of the next process to its ready line."""
    asked: list[Asked]


class Row(msgspec.Struct, frozen=True, array_like=True):
    """What the ledger has of one exchange."""

    id: str
    request_id: str
    outcome: str | None
    estimated: bool
    tokens: int
    cost_nano: int | None
    attempts: int


@dataclass
class Figures:
    """What came out; problems are told in words, one for each exchange."""

    kills: int = 0
    exchanges: int = 0
    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    swept: int = 0
    swept_tokens: int = 0
    """What the sweep charged."""
    billed_tokens: int = 0
    """What the upstream billed for the same exchanges."""
    unseen: int = 0
    """Requests of which nothing was durable yet: killed within the commit's time."""
    ready_s: list[float] = field(default_factory=list)


class _Pace(threading.Thread):
    """Writes a few bytes to the same disk again and again, and knows how long that took lately: where a write of
    its own is held up, by the disk or for want of a core, a commit of the gateway's may be as well.
    """

    def __init__(self, home: Path) -> None:
        super().__init__(daemon=True)
        self._file = home / "pace"
        self._over = threading.Event()
        self._took: list[tuple[float, float]] = []

    def run(self) -> None:
        """Until it is asked."""
        with self._file.open("wb", buffering=0) as file:
            while not self._over.is_set():
                began = time.monotonic()
                file.write(b"x" * 4096)
                os.fsync(file.fileno())
                self._over.wait(_PACE_S)
                now = time.monotonic()
                self._took.append((now, now - began - _PACE_S))

    def slowest(self, until: float) -> float:
        """The longest write shortly before a moment, the running one included, in seconds; ends it."""
        self._over.set()
        self.join(PATIENCE_S)
        lately = [took for ended, took in self._took if ended > until - _LATELY_S]
        return max(lately, default=0.0)


class KillLoop:
    """A gateway in a loop of load, kill and restart.

    Args:
        home: An empty directory.
        dice: For the moments.
    """

    def __init__(self, home: Path, dice: random.Random) -> None:
        self._home = home
        self._dice = dice
        self._upstream = BillingUpstream()
        self.rounds: list[Round] = []

    def run(self, kills: int, *, longest_s: float) -> Figures:
        """Kill `kills` times, each at a random moment within `longest_s`; ends with a stop in good order."""
        with self._upstream:
            gateway = GatewayProcess(self._home, anthropic(self._upstream.url), environment=CREDENTIAL)
            with gateway:
                key = gateway.new_key("crowd")
                for _ in range(kills):
                    self.rounds.append(self._round(gateway, key, self._dice.uniform(0.05, longest_s)))
        return compare(self.rounds, self._upstream.bills, read_rows(gateway.data_dir))

    def _round(self, gateway: GatewayProcess, key: str, after_s: float) -> Round:
        callers = [_Caller(gateway.url, key, plan) for plan in CROWD]
        pace = _Pace(self._home)
        for thread in (pace, *callers):
            thread.start()
        # The moment is the point: nothing is waited for.
        time.sleep(after_s)
        killed_at = time.monotonic()
        gateway.kill()
        commit_s = COMMIT_S + pace.slowest(killed_at)
        for caller in callers:
            caller.join(PATIENCE_S)
            assert not caller.is_alive()
        check_copy(gateway.data_dir)
        gateway.start()
        return Round(killed_at, commit_s, gateway.ready_s, [one for caller in callers for one in caller.asked])


def check_copy(data_dir: Path) -> None:
    """The file as the kill left it is whole; a copy, so that the gateway has to recover by itself."""
    with tempfile.TemporaryDirectory() as directory:
        for name in ("ledger.db", "ledger.db-wal"):
            if (data_dir / name).exists():
                shutil.copyfile(data_dir / name, Path(directory) / name)
        with closing(sqlite3.connect(Path(directory) / "ledger.db")) as ledger:
            assert [("ok",)] == ledger.execute("PRAGMA integrity_check").fetchall()


def read_rows(data_dir: Path) -> list[Row]:
    """All exchanges of a ledger that nobody has open."""
    query = """
        SELECT id, client_request_id, outcome, estimated,
               coalesce(input_tokens, 0) + coalesce(output_tokens, 0), cost_nano,
               (SELECT count(*) FROM attempts WHERE exchange_id = exchanges.id)
        FROM exchanges
    """
    with closing(sqlite3.connect(f"file:{data_dir / 'ledger.db'}?mode=ro", uri=True)) as ledger:
        return [msgspec.convert(row, Row, strict=False) for row in ledger.execute(query)]


def compare(rounds: list[Round], bills: list[Bill], rows: list[Row]) -> Figures:
    """The ledger against what clients got and what the upstream billed."""
    figures = Figures(kills=len(rounds), exchanges=len(rows), ready_s=[one.ready_s for one in rounds])
    by_request: dict[str, list[Row]] = {}
    for row in rows:
        by_request.setdefault(row.request_id, []).append(row)
    billed: dict[str, list[Bill]] = {}
    for bill in bills:
        billed.setdefault(bill.request_id, []).append(bill)
    figures.doubled = [one for one in by_request if len(by_request[one]) > 1]
    figures.doubled += [one for one in billed if len(billed[one]) > 1]
    for life in rounds:
        for asked in life.asked:
            kept, bills_of = by_request.get(asked.request_id), billed.get(asked.request_id)
            _judge(figures, asked, kept[0] if kept else None, bills_of[0] if bills_of else None, life)
    return figures


def _judge(figures: Figures, asked: Asked, row: Row | None, bill: Bill | None, life: Round) -> None:
    killed_at, commit_s = life.killed_at, life.commit_s
    name = asked.exchange_id or asked.request_id
    if asked.refused:
        figures.wrong.append(f"{name} was refused with {asked.refused}")
    if asked.whole:
        figures.acknowledged += 1
        if row is None or row.id != asked.exchange_id:
            figures.lost.append(name)
    if row is None:
        figures.unseen += bill is not None
        if bill is not None and bill.since(killed_at - commit_s) < bill.total:
            figures.wrong.append(f"{name} was answered {commit_s:.2f} s before the kill, and nothing of it was kept")
        return
    total = bill.total if bill is not None else 0
    made_lately = bill.since(killed_at - NOTED_EVERY_S - commit_s) if bill is not None else 0
    figures.wrong += [f"{name}: {problem}" for problem in _problems(row, total, made_lately)]
    if bill is not None and row.outcome == "interrupted":
        figures.swept += 1
        figures.swept_tokens += row.tokens
        figures.billed_tokens += total
        started = bill.total - bill.since(killed_at - commit_s)
        if started and asked.exchange_id and row.tokens == 0:
            before_s = killed_at - bill.made[0][0]
            figures.wrong.append(f"{name} had begun {before_s:.2f} s before the kill and is charged with nothing")


def _problems(row: Row, billed: int, made_lately: int) -> list[str]:
    """What is not as promised in one row."""
    checks = (
        (row.outcome in {"ok", "interrupted"}, f"its outcome is {row.outcome}"),
        (row.outcome != "ok" or row.tokens == billed, f"{row.tokens} tokens recorded, {billed} billed"),
        (row.tokens <= billed, f"{row.tokens} tokens recorded, only {billed} billed"),
        (billed - row.tokens <= made_lately, f"{row.tokens} recorded, {billed} billed, {made_lately} lately"),
        (not row.tokens or row.cost_nano, "it used something and costs nothing"),
        (row.attempts <= 1, f"{row.attempts} attempts"),
    )
    return [problem for holds, problem in checks if not holds]
