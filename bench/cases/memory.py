"""Memory of the place: idle, with a huge body, behind a reader that has stopped; and how soon it is ready."""

import time
from typing import Self

from bench import proc
from bench.case import Against, Case
from bench.places import Failed, Place
from bench.request import body
from bench.talk import ask, seen, until_said, warm, whole_answer

_HUGE = 150_000_000
_SETTLED_S = 0.5


class _Growth:
    """How much memory the place's processes take on while the context is open."""

    def __init__(self, place: Place) -> None:
        self._pids = proc.tree(place.pid)
        self.bytes = 0

    def __enter__(self) -> Self:
        self._before = sum(proc.rss_kb(pid) for pid in self._pids)
        for pid in self._pids:
            proc.forget_peak(pid)
        return self

    def __exit__(self, *_: object) -> None:
        self.bytes = 1024 * (sum(proc.peak_kb(pid) for pid in self._pids) - self._before)


def _huge_body(place: Place, _: float) -> float:
    warm(place)
    sent = body(_HUGE)
    with _Growth(place) as growth, ask(place, sent) as opened:
        whole_answer(opened)
    return growth.bytes / len(sent)


def _stalled_reader(place: Place, seconds: float) -> float:
    warm(place)
    with ask(place, body(1_000, stream=True, wanted="bench-n100-g1")) as opened:
        until_said(opened, b"message_stop")
    # 400 MB, as fast as they are taken.
    sent = body(1_000, stream=True, wanted="bench-n400000-g0-s900")
    with _Growth(place) as growth, ask(place, sent, receive_buffer=65_536) as opened:
        until_said(opened, b"text_delta")
        time.sleep(seconds / 2)
        half_way = seen(place.fake).sent_bytes
        time.sleep(seconds / 2)
        moved = seen(place.fake).sent_bytes - half_way
    if moved > 1_000_000:  # noqa: PLR2004  # a few statistics, not the stream
        raise Failed(f"{place.name}: {moved} bytes went on to a reader that has stopped")
    return growth.bytes / 1e6


def _idle(place: Place, _: float) -> float:
    time.sleep(_SETTLED_S)
    return place.memory_kb() / 1024


def _ready(place: Place, _: float) -> float:
    return place.ready_s


CASES = [
    Case(
        "body-150mb",
        "memory growth at a 150 MB body",
        "\u00d7 the body",
        Against.ITSELF,
        2,
        1.05,
        _huge_body,
        fresh=True,
        once=True,
    ),
    Case(
        "stalled", "stalled reader: memory growth", "MB", Against.ITSELF, 4, 1, _stalled_reader, fresh=True, once=True
    ),
    Case("ready", "ready after", "s", Against.ITSELF, 1, 0.5, _ready, fresh=True),
    Case("idle", "idle memory", "MB (PSS)", Against.ITSELF, 80, 50, _idle, fresh=True),
]
