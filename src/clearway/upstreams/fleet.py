"""The upstreams of a process over its life: built from the settings, again at each reload.

What has not changed is kept, with its connections; what has is built anew, and the old
one is closed by whoever lets go of it last. Building happens in a thread: it reads
files, asks keyrings and loads certificates, and streams run meanwhile.
Owns who uses which upstream; used by compose and server/reload.

Growth: one entry for each upstream that is in force or still in use.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from clearway.config.changes import Change
from clearway.config.model import Config, Timeouts
from clearway.config.model import Upstream as Settings
from clearway.config.problems import ConfigError, Problem
from clearway.config.secrets import resolve
from clearway.core.clock import Clock
from clearway.core.secret import Secret
from clearway.upstreams.http.dial import make_context
from clearway.upstreams.registry import Managed, Parts, build

_NEW_VARIABLE = "a running gateway does not see variables that are set later: restart it, or use { file = … }"


class Made(msgspec.Struct, frozen=True):
    """What an upstream was built from: where this is equal, it is the same one still."""

    settings: Settings
    timeouts: Timeouts
    credential: Secret | None
    authorities: bytes
    """A hash of what is in its `ca`."""


class Fleet:
    """Builds upstreams and closes those that nobody uses any more.

    Args:
        environ: Where `{ env = … }` credentials are looked up.
        clock: For what is simulated and replayed.
    """

    def __init__(self, environ: Mapping[str, str], clock: Clock) -> None:
        self._environ = environ
        self._clock = clock
        self._made: dict[Managed, Made] = {}
        self._users: dict[Managed, int] = {}

    async def build(self, config: Config, current: Sequence[Managed] = ()) -> list[Managed]:
        """The upstreams of a configuration, in its order, ready to answer; each is in use
        once more, until `release`.

        Args:
            config: The settings.
            current: Those that may be taken over where nothing has changed.

        Raises:
            ConfigError: One of them cannot be built, or has no credential; then nothing
                has changed.
        """
        built = await asyncio.to_thread(self._build, config, list(current), is_first=not self._made)
        upstreams = [upstream for upstream, _ in built]
        try:
            for upstream, _ in built:
                await upstream.start()
        except BaseException:
            for upstream in upstreams:
                if upstream not in self._made:
                    await upstream.aclose()
            raise
        for upstream, made in built:
            self._made[upstream] = made
            self._users[upstream] = self._users.get(upstream, 0) + 1
        return upstreams

    async def release(self, upstreams: Sequence[Managed]) -> None:
        """They are not used any more by one who had them of `build`."""
        for upstream in upstreams:
            self._users[upstream] -= 1
            if not self._users[upstream]:
                del self._users[upstream], self._made[upstream]
                await upstream.aclose()

    def rotated(self, before: Sequence[Managed], after: Sequence[Managed]) -> list[Change]:
        """Whose credential is another one, at the same place."""
        old = {upstream.name: self._made[upstream] for upstream in before}
        new = {upstream.name: self._made[upstream] for upstream in after}
        return [
            Change(setting=f"upstreams.{name}.api_key", before="***", after="*** (another one)")
            for name in new
            if name in old
            and old[name].settings.api_key == new[name].settings.api_key
            and old[name].credential != new[name].credential
        ]

    def credentials(self, upstreams: Sequence[Managed]) -> dict[str, Secret]:
        """What they spend of the gateway's own, by their names."""
        known = {upstream.name: self._made[upstream].credential for upstream in upstreams}
        return {name: credential for name, credential in known.items() if credential is not None}

    async def aclose(self) -> None:
        """Close whatever is left, the newest first."""
        while self._made:
            upstream, _ = self._made.popitem()
            await upstream.aclose()
        self._users.clear()

    def _build(self, config: Config, current: list[Managed], *, is_first: bool) -> list[tuple[Managed, Made]]:
        """Runs in a thread; `self` is only read."""
        known = {self._made[upstream].settings.name: upstream for upstream in current}
        wanted = [self._wanted(place, config, is_first=is_first) for place in range(len(config.upstreams))]
        if any(self._made[upstream].authorities != made.authorities for upstream, made in _pairs(known, wanted)):
            make_context.cache_clear()
        built = []
        for place, made in enumerate(wanted):
            upstream = known.get(made.settings.name)
            if upstream is None or self._made[upstream] != made:
                upstream = self._make(place, made)
            built.append((upstream, made))
        return built

    def _wanted(self, place: int, config: Config, *, is_first: bool) -> Made:
        settings = config.upstreams[place]
        credential = None
        if settings.api_key is not None:
            try:
                credential = resolve(settings.api_key, self._environ, setting=f"upstreams[{place}].api_key")
            except ConfigError as error:
                if is_first or settings.api_key.env is None:
                    raise
                raise ConfigError(
                    *(msgspec.structs.replace(problem, hint=_NEW_VARIABLE) for problem in error.problems)
                ) from error
        return Made(settings, config.server.timeouts, credential, _hash_of(settings.ca))

    def _make(self, place: int, made: Made) -> Managed:
        settings = made.settings

        def credential() -> Secret:
            if made.credential is None:
                hint = 'write api_key = { env = "ANTHROPIC_API_KEY" }, or { file = "…" }'
                raise ConfigError(
                    Problem(f"upstream {settings.name}", f"upstreams[{place}].api_key", "is missing", hint)
                )
            return made.credential

        parts = Parts(settings=settings, timeouts=made.timeouts, clock=self._clock, credential=credential)
        try:
            return build(parts)
        except ValueError as error:
            raise ConfigError(Problem(f"upstream {settings.name}", f"upstreams[{place}]", str(error))) from error


def _pairs(known: Mapping[str, Managed], wanted: Sequence[Made]) -> list[tuple[Managed, Made]]:
    return [(known[made.settings.name], made) for made in wanted if made.settings.name in known]


def _hash_of(file: str | None) -> bytes:
    try:
        return b"" if file is None else hashlib.sha256(Path(file).read_bytes()).digest()
    except OSError:
        return b""  # whoever loads it says what is wrong
