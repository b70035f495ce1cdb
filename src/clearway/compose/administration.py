"""The admin API's application. Imported when somebody first asks for it.

Its handlers run in threads, and what they ask about lives on the event loop: each
question is answered there, after all that was begun before it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar
from urllib.parse import urlsplit

from clearway.compose.door import Back
from clearway.server.admin.app import AdminApp
from clearway.server.admin.parts import Budgets, Parts, Place

T = TypeVar("T")
_ANSWER_S = 10.0
"""A loop that does not answer for so long is over."""
_LOADED_S = 3.0


def admin_app(back: Back, is_serving: Callable[[], bool], loop: asyncio.AbstractEventLoop) -> AdminApp:
    """For what stands behind the door.

    Args:
        back: That.
        is_serving: False while draining.
        loop: Where it lives.
    """
    config = back.now.config
    return AdminApp(
        Parts(
            ledger=back.store,
            desk=back.desk,
            ring=back.keys,
            clock=back.clock,
            feed=back.feed,
            status=_on_loop(loop, back.status),
            budgets=_budgets(back, loop),
            upstreams=_on_loop(loop, lambda: _places(back)),
            counts=_on_loop(loop, lambda: dict(back.counts.counts)),
            is_serving=is_serving,
            timezone=config.usage.timezone,
            port=urlsplit(back.info.url or "").port or 0,
            is_secure=config.server.behind_proxy,
            windows=back.windows.states,
            wrong=back.lasting.wrong_keys,
        )
    )


def _on_loop(loop: asyncio.AbstractEventLoop, question: Callable[[], T]) -> Callable[[], T]:
    """`question`, for threads; raises TimeoutError or RuntimeError where the loop is over."""

    async def answer() -> T:
        return question()

    return _awaited(loop, answer)


def _awaited(loop: asyncio.AbstractEventLoop, answer: Callable[[], Coroutine[None, None, T]]) -> Callable[[], T]:
    """Likewise, for what takes its time there."""
    return lambda: asyncio.run_coroutine_threadsafe(answer(), loop).result(_ANSWER_S)


def _budgets(back: Back, loop: asyncio.AbstractEventLoop) -> Callable[[], Budgets]:
    """The budgets, when the past of those that have just been made is counted; it seldom takes a moment."""

    async def answer() -> Budgets:
        await back.loader.settled(_LOADED_S)
        return Budgets(back.lasting.limiter.budgets(), back.loader.loading)

    return _awaited(loop, answer)


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
