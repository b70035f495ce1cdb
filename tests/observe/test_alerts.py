"""Thresholds of budgets and windows: who is told, how often, and what a receiver sees."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
import structlog

from clearway.config.webhooks import parse_hook
from clearway.core.budget import parse_budget
from clearway.core.clock import SystemClock
from clearway.core.ids import IdMaker
from clearway.core.secret import Secret
from clearway.ledger.store import Store
from clearway.ledger.told import Told
from clearway.limits.protocol import BudgetState
from clearway.observe.alerts import Alerts
from clearway.observe.delivery import MOST_WAITING, Patience
from clearway.upstreams.webhooks import Webhook, key_of, sign
from tests.fake_upstream import Answer, FakeUpstream, Received, answer

SECRET = Secret("whsec_" + base64.b64encode(b"k" * 24).decode())
NOON, HOUR = 1_800_000_000_000_000, 3_600_000_000
CLOCK = SystemClock()
IDS = IdMaker(CLOCK)
PATIENCE_S = 10.0
QUICK = Patience(first_wait_s=0.01, longest_wait_s=0.02)
SLOW = Patience(first_wait_s=60)


def state(spent: int, budget: str = "5usd/day", *, key: str | None = "ada", since_us: int = NOON) -> BudgetState:
    """A budget of which so many thousandths are spent."""
    whole = parse_budget(budget)
    return BudgetState(
        key_id=None if key is None else f"id-of-{key}",
        key_name=key,
        budget=whole,
        spent=whole.amount * spent // 1000,
        held=0,
        since_us=since_us,
        resets_us=since_us + 24 * HOUR if since_us else None,
    )


class Hall:
    """Alerts, a ledger that remembers them, and receivers on real sockets."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._stack = stack
        self.store = stack.enter_context(Store.open("sqlite", folder, clock=CLOCK, ids=IDS))
        self.alerts = self.new_alerts()
        self.log = stack.enter_context(structlog.testing.capture_logs())

    def new_alerts(self, patience: Patience | None = None) -> Alerts:
        """As after a restart."""
        return Alerts(Told(self.store.database, CLOCK, IDS.new()), CLOCK, IDS, patience or QUICK)

    def receiver(self, script: Callable[[Received], Answer] = lambda _: answer(b"")) -> FakeUpstream:
        """One that takes everything, or says what a test wants."""
        return self._stack.enter_context(FakeUpstream(script))

    @contextlib.asynccontextmanager
    async def telling(self, *receivers: FakeUpstream, alerts: Alerts | None = None) -> AsyncIterator[Alerts]:
        """Alerts at work."""
        alerts = alerts or self.alerts
        alerts.adjust((0.75, 0.95), [hook(receiver.url) for receiver in receivers])
        async with asyncio.TaskGroup() as group:
            task = group.create_task(alerts.attend())
            try:
                yield alerts
                await self.quiet(alerts)
            finally:
                task.cancel()

    @staticmethod
    async def quiet(alerts: Alerts) -> None:
        """Until all is told: it is remembered in a thread, one after the other."""
        async with asyncio.timeout(PATIENCE_S):
            while alerts.waiting:  # noqa: ASYNC110  # what is told is told to others
                await asyncio.sleep(0.005)

    def told(self, event: str = "budget_threshold") -> list[object]:
        """The thresholds in the log."""
        return [line["threshold"] for line in self.log if line["event"] == event]

    def waits(self) -> list[tuple[object, object]]:
        """Receivers, and how many messages were kept for them at an end."""
        return [(line["receiver"], line["messages"]) for line in self.log if line["event"] == "webhook_waits"]


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    """One for a test."""
    with ExitStack() as stack:
        yield Hall(tmp_path, stack)


def hook(url: str, path: str = "/T0/hush") -> Webhook:
    """A receiver at a fake host."""
    return Webhook(parse_hook(url + path), SECRET)


async def came(receiver: FakeUpstream, count: int) -> list[Received]:
    """The first messages."""
    return (await asyncio.to_thread(receiver.wait_received, count))[:count]


async def test_a_receiver_can_check_what_came(hall: Hall) -> None:
    """One POST, with the members and the signature of Standard Webhooks, and a sentence for people."""
    receiver = hall.receiver()
    async with hall.telling(receiver) as alerts:
        alerts.budget(state(760))
        (got,) = await came(receiver, 1)
    body = msgspec.json.decode(got.body)
    message_id, sent_at = got.header("webhook-id"), got.header("webhook-timestamp")
    signed = f"{message_id}.{sent_at}.".encode() + got.body
    signature = "v1," + base64.b64encode(hmac.digest(b"k" * 24, signed, hashlib.sha256)).decode()

    assert ("POST", "/T0/hush", "application/json") == (got.method, got.target, got.header("content-type"))
    assert signature == got.header("webhook-signature")
    assert abs(int(sent_at or 0) - time.time()) < 60  # noqa: TID251  # as a receiver would
    assert ("budget.threshold", "Clearway: the key ada has used 76 % of its budget of 5usd/day") == (
        body["type"],
        body["text"],
    )
    assert {
        "key_id": "id-of-ada",
        "key_name": "ada",
        "budget": "5usd/day",
        "unit": "usd",
        "period": "day",
        "amount": 5_000_000_000,
        "spent": 3_800_000_000,
        "spent_text": "3.8usd",
        "threshold": 0.75,
        "since": "2027-01-15T08:00:00Z",
        "resets": "2027-01-16T08:00:00Z",
    } == body["data"]
    assert got.header("user-agent").startswith("clearway/")  # type: ignore[union-attr]  # it came


def test_the_signature_is_the_standards() -> None:
    """The example that the libraries of the standard are tested with."""
    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert b"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" == signed


@pytest.mark.parametrize("text", ["short", "whsec_", "whsec_!!", "whsec_c2hvcnQ="])
def test_secrets_that_protect_nothing(text: str) -> None:
    """Too short, or not what they claim to be."""
    with pytest.raises(ValueError, match="is "):
        key_of(Secret(text))


STEPS = [
    pytest.param([740], [], id="below"),
    pytest.param([750], [0.75], id="exactly"),
    pytest.param([740, 760, 770, 780], [0.75], id="once"),
    pytest.param([760, 960, 970, 2000], [0.75, 0.95], id="both"),
    pytest.param([100, 990], [0.95], id="both-at-once-are-one"),
    pytest.param([760, 100, 760], [0.75], id="given-back-and-spent-again"),
    pytest.param([0], [], id="nothing"),
]


@pytest.mark.parametrize(("steps", "told"), STEPS)
async def test_each_threshold_once(hall: Hall, steps: Sequence[int], told: list[float]) -> None:
    """However often spend rises."""
    async with hall.telling() as alerts:
        for spent in steps:
            alerts.budget(state(spent))

    assert told == hall.told()


async def test_budgets_are_told_apart(hall: Hall) -> None:
    """By key, by budget, by period; the gateway's own is none of a key's."""
    async with hall.telling() as alerts:
        for one in (
            state(760),
            state(760, key="bob"),
            state(760, key=None),
            state(760, "9usd/day"),
            state(760, since_us=NOON + 24 * HOUR),
            state(760, "5usd/total", since_us=0),
        ):
            alerts.budget(one)
            alerts.budget(one)

    assert 6 == len(hall.told())
    assert "the gateway has used 76 % of its budget of 5usd/day" in [line.get("text") for line in hall.log]


async def test_not_again_after_a_restart(hall: Hall) -> None:
    """Within the same period; the next threshold and the next period are news."""
    async with hall.telling() as alerts:
        alerts.budget(state(760))
    async with hall.telling(alerts=hall.new_alerts()) as alerts:
        alerts.budget(state(770))
        alerts.budget(state(960))
        alerts.budget(state(760, since_us=NOON + 24 * HOUR))

    assert [0.75, 0.95, 0.75] == hall.told()


async def test_windows(hall: Hall) -> None:
    """Once for each window and its period, though answers differ by seconds about its end."""
    async with hall.telling() as alerts:
        for resets_us in (NOON, NOON + 9_000_000, NOON - 60_000_000):
            alerts.window("login-1", "5h", 0.8, resets_us)
        alerts.window("login-1", "7d", 0.8, NOON + HOUR)
        alerts.window("login-2", "5h", 0.8, NOON)
        alerts.window("login-1", "5h", 0.8, NOON + 5 * HOUR)
    async with hall.telling(alerts=hall.new_alerts()) as alerts:
        alerts.window("login-1", "5h", 0.81, NOON + 5 * HOUR)

    assert [0.75] * 4 == hall.told("window_threshold")
    assert "80% of the 5h window of login-1 is used" in [line.get("text") for line in hall.log]


async def test_a_window_without_an_end(hall: Hall) -> None:
    """Where nobody says when it begins anew, it does so when little of it is used."""
    async with hall.telling() as alerts:
        for used in (0.8, 0.7, 0.8, 0.1, 0.8):
            alerts.window("login-1", "5h", used, None)
            await hall.quiet(alerts)

    assert [0.75, 0.75] == hall.told("window_threshold")


async def test_a_ledger_that_cannot_be_written(hall: Hall) -> None:
    """Rather twice than not at all."""
    receiver = hall.receiver()
    hall.store.close()
    async with hall.telling(receiver, alerts=Alerts(Told(hall.store.database, CLOCK, "me"), CLOCK, IDS)) as alerts:
        alerts.budget(state(760))
        await came(receiver, 1)

    assert [0.75] == hall.told()


async def test_it_tries_again(hall: Hall) -> None:
    """A receiver that is down for a moment gets the message, with the same id and a new time; others do not wait."""
    statuses = iter((503, 429, 200, 200))
    receiver, other = hall.receiver(lambda _: answer(b"", status=next(statuses))), hall.receiver()
    async with hall.telling(receiver, other) as alerts:
        alerts.budget(state(760))
        await came(other, 1)
        tries = await came(receiver, 3)
        # The next one comes when this one has been taken.
        alerts.budget(state(960))
        await came(receiver, 4)

    assert 1 == len({(got.header("webhook-id"), got.body) for got in tries})
    assert tries[0].header("webhook-id") not in [line.get("message_id") for line in hall.log]


NEVER_TAKEN = [
    pytest.param(answer(b"", status=400), 1, "it answered 400", id="refused"),
    pytest.param(answer(b"", status=410), 1, "it answered 410", id="gone"),
    pytest.param(answer(b"", status=302, headers=[("location", "http://127.0.0.1:9/")]), 1, "302", id="redirect"),
    pytest.param(answer(b"", status=500), 6, "it answered 500", id="broken"),
    pytest.param(Answer((b"nonsense\r\n\r\n",), close=True), 6, "", id="no-http"),
]


@pytest.mark.parametrize(("said", "tries", "why"), NEVER_TAKEN)
async def test_it_gives_up(hall: Hall, said: Answer, tries: int, why: str) -> None:
    """After six tries, or at once where that is in vain; the log says so, without the URL; the next one goes."""
    receiver = hall.receiver(lambda _: said)
    async with hall.telling(receiver) as alerts:
        alerts.budget(state(760))
        await came(receiver, tries)
        alerts.budget(state(960))
        got = await came(receiver, tries + 1)
        dropped = [line for line in hall.log if line["event"] == "webhook_dropped"]

    assert 2 == len({each.header("webhook-id") for each in got})
    assert (receiver.url, True) == (dropped[0]["receiver"], why in dropped[0]["why"])
    assert "hush" not in repr(hall.log)


async def test_a_receiver_that_hangs(hall: Hall) -> None:
    """It holds up nobody: others are told, the queue has an end, and what has no room in it is dropped and said."""
    silent = hall.receiver(lambda _: Answer(()))
    other = hall.receiver()
    async with hall.telling(silent, other) as alerts:
        for number in range(MOST_WAITING + 10):
            alerts.budget(state(760, key=f"k{number}"))
            await came(other, number + 1)

    assert [silent.url] * 9 == [line["receiver"] for line in hall.log if line["event"] == "webhook_dropped"]
    assert [(silent.url, MOST_WAITING + 1)] == hall.waits()


async def test_kept_for_the_next_start(hall: Hall) -> None:
    """What a receiver could not take before the end is delivered after the next start, as the same message, once;
    the threshold is not told again.
    """
    takes = False

    def script(_: Received) -> Answer:
        return answer(b"", status=200 if takes else 503)

    receiver, other = hall.receiver(script), hall.receiver()
    async with hall.telling(receiver, other, alerts=hall.new_alerts(SLOW)) as alerts:
        alerts.budget(state(760))
        alerts.budget(state(960))
        first = await came(receiver, 1)
    assert ([(receiver.url, 2)], 2) == (hall.waits(), len(other.received))
    takes = True
    async with hall.telling(receiver, other, alerts=hall.new_alerts()) as alerts:
        alerts.budget(state(970))
        got = (await came(receiver, 3))[1:]
    async with hall.telling(receiver, other, alerts=hall.new_alerts()):
        pass

    assert [first[0].header("webhook-id"), other.received[1].header("webhook-id")] == [
        each.header("webhook-id") for each in got
    ]
    assert [each.body for each in other.received] == [each.body for each in got]
    assert (3, 2, [0.75, 0.95]) == (len(receiver.received), len(other.received), hall.told())


async def test_given_up_is_given_up(hall: Hall) -> None:
    """Neither what was refused for good nor what a receiver missed that was removed comes again."""
    refusing, removed = hall.receiver(lambda _: answer(b"", status=400)), hall.receiver(lambda _: Answer(()))
    async with hall.telling(refusing, removed) as alerts:
        alerts.budget(state(760))
        await came(refusing, 1)
        await came(removed, 1)
        alerts.adjust((0.75, 0.95), [hook(refusing.url)])
    async with hall.telling(refusing, removed, alerts=hall.new_alerts()):
        pass

    assert (1, 1, []) == (len(refusing.received), len(removed.received), hall.waits())


async def test_passed_at_the_very_end(hall: Hall) -> None:
    """What the last request before the end has passed is told and sent before the process is over."""
    receiver = hall.receiver()
    hall.alerts.adjust((0.75, 0.95), [hook(receiver.url)])
    async with asyncio.TaskGroup() as group:
        task = group.create_task(hall.alerts.attend())
        await asyncio.sleep(0)
        hall.alerts.budget(state(760))
        task.cancel()

    assert ([0.75], 1, []) == (hall.told(), len(receiver.received), hall.waits())


async def test_passed_before_the_start(hall: Hall) -> None:
    """Of a budget that is used up nothing is spent any more: it is looked at when the gateway starts."""
    hall.alerts.adjust((0.75, 0.95), [])
    hall.alerts.survey([state(1000), state(100, key="bob"), state(800, key=None)])
    async with asyncio.TaskGroup() as group:
        task = group.create_task(hall.alerts.attend())
        await asyncio.sleep(0)
        await hall.quiet(hall.alerts)
        task.cancel()

    assert [0.95, 0.75] == hall.told()


async def test_more_at_once_than_can_be_told(hall: Hall) -> None:
    """The loop is not held, memory is bounded, and what is lost is counted."""
    hall.alerts.adjust((0.75,), [])
    for number in range(1000):
        hall.alerts.budget(state(760, key=f"k{number}"))

    assert 1000 - 256 == hall.alerts.dropped
    assert 1000 - 256 == len([line for line in hall.log if line["event"] == "alert_dropped"])


async def test_other_settings(hall: Hall) -> None:
    """A reload: a receiver that stays keeps its place, one that is gone hears no more, a new threshold counts."""
    first, second, third = hall.receiver(), hall.receiver(), hall.receiver()
    async with hall.telling(first, second) as alerts:
        alerts.budget(state(760))
        await came(first, 1)
        await came(second, 1)
        alerts.adjust((0.8,), [hook(first.url), hook(third.url)])
        alerts.budget(state(790))
        alerts.budget(state(810))
        await came(first, 2)
        await came(third, 1)

    assert (2, 1, 1) == tuple(len(each.received) for each in (first, second, third))
    assert [0.75, 0.8] == hall.told()


async def test_it_costs_nearly_nothing(hall: Hall) -> None:
    """While no threshold is passed: a few microseconds, and nothing is kept."""
    hall.alerts.adjust((0.75, 0.95), [])
    one = state(100)
    hall.alerts.budget(one)
    taken = []
    for _ in range(2000):
        began = time.perf_counter_ns()
        hall.alerts.budget(one)
        taken.append(time.perf_counter_ns() - began)

    assert sorted(taken)[1000] < 20_000
