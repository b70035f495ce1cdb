"""Puts the parts together: the only file that knows every concrete class.

Resources open in order and close in reverse, whatever happens in between.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path

import msgspec
import structlog

from clearway import __version__
from clearway.config.check import is_loopback
from clearway.config.model import Config
from clearway.config.problems import ConfigError, Problem
from clearway.config.secrets import resolve
from clearway.core.clock import Clock, SystemClock
from clearway.core.exchange import Admission, Endpoint, Settlement
from clearway.core.ids import IdMaker
from clearway.core.secret import Secret
from clearway.core.usage import Billing, Cost, Usage
from clearway.gateway.bookkeeping import Books, Feed, Pricing
from clearway.gateway.objects.serve import Objects
from clearway.gateway.pipeline import Gateway, Settings
from clearway.gateway.route import Router
from clearway.keys.model import KeySpec
from clearway.ledger.instances import Instance
from clearway.ledger.keyring import KeyCache
from clearway.ledger.lock import DataDirLock, OwnerInfo
from clearway.ledger.objects import OwnerTable
from clearway.ledger.protocol import Ledger
from clearway.ledger.store import Store
from clearway.ledger.writer import Writer
from clearway.limits.unlimited import Unlimited
from clearway.observe.feed import LiveFeed
from clearway.observe.logging import ExchangeLog
from clearway.observe.protocol import Cooling, Status
from clearway.pricing.cost import cost
from clearway.pricing.prices import PriceFileError, PriceList
from clearway.server.app import App, Asgi
from clearway.server.body import BodyRoom
from clearway.server.holders import Holders
from clearway.server.hosts import Hosts
from clearway.server.late import Late
from clearway.server.listen import (
    check_bind,
    listen_control,
    listen_tcp,
    raise_descriptor_limit,
    remove_control,
    url_of,
)
from clearway.server.load import Load
from clearway.server.serving import Serving
from clearway.upstreams.registry import Managed, Parts, build

log = structlog.get_logger()

_SOON_S = 2.0
"""Whoever begins to watch waits so long for a ledger that cannot be written."""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway whose sockets are open; `serving.run()` makes it answer."""

    url: str
    config: Config
    instance_id: str
    serving: Serving
    ledger: Ledger
    feed: LiveFeed
    holders: Holders
    first_key: str | None
    """The owner key of a new data directory, to be shown once; None otherwise."""


class _Feeds:
    """Tells several feeds."""

    def __init__(self, *feeds: Feed) -> None:
        self._feeds = feeds

    def admitted(self, admission: Admission) -> None:
        for feed in self._feeds:
            feed.admitted(admission)

    def first_token(self, exchange_id: str) -> None:
        for feed in self._feeds:
            feed.first_token(exchange_id)

    def settled(self, settlement: Settlement) -> None:
        for feed in self._feeds:
            feed.settled(settlement)


@contextlib.asynccontextmanager
async def gateway(config: Config, environ: Mapping[str, str], *, show_first_key: bool) -> AsyncIterator[Running]:
    """A gateway on open sockets.

    Args:
        config: The settings in force.
        environ: Where `{ env = … }` credentials are looked up, by the names given.
        show_first_key: Make an owner key where there is no key at all yet; only
            where somebody will see it.

    Raises:
        ConfigError: The settings cannot be used.
        UnsafeBind: The address must not be listened on.
        CannotListen: The address cannot be had.
        AlreadyOwned: Another process owns the data directory.
        LedgerError: The ledger cannot be opened.
    """
    check_bind(config.server)
    max_connections = raise_descriptor_limit()
    clock = SystemClock()
    ids = IdMaker(clock)
    data_dir = Path(config.server.data_dir)
    instance_id = ids.new()
    info = OwnerInfo(pid=os.getpid(), instance_id=instance_id, version=__version__, started_us=clock.now_us())
    async with contextlib.AsyncExitStack() as stack:
        lock = stack.enter_context(DataDirLock(data_dir))
        await asyncio.to_thread(lock.acquire, info)
        upstreams = await _upstreams(config, environ, clock, stack)
        store = await asyncio.to_thread(Store.open, config.store.url, data_dir, clock=clock, ids=ids)
        stack.callback(store.close)
        first_key = _first_key(store) if show_first_key else None
        tcp = stack.enter_context(contextlib.closing(listen_tcp(config.server)))
        control, path = listen_control(data_dir)
        stack.enter_context(contextlib.closing(control))
        stack.callback(remove_control, path, data_dir)
        url = url_of(tcp)
        keys = KeyCache(store)
        await asyncio.to_thread(keys.start)
        instance = Instance(id=instance_id, version=__version__, pid=info.pid)
        writer = await stack.enter_async_context(Writer(store, instance, clock=clock, keys=keys))
        if writer.swept:
            log.warning("exchanges_swept", exchanges=writer.swept, outcome="interrupted")
        feed = LiveFeed()
        owners = OwnerTable(store.database)
        limiter = Unlimited()
        router = Router(upstreams, config.models.aliases, _holders(config))
        books = Books(
            journal=writer, feed=_Feeds(feed, ExchangeLog()), clock=clock, price=_pricing(config), owners=owners
        )
        key_required = not is_loopback(config.server.host) or config.server.behind_proxy
        objects = Objects(
            router=router,
            owners=owners,
            limiter=limiter,
            books=books,
            instance_id=instance_id,
            max_body=config.server.max_body,
            is_direct=not key_required,
        )
        walker = Gateway(
            Settings(
                instance_id=instance_id,
                key_required=key_required,
                max_body=config.server.max_body,
                heartbeat_s=config.server.heartbeat_s,
                retries=config.retries,
            ),
            router=router,
            ring=keys,
            books=books,
            limiter=limiter,
            ids=ids,
            objects=objects,
        )
        objects.holds.resume(await asyncio.to_thread(owners.uncharged))
        back = _Back(walker=walker, writer=writer, store=store, feed=feed, info=info, max_connections=max_connections)
        running = _door(config, back, [tcp, control], url, first_key)
        lock.publish(msgspec.structs.replace(info, url=url, socket=str(path)))
        yield running


async def _upstreams(
    config: Config, environ: Mapping[str, str], clock: Clock, stack: contextlib.AsyncExitStack
) -> list[Managed]:
    built: list[Managed] = []
    for place, settings in enumerate(config.upstreams):
        parts = Parts(
            settings=settings,
            timeouts=config.server.timeouts,
            clock=clock,
            credential=_credential(place, config, environ),
        )
        try:
            upstream = build(parts)
        except ValueError as error:
            raise ConfigError(Problem(f"upstream {settings.name}", f"upstreams[{place}]", str(error))) from error
        stack.push_async_callback(upstream.aclose)
        await upstream.start()
        built.append(upstream)
    return built


def _holders(config: Config) -> dict[Endpoint, list[str]]:
    """Which upstreams may hold files and batches of keys."""
    return {
        "files": [upstream.name for upstream in config.upstreams if upstream.files],
        "batches": [upstream.name for upstream in config.upstreams if upstream.batches],
    }


def _credential(place: int, config: Config, environ: Mapping[str, str]) -> Callable[[], Secret]:
    def fetch() -> Secret:
        settings, name = config.upstreams[place], f"upstreams[{place}].api_key"
        if settings.api_key is None:
            hint = 'write api_key = { env = "ANTHROPIC_API_KEY" }, or { file = "…" }'
            raise ConfigError(Problem(f"upstream {settings.name}", name, "is missing", hint))
        return resolve(settings.api_key, environ, setting=name)

    return fetch


def _pricing(config: Config) -> Pricing:
    prices = PriceList.shipped()
    if config.usage.prices:
        try:
            prices = prices.with_override(config.usage.prices)
        except PriceFileError as error:
            raise ConfigError(Problem(config.usage.prices, "usage.prices", str(error))) from error

    def price(usage: Usage, model: str | None, *, at_us: int, billing: Billing) -> Cost:
        return cost(usage, model, at_us=at_us, billing=billing, prices=prices)

    return price


def _first_key(store: Store) -> str | None:
    """An owner key for a new installation."""
    if store.list_keys(revoked=True):
        return None
    return store.create_key(KeySpec(name="owner", owner=True)).secret


class _Back(msgspec.Struct, frozen=True, kw_only=True):
    """What stands behind the door."""

    walker: Gateway
    writer: Writer
    store: Store
    feed: LiveFeed
    info: OwnerInfo
    max_connections: int


def _door(config: Config, back: _Back, sockets: list[socket.socket], url: str, first_key: str | None) -> Running:
    """The server in front of the walk."""
    info, writer, feed = back.info, back.writer, back.feed
    holders = Holders()
    upstreams = tuple({"name": upstream.name, "kind": upstream.kind} for upstream in config.upstreams)

    def status() -> Status:
        return Status(
            pid=info.pid,
            url=url,
            version=info.version,
            instance_id=info.instance_id,
            started_us=info.started_us,
            upstreams=upstreams,
            healthy=writer.healthy,
            open_exchanges=feed.open_exchanges,
            cooling=tuple(
                Cooling(
                    upstream=mark.upstream, model=mark.model, why=mark.why, left_s=round(left_s, 3), told=mark.is_told
                )
                for mark, left_s in back.walker.health.cooling()
            ),
        )

    def control() -> Asgi:
        # Starlette is for what is seldom asked: a start need not wait for it.
        from clearway.server.control import control_app  # noqa: PLC0415  # as above

        return control_app(back.store, feed, holders, status, partial(writer.flush, _SOON_S))

    room = BodyRoom(
        max_body=config.server.max_body,
        max_buffered=config.server.max_buffered,
        max_reading=config.server.max_reading,
    )
    hosts = Hosts(config.server.host, config.server.hosts)
    load = Load(back.walker, max_in_flight=config.server.max_in_flight, max_memory=config.server.max_memory)
    app = App(
        load,
        hosts,
        room,
        Late(control),
        lambda: writer.healthy and serving.is_accepting and not load.is_over,
        config.server.cors_origins,
    )
    serving = Serving(app, sockets, drain_s=config.server.drain_s, max_connections=back.max_connections)
    return Running(
        url=url,
        config=config,
        instance_id=info.instance_id,
        serving=serving,
        ledger=back.store,
        feed=feed,
        holders=holders,
        first_key=first_key,
    )
