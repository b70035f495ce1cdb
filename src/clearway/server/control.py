"""The control socket: the commands talk to the running gateway here.

HTTP over a unix socket (0600) in the data directory; file modes are its
authentication. `POST /rpc/<method>` calls one method of the ledger with a JSON
object of arguments, `GET /status` tells about the process, `GET /feed` streams
updates as lines of JSON until the reader leaves, `GET /hold` stays open for as long
as somebody (`clearway run`) needs this gateway, `POST /reload` reads the configuration
again and tells what came of it. Imported when it is first asked something.
"""

import asyncio
import typing
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from clearway.config.changes import Reloaded
from clearway.ledger.protocol import Ledger, LedgerError
from clearway.observe.protocol import Status, Subscriptions
from clearway.server.holders import BEAT_S, Holders

METHODS = (
    "create_key",
    "list_keys",
    "show_key",
    "update_key",
    "revoke_key",
    "rotate_key",
    "usage",
    "exchanges",
    "exchange",
    "windows",
    "window_history",
    "make_link",
    "set_password",
)
_MAX_ARGUMENTS = 1_000_000


class _Method:
    """One method of the ledger, with the types of its arguments."""

    def __init__(self, ledger: Ledger, name: str) -> None:
        self._call = getattr(ledger, name)
        hints = typing.get_type_hints(getattr(Ledger, name))
        hints.pop("return", None)
        self._decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
        self._types = hints

    def run(self, body: bytes) -> bytes:
        """Decode, call, encode."""
        raw = self._decoder.decode(body or b"{}")
        if unknown := set(raw) - set(self._types):
            raise LedgerError(f"unknown argument {min(unknown)!r}")
        arguments = {name: msgspec.json.decode(value, type=self._types[name]) for name, value in raw.items()}
        return msgspec.json.encode({"result": self._call(**arguments)})


def control_app(
    ledger: Ledger,
    feed: Subscriptions,
    holders: Holders,
    status: Callable[[], Status],
    written: Callable[[], Awaitable[object]],
    reload: Callable[[], Awaitable[Reloaded]] | None = None,
) -> Starlette:
    """The application behind the control socket.

    Args:
        ledger: Called in threads: its methods wait for the database.
        feed: What to subscribe to.
        holders: Counts those who need the gateway.
        status: Tells about the process.
        written: Waits until the ledger holds all that has happened, or for as long as that is worth.
        reload: Reads the configuration again; None: this gateway cannot.
    """
    methods = {name: _Method(ledger, name) for name in METHODS}

    async def rpc(request: Request) -> Response:
        method = methods.get(request.path_params["method"])
        if method is None:
            return _error(
                404, "LedgerError", "there is no such method; the command and the gateway may differ in version"
            )
        body = await request.body()
        if len(body) > _MAX_ARGUMENTS:
            return _error(413, "LedgerError", "the arguments are too long")
        try:
            return _json(await asyncio.to_thread(method.run, body))
        except LedgerError as error:
            return _error(409, type(error).__name__, str(error))
        except (msgspec.DecodeError, TypeError) as error:
            return _error(400, "LedgerError", f"the arguments do not fit: {error}")

    async def tell_status(request: Request) -> Response:  # noqa: ARG001  # Starlette's signature
        return _json(msgspec.json.encode(status()))

    async def follow(request: Request) -> Response:  # noqa: ARG001
        return StreamingResponse(_lines(feed, written), media_type="application/x-ndjson")

    async def hold(request: Request) -> Response:  # noqa: ARG001
        return StreamingResponse(holders.lines(), media_type="application/x-ndjson")

    return Starlette(
        routes=[
            Route("/hold", hold),
            Route("/rpc/{method}", rpc, methods=["POST"]),
            Route("/status", tell_status),
            Route("/reload", partial(_read_again, reload), methods=["POST"]),
            Route("/feed", follow),
        ]
    )


async def _read_again(reload: Callable[[], Awaitable[Reloaded]] | None, request: Request) -> Response:  # noqa: ARG001
    if reload is None:
        return _error(409, "LedgerError", "this gateway was not started from settings that can be read again")
    return _json(msgspec.json.encode(await reload()))


async def _lines(feed: Subscriptions, written: Callable[[], Awaitable[object]]) -> AsyncIterator[bytes]:
    with feed.subscribe() as updates:
        # The reader then lists what it has missed: what was told before it came must be in the ledger.
        await written()
        yield b"\n"  # the reader knows that it is subscribed
        while True:
            batch = await updates.next(BEAT_S)
            yield b"".join(msgspec.json.encode(update) + b"\n" for update in batch) or b"\n"


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")


def _error(status: int, kind: str, message: str) -> Response:
    body = msgspec.json.encode({"error": {"kind": kind, "message": message}})
    return Response(body, status_code=status, media_type="application/json")
