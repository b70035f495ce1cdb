"""Past its bounds a gateway says so at once and cheaply, and what runs does not notice (goal V10)."""

import asyncio
import itertools
import time
from collections.abc import Callable
from statistics import median
from urllib.parse import urlsplit

import pytest

from tests.clients.answers import events
from tests.fake_upstream import Gate, Pause, Piece, json_answer, stream_answer
from tests.relay.stage import Stage, wait_until
from tests.relay.wire_client import MODEL, OWN_CREDENTIAL, Client, prompt

SAID = events("for a while", MODEL)
AT_ONCE_S = 0.05
ONE = "[server]\nmax_in_flight = 1\n"
CROWD = 16
TICKS = 100
TICK_S = 0.02
NO_STALL_S = 0.1
"""What the middle one of the pauses between two ticks may become on a busy machine."""


def _begin(stage: Stage, client: Client) -> Gate:
    """A stream that runs until its gate is opened."""
    gate = Gate()
    stage.play(stream_answer([*SAID[:4], gate, *SAID[4:]]))
    client.ask(prompt())
    client.read_head()
    client.read_until(SAID[3])
    return gate


def test_refused_before_the_body(build_stage: Callable[[str], Stage]) -> None:
    """The refusal comes on the head alone, in less than 50 ms; it reaches nobody and leaves no row."""
    stage = build_stage(ONE)
    with stage.client() as running:
        gate = _begin(stage, running)
        taken = [_refused_in_s(stage) for _ in range(20)]

        # The middle one: this machine has other things to do.
        assert median(taken) < AT_ONCE_S
        gate.open()
        assert running.read_rest()[1]

    wait_until(lambda: _is_ready(stage), "it is ready again")
    assert 1 == len(stage.received)
    assert ["ok"] == [row.outcome for row in stage.exchanges(1)]
    assert 1 == stage.gateway.log.count('"overloaded"')


def _refused_in_s(stage: Stage) -> float:
    with stage.client() as client:
        client.send(client.head("POST", "/v1/messages", [OWN_CREDENTIAL], 10_000_000))
        before = time.monotonic()
        refused = client.read_whole()
        taken = time.monotonic() - before
    assert (529, "overloaded") == (refused.head.status, refused.head.header("x-clearway-error"))
    assert "overloaded_error" == refused.error()[0]
    assert refused.head.header("retry-after")
    return taken


def _is_ready(stage: Stage) -> bool:
    with stage.client() as client:
        client.request("GET", "/ready")
        return client.read_whole().head.status == 200


def test_one_alone_is_served_without_memory(build_stage: Callable[[str], Stage]) -> None:
    """However little memory is left, a gateway that does nothing else serves one exchange at a time."""
    stage = build_stage("[server]\nmax_memory = '1MB'\n")
    with stage.client() as running, stage.client() as other:
        gate = _begin(stage, running)
        other.ask(prompt(stream=False))

        assert 529 == other.read_whole().head.status
        gate.open()
        assert running.read_rest()[1]

    wait_until(lambda: _is_ready(stage), "it is ready again")
    stage.play(json_answer({"type": "message"}))
    with stage.client() as next_one:
        next_one.ask(prompt(stream=False))
        assert 200 == next_one.read_whole().head.status


@pytest.mark.timeout(90)
@pytest.mark.parametrize("keeps", [True, False], ids=["kept-connections", "new-connections"])
def test_flood_does_not_stall_a_stream(build_stage: Callable[[str], Stage], *, keeps: bool) -> None:
    """While a crowd asks as fast as it can and is refused, a stream keeps its pace and comes whole."""
    stage = build_stage(ONE)
    pieces: list[Piece] = [*SAID[:4]]
    for _ in range(TICKS):
        pieces += [Pause(TICK_S), SAID[3]]
    gate = Gate()
    stage.play(stream_answer([*pieces, gate, *SAID[4:]]))
    with stage.client() as client:
        client.ask(prompt())
        exchange_id = client.read_head().exchange_id
        client.read_until(SAID[3])
        gaps, refusals = asyncio.run(_flooded(_Asker(stage.gateway.url, keeps=keeps), client))
        # Only now: as long as it runs, everybody else is refused.
        gate.open()
        whole = client.read_rest()

    assert whole[1]
    assert refusals > TICKS
    assert median(gaps) < NO_STALL_S
    # Of the crowd, who left with a request on its way may have been let in by now.
    assert "ok" == stage.books.settled(exchange_id).outcome


async def _flooded(asker: "_Asker", client: Client) -> tuple[list[float], int]:
    """The pauses of a stream, and how many were refused meanwhile."""
    async with asyncio.TaskGroup() as tasks:
        crowd = [tasks.create_task(asker.run()) for _ in range(CROWD)]
        gaps = await asyncio.to_thread(_read_ticks, client)
        for one in crowd:
            one.cancel()
    return gaps, asker.refused


def _read_ticks(client: Client) -> list[float]:
    at = [time.monotonic()]
    for _ in range(TICKS - 1):
        client.read_piece()
        at.append(time.monotonic())
    return [later - earlier for earlier, later in itertools.pairwise(at)]


class _Asker:
    """Asks again and again, as fast as the answers come."""

    def __init__(self, url: str, *, keeps: bool) -> None:
        self.refused = 0
        self._keeps = keeps
        self._where = urlsplit(url)
        body = prompt(stream=False)
        head = f"POST /v1/messages HTTP/1.1\r\nhost: {self._where.netloc}\r\nx-api-key: {OWN_CREDENTIAL[1]}\r\n"
        self._request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            reader, writer = await asyncio.open_connection(self._where.hostname, self._where.port)
            try:
                # After its last request a connection is closed by the gateway.
                while await self._ask(reader, writer) and self._keeps:
                    pass
            finally:
                writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Be refused; False: the connection serves no more."""
        writer.write(self._request)
        said = await reader.readuntil(b"\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 529")
        length = int(said.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        self.refused += 1
        return b"\r\nconnection: close\r\n" not in said
