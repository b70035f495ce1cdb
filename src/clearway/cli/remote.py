"""The ledger of a running gateway, asked over its control socket.

`POST /rpc/<method>` with the method's arguments by name as JSON answers
`{"result": …}` or `{"error": {"kind": …, "message": …}}`; `GET /status` tells who
answers; `GET /feed` is an endless list of `Update`, one a line. HTTP/1.1 over
a unix socket that only the owner may open. Used by cli/access, `log --follow`, `doctor`.
"""

import http.client
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from clearway.cli.failures import Exit, Failure
from clearway.config.changes import Reloaded
from clearway.keys.model import Key, KeyChange, KeySpec, NewKey
from clearway.ledger.protocol import (
    ExchangeDetail,
    ExchangeQuery,
    ExchangeRow,
    LedgerError,
    NotInLedger,
    UsageQuery,
    UsageRow,
    WindowPoint,
    WindowQuery,
    WindowState,
)
from clearway.observe.protocol import Status, Update

_ANSWER_S = 30.0
_SILENCE_S = 60.0
"""Without a line of the feed, heartbeats included; then the gateway is taken for dead."""
_OK, _NOT_FOUND = 200, 404
_MAX_ANSWER_BYTES = 256_000_000

T = TypeVar("T")


class Unreachable(Failure):
    """Nobody answers at the control socket, or not as agreed."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "is the gateway still running? see: clearway doctor", Exit.UNREACHABLE)


class _Error(msgspec.Struct, frozen=True):
    kind: str = "LedgerError"
    message: str = "the gateway refused without a reason"


class _ErrorAnswer(msgspec.Struct, frozen=True):
    error: _Error = _Error()


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(str(self._path))
        except BaseException:
            self.sock.close()
            raise


class RemoteLedger:
    """A `ledger.protocol.Ledger` across the socket. A connection per call."""

    def __init__(self, socket_path: Path | str) -> None:
        self._path = Path(socket_path)

    def create_key(self, spec: KeySpec) -> NewKey:
        """Make a key. Raises LedgerError where the name is taken by a live key."""
        return self._call("create_key", {"spec": spec}, NewKey)

    def list_keys(self, *, revoked: bool = False) -> list[Key]:
        """Live keys by creation, with the revoked ones on demand."""
        return self._call("list_keys", {"revoked": revoked}, list[Key])

    def show_key(self, ref: str) -> Key:
        """One key. Raises NotInLedger."""
        return self._call("show_key", {"ref": ref}, Key)

    def update_key(self, ref: str, change: KeyChange) -> Key:
        """Change a key. Raises NotInLedger."""
        return self._call("update_key", {"ref": ref, "change": change}, Key)

    def revoke_key(self, ref: str) -> Key:
        """End a key for good. Raises NotInLedger."""
        return self._call("revoke_key", {"ref": ref}, Key)

    def rotate_key(self, ref: str, overlap_s: int) -> NewKey:
        """Give a key a new secret. Raises NotInLedger, LedgerError."""
        return self._call("rotate_key", {"ref": ref, "overlap_s": overlap_s}, NewKey)

    def usage(self, query: UsageQuery) -> list[UsageRow]:
        """Sums by group."""
        return self._call("usage", {"query": query}, list[UsageRow])

    def exchanges(self, query: ExchangeQuery) -> list[ExchangeRow]:
        """A page of exchanges."""
        return self._call("exchanges", {"query": query}, list[ExchangeRow])

    def exchange(self, ref: str) -> ExchangeDetail:
        """One exchange with its attempts. Raises NotInLedger."""
        return self._call("exchange", {"ref": ref}, ExchangeDetail)

    def windows(self) -> list[WindowState]:
        """The windows of every credential."""
        return self._call("windows", {}, list[WindowState])

    def window_history(self, query: WindowQuery) -> list[WindowPoint]:
        """How windows were used."""
        return self._call("window_history", {"query": query}, list[WindowPoint])

    def make_link(self) -> str:
        """The token of a new sign-in link."""
        return self._call("make_link", {}, str)

    def set_password(self, encoded: str | None) -> bool:
        """Set the admin password or remove it; False: there was none to remove."""
        return self._call("set_password", {"encoded": encoded}, bool)

    def _call(self, method: str, arguments: Mapping[str, object], result: type[T]) -> T:
        status, body = _ask(self._path, "POST", f"/rpc/{method}", msgspec.json.encode(arguments))
        if status == _OK:
            answer = _decode(body, dict[str, msgspec.Raw]).get("result", msgspec.Raw(b"null"))
            return _decode(bytes(answer), result)
        error = _decode(body, _ErrorAnswer).error
        raise NotInLedger(error.message) if error.kind == "NotInLedger" else LedgerError(error.message)


def read_status(socket_path: Path | str) -> Status:
    """Who answers. Raises Unreachable."""
    status, body = _ask(Path(socket_path), "GET", "/status")
    if status != _OK:
        raise Unreachable(f"the control socket answered {status}")
    return _decode(body, Status)


def reload(socket_path: Path | str) -> Reloaded:
    """Have the configuration read again. Raises Unreachable, LedgerError."""
    status, body = _ask(Path(socket_path), "POST", "/reload")
    if status == _OK:
        return _decode(body, Reloaded)
    if status == _NOT_FOUND:
        raise Unreachable("the running gateway is of a version that cannot do this")
    raise LedgerError(_decode(body, _ErrorAnswer).error.message)


def read_feed(socket_path: Path | str) -> Iterator[Update | None]:
    """Updates as they happen; None first, when the feed is open, and for each heartbeat.

    Ends when the gateway does. Raises Unreachable where it never began.
    """
    with closing(_Connection(Path(socket_path), _SILENCE_S)) as connection:
        try:
            connection.request("GET", "/feed")
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"no answer at the control socket: {_reason(error)}") from error
        if response.status != _OK:
            raise Unreachable(f"the control socket answered {response.status}")
        # Its head comes before it is subscribed; its first line, an empty one, says that it is.
        while True:
            try:
                line = response.readline()
            except (OSError, http.client.HTTPException):
                return
            if not line.endswith(b"\n"):
                return
            yield _decode(line, Update) if line.strip() else None


def _ask(path: Path, verb: str, target: str, body: bytes | None = None) -> tuple[int, bytes]:
    with closing(_Connection(path, _ANSWER_S)) as connection:
        try:
            connection.request(verb, target, body, {"content-type": "application/json"} if body else {})
            response = connection.getresponse()
            return response.status, response.read(_MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"no answer at the control socket: {_reason(error)}") from error


def _decode(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise Unreachable(f"the running gateway speaks another version: {error}") from error


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or type(error).__name__).lower()


@contextmanager
def hold_gateway(socket_path: Path | str) -> Iterator[None]:
    """Keep the gateway for as long as the context is open. Raises Unreachable."""
    with closing(_Connection(Path(socket_path), _ANSWER_S)) as connection:
        try:
            connection.request("GET", "/hold")
            response = connection.getresponse()
            response.readline()
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"no answer at the control socket: {_reason(error)}") from error
        if response.status != _OK:
            raise Unreachable(f"the control socket answered {response.status}")
        yield
