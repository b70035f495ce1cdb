"""The readers of windows: header fields, and the answer to a question for a quota."""

import json
import math

from clearway.core.fields import Fields
from clearway.core.window import Reading
from clearway.ledger.window_states import Source, carried_on, concerns, states_of
from clearway.wire.messages.quota import read_quota
from clearway.wire.messages.windows import MOST_WINDOWS, plan_of, read, values_of

_PREFIX = b"anthropic-ratelimit-unified-"
_NOW_US = 1_800_000_000_000_000
_ME = Source("me", "login", "u", None)


def windows(data: bytes) -> None:
    """`name: value` lines, each name behind the prefix; or JSON. Whatever is said: readings within
    their bounds, of numbers that any other reader takes for the same.
    """
    if data.startswith(b"{"):
        readings = read_quota(data)
        _check_quota(data, readings)
    else:
        lines = [line.partition(b":") for line in data.split(b"\n")]
        head = Fields.of([(_PREFIX + name, value) for name, _, value in lines])
        plan = plan_of(head.names)
        readings = read(plan, values_of(plan, head))
        _check_head(head, readings)
    assert len(readings) <= MOST_WINDOWS
    assert len({reading.window for reading in readings}) == len(readings)
    runs = {}
    for reading in readings:
        assert 0 < len(reading.window) <= 32
        assert reading.utilization_ppm is None or 0 <= reading.utilization_ppm <= 100_000_000
        assert len(reading.notes) <= 8
        runs["me", reading.window] = [carried_on(None, _ME, reading, _NOW_US)]
    states = states_of(runs, _NOW_US)
    assert sum(state.decides for state in states) <= 1
    concerns(states, 0.9)
    for state in states:
        json.dumps(state.utilization, allow_nan=False)
        assert state.rate_per_hour is None or (state.rate_per_hour >= 0 and math.isfinite(state.rate_per_hour))
        assert state.runs_out_us is None or state.resets_us is None or _NOW_US <= state.runs_out_us <= state.resets_us


def _check_head(head: Fields, readings: list[Reading]) -> None:
    for reading in readings:
        if reading.utilization_ppm is not None:
            value = head.first(_PREFIX + reading.window.encode() + b"-utilization")
            assert value is not None
            assert math.isclose(float(value), reading.utilization_ppm / 1e6, abs_tol=1e-6)


def _check_quota(data: bytes, readings: list[Reading]) -> None:
    if not readings:
        return
    told = json.loads(data)
    assert isinstance(told, dict)
    percents = [value for part in told.values() for value in _numbers(part)]
    for reading in readings:
        used = reading.utilization_ppm
        assert used is None or any(math.isclose(value / 100, used / 1e6, abs_tol=1e-6) for value in percents)


def _numbers(part: object) -> list[float]:
    members = part if isinstance(part, list) else [part]
    found = [
        value for one in members if isinstance(one, dict) for value in (one.get("utilization"), one.get("percent"))
    ]
    # A number that no float holds was not taken for one.
    return [value for value in found if isinstance(value, int | float) and abs(value) <= 1e9]
