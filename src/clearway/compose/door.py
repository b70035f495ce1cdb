"""The server in front of the walk, and what it tells of the process."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from clearway.compose.sharing import Sharing
from clearway.compose.walks import key_required
from clearway.config.load import Loaded
from clearway.config.model import Config
from clearway.core.budget import show_budget
from clearway.core.clock import Clock
from clearway.gateway.pipeline import Lasting
from clearway.ledger.desk import Desk
from clearway.ledger.keyring import KeyCache
from clearway.ledger.lock import OwnerInfo
from clearway.ledger.protocol import Ledger
from clearway.ledger.store import Store
from clearway.ledger.writer import Writer
from clearway.limits.loading import Loading
from clearway.observe.alerts import Alerts
from clearway.observe.feed import LiveFeed
from clearway.observe.otel.feed import OtelFeed
from clearway.observe.page import Page
from clearway.observe.protocol import Cooling, Counted, Status
from clearway.observe.reading import Reading
from clearway.observe.tally import Tally
from clearway.observe.windows import Windows
from clearway.server.app import App, Asgi
from clearway.server.body import BodyRoom
from clearway.server.holders import Holders
from clearway.server.late import Late
from clearway.server.load import Load
from clearway.server.metrics import MetricsDoor
from clearway.server.reload import Behind, Door, InForce, Reload
from clearway.server.serving import Serving
from clearway.upstreams.counts import Counters

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
    windows: Windows
    alerts: Alerts
    holders: Holders
    first_key: str | None
    """The owner key of a new data directory, to be shown once; None otherwise."""


class Back(msgspec.Struct, frozen=True, kw_only=True):
    """What stands behind the door."""

    now: InForce
    behind: Behind
    reread: Callable[[], Loaded] | None
    lasting: Lasting
    loader: Loading
    writer: Writer
    store: Store
    desk: Desk
    counts: Counters
    """What each upstream has done."""
    keys: KeyCache
    clock: Clock
    feed: LiveFeed
    measured: Tally
    otel: OtelFeed | None
    windows: Windows
    alerts: Alerts
    sharing: Sharing | None
    info: OwnerInfo
    max_connections: int

    def status(self) -> Status:
        """Of the process, for the control socket."""
        info = self.info
        return Status(
            pid=info.pid,
            url=info.url or "",
            version=info.version,
            instance_id=info.instance_id,
            started_us=info.started_us,
            upstreams=tuple({"name": upstream.name, "kind": upstream.kind} for upstream in self.now.upstreams),
            healthy=self.writer.healthy,
            open_exchanges=self.feed.open_exchanges,
            cooling=self.cooling(),
            budgets=tuple(
                Counted(
                    key_id=state.key_id,
                    budget=show_budget(state.budget),
                    spent=state.spent,
                    held=state.held,
                    resets_us=state.resets_us,
                )
                for state in self.lasting.limiter.budgets()
            ),
        )

    def cooling(self) -> tuple[Cooling, ...]:
        """The upstreams that are left alone at this moment."""
        return tuple(
            Cooling(upstream=mark.upstream, model=mark.model, why=mark.why, left_s=round(left_s, 3), told=mark.is_told)
            for mark, left_s in self.lasting.health.cooling()
        )


def open_door(back: Back, sockets: Sequence[socket.socket], first_key: str | None) -> Running:
    """The server in front of the walk."""
    writer, feed, config = back.writer, back.feed, back.now.config
    holders, loop = Holders(), asyncio.get_running_loop()

    def control() -> Asgi:
        # Starlette is for what is seldom asked: a start need not wait for it.
        from clearway.server.control import control_app  # noqa: PLC0415  # as above

        asked = None if reload is None else reload.ask
        return control_app(back.store, feed, holders, back.status, partial(writer.flush, _SOON_S), asked)

    room = BodyRoom(
        max_body=config.server.max_body,
        max_buffered=config.server.max_buffered,
        max_reading=config.server.max_reading,
    )
    load = Load(back.now.walk, max_in_flight=config.server.max_in_flight, max_memory=config.server.max_memory)

    def is_ready() -> bool:
        counts = back.sharing is None or back.sharing.is_counting
        return writer.healthy and serving.is_accepting and not load.is_over and counts

    def admin() -> Asgi:
        # Few ask for it, and its types take a while to make.
        from clearway.compose.administration import admin_app  # noqa: PLC0415  # as above

        return admin_app(back, lambda: serving.is_accepting, loop)

    page = Page(back.measured, lambda: _reading(back, room, load, is_ready=is_ready()))
    metrics = MetricsDoor(
        page.text, back.keys, back.clock, key_required=key_required(config), wrong=back.lasting.wrong_keys
    )
    app = App(load, room, Late(control), metrics, is_ready, Late(admin), config.server)
    serving = Serving(app, list(sockets), drain_s=config.server.drain_s, max_connections=back.max_connections)
    serving.tend(back.alerts.attend)
    reload = None
    if back.reread is not None:
        reload = Reload(Door(app=app, load=load, room=room, serving=serving), back.behind, back.now, back.reread)
        serving.tend(reload.attend)
        serving.on_hangup(reload.hang_up)
    return Running(
        url=back.info.url or "",
        config=config,
        instance_id=back.info.instance_id,
        serving=serving,
        ledger=back.store,
        feed=feed,
        windows=back.windows,
        alerts=back.alerts,
        holders=holders,
        first_key=first_key,
    )


def _reading(back: Back, room: BodyRoom, load: Load, *, is_ready: bool) -> Reading:
    """The states for the metrics; on the event loop."""
    writer, feed, lasting = back.writer, back.feed, back.lasting
    turned_away = dict(lasting.turned_away)
    turned_away["overloaded"] = turned_away.get("overloaded", 0) + load.turned_away
    return Reading(
        is_ready=is_ready,
        running=feed.running,
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
        cool_downs={(upstream, why): count for (upstream, why), count in lasting.health.begun.items()},
        cooling=back.cooling(),
        limits_healthy=back.sharing is None or back.sharing.is_up,
        limits_errors=0 if back.sharing is None else back.sharing.failures,
        budgets=lasting.limiter.budgets(),
        windows=back.windows.states(),
    )
