"""What a prompt weighs, and where its cache breakpoints stand.

A prompt is a row of parts: tools, then system blocks, then the blocks of the
messages. Each part has a hash of everything up to its end, without any
`cache_control`, so that a breakpoint that moves on does not change what was cached.
Source: Anthropic's rules on prompt caching, as in `spec/anthropic.md` section 1.2
and the real API's refusals (at most 4 breakpoints; `1h` before `5m`).

Tokens are bytes / 3.5, rounded up once for a whole prefix: the parts then add up.
"""

import hashlib
from collections.abc import Iterator

import msgspec

from clearway.upstreams.simulation.ask import Ask, Block
from clearway.upstreams.simulation.faults import Fault

MAX_BREAKPOINTS = 4
IMAGE_TOKENS = 1500
"""Flat weight of an image or document that is sent as base64."""
_IMAGE_BYTES = IMAGE_TOKENS * 7 // 2
_TTLS = ("5m", "1h")

_encoder = msgspec.json.Encoder(order="sorted")


class Mark(msgspec.Struct, frozen=True):
    """A breakpoint after the part with this index."""

    place: int
    ttl: str


class Prompt(msgspec.Struct, frozen=True):
    """The parts of a prompt."""

    ends: list[int]
    """Bytes up to the end of each part."""
    hashes: list[bytes]
    """Of everything up to the end of each part."""
    marks: list[Mark]
    """In order."""

    @property
    def tokens(self) -> int:
        """The whole prompt."""
        return tokens(self.ends[-1] if self.ends else 0)


def tokens(size_bytes: int) -> int:
    """Bytes / 3.5, rounded up."""
    return (2 * size_bytes + 6) // 7


def measure(ask: Ask) -> Prompt:
    """Weigh the prompt of a request.

    Raises:
        Fault: 400, a `cache_control` that the API would refuse.
    """
    ends: list[int] = []
    hashes: list[bytes] = []
    marks: list[Mark] = []
    chain, size = hashlib.blake2b(digest_size=16), 0
    for place, (role, part) in enumerate(_parts(ask)):
        bare, ttl = _without_mark(part)
        size += _weight(bare)
        chain.update(role.encode() + _encoder.encode(bare))
        ends.append(size)
        hashes.append(chain.digest())
        if ttl:
            marks.append(Mark(place, ttl))
    if ask.cache_control is not None:
        ttl = _ttl(ask.cache_control)
        if ends and (not marks or marks[-1].place != len(ends) - 1):
            marks.append(Mark(len(ends) - 1, ttl))
    _check(marks)
    return Prompt(ends, hashes, marks)


def _parts(ask: Ask) -> Iterator[tuple[str, Block]]:
    for tool in ask.tools or ():
        yield "tool", tool
    if isinstance(ask.system, str):
        yield "system", {"type": "text", "text": ask.system}
    for block in ask.system if isinstance(ask.system, list) else ():
        yield "system", block
    for message in ask.messages:
        for block in message.blocks:
            yield message.role, block


def _without_mark(part: Block) -> tuple[Block, str | None]:
    """The part without `cache_control`, also within a tool result, and the ttl it had."""
    ttl: str | None = None
    bare = part
    if "cache_control" in bare:
        if (given := bare["cache_control"]) is not None:
            ttl = _ttl(given)
        bare = {name: value for name, value in bare.items() if name != "cache_control"}
    inner = bare.get("content")
    if isinstance(inner, list):
        blocks = []
        for block in inner:
            plain, inner_ttl = _without_mark(block) if isinstance(block, dict) else (block, None)
            blocks.append(plain)
            ttl = ttl or inner_ttl
        bare = {**bare, "content": blocks}
    return bare, ttl


def _ttl(control: object) -> str:
    if not isinstance(control, dict) or control.get("type") != "ephemeral":
        raise Fault(400, "cache_control.type: must be 'ephemeral'")
    ttl = control.get("ttl") or "5m"
    if ttl not in _TTLS:
        raise Fault(400, "cache_control.ttl: must be '5m' or '1h'")
    return str(ttl)


def _weight(part: Block) -> int:
    kind = part.get("type")
    if kind == "text" and isinstance(text := part.get("text"), str):
        return len(text.encode())
    if kind in ("image", "document") and isinstance(source := part.get("source"), dict) and "data" in source:
        return _IMAGE_BYTES if source.get("type") == "base64" else len(str(source["data"]).encode())
    if kind == "tool_result":
        return result_size(part)
    return len(_encoder.encode(part))


def result_size(part: Block) -> int:
    """The bytes that a tool gave back."""
    content = part.get("content")
    if isinstance(content, list):
        return sum(_weight(block) if isinstance(block, dict) else 0 for block in content)
    return len(content.encode()) if isinstance(content, str) else 0


def _check(marks: list[Mark]) -> None:
    if len(marks) > MAX_BREAKPOINTS:
        raise Fault(400, f"cache_control: at most {MAX_BREAKPOINTS} blocks may have one, found {len(marks)}")
    ttls = [mark.ttl for mark in marks]
    if "5m" in ttls and "1h" in ttls[ttls.index("5m") :]:
        raise Fault(400, "cache_control.ttl: a '1h' block must not come after a '5m' block")
