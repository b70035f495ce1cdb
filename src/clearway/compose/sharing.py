"""Counters that several gateways share: opens what `limits.valkey_url` asks for.

Nothing of it is imported where that is not set. Used by compose/opening and compose/door.
"""

import asyncio
import contextlib
import importlib.util
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from clearway.config.model import Config
from clearway.config.problems import ConfigError, Problem
from clearway.config.secrets import resolve
from clearway.core.clock import Clock
from clearway.gateway.objects.holds import estimate_of_share, name_of
from clearway.keys.model import Key
from clearway.ledger.database import Database
from clearway.ledger.objects import OwnerTable
from clearway.limits.keeper import Ceilings, Settings
from clearway.limits.tally import Share

if TYPE_CHECKING:
    from clearway.ledger.parts import Parts
    from clearway.limits.shared.batches import SharedBatches
    from clearway.limits.shared.keeper import SharedKeeper
    from clearway.limits.shared.keys import Names
    from clearway.limits.shared.link import Link
    from clearway.limits.shared.past import SharedLoader
    from clearway.limits.shared.post import Post

_FIRST_S = 0.5
"""A start waits so long for the first answer; without one it is a start all the same."""


async def open_sharing(  # what it is made of
    config: Config,
    environ: Mapping[str, str],
    instance_id: str,
    database: Database,
    clock: Clock,
    stack: contextlib.AsyncExitStack,
) -> "Sharing | None":
    """The way to the shared counters; None: there are none. The server need not be there yet.

    Raises:
        ConfigError: The library is not installed, or the password is not where it should be.
        LedgerError: The ledger cannot be used.
    """
    limits = config.limits
    if not limits.valkey_url:
        return None
    if importlib.util.find_spec("valkey") is None:
        hint = "install it with: pip install 'clearway[valkey]'"
        raise ConfigError(Problem("limits", "limits.valkey_url", "needs valkey-py, which is not installed", hint))
    password = None
    if limits.valkey_password is not None:
        password = resolve(limits.valkey_password, environ, setting="limits.valkey_password")
    # A third of a second: in a thread, beside what else is read at a start.
    await asyncio.to_thread(_import)
    from clearway.ledger.parts import Parts  # noqa: PLC0415  # only where it is asked for
    from clearway.limits.shared.keys import Names  # noqa: PLC0415
    from clearway.limits.shared.link import Link  # noqa: PLC0415

    parts = Parts(database)
    identity = await asyncio.to_thread(parts.identity, instance_id)
    link = Link(limits.valkey_url, password)
    stack.push_async_callback(link.aclose)
    return Sharing(link, Names(identity, instance_id), parts, clock, stack)


def _import() -> None:
    import clearway.limits.shared.past  # noqa: PLC0415, F401  # all of it


class Sharing:
    """Of one gateway: made, then given a keeper, then started."""

    def __init__(
        self, link: "Link", names: "Names", parts: "Parts", clock: Clock, stack: contextlib.AsyncExitStack
    ) -> None:
        self._link = link
        self._names = names
        self._parts = parts
        self._clock = clock
        self._stack = stack
        self._keeper: SharedKeeper | None = None
        self._post: Post | None = None

    def keeper(
        self, settings: Settings, *, clock: Clock, ceilings: Ceilings, on_spent: Callable[[Share], float]
    ) -> "SharedKeeper":
        """What decides."""
        from clearway.limits.shared.keeper import SharedKeeper  # noqa: PLC0415
        from clearway.limits.shared.post import Post  # noqa: PLC0415

        keeper = SharedKeeper(settings, clock=clock, ceilings=ceilings, names=self._names, on_spent=on_spent)
        self._post = keeper.post = Post(self._link, self._names, standing=keeper.standing, on_beat=keeper.beat)
        self._keeper = keeper
        return keeper

    def loader(
        self,
        keys: Callable[[], Iterable[Key]],
        *,
        written: Callable[[], Awaitable[object]],
        changed: Callable[[], object],
        loaded: Callable[[], object],
        owners: OwnerTable,
    ) -> "SharedLoader":
        """What begins to count when it is started, until the stack unwinds."""
        from clearway.limits.shared.batches import Running  # noqa: PLC0415
        from clearway.limits.shared.past import SharedLoader  # noqa: PLC0415

        def batches() -> Iterator[Running]:
            for owned, _ in owners.uncharged():
                estimates = [estimate_of_share(share) for share in owned.held]
                yield Running(name_of(owned), owned.key_id, owned.created_us, estimates)

        return SharedLoader(
            self._made(),
            self._posted(),
            self._parts,
            self._clock,
            keys,
            written=written,
            changed=changed,
            loaded=loaded,
            begin=self._begin,
            batches=batches,
            holds=self.batches(),
        )

    async def _begin(self, loader: "SharedLoader") -> None:
        loop, post = asyncio.get_running_loop(), self._posted()
        # No TaskGroup: what goes wrong later in opening the gateway must not come out of a group. None of them fails.
        duties = [post.run, loader.attend_keys, loader.attend_loading, loader.attend_leaving]
        tasks = [loop.create_task(duty()) for duty in duties]

        async def stop() -> None:
            await post.close(loader.farewell())
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

        self._stack.push_async_callback(stop)
        await post.begun(_FIRST_S)

    def _posted(self) -> "Post":
        if self._post is None:
            msg = "there is no post yet"
            raise RuntimeError(msg)
        return self._post

    def batches(self) -> "SharedBatches":
        """Where what batches hold is kept."""
        from clearway.limits.shared.batches import SharedBatches  # noqa: PLC0415

        return SharedBatches(self._made())

    def _made(self) -> "SharedKeeper":
        if self._keeper is None:
            msg = "there is no keeper yet"
            raise RuntimeError(msg)
        return self._keeper

    @property
    def is_up(self) -> bool:
        """The server answers."""
        return self._post is not None and not self._post.is_away

    @property
    def is_counting(self) -> bool:
        """Nothing is refused because it does not."""
        return self.is_up or self._keeper is None or not self._keeper.is_limiting

    @property
    def failures(self) -> int:
        """How often it went away."""
        return 0 if self._post is None else self._post.failures
