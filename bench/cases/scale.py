"""5,000 open streams in one process: how late events come, what each stream takes, and who else is served."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.case import Against, Case
from bench.load import streams
from bench.places import Place
from bench.request import body
from bench.talk import ask, warm, whole_answer

STREAMS = 5_000
_OPENED_PER_S = 1_000
_EVENTS = 24
"""One a second: enough for the last stream to begin while the first runs, and for the new requests."""
_NEW_REQUESTS = 200
_NEW_PER_S = 50


@dataclass(frozen=True, slots=True)
class _Seen:
    delay_ms: float
    memory_kb: float
    new_ms: float


class _Crowd:
    """Measures once for each place and hands out what was seen.

    A stream that breaks off ends the bench: nothing is measured of a place that drops some.
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def value(self, of: Callable[[_Seen], float]) -> Callable[[Place, float], float]:
        def measure(place: Place, _: float) -> float:
            if place.name not in self._seen:
                self._seen[place.name] = _look(place)
            return of(self._seen[place.name])

        return measure


def _look(place: Place) -> _Seen:
    warm(place)
    before = place.memory_kb()
    memory: list[int] = []
    new_ms: list[float] = []

    def while_open() -> None:
        memory.append(place.memory_kb())
        new_ms.extend(_new_requests(place))
        memory.append(place.memory_kb())

    sent = body(1_000, stream=True, wanted=f"bench-n{_EVENTS}-g1000")
    done = streams(place, sent, connections=STREAMS, per_second=_OPENED_PER_S, while_open=while_open)
    grown = max(memory) - before
    return _Seen(done.p99 / 1e3, grown / STREAMS, sorted(new_ms)[int(len(new_ms) * 0.99)])


def _new_requests(place: Place) -> list[float]:
    """How long each of a series took, each on a connection of its own, begun at a steady pace."""
    took: list[float] = []
    began = time.monotonic()
    for number in range(_NEW_REQUESTS):
        due = began + number / _NEW_PER_S
        time.sleep(max(0.0, due - time.monotonic()))
        asked = time.monotonic()
        with ask(place, body(1_000)) as opened:
            whole_answer(opened)
        took.append((time.monotonic() - asked) * 1e3)
    return took


_CROWD = _Crowd()


def _case(name: str, title: str, unit: str, goals: tuple[float, float], of: Callable[[_Seen], float]) -> Case:
    shown = f"{STREAMS:,} open streams: {title}"
    return Case(name, shown, unit, Against.ITSELF, *goals, _CROWD.value(of), fresh=True, once=True)


CASES = [
    _case("scale-delay", "delay of an event", "p99 ms", (50, 5), lambda seen: seen.delay_ms),
    _case("scale-memory", "memory of each", "KB (PSS)", (32, 12), lambda seen: seen.memory_kb),
    _case("scale-new", "new requests", "p99 ms", (100, 100), lambda seen: seen.new_ms),
]
