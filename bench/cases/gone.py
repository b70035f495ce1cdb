"""How long the upstream goes on working for a client that has left, in each phase of an exchange."""

import time
from collections.abc import Callable

from bench.case import Against, Case
from bench.places import Failed, Place
from bench.request import body
from bench.talk import ask, seen, until_said, wait_seen

_UNASKED_S = 0.2
"""After that long an upstream that was not asked won't be."""


def _in_body(place: Place) -> float:
    before = seen(place.fake)
    whole = body(4_000_000)
    opened = ask(place, whole[: len(whole) // 2], length=len(whole))
    time.sleep(0.05)
    left = time.monotonic_ns()
    opened.close()
    time.sleep(_UNASKED_S)
    after = seen(place.fake)
    if after.requests > before.requests:
        raise Failed(f"{place.name}: half a body went on as a whole one")
    if after.begun == before.begun:
        return 0.0
    after = wait_seen(place.fake, "dropped", before.dropped)
    return (after.dropped_ns - left) / 1e6


def _leaving(wanted: str, mark: bytes, *, stream: bool) -> Callable[[Place], float]:
    sent = body(1_000, stream=stream, wanted=wanted)

    def leave(place: Place) -> float:
        before = seen(place.fake)
        opened = ask(place, sent)
        if mark:
            until_said(opened, mark)
        else:
            wait_seen(place.fake, "requests", before.requests)
        left = time.monotonic_ns()
        opened.close()
        after = wait_seen(place.fake, "dropped", before.dropped)
        return (after.dropped_ns - left) / 1e6

    return leave


def _worst(leave: Callable[[Place], float]) -> Callable[[Place, float], float]:
    def measure(place: Place, seconds: float) -> float:
        until = time.monotonic() + seconds
        worst = leave(place)
        while time.monotonic() < until:
            worst = max(worst, leave(place))
        return worst

    return measure


def _case(phase: str, name: str, leave: Callable[[Place], float]) -> Case:
    title = f"client gone {phase}: upstream dropped after"
    return Case(f"gone-{name}", title, "worst, ms", Against.ITSELF, 50, 5, _worst(leave), once=True)


CASES = [
    _case("before the body's end", "body", _in_body),
    _case("before the first byte", "waiting", _leaving("bench-d20000", b"", stream=False)),
    _case("in a plain answer", "plain", _leaving("bench-n1000-g20-s100", b"some words", stream=False)),
    _case("in a stream", "stream", _leaving("bench-n1000-g20", b"text_delta", stream=True)),
]
