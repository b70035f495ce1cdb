"""Opens a gateway: what lives as long as the process, in order."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
import structlog

from clearway import __version__
from clearway.compose.door import Back, Running, open_door
from clearway.compose.sharing import Sharing, open_sharing
from clearway.compose.walks import Making, ceilings_of, limits_of, prices_of
from clearway.config.load import Loaded
from clearway.config.model import Config
from clearway.config.problems import ConfigError, Problem
from clearway.core.clock import Clock, SystemClock
from clearway.core.ids import IdMaker
from clearway.core.secret import Secret
from clearway.gateway.objects.holds import Holds
from clearway.gateway.pipeline import Lasting
from clearway.gateway.running import Running as RunningExchanges
from clearway.gateway.thoughts import Thoughts
from clearway.gateway.wrong_keys import WrongKeys
from clearway.keys.model import KeySpec
from clearway.ledger.administration import Actor
from clearway.ledger.desk import Desk
from clearway.ledger.installation import installation_secret
from clearway.ledger.instances import Instance
from clearway.ledger.keyring import KeyCache
from clearway.ledger.lock import DataDirLock, OwnerInfo
from clearway.ledger.objects import OwnerTable
from clearway.ledger.protocol import WindowState
from clearway.ledger.store import Store
from clearway.ledger.told import Told
from clearway.ledger.writer import Writer
from clearway.limits.keeper import Keeper
from clearway.limits.loading import Loader, Loading
from clearway.observe.alerts import Alerts
from clearway.observe.feed import LiveFeed
from clearway.observe.otel.feed import OtelFeed, is_installed
from clearway.observe.tally import Tally
from clearway.observe.windows import WRITE_S, Windows
from clearway.pricing.prices import PriceList
from clearway.server.listen import (
    check_bind,
    listen_control,
    listen_tcp,
    raise_descriptor_limit,
    remove_control,
    url_of,
)
from clearway.server.reload import Behind, InForce
from clearway.upstreams.counts import Counters
from clearway.upstreams.fleet import Fleet
from clearway.upstreams.health import Health

log = structlog.get_logger()

_SOON_S = 2.0
"""New budgets wait so long for a ledger that cannot be written."""


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
    instance = Instance(id=ids.new(), version=__version__, pid=os.getpid())
    info = OwnerInfo(pid=instance.pid, instance_id=instance.id, version=__version__, started_us=clock.now_us())
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
        info = msgspec.structs.replace(info, url=url_of(tcp), socket=str(path))
        alerts = Alerts(Told(store.database, clock, instance.id), clock, ids)
        kept = await _kept(store, data_dir, instance, clock, alerts, stack)
        prices = prices_of(config)
        tally = Tally(models := _models(config, prices))
        otel = await _otel(config, instance.id, models, stack)
        sharing = await open_sharing(config, environ, instance.id, store.database, clock, stack)
        keeper = _keeper(config, sharing, clock, prices, alerts)
        lasting = Lasting(
            ring=kept.keys,
            limiter=keeper,
            ids=ids,
            health=Health(clock, config.retries.longest_cool_down_s),
            wrong_keys=WrongKeys(clock, config.server.wrong_keys_per_minute),
            running=RunningExchanges(kept.keys, keeper, clock),
            turned_away={},
        )
        loader = _loader(keeper, sharing, kept, store, lasting, alerts)
        feed = LiveFeed()
        making = Making(
            instance_id=instance.id,
            lasting=lasting,
            writer=kept.writer,
            feed=feed,
            listeners=(tally, *([otel] if otel else [])),
            keeper=keeper,
            limits_changed=loader.on_change,
            alerts=alerts,
            windows=kept.windows,
            credentials=fleet.credentials,
            owners=OwnerTable(store.database),
            holds=Holds(keeper, clock, sharing.batches() if sharing is not None else None),
            secret=kept.secret,
            thoughts=Thoughts(clock),
            counts=Counters(),
            environ=environ,
            clock=clock,
        )
        walk = (await asyncio.to_thread(making.prepare, config))(upstreams)
        await _begin(loader, kept.keys)
        making.holds.resume(await asyncio.to_thread(making.owners.uncharged))
        back = Back(
            now=InForce(config=config, upstreams=upstreams, walk=walk),
            behind=Behind(fleet=fleet, health=lasting.health, wrong_keys=lasting.wrong_keys, prepare=making.prepare),
            reread=reread,
            lasting=lasting,
            loader=loader,
            writer=kept.writer,
            store=store,
            desk=Desk(store.database, clock, ids),
            counts=making.counts,
            keys=kept.keys,
            clock=clock,
            feed=feed,
            measured=tally,
            otel=otel,
            windows=kept.windows,
            alerts=alerts,
            sharing=sharing,
            info=info,
            max_connections=max_connections,
        )
        running = open_door(back, [tcp, control], first_key)
        lock.publish(info)
        yield running


class _Kept(msgspec.Struct, frozen=True):
    """What stands between memory and the ledger."""

    keys: KeyCache
    windows: Windows
    writer: Writer
    secret: Secret
    """The installation's."""


async def _kept(  # what it is made of
    store: Store,
    data_dir: Path,
    instance: Instance,
    clock: Clock,
    alerts: Alerts,
    stack: contextlib.AsyncExitStack,
) -> _Kept:
    keys = KeyCache(store)
    await asyncio.to_thread(keys.start)

    def changed(state: WindowState) -> None:
        if state.utilization is not None:
            alerts.window(state.credential_label, state.window, state.utilization, state.resets_us)

    # A secret that replicas share would be handed in here.
    secret = await asyncio.to_thread(installation_secret, data_dir)
    windows = Windows(secret, store, clock, on_change=changed)
    await asyncio.to_thread(windows.load)
    # After the writer's thread, which does it as long as it runs.
    stack.push_async_callback(asyncio.to_thread, windows.close)
    duties = [(WRITE_S, windows.write)]
    writer = await stack.enter_async_context(Writer(store, instance, clock=clock, keys=keys, duties=duties))
    if writer.swept:
        log.warning("exchanges_swept", exchanges=writer.swept, outcome="interrupted")
    return _Kept(keys, windows, writer, secret)


def _keeper(config: Config, sharing: Sharing | None, clock: Clock, prices: PriceList, alerts: Alerts) -> Keeper:
    """What decides: this process, or the server that several share."""
    make = Keeper if sharing is None else sharing.keeper
    return make(limits_of(config), clock=clock, ceilings=ceilings_of(prices), on_spent=alerts.budget)


async def _begin(loader: Loading, keys: KeyCache) -> None:
    await loader.start()
    keys.subscribe(loader.on_change)


def _loader(  # what it stands between
    keeper: Keeper, sharing: Sharing | None, kept: _Kept, store: Store, lasting: Lasting, alerts: Alerts
) -> Loading:
    """Has the past counted, and the keys as they are."""
    keys, written = kept.keys.unrevoked, partial(kept.writer.flush, _SOON_S)

    def loaded() -> None:
        alerts.survey(keeper.budgets())

    if sharing is not None:
        owners = OwnerTable(store.database)
        return sharing.loader(keys, written=written, changed=lasting.running.look, loaded=loaded, owners=owners)
    return Loader(keeper, keys, store, written=written, changed=lasting.running.look, loaded=loaded)


def _models(config: Config, prices: PriceList) -> tuple[str, ...]:
    """Those that have labels of their own in what is measured."""
    return (*config.models.aliases, *config.models.aliases.values(), *config.openai.names, *prices.names)


async def _otel(
    config: Config, instance_id: str, models: Sequence[str], stack: contextlib.AsyncExitStack
) -> OtelFeed | None:
    if not config.otel.endpoint:
        return None
    if not is_installed():
        hint = "install it with: pip install 'clearway[otel]'"
        raise ConfigError(Problem("otel", "otel.endpoint", "needs OpenTelemetry, which is not installed", hint))
    return await stack.enter_async_context(OtelFeed(config.otel, instance_id, models))


def _first_key(store: Store) -> str | None:
    """An owner key for a new installation."""
    if store.list_keys(revoked=True):
        return None
    return store.create_key(KeySpec(name="owner", owner=True), by=Actor(source="gateway")).secret
