"""The admin API's application. Imported when somebody first asks for it."""

from collections.abc import Callable
from urllib.parse import urlsplit

from clearway.compose.door import Back
from clearway.server.admin.app import AdminApp
from clearway.server.admin.parts import Parts, Place


def admin_app(back: Back, is_serving: Callable[[], bool]) -> AdminApp:
    """For what stands behind the door.

    Args:
        back: That.
        is_serving: False while draining.
    """
    config = back.now.config
    return AdminApp(
        Parts(
            ledger=back.store,
            desk=back.desk,
            ring=back.keys,
            clock=back.clock,
            feed=back.feed,
            status=back.status,
            budgets=back.lasting.limiter.budgets,
            upstreams=lambda: _places(back),
            counts=lambda: back.counts.counts,
            is_serving=is_serving,
            timezone=config.usage.timezone,
            port=urlsplit(back.info.url or "").port or 0,
            is_secure=config.server.behind_proxy,
            windows=back.windows.states,
            wrong=back.lasting.wrong_keys,
        )
    )


def _places(back: Back) -> tuple[Place, ...]:
    return tuple(
        Place(
            name=upstream.name,
            kind=upstream.kind,
            base_url=upstream.base_url if upstream.kind in {"anthropic", "passthrough"} else None,
            models=upstream.models,
        )
        for upstream in back.now.config.upstreams
    )
