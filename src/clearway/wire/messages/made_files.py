"""Files that an answer says were made while it ran: the outputs of code execution.

Only where the API itself puts them: not in text, nor in arguments that a model wrote. Pure.
Source: `CodeExecutionOutputBlock` and `BashCodeExecutionOutputBlock` of the `anthropic` SDK 2.11 (read 2026-11-27).
Used by wire/messages/watch.
"""

import msgspec

from clearway.wire.messages.objects import is_id

NEEDLE = b"code_execution_tool_result"
"""Stands in every event and body that tells of a file."""
_RAN = NEEDLE.decode()
_MOST = 1000
_NULL = msgspec.Raw(b"null")


class _Output(msgspec.Struct):
    file_id: str | None = None


class _Result(msgspec.Struct):
    content: list[_Output]


class _Block(msgspec.Struct):
    type: str = ""
    content: msgspec.Raw = _NULL


class _Event(msgspec.Struct):
    content_block: _Block | None = None


class _Body(msgspec.Struct):
    content: list[_Block] = []


_event = msgspec.json.Decoder(_Event)
_body = msgspec.json.Decoder(_Body)
_result = msgspec.json.Decoder(_Result)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def files_of_event(data: bytes) -> list[str]:
    """The ids in the data of a `content_block_start`."""
    try:
        block = _event.decode(data).content_block
    except _UNREADABLE:
        return []
    return [] if block is None else _of(block)


def files_of_body(body: bytes) -> list[str]:
    """The ids in a plain answer."""
    try:
        blocks = _body.decode(body).content
    except _UNREADABLE:
        return []
    return [file_id for block in blocks for file_id in _of(block)][:_MOST]


def _of(block: _Block) -> list[str]:
    if not block.type.endswith(_RAN):
        return []
    try:
        found = [output.file_id for output in _result.decode(block.content).content]
    except _UNREADABLE:
        return []  # an error, or a result without files
    return [file_id for file_id in found[:_MOST] if file_id and is_id("file", file_id)]
