"""The look into request bodies against the standard library's reader of JSON."""

import contextlib
import json
import re

from clearway.core.errors import BadRequest
from clearway.wire.body import Peek, peek, replace_model


def body(data: bytes) -> None:
    """What is read of a body is what the standard library reads; what is refused is wrong;
    another model's name changes that one value and nothing else.
    """
    members = _members(data)
    try:
        seen = peek(data)
    except BadRequest:
        assert members is None or _is_doubtful(members) or not _is_utf8(data), "a good body was refused"
        return
    if members is None:
        assert _is_beyond(data), "a bad body was accepted"
        return
    _judge_peek(seen, members)
    if seen.model is not None:
        changed = replace_model(data, "neu\u20ac")
        assert _members(changed) == [(name, "neu\u20ac" if name == "model" else value) for name, value in members], (
            "another model changed more than its name"
        )
        _judge_replaced(data, changed, seen.model)


_DECIDES = {"model": str, "stream": bool, "max_tokens": int}


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


def _members(data: bytes) -> list[tuple[str, object]] | None:
    """The members of a JSON object, or None where the bytes are none."""

    def refuse(word: str) -> object:
        raise ValueError(word)

    try:
        # What nobody reads need not be UTF-8.
        text = data.decode("utf-8", "surrogateescape")
        pairs = json.loads(
            text, object_pairs_hook=_Pairs, parse_constant=refuse, parse_int=_Number, parse_float=_Number
        )
        if not isinstance(pairs, _Pairs) or "\\ud" in text.lower():
            return None
    except (ValueError, RecursionError):
        return None
    return list(pairs)


class _Pairs(list[tuple[str, object]]):
    """The members of an object, repeats included."""


def _is_beyond(data: bytes) -> bool:
    """Nothing that the reference can judge: pairs of surrogates, and what is too deep for it."""
    return b"\\ud" in data.lower() or data.count(b"[") + data.count(b"{") > 200


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_doubtful(members: list[tuple[str, object]]) -> bool:
    """Something that decides stands there twice or is of the wrong kind, or the depth or
    a number is beyond what is read.
    """
    names = [name for name, _ in members if name in _DECIDES]
    if len(names) != len(set(names)):
        return True
    for name, value in members:
        kind = _DECIDES.get(name)
        if kind is not None and value is not None and not _fits(value, kind):
            return True
    return _depth(members) > 100 or _has_huge_number(members)


def _fits(value: object, kind: type) -> bool:
    if kind is int:
        return isinstance(value, _Number) and re.fullmatch(r"[0-9]{1,15}", value) is not None
    return isinstance(value, kind) and not isinstance(value, _Number)


def _depth(value: object) -> int:
    if isinstance(value, _Pairs):
        value = [item for _, item in value]
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _has_huge_number(value: object) -> bool:
    if isinstance(value, _Number):
        return len(value) > 15 or abs(float(value)) > 1e300
    if isinstance(value, _Pairs):
        value = [item for _, item in value]
    return isinstance(value, list) and any(map(_has_huge_number, value))


def _judge_peek(seen: Peek, members: list[tuple[str, object]]) -> None:
    values = dict(members)
    names = [name for name, _ in members if name in _DECIDES]
    assert len(names) == len(set(names)), "what decides stands there twice"
    assert (seen.model, seen.stream) == (values.get("model"), values.get("stream"))
    most = values.get("max_tokens")
    assert (seen.max_tokens is None) == (most is None)
    if seen.max_tokens is not None:
        assert isinstance(most, _Number)
        assert (int(most) if most.lstrip("-").isdigit() else float(most)) == seen.max_tokens


def _judge_replaced(before: bytes, after: bytes, model: str) -> None:
    new = '"neu\u20ac"'.encode()
    start = next(
        at
        for at in range(len(after))
        if after[:at] == before[:at] and after.startswith(new, at) and _is_it(before, after, at, new, model)
    )
    assert start >= 0


def _is_it(before: bytes, after: bytes, at: int, new: bytes, model: str) -> bool:
    rest = after[at + len(new) :]
    if not before.endswith(rest):
        return False
    with contextlib.suppress(ValueError):
        return bool(json.loads(before[at : len(before) - len(rest)]) == model)
    return False
