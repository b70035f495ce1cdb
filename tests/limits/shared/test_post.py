"""Batches on a real Valkey: each is counted once, whatever happens to its answer."""

import asyncio
from collections.abc import Sequence
from datetime import UTC

import pytest

from clearway.core.budget import parse_budget
from clearway.core.errors import LimitExceeded, LimitsUnavailable
from clearway.core.secret import Secret
from clearway.core.usage import Cost, Usage
from clearway.keys.model import Key
from clearway.limits.keeper import Settings
from clearway.limits.protocol import Estimate
from clearway.limits.shared.held import SharedHeld
from clearway.limits.shared.keeper import SharedKeeper
from clearway.limits.shared.keys import Names, Places
from clearway.limits.shared.link import Link, Unreachable
from clearway.limits.shared.post import Post
from clearway.limits.shared.stake import Stake
from tests.ledger.stories import TestClock
from tests.services import ValkeyProcess

KEY = Key(id="k", name="k", prefix="cw-", created_us=0, budgets=(parse_budget("1000tokens"),))


class Faulty:
    """A link whose answers get lost: the server has them, we do not."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.losses = 0
        self.sent: list[str | bytes] = []

    async def run(self, names: Sequence[str], arguments: Sequence[str | bytes]) -> bytes:
        """Run the script, and perhaps lose what it says."""
        answer = await self._link.run(names, arguments)
        self.sent.append(arguments[1])
        if self.losses:
            self.losses -= 1
            raise Unreachable("the answer was lost")
        return answer


class Scene:
    """One gateway's keeper and post, its tallies loaded."""

    def __init__(self, valkey: ValkeyProcess, instance_id: str) -> None:
        self.link = Link(valkey.server.url, Secret(valkey.server.password))
        self.faulty = Faulty(self.link)
        names = Names("test", instance_id)
        settings = Settings(count_tokens_per_minute=10, zone=UTC)
        self.keeper = SharedKeeper(settings, clock=TestClock(), ceilings=lambda _, __: None, names=names)
        self.post = Post(self.faulty, names, standing=self.keeper.standing, on_beat=lambda: ())
        self.keeper.post = self.post
        self.keeper.load = self._load
        for stake, _ in self.keeper.known(self.keeper.set_keys([KEY])):
            stake.is_known = True
            self.stake = stake

    def _load(self) -> None:
        self.post.ask(_Loaded(self.stake))

    async def reserve(self, tokens: int) -> SharedHeld:
        """Hold for so many, half of them output."""
        half = tokens // 2
        estimate = Estimate(model=None, input_tokens=half, output_tokens=tokens - half)
        coming = self.keeper.reserve(KEY, lambda: estimate, admitted_us=1)
        held = await coming  # type: ignore[misc]  # it has to be waited for
        assert isinstance(held, SharedHeld)
        return held


class _Loaded:
    """The ledger knows nothing."""

    def __init__(self, stake: Stake) -> None:
        self._stake = stake

    def write(self, places: Places) -> Sequence[object]:
        """The operation."""
        return ("loaded", places.of(self._stake.name), 0, [])

    def heard(self, answer: object) -> None:
        """Nothing is said."""

    def lost(self) -> None:
        """Nor then."""


@pytest.fixture
def valkey(valkey: ValkeyProcess) -> ValkeyProcess:
    """The module's server, empty."""
    with valkey.client() as client:
        client.flushall()
    return valkey


def _sums(valkey: ValkeyProcess) -> list[int]:
    with valkey.client() as client:
        (name,) = client.scan_iter("clearway:{test}:tally:*")
        return [int(value or 0) for value in client.hmget(name, ("tokens", "held_tokens"))]


async def _become(valkey: ValkeyProcess, expected: list[int]) -> None:
    for _ in range(500):
        if _sums(valkey) == expected:
            break
        await asyncio.sleep(0.01)

    assert expected == _sums(valkey)


async def _settled(scene: Scene, valkey: ValkeyProcess, expected: list[int]) -> None:
    await _become(valkey, expected)
    assert expected == [scene.stake.own.tokens, scene.stake.own.held_tokens]


async def test_a_lost_answer_is_asked_for_again(valkey: ValkeyProcess) -> None:
    """The server counts a batch by its number: sent twice, it holds once; a settlement is booked once."""
    scene = Scene(valkey, "one")
    async with asyncio.TaskGroup() as group:
        running = group.create_task(scene.post.run())
        await scene.post.begun(5)
        first = await scene.reserve(100)
        scene.faulty.losses = 2
        second = scene.reserve(50)
        with pytest.raises(LimitsUnavailable):
            await second
        scene.faulty.losses = 2
        first.settle(Usage(input_tokens=30), Cost(nano=None, price_version="1", billing="billed"))
        await _settled(scene, valkey, [30, 0])
        running.cancel()
    await scene.link.aclose()
    numbers = scene.faulty.sent

    assert len(numbers) > len(set(numbers))
    assert numbers == sorted(numbers, key=int)


async def test_a_server_that_forgets_is_told_all(valkey: ValkeyProcess) -> None:
    """After a flush a gateway says what it holds and has spent, before anything else of it counts."""
    scene, other = Scene(valkey, "one"), Scene(valkey, "two")
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(one.post.run()) for one in (scene, other)]
        for one in (scene, other):
            await one.post.begun(5)
        held, others = await scene.reserve(300), await other.reserve(600)
        with pytest.raises(LimitExceeded):
            await scene.reserve(200)
        others.settle(Usage(output_tokens=500), None)
        with valkey.client() as client:
            client.flushall()
        again = await other.reserve(100)
        await scene.reserve(50)
        with pytest.raises(LimitExceeded):
            await other.reserve(100)
        again.release()
        held.release()
        await _become(valkey, [500, 50])
        for task in running:
            task.cancel()
    for one in (scene, other):
        await one.link.aclose()


async def test_who_leaves_gives_back(valkey: ValkeyProcess) -> None:
    """A request that is cancelled while it waits, or when it has just been granted, holds nothing."""
    scene = Scene(valkey, "one")
    async with asyncio.TaskGroup() as group:
        running = group.create_task(scene.post.run())
        await scene.post.begun(5)
        await scene.reserve(10)
        for turns in range(40):
            asking = group.create_task(scene.reserve(20))
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait((asking,))
            if not asking.cancelled():
                asking.result().release()
        await _settled(scene, valkey, [0, 10])
        running.cancel()
    await scene.link.aclose()
