"""Puts the parts together: the only file that knows every concrete class.

Resources open in order and close in reverse, whatever happens in between.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
import structlog

from clearway import __version__
from clearway.config.check import is_loopback
from clearway.config.load import Loaded
from clearway.config.model import Config
from clearway.config.problems import ConfigError, Problem
from clearway.core.clock import Clock, SystemClock
from clearway.core.exchange import Admission, Settlement
from clearway.core.ids import IdMaker
from clearway.core.usage import Billing, Cost, Usage
from clearway.gateway.bookkeeping import Books, Feed, Pricing
from clearway.gateway.pipeline import Gateway, Settings
from clearway.gateway.route import Router
from clearway.gateway.wrong_keys import WrongKeys
from clearway.keys.model import KeySpec
from clearway.ledger.instances import Instance
from clearway.ledger.keyring import KeyCache
from clearway.ledger.lock import DataDirLock, OwnerInfo
from clearway.ledger.protocol import Ledger
from clearway.ledger.store import Store
from clearway.ledger.told import Told
from clearway.ledger.writer import Writer
from clearway.limits.unlimited import Unlimited
from clearway.observe.alerts import Alerts
from clearway.observe.feed import LiveFeed
from clearway.observe.logging import ExchangeLog
from clearway.observe.protocol import Cooling, Status
from clearway.pricing.cost import cost
from clearway.pricing.prices import PriceFileError, PriceList
from clearway.server.app import App, Asgi
from clearway.server.body import BodyRoom
from clearway.server.holders import Holders
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
from clearway.server.reload import Behind, Door, InForce, Reload, Walks
from clearway.server.serving import Serving
from clearway.upstreams.fleet import Fleet
from clearway.upstreams.health import Health
from clearway.upstreams.registry import Managed
from clearway.upstreams.webhooks import webhooks

log = structlog.get_logger()

_SOON_S = 2.0
"""Whoever begins to watch waits so long for a ledger that cannot be written."""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway whose sockets are open; `serving.run()` makes it answer."""

    url: str
    config: Config
    """The settings of the start."""
    instance_id: str
    serving: Serving
    ledger: Ledger
    feed: LiveFeed
    alerts: Alerts
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
async def gateway(
    config: Config,
    environ: Mapping[str, str],
    *,
    show_first_key: bool,
    reread: Callable[[], Loaded] | None = None,
) -> AsyncIterator[Running]:
    """A gateway on open sockets.

    Args:
        config: The settings in force.
        environ: Where `{ env = … }` credentials are looked up, by the names given.
        show_first_key: Make an owner key where there is no key at all yet; only
            where somebody will see it.
        reread: Reads the settings again, for a reload; None: these stay.

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
        fleet = Fleet(environ, clock)
        stack.push_async_callback(fleet.aclose)
        upstreams = await fleet.build(config)
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
        health = Health(clock, config.retries.longest_cool_down_s)
        alerts = Alerts(Told(store.database, clock), clock, ids)
        limiter = Unlimited()

        making = _Making(
            instance_id=instance_id,
            ring=keys,
            writer=writer,
            feed=feed,
            limiter=limiter,
            ids=ids,
            health=health,
            wrong_keys=WrongKeys(clock, config.server.wrong_keys_per_minute),
            alerts=alerts,
            environ=environ,
            clock=clock,
        )
        behind = Behind(fleet=fleet, health=health, wrong_keys=making.wrong_keys, prepare=making.prepare)
        now = InForce(config=config, upstreams=upstreams, walk=making.prepare(config)(upstreams))
        back = _Back(
            now=now,
            behind=behind,
            reread=reread,
            writer=writer,
            store=store,
            feed=feed,
            alerts=alerts,
            info=info,
            max_connections=max_connections,
        )
        running = _door(back, [tcp, control], url, first_key)
        lock.publish(msgspec.structs.replace(info, url=url, socket=str(path)))
        yield running


class _Making(msgspec.Struct, frozen=True, kw_only=True):
    """What every walk is made of, whatever the configuration."""

    instance_id: str
    ring: KeyCache
    writer: Writer
    feed: LiveFeed
    limiter: Unlimited
    ids: IdMaker
    health: Health
    wrong_keys: WrongKeys
    alerts: Alerts
    environ: Mapping[str, str]
    clock: Clock

    def prepare(self, config: Config) -> Walks:
        """See `server.reload.Behind.prepare`."""
        price = _pricing(config)
        receivers = webhooks(config, self.environ)
        settings = Settings(
            instance_id=self.instance_id,
            key_required=not is_loopback(config.server.host) or config.server.behind_proxy,
            max_body=config.server.max_body,
            heartbeat_s=config.server.heartbeat_s,
            retries=config.retries,
        )

        def walk(upstreams: Sequence[Managed]) -> Gateway:
            self.alerts.adjust(config.usage.thresholds, receivers)
            # The log of exchanges looks at the level once.
            told = _Feeds(self.feed, ExchangeLog())
            return Gateway(
                settings,
                router=Router(upstreams, config.models.aliases),
                ring=self.ring,
                books=Books(journal=self.writer, feed=told, clock=self.clock, price=price),
                limiter=self.limiter,
                ids=self.ids,
                health=self.health,
                wrong_keys=self.wrong_keys,
            )

        return walk


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

    now: InForce
    behind: Behind
    reread: Callable[[], Loaded] | None
    writer: Writer
    store: Store
    feed: LiveFeed
    alerts: Alerts
    info: OwnerInfo
    max_connections: int


def _door(back: _Back, sockets: list[socket.socket], url: str, first_key: str | None) -> Running:
    """The server in front of the walk."""
    info, writer, feed, config = back.info, back.writer, back.feed, back.now.config
    holders = Holders()

    def status() -> Status:
        return Status(
            pid=info.pid,
            url=url,
            version=info.version,
            instance_id=info.instance_id,
            started_us=info.started_us,
            upstreams=tuple({"name": upstream.name, "kind": upstream.kind} for upstream in back.now.upstreams),
            healthy=writer.healthy,
            open_exchanges=feed.open_exchanges,
            cooling=tuple(
                Cooling(
                    upstream=mark.upstream, model=mark.model, why=mark.why, left_s=round(left_s, 3), told=mark.is_told
                )
                for mark, left_s in back.behind.health.cooling()
            ),
        )

    def control() -> Asgi:
        # Starlette is for what is seldom asked: a start need not wait for it.
        from clearway.server.control import control_app  # noqa: PLC0415  # as above

        asked = None if reload is None else reload.ask
        return control_app(back.store, feed, holders, status, partial(writer.flush, _SOON_S), asked)

    room = BodyRoom(
        max_body=config.server.max_body,
        max_buffered=config.server.max_buffered,
        max_reading=config.server.max_reading,
    )
    load = Load(back.now.walk, max_in_flight=config.server.max_in_flight, max_memory=config.server.max_memory)
    app = App(
        load,
        room,
        Late(control),
        lambda: writer.healthy and serving.is_accepting and not load.is_over,
        config.server,
    )
    serving = Serving(app, sockets, drain_s=config.server.drain_s, max_connections=back.max_connections)
    serving.tend(back.alerts.attend)
    reload = None
    if back.reread is not None:
        reload = Reload(Door(app=app, load=load, room=room, serving=serving), back.behind, back.now, back.reread)
        serving.tend(reload.attend)
        serving.on_hangup(reload.hang_up)
    return Running(
        url=url,
        config=config,
        instance_id=info.instance_id,
        serving=serving,
        ledger=back.store,
        feed=feed,
        alerts=back.alerts,
        holders=holders,
        first_key=first_key,
    )
