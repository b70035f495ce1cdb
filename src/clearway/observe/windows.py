"""Windows as answers that pass tell of them: the last value, lately's runs, and who is told of a change.

Owns the memory of them and when it is written; what follows from a look is
ledger/window_states, what fields mean wire/messages/windows. `saw` and `heard` are called
on the event loop and never wait; `write` runs on the writer's thread, and `states` on any.
A credential is hashed with the installation's secret at once, and only the hash is kept.

Growth: 64 credentials with 32 windows each, 512 windows in all, with 64 runs each; the
credential that was seen longest ago gives way. What is not yet written: one run for
each, and those that ended since the last write, 2,048 at most. Hashes of the last 256
credentials.
Made by compose; used by gateway/send through `observe.protocol.WindowWatch`.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import msgspec
import structlog

from clearway.core.clock import Clock
from clearway.core.fields import Fields, Names
from clearway.core.secret import Secret
from clearway.core.window import Reading
from clearway.ledger.installation import keyed_hash
from clearway.ledger.protocol import LedgerError, WindowState
from clearway.ledger.store import Store
from clearway.ledger.window_states import LOGIN, Key, Source, WindowRun, carried_on, may_go_on, states_of
from clearway.wire.messages.windows import MOST_WINDOWS, plan_of, read, values_of

log = structlog.get_logger()

WRITE_S = 1.0
"""How often what was seen is written."""
MOST_CREDENTIALS = 64
_MOST_IN_ALL = 512
_MOST_RUNS = 64
_MOST_NAMES = 100
_MOST_SOURCES = 256
_MOST_UNWRITTEN = 2048
_PRUNE_S = 3600.0
_RETRY_S = 30.0
_LOGIN_BEGINS = b"sk-ant-oat"
"""How the access tokens of a login begin."""
_ACCOUNT = b"anthropic-organization-id"
_LONGEST_ACCOUNT = 128


class _Seen(msgspec.Struct):
    """What is remembered of one credential."""

    source: Source
    values: tuple[bytes, ...]
    """Of the last head, so that the same need not be read again."""
    names: Names
    told: tuple[str, ...]
    """The windows that it told of."""
    windows: dict[str, deque[WindowRun]]


class Windows:
    """Of all credentials whose answers passed this gateway.

    Args:
        secret: Of the installation.
        store: Where runs are kept.
        clock: The time.
        own: The gateway's own credentials, by the names of their upstreams.
        on_change: Called soon after a window's status, use or reset has changed, with its
            state; what it raises is logged by the event loop.
    """

    def __init__(
        self,
        secret: Secret,
        store: Store,
        clock: Clock,
        *,
        own: Mapping[str, Secret] | None = None,
        on_change: Callable[[WindowState], None] | None = None,
    ) -> None:
        self._secret = secret
        self._store = store
        self._clock = clock
        self._own: dict[str, tuple[str, str]] = {}
        self._on_change = on_change
        self._seen: dict[str, _Seen] = {}
        self._sources: dict[int, Source] = {}
        """By 64-bit hashes that only this process can make: no credential stays here as a key."""
        self._guard = threading.Lock()
        """Of all that is remembered; never held while something waits."""
        self._unwritten: dict[tuple[str, str, int], WindowRun] = {}
        self._prune_at = 0.0
        self._retry_at = 0.0
        self.spend(own or {})

    def spend(self, own: Mapping[str, Secret]) -> None:
        """From now on these are the gateway's own credentials, by the names of their upstreams."""
        self._own = {name: self._told_apart(one.reveal().encode()) for name, one in own.items()}
        self._sources.clear()

    def load(self) -> None:
        """Remember what was seen before the start. Raises LedgerError."""
        runs = self._store.recent_windows(self._clock.now_us())
        for (credential_id, window), found in sorted(runs.items(), key=lambda item: item[1][-1].seen_us):
            last = found[-1]
            seen = self._remember(Source(credential_id, last.kind, last.upstream, last.account))
            if len(seen.windows) < MOST_WINDOWS:
                seen.windows[window] = deque(found, _MOST_RUNS)
        self._make_room()

    def saw(self, upstream: str, credential: bytes | None, fields: Fields) -> None:
        """An answer's head came. At once; what it tells is read only where it is news.

        Args:
            upstream: Who answered.
            credential: Of the client; None where the gateway paid with its own.
            fields: Of the head.
        """
        plan = plan_of(fields.names)
        if not plan.parts:
            return
        values = values_of(plan, fields)
        source = self._source(upstream, credential, fields.first(_ACCOUNT))
        with self._guard:
            seen = self._remember(source)
            if values == seen.values and fields.names == seen.names and self._again(seen):
                return
            readings = read(plan, values)
            seen.values, seen.told = values, tuple([reading.window for reading in readings])
            seen.names = fields.names if len(fields.names) <= _MOST_NAMES else ()
            changed = self._note(seen, readings)
        self._tell_of(changed)

    def heard(self, upstream: str, credential: bytes | None, account: bytes | None, readings: list[Reading]) -> None:
        """An answer told of windows in some other way than by its head."""
        if not readings:
            return
        source = self._source(upstream, credential, account)
        with self._guard:
            seen = self._remember(source)
            seen.values = ()
            changed = self._note(seen, readings)
        self._tell_of(changed)

    def states(self) -> list[WindowState]:
        """Every window that is worth showing, as of now."""
        with self._guard:
            runs = {
                (credential_id, window): list(found)
                for credential_id, seen in self._seen.items()
                for window, found in seen.windows.items()
            }
        return states_of(runs, self._clock.now_us())

    def write(self) -> None:
        """Keep what was seen since the last time, and the bounds of what is kept. Off the loop.

        Raises:
            LedgerError: It could not be written; it is tried again in half a minute.
        """
        now = self._clock.monotonic()
        if now < self._retry_at:
            return
        self._retry_at = now + _RETRY_S
        self.flush()
        if now >= self._prune_at:
            self._store.prune_windows()
            self._prune_at = now + _PRUNE_S
        self._retry_at = 0.0

    def flush(self) -> None:
        """Keep what was seen since the last time. Off the loop. Raises LedgerError."""
        with self._guard:
            unwritten, self._unwritten = self._unwritten, {}
        if not unwritten:
            return
        is_kept = False
        try:
            self._store.keep_windows(unwritten.values())
            is_kept = True
        finally:
            if not is_kept:
                with self._guard:
                    # What came meanwhile is newer.
                    self._unwritten = unwritten | self._unwritten

    def close(self) -> None:
        """Keep what is left; where that fails, it is logged: a gateway ends all the same."""
        try:
            self.flush()
        except LedgerError as error:
            log.warning("windows_not_recorded", error=str(error))

    def _told_apart(self, credential: bytes) -> tuple[str, str]:
        """A credential's id and kind."""
        kind = LOGIN if credential.startswith(_LOGIN_BEGINS) else "api key"
        return keyed_hash(self._secret, "credential", credential), kind

    def _source(self, upstream: str, credential: bytes | None, account: bytes | None) -> Source:
        mark = hash((upstream, credential, account))
        source = self._sources.get(mark)
        if source is None:
            if len(self._sources) >= _MOST_SOURCES:
                self._sources.clear()
            source = self._sources[mark] = self._find_source(upstream, credential, account)
        return source

    def _find_source(self, upstream: str, credential: bytes | None, account: bytes | None) -> Source:
        if credential is not None:
            credential_id, kind = self._told_apart(credential)
        elif upstream in self._own:
            credential_id, kind = self._own[upstream]
        else:
            credential_id, kind = keyed_hash(self._secret, "upstream", upstream.encode()), "upstream"
        is_told = account and len(account) <= _LONGEST_ACCOUNT
        hashed = keyed_hash(self._secret, "account", account) if account and is_told else None
        return Source(credential_id, kind, upstream, hashed)

    def _remember(self, source: Source) -> _Seen:
        seen = self._seen.pop(source.credential_id, None)
        if seen is None:
            seen = _Seen(source, (), (), (), {})
        elif source != seen.source:
            seen.source, seen.values = source, ()
        # At the end: what was seen longest ago stands first.
        self._seen[source.credential_id] = seen
        return seen

    def _again(self, seen: _Seen) -> bool:
        """The same was said as the last time. False: it is to be read all the same."""
        now_us = self._clock.now_us()
        last = [seen.windows[window][-1] for window in seen.told if window in seen.windows]
        if any(now_us < run.seen_us or not may_go_on(run, now_us) for run in last):
            return False
        for run in last:
            run.seen_us = now_us
            self._unwritten[run.credential_id, run.window, run.first_us] = run
        return True

    def _note(self, seen: _Seen, readings: Sequence[Reading]) -> set[Key]:
        """Draw out or begin runs; returns the windows of which there is news."""
        now_us = self._clock.now_us()
        changed: set[Key] = set()
        for reading in readings:
            if reading.window not in seen.windows and len(seen.windows) >= MOST_WINDOWS:
                continue
            runs = seen.windows.setdefault(reading.window, deque(maxlen=_MOST_RUNS))
            before = runs[-1] if runs else None
            run = carried_on(before, seen.source, reading, now_us)
            while runs and runs[-1].first_us >= run.first_us:
                gone = runs.pop()
                self._unwritten.pop((gone.credential_id, gone.window, gone.first_us), None)
            runs.append(run)
            if len(self._unwritten) < _MOST_UNWRITTEN:
                self._unwritten[run.credential_id, run.window, run.first_us] = run
            if before is None or _is_news(before, run):
                changed.add((run.credential_id, run.window))
        self._make_room()
        return changed

    def _tell_of(self, changed: set[Key]) -> None:
        if changed and self._on_change is not None:
            asyncio.get_running_loop().call_soon(self._tell, changed, self._on_change)

    def _tell(self, changed: set[Key], on_change: Callable[[WindowState], None]) -> None:
        for state in self.states():
            if (state.credential_id, state.window) in changed:
                on_change(state)

    def _make_room(self) -> None:
        while len(self._seen) > 1 and (
            len(self._seen) > MOST_CREDENTIALS or sum(len(seen.windows) for seen in self._seen.values()) > _MOST_IN_ALL
        ):
            del self._seen[next(iter(self._seen))]


def _is_news(before: WindowRun, run: WindowRun) -> bool:
    said = (before.status, before.used_ppm, before.resets_us, before.is_claim)
    return said != (run.status, run.used_ppm, run.resets_us, run.is_claim)
