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
from zoneinfo import ZoneInfo

import msgspec
import structlog

from clearway import __version__
from clearway.config.check import is_loopback
from clearway.config.model import Config
from clearway.config.problems import ConfigError, Problem
from clearway.config.secrets import resolve
from clearway.core.budget import parse_budget, show_budget
from clearway.core.clock import Clock, SystemClock
from clearway.core.exchange import Admission, AttemptEnd, AttemptStart, Settlement
from clearway.core.ids import IdMaker
from clearway.core.secret import Secret
from clearway.core.usage import Billing, Cost, Usage
from clearway.gateway.bookkeeping import Books, Feed, Pricing
from clearway.gateway.pipeline import Gateway, Settings
from clearway.gateway.route import Router
from clearway.keys.model import KeySpec
from clearway.ledger.installation import installation_secret
from clearway.ledger.instances import Instance
from clearway.ledger.keyring import KeyCache
from clearway.ledger.lock import DataDirLock, OwnerInfo
from clearway.ledger.protocol import Ledger
from clearway.ledger.store import Store
from clearway.ledger.writer import Writer
from clearway.limits.keeper import Ceilings, Keeper
from clearway.limits.keeper import Settings as LimitSettings
from clearway.limits.loading import Loader
from clearway.limits.protocol import Estimate, Limiter
from clearway.observe.feed import LiveFeed
from clearway.observe.logging import ExchangeLog
from clearway.observe.otel.feed import OtelFeed, is_installed
from clearway.observe.page import Page
from clearway.observe.protocol import Cooling, Counted, Status
from clearway.observe.reading import Reading
from clearway.observe.tally import Tally
from clearway.observe.windows import WRITE_S, Windows
from clearway.pricing.ceiling import NOTHING_COSTS, Ceiling, ceiling
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
from clearway.server.metrics import MetricsDoor
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
    windows: Windows
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

    def tried(self, start: AttemptStart, end: AttemptEnd) -> None:
        for feed in self._feeds:
            feed.tried(start, end)

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
        own: dict[str, Secret] = {}
        upstreams = await _upstreams(config, environ, clock, stack, own)
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
        windows = await asyncio.to_thread(_windows, store, data_dir, clock, own)
        # After the writer's thread, which does it as long as it runs.
        stack.push_async_callback(asyncio.to_thread, windows.close)
        duties = [(WRITE_S, windows.write)]
        writer = await stack.enter_async_context(Writer(store, instance, clock=clock, keys=keys, duties=duties))
        if writer.swept:
            log.warning("exchanges_swept", exchanges=writer.swept, outcome="interrupted")
        feed = LiveFeed()
        prices = _prices(config)
        models = (*config.models.aliases, *config.models.aliases.values(), *prices.names)
        tally = Tally(models)
        otel = await _otel(config, instance_id, models, stack)
        feeds = _Feeds(feed, ExchangeLog(), tally, *([otel] if otel else []))
        keeper = Keeper(_limits(config), clock=clock, ceilings=_ceilings(prices))
        walker = Gateway(
            Settings(
                instance_id=instance_id,
                key_required=_key_required(config),
                max_body=config.server.max_body,
                heartbeat_s=config.server.heartbeat_s,
                retries=config.retries,
            ),
            router=Router(upstreams, config.models.aliases),
            ring=keys,
            books=Books(journal=writer, feed=feeds, clock=clock, price=_pricing(prices), windows=windows),
            limiter=keeper,
            ids=ids,
        )
        loader = Loader(keeper, keys.keys, store, written=partial(writer.flush, _SOON_S), changed=walker.running.look)
        await loader.start()
        keys.subscribe(loader.on_change)
        back = _Back(
            walker=walker,
            writer=writer,
            store=store,
            keys=keys,
            clock=clock,
            limiter=keeper,
            feed=feed,
            windows=windows,
            tally=tally,
            otel=otel,
            info=info,
            max_connections=max_connections,
        )
        running = _door(config, back, [tcp, control], url, first_key)
        lock.publish(msgspec.structs.replace(info, url=url, socket=str(path)))
        yield running


def _key_required(config: Config) -> bool:
    return not is_loopback(config.server.host) or config.server.behind_proxy


async def _upstreams(
    config: Config,
    environ: Mapping[str, str],
    clock: Clock,
    stack: contextlib.AsyncExitStack,
    own: dict[str, Secret],
) -> list[Managed]:
    """The upstreams, started; `own` is given the credentials that they spend, by their names."""
    built: list[Managed] = []
    for place, settings in enumerate(config.upstreams):
        parts = Parts(
            settings=settings,
            timeouts=config.server.timeouts,
            clock=clock,
            credential=_credential(place, config, environ, own),
        )
        try:
            upstream = build(parts)
        except ValueError as error:
            raise ConfigError(Problem(f"upstream {settings.name}", f"upstreams[{place}]", str(error))) from error
        stack.push_async_callback(upstream.aclose)
        await upstream.start()
        built.append(upstream)
    return built


def _credential(place: int, config: Config, environ: Mapping[str, str], own: dict[str, Secret]) -> Callable[[], Secret]:
    def fetch() -> Secret:
        settings, name = config.upstreams[place], f"upstreams[{place}].api_key"
        if settings.api_key is None:
            hint = 'write api_key = { env = "ANTHROPIC_API_KEY" }, or { file = "…" }'
            raise ConfigError(Problem(f"upstream {settings.name}", name, "is missing", hint))
        own[settings.name] = secret = resolve(settings.api_key, environ, setting=name)
        return secret

    return fetch


def _limits(config: Config) -> LimitSettings:
    return LimitSettings(
        budgets=tuple(map(parse_budget, config.limits.budgets)),
        count_tokens_per_minute=config.limits.count_tokens_per_minute,
        zone=ZoneInfo(config.usage.timezone),
    )


async def _otel(
    config: Config, instance_id: str, models: Sequence[str], stack: contextlib.AsyncExitStack
) -> OtelFeed | None:
    if not config.otel.endpoint:
        return None
    if not is_installed():
        hint = "install it with: pip install 'clearway[otel]'"
        raise ConfigError(Problem("otel", "otel.endpoint", "needs OpenTelemetry, which is not installed", hint))
    return await stack.enter_async_context(OtelFeed(config.otel, instance_id, models))


def _prices(config: Config) -> PriceList:
    prices = PriceList.shipped()
    if config.usage.prices:
        try:
            prices = prices.with_override(config.usage.prices)
        except PriceFileError as error:
            raise ConfigError(Problem(config.usage.prices, "usage.prices", str(error))) from error
    return prices


def _pricing(prices: PriceList) -> Pricing:
    def price(usage: Usage, model: str | None, *, at_us: int, billing: Billing) -> Cost:
        return cost(usage, model, at_us=at_us, billing=billing, prices=prices)

    return price


def _ceilings(prices: PriceList) -> Ceilings:
    def ceilings(estimate: Estimate, at_us: int) -> Ceiling | None:
        if not estimate.model:
            return NOTHING_COSTS
        return ceiling(
            estimate.model,
            at_us=at_us,
            prices=prices,
            input_tokens=estimate.input_tokens,
            writes_cache=estimate.writes_cache,
            is_plain=estimate.is_plain,
        )

    return ceilings


def _windows(store: Store, data_dir: Path, clock: Clock, own: Mapping[str, Secret]) -> Windows:
    """What is known of windows from before. Raises LedgerError."""
    # A secret that replicas share would be handed in here.
    windows = Windows(installation_secret(data_dir), store, clock, own=own)
    windows.load()
    return windows


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
    keys: KeyCache
    clock: Clock
    limiter: Limiter
    feed: LiveFeed
    windows: Windows
    tally: Tally
    otel: OtelFeed | None
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
            cooling=_cooling(back),
            budgets=tuple(
                Counted(
                    key_id=state.key_id,
                    budget=show_budget(state.budget),
                    spent=state.spent,
                    held=state.held,
                    resets_us=state.resets_us,
                )
                for state in back.limiter.budgets()
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

    def is_ready() -> bool:
        return writer.healthy and serving.is_accepting and not load.is_over

    page = Page(back.tally, lambda: _reading(back, room, load, is_ready=is_ready()))
    metrics = MetricsDoor(page.text, back.keys, back.clock, key_required=_key_required(config))
    app = App(load, hosts, room, Late(control), metrics, is_ready, config.server.cors_origins)
    serving = Serving(app, sockets, drain_s=config.server.drain_s, max_connections=back.max_connections)
    return Running(
        url=url,
        config=config,
        instance_id=info.instance_id,
        serving=serving,
        ledger=back.store,
        feed=feed,
        windows=back.windows,
        holders=holders,
        first_key=first_key,
    )


def _cooling(back: _Back) -> tuple[Cooling, ...]:
    return tuple(
        Cooling(upstream=mark.upstream, model=mark.model, why=mark.why, left_s=round(left_s, 3), told=mark.is_told)
        for mark, left_s in back.walker.health.cooling()
    )


def _reading(back: _Back, room: BodyRoom, load: Load, *, is_ready: bool) -> Reading:
    """The states for the metrics; on the event loop."""
    writer, feed, walker = back.writer, back.feed, back.walker
    turned_away = dict(walker.turned_away)
    turned_away["overloaded"] = turned_away.get("overloaded", 0) + load.turned_away
    return Reading(
        is_ready=is_ready,
        in_flight=load.in_flight,
        body_bytes=room.buffered,
        bodies_reading=room.reading,
        ledger_waiting=writer.waiting,
        ledger_batches=writer.batches,
        ledger_healthy=writer.healthy,
        ledger_refused=writer.refused,
        ledger_swept=writer.swept,
        watchers=feed.watchers,
        dropped=feed.dropped,
        otel_dropped=back.otel.dropped if back.otel else 0,
        turned_away=turned_away,
        cool_downs={(upstream, why): count for (upstream, why), count in walker.health.begun.items()},
        cooling=_cooling(back),
        budgets=back.limiter.budgets(),
        windows=back.windows.states(),
    )
