"""What a gateway tells and asks the shared counters, in batches, one after the other.

Owns that a batch is sent until it is answered, and counted once (the script knows its
number); that what is to be told is never lost while the process lives: letters that
stand say all of it again where the server has forgotten us; and that nobody waits for a
server that is away. Used by limits/shared/keeper and limits/shared/past.

Growth: one letter for each tally and key with something to tell, and the questions of
requests that wait, a second each.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, Protocol

import msgspec
import structlog

from clearway.limits.shared.keys import Names, Places
from clearway.limits.shared.link import Unreachable

log = structlog.get_logger()

BEAT_S = 0.5
"""How often a gateway that has nothing to say says so."""
_AGAIN_S = 0.2
"""Between two tries to reach a server that is away."""
_MOST = 256
"""Letters of one batch: the server does nothing else meanwhile."""
_STUCK_S = 1.0
_FAREWELL_S = 3.0


class Letter(Protocol):
    """One operation of the script."""

    def write(self, places: Places) -> Sequence[object]:
        """The operation, by the places of its keys; called again where the batch is made anew."""
        ...

    def heard(self, answer: object) -> None:
        """Take the answer; does not wait."""
        ...

    def lost(self) -> None:
        """Nobody answers now; an answer may come all the same."""
        ...


class Sender(Protocol):
    """Runs the script (`link.Link`)."""

    async def run(self, names: Sequence[str], arguments: Sequence[str | bytes]) -> bytes:
        """Its answer. Raises Unreachable."""
        ...


class _Answer(msgspec.Struct):
    is_: Literal["done", "unknown", "old"] = msgspec.field(name="is")
    of: list[object] = []


_answers = msgspec.json.Decoder(_Answer)


class _Hello:
    """The first letter to a server that does not know us."""

    def write(self, _: Places) -> Sequence[object]:
        return ("hello",)

    def heard(self, answer: object) -> None:
        pass

    def lost(self) -> None:
        pass


class _Batch(msgspec.Struct, frozen=True):
    """What is sent as one, and again as it was."""

    letters: Sequence[Letter]
    number: str
    operations: bytes
    names: Sequence[str]


class Post:
    """Of one gateway. Used from the event loop only.

    Args:
        link: To the server.
        names: Of the keys.
        standing: The letters that say all that this gateway has there.
        on_beat: What is worth asking now and then.
    """

    def __init__(
        self,
        link: Sender,
        names: Names,
        *,
        standing: Callable[[], Iterable[Letter]],
        on_beat: Callable[[], Iterable[Letter]],
    ) -> None:
        self._link = link
        self._names = names
        self._standing = standing
        self._on_beat = on_beat
        self._number = 0
        self._telling: dict[Letter, None] = {}
        self._asking: list[Letter] = []
        self._sent: Sequence[Letter] = ()
        self._wake = asyncio.Event()
        self._wake.set()
        self._first = asyncio.Event()
        self._over = asyncio.Event()
        self._is_closing = False
        self.is_away = True
        """Until it has answered for the first time."""
        self.failures = 0
        """How often it went away."""

    def tell(self, letter: Letter) -> None:
        """Send a letter that stands, once however often it is said; it is written when it is sent."""
        self._telling[letter] = None
        self._wake.set()

    def ask(self, letter: Letter) -> None:
        """Send a question after all that is to be told; lost at once where the server is away."""
        if self.is_away or self._is_closing:
            letter.lost()
            return
        self._asking.append(letter)
        self._wake.set()

    async def begun(self, within_s: float) -> None:
        """Wait for the first answer, so that nobody is refused before it; not for long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._first.wait()

    async def run(self) -> None:
        """Send what there is until `close`. Never fails."""
        while not self._is_closing or self._telling:
            beat = asyncio.get_running_loop().call_later(BEAT_S, self._wake.set)
            await self._wake.wait()
            beat.cancel()
            self._wake.clear()
            try:
                await self._deliver()
            except Exception:  # the loop of the counters: it must outlive whatever comes
                log.exception("limits_not_counted")
                self._went_away("a defect: see the log")
                for letter in self._standing():
                    self.tell(letter)
                await asyncio.sleep(_AGAIN_S)
        self._over.set()

    async def close(self, farewell: Letter) -> None:
        """Send what is left and `farewell`, where that is possible within three seconds."""
        self._is_closing = True
        self._wake.set()
        try:
            async with asyncio.timeout(_FAREWELL_S):
                await self._over.wait()
                await self._deliver_once(self._batch([farewell]))
        except (TimeoutError, Unreachable):
            # The others take it from the ledger.
            log.warning("limits_not_left", waiting=len(self._telling))

    async def _deliver(self) -> None:
        letters = list(self._telling)[:_MOST]
        for letter in letters:
            del self._telling[letter]
        asked, self._asking = self._asking[:_MOST], self._asking[_MOST:]
        letters += asked or (list(self._on_beat()) if len(letters) < _MOST else [])
        if self._telling or self._asking:
            self._wake.set()
        batch = self._batch(letters)
        while True:
            try:
                await self._deliver_once(batch)
            except Unreachable as error:
                self._went_away(str(error))
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    def _batch(self, letters: Sequence[Letter]) -> _Batch:
        self._number += 1
        places = Places(self._names.fixed)
        operations = [letter.write(places) for letter in letters]
        return _Batch(letters, str(self._number), msgspec.json.encode(operations or [("beat",)]), places.names)

    async def _deliver_once(self, batch: _Batch) -> None:
        """Send one batch, as it was if it was sent before; and another one where the server has to be told all."""
        self._sent = batch.letters
        stuck = asyncio.get_running_loop().call_later(_STUCK_S, self._went_away, "no answer yet")
        try:
            answer = await self._send(batch)
            while answer.is_ != "done":
                # It was flushed, or is another one: what we have is all that it can know of us.
                if self._first.is_set():
                    log.warning("limits_told_anew", reason=answer.is_)
                told = dict.fromkeys(self._standing())
                batch = self._batch([_Hello(), *told, *(one for one in batch.letters if one not in told)])
                self._sent = batch.letters
                answer = await self._send(batch)
        finally:
            stuck.cancel()
        self._came_back()
        self._sent = ()
        if batch.letters:
            for letter, heard in zip(batch.letters, answer.of, strict=True):
                letter.heard(heard)

    async def _send(self, batch: _Batch) -> _Answer:
        return _answers.decode(
            await self._link.run(batch.names, (self._names.instance_id, batch.number, batch.operations))
        )

    def _went_away(self, why: str) -> None:
        if not self.is_away or not self.failures:
            self.is_away = True
            self.failures += 1
            log.error("limits_unreachable", reason=why)
        waiting, self._asking = self._asking, []
        for letter in (*self._sent, *waiting):
            letter.lost()

    def _came_back(self) -> None:
        self._first.set()
        if self.is_away:
            self.is_away = False
            log.info("limits_reachable")
