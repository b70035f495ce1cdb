"""What a test saw of a failure, in the words of `docs/failures.md`.

Owns the three looks: at the client's connection, at the upstream's, into the ledger.
Each gives the struct that a cell of the table is read as. Whatever failed, the next
request is asked afterwards, on the same connection where there still is one: it must
be answered, and it tells which connections live on.
Used by the tests of the failures.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from clearway.ledger.protocol import ExchangeRow
from tests.fake_upstream import Answer, Fields, Gate, Talk
from tests.faults.stage import ALWAYS, LIMITS, FaultStage, model_of
from tests.faults.table import Asked, ClientSees, LedgerHas, Row, UpstreamSees
from tests.relay.stage import AT_ONCE_S
from tests.relay.wire_client import Client, prompt

_SLACK_S = 0.25
"""The two sides begin to wait at slightly different moments."""
_LATE_S = 5.0
"""How late a time-out may be noticed on a machine that has other things to do."""


@dataclass
class Play:
    """What the upstream does in one test, and what of it the client must get."""

    answers: Sequence[Answer] = ()
    """To one request after the other; the last one to all that follow."""
    body: bytes = b""
    """What the client gets of them, byte for byte, where the answer is the upstream's."""
    is_endless: bool = False
    """More may come after `body`."""
    fields: Fields = ()
    """Fields of the answer that the client must get."""
    gate: Gate | None = None
    """Opened when the client has all of `body`."""
    early: Sequence[Answer] = ()
    """Said instead to the first requests, at their heads."""
    request: bytes | None = None
    """The body that is sent; None: a short prompt."""
    before: Answer | None = None
    """To a request before, whose connection was kept."""
    then: Gate | None = None
    """In `before`: opened when that answer was whole, and what comes after it ends the connection."""
    cools_s: int | None = None
    """The upstream said for how long it is of no use: until then only tokens are counted there."""


class Seen(msgspec.Struct, frozen=True):
    """The three cells, as they were seen."""

    client: ClientSees
    upstream: UpstreamSees
    ledger: LedgerHas


def differences(row: Row, seen: Seen) -> dict[str, tuple[object, object]]:
    """Where a cell of a row is not what was seen: fact by fact, what was promised and what was seen."""
    pairs: dict[str, tuple[msgspec.Struct | None, msgspec.Struct]] = {
        "client": (row.client, seen.client),
        "upstream": (row.upstream, seen.upstream),
        "ledger": (row.ledger, seen.ledger),
    }
    found: dict[str, tuple[object, object]] = {}
    for side, (promised, was) in pairs.items():
        assert promised is not None
        facts, others = msgspec.structs.asdict(promised), msgspec.structs.asdict(was)
        found |= {f"{side}.{name}": (facts[name], others[name]) for name in facts if facts[name] != others[name]}
    return found


def hear(client: Client, play: Play) -> ClientSees:
    """Listen to one answer, and compare what is the upstream's with what it said."""
    if client.is_ended():
        return ClientSees(answer="no answer", connection="closed")
    head = client.read_head()
    body = b""
    if play.gate is not None:
        body = client.read_until(play.body) if play.body else b""
        play.gate.open()
    rest, complete = client.read_rest()
    body += rest
    code = head.header("x-clearway-error")
    if code is None:
        assert play.body == (body[: len(play.body)] if play.is_endless else body)
        assert set(play.fields) <= set(head.headers)
    retry_after = head.header("retry-after")
    wait_s = None if retry_after is None else int(retry_after)
    # What is left of a time is told in whole seconds, and some may have passed.
    is_left = code is not None and wait_s is not None and 0 < wait_s <= (play.cools_s or 0)
    return msgspec.convert(
        {
            "status": head.status,
            "by": "upstream" if code is None else "Clearway",
            "error": _error_type(body) if head.status >= 400 else None,
            "code": code,
            "end": "whole" if complete else "cut",
            "last_event": _last_error(body),
            "retry_after": play.cools_s if is_left else wait_s,
            "should_retry": head.header("x-should-retry"),
            "connection": "kept" if complete else "closed",
        },
        ClientSees,
    )


class _Error(msgspec.Struct):
    type: str


class _Body(msgspec.Struct):
    error: _Error


def _error_type(body: bytes) -> str | None:
    try:
        return msgspec.json.decode(body, type=_Body).error.type
    except msgspec.DecodeError:
        return None


def _last_error(body: bytes) -> str | None:
    *_, last = body.removesuffix(b"\n\n").split(b"\n\n")
    name, _, data = last.partition(b"\ndata: ")
    return _error_type(data) if name == b"event: error" else None


class Scene(msgspec.Struct, frozen=True):
    """One row, asked for in one way."""

    stage: FaultStage
    row: Row
    asked: Asked
    model: str
    """What leads to the upstream of this scene."""

    @property
    def credential(self) -> tuple[str, str]:
        """Of who pays."""
        return self.stage.credential(self.asked.payer)


def scene(stage: FaultStage, row: Row, asked: Asked) -> Scene:
    """With an upstream of its own."""
    return Scene(stage, row, asked, model_of(row, asked))


def after(scene: Scene, client: Client, heard: ClientSees, took_s: float, *, cools: bool = False) -> Seen:
    """Look at everything once the failure is over, and ask again.

    Args:
        scene: What was played; of its row only the times are looked at.
        client: The connection that was asked on.
        heard: What came on it; whether it is kept is found out here.
        took_s: After how long.
        cools: Only tokens can be counted at its upstream for now.
    """
    stage, row, payer = scene.stage, scene.row, scene.asked.payer
    model = ALWAYS if row.id in stage.doors else scene.model
    target = "/v1/messages/count_tokens" if cools else "/v1/messages"
    before = [(talk, len(talk.heard_at)) for talk in stage.talks(row)]
    if heard.connection == "closed" or not stage.probe(client, model, payer, target):
        heard = msgspec.structs.replace(heard, connection="closed")
        with stage.client() as another:
            assert stage.probe(another, model, payer, target)
    talks = stage.talks(row)
    is_kept = bool(before) and len(before[-1][0].heard_at) > before[-1][1]
    if not is_kept and row.id not in stage.doors:
        # What came since then is the probe's own connection, and that alone.
        assert talks.pop().heard_at
    promised = row.upstream or UpstreamSees(requests=0, connections=0)
    upstream = UpstreamSees(requests=len(stage.received), connections=len(talks), given_up=_given_up(promised, took_s))
    if is_kept:
        upstream = msgspec.structs.replace(upstream, then="kept")
    elif talks:
        stage.wait_over(row, talks[-1])
        upstream = msgspec.structs.replace(upstream, **_end(talks[-1], promised.when))
    return Seen(heard, upstream, look(stage.written()[:-1], stage))


def _given_up(promised: UpstreamSees, took_s: float) -> str | None:
    if promised.given_up is None:
        return None
    times, limit = promised.given_up.split(" ")
    due_s = int(times) * LIMITS[limit]
    return promised.given_up if due_s - _SLACK_S <= took_s <= due_s + _LATE_S else f"{took_s:.2f} s"


def _end(talk: Talk, promised: str | None) -> dict[str, str]:
    if talk.left_at is None:
        return {"then": "ended"}
    since = {"total_s": talk.heard_at, "first_byte_s": talk.heard_at, "connect_s": [talk.opened_at]}
    passed_s = talk.left_at - max([0.0, *since.get(promised or "", [talk.said_at])])
    due_s, late_s = (0.0, AT_ONCE_S) if promised not in LIMITS else (LIMITS[promised], _LATE_S)
    is_due = due_s - _SLACK_S <= passed_s <= due_s + late_s
    return {"then": "dropped", "when": promised if promised and is_due else f"{passed_s:.2f} s"}


def look(rows: Sequence[ExchangeRow], stage: FaultStage) -> LedgerHas:
    """What the ledger has of one failure: all its exchanges must tell the same."""
    if not rows:
        return LedgerHas(row="no row")
    told = [_told(row) for row in rows]

    assert told == [told[0]] * len(told)
    for row in rows:
        attempts = stage.books.attempts(row.id)
        assert row.attempts == len(attempts)
        if attempts and row.outcome == "upstream_error":
            assert (row.outcome, row.error_type, row.error_code) == (
                attempts[-1].outcome,
                attempts[-1].error_type,
                attempts[-1].error_code,
            )
    return msgspec.structs.replace(told[0], rows=len(told))


def _told(row: ExchangeRow) -> LedgerHas:
    is_told = row.output_tokens is not None
    assert is_told == (row.input_tokens is not None)
    return msgspec.convert(
        {
            "outcome": row.outcome,
            "status": row.status,
            "error": row.error_type,
            "code": row.error_code,
            "usage": ("estimated" if row.estimated else "final") if is_told else "none",
            "charged": "charged" if row.cost_nano else "not charged",
            "attempts": row.attempts,
        },
        LedgerHas,
    )


def ask(scene: Scene, play: Play) -> Seen:
    """Play one failure of the upstream and look at everything."""
    stage = scene.stage
    body = play.request or prompt(stream=scene.asked.stream, model=scene.model)
    if play.before is not None:
        _warm(scene, play.before, play.then)
    stage.begin(play.answers, early=play.early)
    with stage.client() as client:
        since = time.monotonic()
        client.ask(body, [scene.credential])
        heard = hear(client, play)
        seen = after(scene, client, heard, time.monotonic() - since, cools=play.cools_s is not None)
    for received in stage.received:
        assert play.early or body == received.body
    return seen


def _warm(scene: Scene, before: Answer, then: Gate | None) -> None:
    stage = scene.stage
    stage.begin([before])
    with stage.client() as client:
        client.ask(prompt(stream=False, model=scene.model), [scene.credential])
        whole = client.read_whole()

    said = before.pieces[0]
    assert isinstance(said, bytes)
    status = int(said.split(b" ")[1])
    assert (status, True) == (whole.head.status, whole.complete)
    assert status == stage.books.settled(whole.head.exchange_id).status
    (talk,) = stage.talks(scene.row)
    if then is not None:
        then.open()
        stage.wait_over(scene.row, talk)
