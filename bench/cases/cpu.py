"""CPU of the place, for each request and for each event, and what it adds to the time of a request."""

import dataclasses
import statistics

from bench.case import Against, Case
from bench.load import plain, streams
from bench.observed import observed_us
from bench.places import Place
from bench.request import body, chat

_GAP_MS = 20
_TURNS = 25
_PAIRS = 3
_SHORT_PAIRS = 15
_EVENTS_MIN = 100
"""Fewer, and the request would be most of what a stream costs."""
_SHORT = 20
"""Events of a short answer."""
_LARGE = 100_000
_MESSAGES, _CHAT = "/v1/messages", "/v1/chat/completions"


def _plain(size: int, connections: int, *, bare: bool = False) -> Case:
    sent = body(size, wanted="bench-h0" if bare else "bench")

    def measure(place: Place, seconds: float) -> float:
        before = place.cpu_s()
        done = plain(place, sent, connections=connections, seconds=seconds, bare=bare)
        return (place.cpu_s() - before) / done.requests * 1e6

    shown, first, then = {1_000: ("1 KB", 6, 2.5), 200_000: ("200 KB", 4, 3), 20_000_000: ("20 MB", 5, 1.8)}[size]
    name = f"cpu-{shown.replace(' ', '').lower()}{'-bare' if bare else ''}"
    title = f"{shown} request{', bare heads' if bare else ''}, {connections} connection{'s' * (connections > 1)}"
    return Case(name, title, "CPU µs/request", Against.RATIO, first, then, measure)


def _event(count: int) -> Case:
    def measure(place: Place, seconds: float) -> float:
        # Whole streams, the request included, of as many events as a middling answer has: what an event costs in life.
        events = max(_EVENTS_MIN, round(seconds * 1000 / _GAP_MS))
        sent = body(1_000, stream=True, wanted=f"bench-n{events}-g{_GAP_MS}")
        before = place.cpu_s()
        done = streams(place, sent, connections=count)
        return (place.cpu_s() - before) / done.events * 1e6

    return Case(f"cpu-event-{count}", f"event, {count} streams", "CPU µs/event", Against.RATIO, 2, 1.3, measure)


def _translated(place: Place, seconds: float) -> float:
    """Streams of Chat Completions beside relayed ones, in turns: the request, what it is made into, and every event."""
    events = max(_EVENTS_MIN, round(seconds * 1000 / _GAP_MS))
    wanted = f"bench-n{events}-g{_GAP_MS}"
    sent = {_MESSAGES: body(1_000, stream=True, wanted=wanted), _CHAT: chat(1_000, wanted=wanted)}
    ratios = []
    for turn in range(_PAIRS):
        costs = {}
        for path in sorted(sent, reverse=turn % 2 == 0):
            before = place.cpu_s()
            done = streams(place, sent[path], connections=100, path=path)
            costs[path] = (place.cpu_s() - before) / done.events
        ratios.append(costs[_CHAT] / costs[_MESSAGES])
    return statistics.median(ratios)


def _exchange(size: int) -> Case:
    """A short streamed exchange of Chat Completions beside a relayed one, in turns."""

    def measure(place: Place, seconds: float) -> float:
        wanted = f"bench-n{_SHORT}-g0"
        sent = {_MESSAGES: body(size, stream=True, wanted=wanted), _CHAT: chat(size, wanted=wanted)}
        ratios = []
        for turn in range(_SHORT_PAIRS):
            costs = {}
            for path in sorted(sent, reverse=turn % 2 == 0):
                before = place.cpu_s()
                done = plain(place, sent[path], connections=8, seconds=seconds / 2, path=path)
                costs[path] = (place.cpu_s() - before) / done.requests
            ratios.append(costs[_CHAT] / costs[_MESSAGES])
        return statistics.median(ratios)

    name = "translated-1kb" if size < _LARGE else "translated-200kb"
    title = (
        f"{'1 KB' if size < _LARGE else '200 KB'} request of Chat Completions beside a relayed one, streams of {_SHORT}"
    )
    return Case(name, title, "times the CPU", Against.ITSELF, 2, 1.5, measure, once=True)


def _latency(place: Place, seconds: float) -> float:
    return plain(place, body(1_000), connections=1, seconds=seconds).p50


def _limits(place: Place, seconds: float) -> float:
    """By turns, many times, as the difference is smaller than what a shared machine does in a second; and what
    every exchange pays for being observed.
    """
    if place.limited_key == place.key:
        return 0.0
    limited = dataclasses.replace(place, key=place.limited_key)
    extra = []
    for turn in range(_TURNS):
        costs = {}
        for one in (place, limited)[:: 1 if turn % 2 else -1]:
            before = one.cpu_s()
            done = plain(one, body(1_000), connections=32, seconds=seconds / 2)
            costs[one.key] = (one.cpu_s() - before) / done.requests * 1e6
        extra.append(costs.get(limited.key, 0.0) - costs.get(place.key, 0.0))
    return statistics.median(extra) + observed_us()


CASES = [
    _plain(1_000, 32),
    _plain(1_000, 32, bare=True),
    _plain(200_000, 8),
    _plain(20_000_000, 1),
    # At 5,000 events each second the core sleeps between them; at 20,000 it has little time to.
    _event(100),
    _event(400),
    Case(
        "limits",
        "budgets and limits of a key, metrics, live feed",
        "CPU µs/request",
        Against.ITSELF,
        60,
        30,
        _limits,
        once=True,
    ),
    Case(
        "translated",
        "event of Chat Completions beside a relayed one, 100 streams",
        "times the CPU",
        Against.ITSELF,
        2,
        1.5,
        _translated,
        once=True,
    ),
    _exchange(1_000),
    _exchange(200_000),
    Case("p50", "1 KB request, 1 connection", "p50 µs", Against.ADDED, 600, 300, _latency),
]
