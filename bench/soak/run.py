"""One soak: a gateway, an upstream, clients of all sorts, a watcher of the feed, and samples.

Used by bench/soak/__main__.py and tests/bench.
"""

import asyncio
import collections
import datetime as dt
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.machine import machine
from bench.places import HERE, Fake, clearway
from bench.soak import judge
from bench.soak.clients import Clients
from bench.soak.report import Soak
from bench.soak.sample import Sample, Sampler
from bench.talk import warm
from clearway.cli.remote import read_feed
from clearway.ledger.lock import read_owner

_REST_S = 15.0
"""How long the gateway may take to let go of everything after the last client has left."""


def soak(home: Path, *, seconds: float, rate: float, warm_s: float, every_s: float) -> Soak:
    """Run one in an empty directory.

    Args:
        home: For the gateway.
        seconds: How long clients come.
        rate: How many begin each second.
        warm_s: Of these, how long before anything is judged.
        every_s: Between two samples.
    """
    with _upstream() as fake, clearway(home, fake, pinned=False) as place:
        _follow(home / "data")
        warm(place)
        sampler = Sampler(place, home / "data")
        before = _at_rest(sampler, None)
        clients = Clients(place.port, place.key)
        samples = asyncio.run(_load(clients, sampler, seconds, rate, every_s))
        afterwards = _at_rest(sampler, before)
    done = clients.done
    judged = judge.after(warm_s, samples)
    findings = [
        judge.memory(judged),
        judge.descriptors(before, afterwards),
        judge.threads(before, judged),
        judge.nothing_open(afterwards),
        judge.times(done.plain_ms, warm_s),
        judge.answers(done.unexpected, done.skipped),
    ]
    return Soak(
        date=dt.datetime.now(dt.UTC).date().isoformat(),  # noqa: TID251  # when it was run
        machine=machine(),
        seconds=seconds,
        rate=rate,
        warm_s=warm_s,
        counts=done.counts,
        unexpected=done.unexpected[:100],
        skipped=done.skipped,
        before=before,
        samples=samples,
        afterwards=afterwards,
        plain_ms=[(round(began, 2), round(took, 2)) for began, took in done.plain_ms],
        findings=findings,
    )


async def _load(clients: Clients, sampler: Sampler, seconds: float, rate: float, every_s: float) -> list[Sample]:
    samples: list[Sample] = []
    over = asyncio.Event()

    async def look() -> None:
        while not over.is_set():
            samples.append(await asyncio.to_thread(sampler.take))
            try:
                await asyncio.wait_for(over.wait(), every_s)
            except TimeoutError:
                continue

    async with asyncio.TaskGroup() as group:
        group.create_task(look())
        await clients.run(seconds, rate)
        over.set()
    return samples


def _at_rest(sampler: Sampler, before: Sample | None) -> Sample:
    """The first look that finds nothing open and all descriptors back, or the last one within the patience."""
    began = sampler.take()
    now = began
    while now.at_s - began.at_s < _REST_S:
        is_back = before is None or now.own_descriptors <= before.own_descriptors
        if now.open_exchanges == 0 and is_back:
            break
        now = sampler.take()
    return now


@contextmanager
def _upstream() -> Iterator[Fake]:
    command = [sys.executable, "-m", "bench.soak.upstream"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent) as process:
        try:
            assert process.stdout is not None  # noqa: S101  # asked for a pipe
            yield Fake(int(process.stdout.readline()), HERE)
        finally:
            process.terminate()


def _follow(data_dir: Path) -> None:
    """Somebody watches the live feed, from now to the gateway's end."""
    owner = read_owner(data_dir)
    if owner is None or owner.socket is None:
        raise LookupError("no gateway owns the data directory")
    feed = read_feed(owner.socket)
    next(feed)
    threading.Thread(target=collections.deque, args=(feed, 0), daemon=True).start()
