"""What a conversation costs more and more, because each request carries all that was said before."""

import os
import time

from bench.case import Against, Case
from bench.places import LOAD_CORE, Place
from bench.request import body, request
from bench.talk import ask, whole_answer

_SIZES = [250_000 * number for number in range(1, 17)]
"""One request after each turn, up to 4 MB."""


def _per_megabyte(place: Place, seconds: float) -> float:
    # The first half of the conversation against the second: what is the same in both falls out.
    turns = [request(place.port, place.key, body(size)) for size in _SIZES]
    halves = turns[: len(turns) // 2], turns[len(turns) // 2 :]
    cpu_s, sent, megabytes = [0.0, 0.0], [0, 0], [0.0, 0.0]
    os.sched_setaffinity(0, {LOAD_CORE})
    with ask(place, body(1_000)) as opened:
        whole_answer(opened)
        until = time.monotonic() + seconds
        while not sent[1] or time.monotonic() < until:
            for half, requests in enumerate(halves):
                before = place.cpu_s()
                for one in requests:
                    opened.sendall(one)
                    whole_answer(opened)
                cpu_s[half] += place.cpu_s() - before
                sent[half] += len(requests)
                megabytes[half] += sum(map(len, requests)) / 1e6
    early, late = ((cpu_s[half] / sent[half], megabytes[half] / sent[half]) for half in (0, 1))
    return (late[0] - early[0]) / (late[1] - early[1]) * 1e3


CASES = [
    Case(
        "conversation",
        "extra MB of a growing conversation",
        "CPU ms/MB",
        Against.ITSELF,
        2.5,
        1.3,
        _per_megabyte,
    )
]
