"""Which recording answers which request.

Growth: about 500 bytes for each recording, whatever its size; bodies stay on disk.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from clearway.upstreams.replaying.canonical import fingerprint
from clearway.upstreams.replaying.recording import NotARecording, read_head

_BODILESS = frozenset({"GET", "HEAD"})


class Index:
    """Recordings by id and by request. Built in a thread, then used by the loop only."""

    def __init__(self) -> None:
        self._by_id: dict[str, Path] = {}
        self._by_request: dict[bytes, list[Path]] = {}
        self._turns: dict[bytes, int] = {}
        self.skipped = 0
        """JSON files that are no recordings, or have the id of an earlier one."""

    def __len__(self) -> int:
        return len(self._by_id)

    @classmethod
    def of(cls, folder: Path) -> "Index":
        """Index every `*.json` below a folder, in the order of their paths."""
        index = cls()
        for path in sorted(folder.rglob("*.json")):
            index._add(path)
        return index

    def _add(self, path: Path) -> None:
        try:
            name, request = read_head(path)
        except NotARecording:
            self.skipped += 1
            return
        if name in self._by_id:
            self.skipped += 1
            return
        self._by_id[name] = path
        key = _key(request.method, request.path, bytes(request.body))
        self._by_request.setdefault(key, []).append(path)

    def by_id(self, name: str) -> Path | None:
        """The recording with this id."""
        return self._by_id.get(name)

    def find(self, key: bytes) -> Path | None:
        """The recording for a request; several equal ones take turns."""
        paths = self._by_request.get(key)
        if not paths:
            return None
        turn = self._turns.get(key, 0)
        if len(paths) > 1:
            self._turns[key] = (turn + 1) % len(paths)
        return paths[turn]


def key_of(method: str, target: str, body: bytes) -> bytes:
    """What a request is found by."""
    return _key(method, target, body)


class _Sought(msgspec.Struct, frozen=True):
    model: object = None
    messages: object = None


def sought(method: str, target: str, body: bytes) -> str:
    """What was looked for, for a message: never any content."""
    return f"{method} {target.partition('?')[0][:200]}{_details(body)}"


def _details(body: bytes) -> str:
    try:
        asked = msgspec.json.decode(body, type=_Sought)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return " with a body that is no JSON object" if body else ""
    return f" ({', '.join(_parts(asked))})"


def _parts(asked: _Sought) -> Iterator[str]:
    yield f"model {asked.model[:100]}" if isinstance(asked.model, str) else "no model"
    count = len(asked.messages) if isinstance(asked.messages, list) else 0
    yield f"{count} {'message' if count == 1 else 'messages'}"


def _key(method: str, target: str, body: bytes) -> bytes:
    method = method.upper()
    return fingerprint(method, target.partition("?")[0], b"" if method in _BODILESS else body)
