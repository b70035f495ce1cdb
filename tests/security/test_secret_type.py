"""A `Secret` has one way out, and values that hold credentials do not print them."""

import asyncio
import copy
import io
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable

import msgspec
import pytest
import structlog

from clearway.config.model import Upstream
from clearway.core.fields import Fields
from clearway.core.secret import Secret
from clearway.gateway.call import Call, Sink
from clearway.gateway.decode import Asked
from clearway.keys.model import Key, NewKey
from clearway.server.body import BodyRoom
from clearway.server.paths import Place
from clearway.server.turn import Flow, Head, Turn
from clearway.upstreams.protocol import Request
from clearway.wire.body import Peek

VALUE = "sk-ant-api03-never-to-be-seen"
SECRET = Secret(VALUE)


def raised() -> str:
    """A traceback with the values of local variables, as an error reporter makes it."""
    credential = SECRET
    try:
        raise RuntimeError(credential)  # noqa: TRY301  # what is tested
    except RuntimeError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def logged() -> str:
    """A line of the standard library's log."""
    stream = io.StringIO()
    logger = logging.Logger("alone")  # noqa: LOG001  # nobody else shall hear of it
    logger.addHandler(logging.StreamHandler(stream))
    logger.error("%s %r", SECRET, {"a": SECRET}, extra={"x": SECRET})
    return stream.getvalue()


def logged_by_us(renderer: structlog.typing.Processor) -> str:
    """A line as this program's log writes it."""
    return str(renderer(None, "error", {"event": "x", "credential": SECRET, "inside": {"list": [SECRET]}}))


WAYS: dict[str, Callable[[], str]] = {
    "repr": lambda: repr(SECRET),
    "str": lambda: str(SECRET),
    "format": lambda: f"{SECRET} {SECRET!r} {SECRET!s} {SECRET!a} {SECRET:>20}",
    "format-method": lambda: "{0} {0!r:>30} {0:s}".format(SECRET),  # noqa: UP032  # what is tested
    "percent": lambda: "%s %r %a" % (SECRET, SECRET, SECRET),  # noqa: UP031  # what is tested
    "inside": lambda: f"{[SECRET]} { ({'a': SECRET}) } {(SECRET,)} { {SECRET} }",
    "pprint": lambda: pprint.pformat({"a": [SECRET]}),
    "traceback": raised,
    "logging": logged,
    "structlog-json": lambda: logged_by_us(structlog.processors.JSONRenderer()),
    "structlog-text": lambda: logged_by_us(structlog.dev.ConsoleRenderer(colors=False)),
    "exception": lambda: repr(ValueError(SECRET)) + str(ValueError(SECRET)),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_does_not_print(way: str) -> None:
    """However it is turned into text, only stars come out."""
    text = WAYS[way]()

    assert "***" in text
    assert VALUE not in text
    assert "never" not in text


REFUSED: dict[str, Callable[[], object]] = {
    "json": lambda: json.dumps({"a": SECRET}),
    "msgspec-json": lambda: msgspec.json.encode({"a": SECRET}),
    "msgspec-msgpack": lambda: msgspec.msgpack.encode(SECRET),
    "msgspec-builtins": lambda: msgspec.to_builtins([SECRET]),
    "pickle": lambda: pickle.dumps(SECRET),
    "pickle-oldest": lambda: pickle.dumps([SECRET], protocol=0),
    "deepcopy": lambda: copy.deepcopy({"a": SECRET}),
    "vars": lambda: vars(SECRET),
    "bytes": lambda: bytes(SECRET),  # type: ignore[call-overload]  # what is tested
    "iteration": lambda: list(SECRET),  # type: ignore[call-overload]  # what is tested
    "join": lambda: "".join([SECRET]),  # type: ignore[list-item]  # noqa: FLY002  # what is tested
    "concatenation": lambda: "x" + SECRET,  # type: ignore[operator]  # what is tested
}


@pytest.mark.parametrize("way", REFUSED)
def test_it_is_not_serialised(way: str) -> None:
    """What would write it somewhere is refused, and the refusal does not hold it."""
    with pytest.raises(TypeError) as refusal:
        REFUSED[way]()

    assert VALUE not in str(refusal.value)


def test_the_one_way_out() -> None:
    """`reveal`; and it can be compared without it."""
    assert VALUE == SECRET.reveal()
    assert Secret(VALUE) == SECRET
    assert Secret(VALUE + "x") != SECRET
    assert SECRET != VALUE
    assert hash(SECRET) == hash(Secret(VALUE))
    assert bool(SECRET)
    assert not Secret("")


class Idle(asyncio.Transport):
    """A connection on which nothing happens."""

    write_paused = False

    def __init__(self) -> None:
        super().__init__()
        self.transport: asyncio.Transport = self
        self.flow: Flow = self

    def pause_reading(self) -> None:
        """Nothing is read."""

    def resume_reading(self) -> None:
        """Nothing is read."""

    async def drain(self) -> None:
        """Nothing was written."""

    def answered(self) -> None:
        """Never."""

    def cut(self) -> None:
        """Never."""


class Silent:
    """A walk that never begins."""

    async def serve(self, call: Call, sink: Sink) -> None:
        """Never."""


ROOM = BodyRoom(max_body=1, max_buffered=1, max_reading=1)
HEAD = Head(
    "POST",
    b"/v1/messages?x=never",
    Fields.of([(b"x-api-key", VALUE.encode())]),
    keep_alive=True,
    chunks=True,
    declared=0,
    expects_continue=False,
)
HOLDERS: dict[str, object] = {
    "request": Request(
        method=b"POST", target=b"/v1/messages?x=never", headers=[(b"authorization", VALUE.encode())], body=b"never"
    ),
    "head": HEAD,
    "turn": Turn(Idle(), HEAD, Place("/v1/messages", None, endpoint="messages"), ROOM, Silent(), ()),
    "body": Asked(VALUE.encode(), VALUE.encode(), Peek(), readable=True),
    "new-key": NewKey(key=Key(id="1", name="n", prefix="cw-AbCdEf", created_us=0), secret=VALUE),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_values_that_hold_one_do_not_print_it(name: str) -> None:
    """A request in a traceback or a log shows neither headers nor query nor body."""
    text = f"{HOLDERS[name]!r} {HOLDERS[name]}"

    assert VALUE not in text
    assert "never" not in text


def test_the_configuration_names_places_only() -> None:
    """There is no setting that could hold the secret itself."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": "a", "kind": "anthropic", "api_key": VALUE}, Upstream)
