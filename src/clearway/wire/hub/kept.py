"""What was thought in a turn, to be put back where a client drops it. Pure.

Owns what is kept of one answer, the names under which it is found again, and how it
gets back into its place. A turn gets it back only while it says what it said: the same
calls, and around them the same text, beside which it may hold thoughts as text in tags.
Rules: a block of thinking goes back as it came, to the byte, and stands where it stood
(the Messages API's on extended thinking, read 2026-11-21).
Used by the translators of every spoke, and by gateway/thoughts, which holds it.
"""

import re
from collections.abc import Callable
from hashlib import blake2b

import msgspec

from clearway.wire.hub.pieces import Ended, Opened, Piece, Text, Thought
from clearway.wire.hub.turns import Block, Item

THOUGHT = -1
CALL = -2
"""Places in a turn; any other number is the length of a text, in characters."""
_TAGGED = re.compile(r"\s*<think>.*</think>\s*", re.DOTALL)
"""Thoughts as some clients send them that do not take them for the model's own (pydantic-ai 2.68, read 2026-11-27)."""


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What was thought in one turn."""

    model: str
    """Which alone may read it."""
    thoughts: tuple[bytes, ...]
    """The blocks as JSON, in their order."""
    places: tuple[int, ...]
    """What stood in the turn, one after the other."""
    calls: tuple[str, ...]
    text: bytes
    """A hash of all text."""


Recall = Callable[[str], Kept | None]
"""Finds what was kept under a name."""


def name_of(kept: Kept) -> str:
    """Under which name it is kept: the turn's first call, or else its text."""
    return kept.calls[0] if kept.calls else kept.text.hex()


class Keeping:
    """Collects what is kept of one answer; fed with what it is made of, in order.

    Growth: the texts of the answer, from its first thought on.

    Args:
        model: Which answers.
    """

    __slots__ = ("_calls", "_model", "_places", "_said", "_texts", "_thoughts")

    def __init__(self, model: str) -> None:
        self._model = model
        self._thoughts: list[_Thought] = []
        self._places: list[int] = []
        self._calls: list[str] = []
        self._texts: list[list[bytes]] = []
        self._said = False

    def take(self, piece: Piece) -> Kept | None:
        """The next piece; with the last one, what is to be kept, if anything is."""
        match piece:
            case Text():
                self._say(bytes(piece.text))
            case Thought():
                self._think(piece)
            case Opened():
                self._calls.append(piece.id)
                self._places.append(CALL)
                self._said = False
            case Ended():
                return self._kept()
            case _:
                pass
        return None

    def _think(self, piece: Thought) -> None:
        if piece.is_first:
            self._thoughts.append(_Thought())
            self._places.append(THOUGHT)
            self._said = False
        if self._thoughts:
            self._thoughts[-1].add(bytes(piece.text), bytes(piece.signature), bytes(piece.hidden))

    def _say(self, text: bytes) -> None:
        if not self._said:
            self._said = True
            self._texts.append([])
            self._places.append(len(self._texts) - 1)
        self._texts[-1].append(text[1:-1])

    def _kept(self) -> Kept | None:
        """None where nothing was thought that could go back."""
        thoughts = [thought.block() for thought in self._thoughts]
        if not thoughts or None in thoughts:
            return None
        try:
            texts = [msgspec.json.decode(b'"%b"' % b"".join(parts), type=str) for parts in self._texts]
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None  # half a letter: it was cut off, and nobody will say it again
        places = tuple(place if place < 0 else len(texts[place]) for place in self._places)
        said = _hash("".join(texts))
        return Kept(self._model, tuple(filter(None, thoughts)), places, tuple(self._calls), said)


class _Thought:
    __slots__ = ("hidden", "signature", "text")

    def __init__(self) -> None:
        self.text: list[bytes] = []
        self.signature = b""
        self.hidden = b""

    def add(self, text: bytes, signature: bytes, hidden: bytes) -> None:
        if text:
            self.text.append(text[1:-1])
        self.signature = signature or self.signature
        self.hidden = hidden or self.hidden

    def block(self) -> bytes | None:
        if self.hidden:
            return b'{"type":"redacted_thinking","data":%b}' % self.hidden
        if not self.signature:
            return None
        text = b"".join(self.text)
        return b'{"type":"thinking","thinking":"%b","signature":%b}' % (text, self.signature)


def put_all_back(recall: Recall | None, model: str, items: list[Item]) -> None:
    """Put what was thought back into those turns of a conversation from which a client dropped it.

    Args:
        recall: Finds what is kept; None: nothing is.
        model: Who is to read it.
        items: The messages; those of one turn of the assistant's stand behind one another.
    """
    if recall is None:
        return
    turn: list[Item] = []
    for item in items:
        if item.role == "assistant":
            turn.append(item)
        elif turn:
            _put_into(recall, model, turn)
            turn = []
    _put_into(recall, model, turn)


def _put_into(recall: Recall, model: str, turn: list[Item]) -> None:
    blocks = turn[0].blocks if len(turn) == 1 else [block for item in turn for block in item.blocks]
    if not blocks:
        return
    made = put_back(recall, model, blocks)
    if made is not None:
        for item in turn:
            item.blocks = []
        turn[0].blocks = made


def put_back(recall: Recall, model: str, blocks: list[Block]) -> list[Block] | None:
    """A turn with its thoughts; None: nothing is kept of it, or it is not what it was.

    Args:
        recall: Finds what is kept.
        model: Who is to read it.
        blocks: Text and calls of the turn, as the client has them.
    """
    texts: list[Block] = []
    calls: list[Block] = []
    for block in blocks:
        kind = block.get("type")
        if kind == "text":
            texts.append(block)
        elif kind == "tool_use":
            calls.append(block)
        else:
            return None  # its thoughts are there, or it has what was never an answer of a model's
    made = _matched(recall, model, texts, calls)
    if made is not None:
        return made
    spoken = [block for block in texts if not _TAGGED.fullmatch(str(block["text"]))]
    return _matched(recall, model, spoken, calls) if len(spoken) < len(texts) else None


def _matched(recall: Recall, model: str, texts: list[Block], calls: list[Block]) -> list[Block] | None:
    said = "".join([str(block["text"]) for block in texts])
    called, text = tuple([str(block["id"]) for block in calls]), _hash(said)
    kept = recall(called[0] if called else text.hex())
    if kept is None or (kept.model, kept.calls, kept.text) != (model, called, text):
        return None
    return _ordered(kept, said, texts, calls)


def _ordered(kept: Kept, said: str, texts: list[Block], calls: list[Block]) -> list[Block]:
    made: list[Block] = []
    thoughts, called = iter(kept.thoughts), iter(calls)
    start = 0
    for place in kept.places:
        if place == THOUGHT:
            made.append(msgspec.json.decode(next(thoughts), type=dict[str, object]))
        elif place == CALL:
            made.append(next(called))
        else:
            part, start = said[start : start + place], start + place
            if part.strip():  # white space alone is refused
                made.append({"type": "text", "text": part})
    if control := next((block["cache_control"] for block in reversed(texts) if "cache_control" in block), None):
        next(block for block in reversed(made) if block.get("type") == "text")["cache_control"] = control
    return made


def _hash(text: str) -> bytes:
    # White space alone is not sent, so a turn without words is one without text.
    said = "" if text.isspace() else text
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).digest()
