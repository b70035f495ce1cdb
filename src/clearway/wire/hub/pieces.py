"""What an answer says, piece by piece, before a spoke puts it into its own words. Pure.

Made by answer.py; told by wire/chat and wire/responses.
"""

import msgspec

from clearway.core.usage import Usage
from clearway.wire.hub.events import NOTHING, Problem


class Begun(msgspec.Struct, frozen=True):
    """The answer begins."""

    id: str


class Text(msgspec.Struct, frozen=True):
    """Text for the reader."""

    text: msgspec.Raw


class Thought(msgspec.Struct, frozen=True):
    """A piece of what was thought; `index` counts blocks of thinking."""

    index: int
    text: msgspec.Raw = NOTHING
    signature: msgspec.Raw = NOTHING
    hidden: msgspec.Raw = NOTHING
    """A block that is not for reading, whole."""
    is_first: bool = False
    is_last: bool = False


class Opened(msgspec.Struct, frozen=True):
    """A call of a tool begins; `index` counts calls."""

    index: int
    id: str
    name: str
    """As the client calls the tool."""
    is_custom: bool = False
    sent: str = ""
    """Its name as it was sent upstream."""


class Arguments(msgspec.Struct, frozen=True):
    """A piece of a call's arguments."""

    index: int
    text: msgspec.Raw
    is_custom: bool = False


class Citation(msgspec.Struct, frozen=True):
    """A page of the web that a span of the answer's text is taken from."""

    url: str
    title: str
    start: int
    """In letters of all the text of the answer, as is `end`."""
    end: int


class Cited(msgspec.Struct, frozen=True):
    """What was cited."""

    citations: list[Citation]


class Closed(msgspec.Struct, frozen=True):
    """Nothing more comes of a call."""

    index: int
    is_empty: bool = False
    """The model gave it no arguments: it has none, or was cut off before them."""
    is_broken: bool = False
    """What its arguments were taken out of was cut off."""


class Searching(msgspec.Struct, frozen=True):
    """The upstream begins to look something up by itself."""

    id: str


class Sought(msgspec.Struct, frozen=True):
    """What it looks for: a query, or the address of a page."""

    id: str
    query: str
    is_page: bool = False


class Found(msgspec.Struct, frozen=True):
    """What it found."""

    id: str
    urls: list[str]
    has_failed: bool = False


class Declined(msgspec.Struct, frozen=True):
    """The model will not go on, and why."""

    text: str


class Ended(msgspec.Struct, frozen=True):
    """The answer is whole."""

    stop_reason: str | None
    """As the upstream gave it."""
    usage: Usage
    has_calls: bool = False
    """The client is asked to call something."""
    is_emulated: bool = False
    """What it is asked to call was the text of the answer."""


class Failed(msgspec.Struct, frozen=True):
    """The upstream broke it off."""

    problem: Problem


Piece = (
    Begun
    | Text
    | Thought
    | Opened
    | Arguments
    | Closed
    | Searching
    | Sought
    | Found
    | Cited
    | Declined
    | Ended
    | Failed
)
