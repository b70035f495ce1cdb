"""Recorded exchanges as an upstream: the same request gets the recorded answer.

Owns the choice of the recording and the answer where there is none. Recordings come
from a folder of files in the form of docs/recordings.md; they are indexed once, in a
thread, and read again when they are asked for. Files that come later are not seen.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import structlog

from clearway.config.model import Upstream as Settings
from clearway.config.problems import ConfigError, Problem
from clearway.core.clock import Clock
from clearway.core.errors import BadRequest, TooLarge
from clearway.core.fields import Headers
from clearway.upstreams.protocol import Kind, Pays, Request
from clearway.upstreams.replaying.index import Index, key_of, sought
from clearway.upstreams.replaying.recording import NotARecording, Played, play
from clearway.upstreams.replaying.reply import ReplayReply
from clearway.wire.encoding import decode_body

_ID_HEADER = b"x-replay-id"
_MAX_BODY = 64_000_000
_BIG_BODY = 256_000

_log = structlog.get_logger()


class ReplayUpstream:
    """The upstream of kind `replay`.

    Args:
        settings: Its name, models, `recordings` and `delays`.
        clock: Measures recorded delays.

    Raises:
        ValueError: `recordings` is not set.
    """

    kind: Kind = "replay"
    pays: Pays = "nobody"

    def __init__(self, settings: Settings, clock: Clock) -> None:
        if not settings.recordings:
            raise ValueError(f"upstream {settings.name} is of kind replay and needs recordings, a folder")
        self.name = settings.name
        self.models = settings.models
        self.api_version = settings.api_version
        self._settings = settings
        self._folder = Path(settings.recordings).expanduser()
        self._clock = clock if settings.delays == "recorded" else None
        self._index: Index | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Index the folder. May be called more than once.

        Raises:
            ConfigError: There is no such folder, or no recording in it.
        """
        async with self._starting:
            if self._index is None:
                self._index = await asyncio.to_thread(_index, self._folder, self.name)

    async def aclose(self) -> None:
        """Forget the index; no file is kept open."""
        self._index = None

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[ReplayReply]:
        """Answer with the recording that fits, or with a 404 that says what was missing."""
        if self._index is None:
            await self.start()
        played = await self._find(request)
        if request.method == b"HEAD":
            played = msgspec.structs.replace(played, pieces=())
        yield ReplayReply(played, self._clock)

    async def _find(self, request: Request) -> Played:
        index = self._index
        if index is None:
            return _error(503, "api_error", "this upstream is closed")
        fields = dict(request.headers)
        wanted = fields.get(_ID_HEADER)
        if wanted is not None:
            name = wanted.decode("latin-1")
            path, looked_for = index.by_id(name), f"the id {name[:100]}"
        else:
            codings = fields.get(b"content-encoding", b"").decode("latin-1")
            try:
                key, looked_for = await _look(request, codings)
            except (BadRequest, TooLarge) as error:
                return _error(400, "invalid_request_error", str(error))
            path = index.find(key)
        if path is None:
            message = f"No recording matches {looked_for}; {len(index)} were looked through"
            return _error(404, "not_found_error", message)
        try:
            return await asyncio.to_thread(play, path)
        except NotARecording as error:
            _log.warning("recording_lost", upstream=self.name, file=path.name)
            return _error(404, "not_found_error", str(error))


async def _look(request: Request, codings: str) -> tuple[bytes, str]:
    method, target = request.method.decode("latin-1"), request.target.decode("latin-1")

    def look() -> tuple[bytes, str]:
        body = bytes(decode_body(bytes(request.body), codings, _MAX_BODY))
        return key_of(method, target, body), sought(method, target, body)

    if codings or len(request.body) > _BIG_BODY:
        return await asyncio.to_thread(look)
    return look()


def _index(folder: Path, name: str) -> Index:
    if not folder.is_dir():
        raise ConfigError(Problem(f"upstream {name}", "recordings", f"there is no folder {folder}"))
    index = Index.of(folder)
    if index.skipped:
        _log.warning("recordings_skipped", upstream=name, skipped=index.skipped, indexed=len(index))
    if not len(index):
        raise ConfigError(Problem(f"upstream {name}", "recordings", f"there is no recording in {folder}"))
    return index


def _error(status: int, kind: str, message: str) -> Played:
    body = msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}, "request_id": None})
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"x-should-retry", b"false"),
    ]
    return Played(status, headers, (body,), ())
