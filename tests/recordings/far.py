"""Upstreams that answer from recordings and tell what reached them.

`ReplayProgram` is the stand-in that lies beside the recordings, in a process of its
own; `OwnUpstream` does the same for the handful of recordings that are part of these
tests. Both choose by the header `x-replay-id`.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import msgspec

from tests.fake_upstream import Answer, FakeUpstream, Received, stream_answer
from tests.fake_upstream import answer as plain_answer
from tests.recordings.asking import Fields
from tests.recordings.recorded import Recorded

PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Came:
    """One request as it reached an upstream."""

    id: str
    method: str
    target: str
    headers: Fields
    """Without `host`."""
    body_sha256: str


class Far(Protocol):
    """An upstream at the other side of the gateway."""

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        ...

    def came(self) -> list[Came]:
        """What has reached it so far."""
        ...


class _Listening(msgspec.Struct):
    listening: str
    recordings: int


class ReplayProgram:
    """The `replay.py` beside the recordings, while the context is open.

    Args:
        program: The script.
        recordings: Its folder.
        log: Where it writes what it got; only dummies are ever sent to it.
    """

    def __init__(self, program: Path, recordings: Path, log: Path) -> None:
        self._log = log
        self._process = subprocess.Popen(
            [sys.executable, str(program), "--dir", str(recordings), "--log", str(log), "--log-secrets"],
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(log.parent)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        self.url = ""

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        self.url = msgspec.json.decode(self._process.stdout.readline(), type=_Listening).listening
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate(timeout=PATIENCE_S)

    def came(self) -> list[Came]:
        """What has reached it so far."""
        lines = [json.loads(line) for line in self._log.read_text().splitlines()]
        # A second line about the same request says only that its client had left.
        entries = [line for line in lines if "amends" not in line]
        return [
            Came(
                entry["id"],
                entry["method"],
                entry["path"],
                [(name, value) for name, value in entry["headers"] if name != "host"],
                entry["body_sha256"],
            )
            for entry in entries
        ]


class OwnUpstream:
    """A scripted upstream with a few recordings."""

    def __init__(self, recorded: Sequence[Recorded]) -> None:
        self._recorded = {one.id: one for one in recorded}
        self._upstream = FakeUpstream(self._say)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return self._upstream.url

    def __enter__(self) -> Self:
        self._upstream.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._upstream.__exit__(kind, error, traceback)

    def came(self) -> list[Came]:
        """What has reached it so far."""
        return [
            Came(
                one.header("x-replay-id") or "",
                one.method,
                one.target,
                [field for field in one.headers if field[0] != "host"],
                hashlib.sha256(one.body).hexdigest(),
            )
            for one in self._upstream.received
        ]

    def _say(self, received: Received) -> Answer:
        one = self._recorded[received.header("x-replay-id") or ""]
        body = b"" if one.is_probe else one.answer(spaced=True)
        if one.sse is None:
            return plain_answer(body, status=one.status, headers=tuple(one.headers.items()))
        # Cut where no event ends, so that pieces and events are different things.
        pieces = [body[at : at + 61] for at in range(0, len(body), 61)]
        headers = [field for field in one.headers.items() if field[0] != "content-type"]
        return stream_answer(pieces, headers=headers)
