"""Files that a body names are found however they are written, and text about them is not."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.wire.messages.file_ids import may_name_files, named_ids, used_ids
from clearway.wire.messages.made_files import files_of_body, files_of_event

CASES = [
    pytest.param(b'{"a":1}', set(), set(), id="none"),
    pytest.param(b'{"file_id":"file_a"}', {"file_a"}, {"file_a"}, id="plain"),
    pytest.param(b'{"file_id" :\n "file_a"}', {"file_a"}, {"file_a"}, id="blanks"),
    pytest.param(b'{"file_id":null,"x":{"file_id":{"file_id":["y"]}}}', set(), set(), id="no-string"),
    pytest.param(b'{"file_id":"a","file_id":"b"}', {"a", "b"}, {"a", "b"}, id="twice"),
    pytest.param(b'{"fil\\u0065_id":"a","file_id":"b"}', {"a", "b"}, {"a", "b"}, id="escaped"),
    pytest.param(b'{"file\\u005Fid":"a"}', {"a"}, {"a"}, id="escaped-capital"),
    pytest.param(b'{"t":"\\"file_id\\":\\"a\\""}', set(), set(), id="text"),
    pytest.param(b'{"t":"f\\\\u0069le_id","file_id":"b"}', {"b"}, {"b"}, id="text-about-escapes"),
    pytest.param(b'{"t":"\\\\","file_id":"b"}', {"b"}, {"b"}, id="behind-a-back-slash"),
    pytest.param(b'{"file_id":"\\u0066\\n\\""}', {'f\n"'}, {'f\n"'}, id="escaped-value"),
    pytest.param(b'{"\\u0066\\u0069\\u006C\\u0065\\u005f\\u0069\\u0064":"a"}', {"a"}, {"a"}, id="all-escaped"),
    pytest.param(b'{"\\\\u0066ile_id":"a"}', set(), set(), id="another-name"),
    pytest.param(
        b'{"input":{"file_id":"a"},"x":[{"input_schema":{"file_id":"b"}}]}', {"a", "b"}, set(), id="arguments"
    ),
]


@pytest.mark.parametrize(("body", "named", "used"), CASES)
def test_found(body: bytes, named: set[str], used: set[str]) -> None:
    """Every member that is a string; in use are those that are no arguments."""
    assert (named, used) == (set(named_ids(body)), set(used_ids(body)))
    assert may_name_files(body) or not named


NAMES = st.sampled_from(["file_id", "a", "input", "file_ids"])
VALUES = st.recursive(
    st.one_of(st.none(), st.text(max_size=5), st.sampled_from(["file_a", '"file_id":"x"', "\\", '\\"'])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(VALUES)
def test_as_a_parser_finds_them(value: object) -> None:
    """The quick look finds what a parser does."""
    found: set[str] = set()

    def walk(part: object) -> None:
        if isinstance(part, dict):
            if isinstance(part.get("file_id"), str):
                found.add(part["file_id"])
            for inner in part.values():
                walk(inner)
        elif isinstance(part, list):
            for inner in part:
                walk(inner)

    walk(value)
    body = msgspec.json.encode(value)

    assert found == named_ids(body)
    assert may_name_files(body) or not found


@pytest.mark.parametrize("body", [b"[" * 300 + b"]" * 300, b'{"a":' * 100_000, b"x" * ((1 << 20) + 1), b"\xff", b"{"])
def test_what_cannot_be_judged(body: bytes) -> None:
    """Is said, in bounded time."""
    with pytest.raises(ValueError, match=r"."):
        used_ids(body)


RAN = {
    "type": "code_execution_tool_result",
    "content": {"type": "code_execution_result", "stdout": "x", "content": [{"file_id": "file_a"}, {"file_id": "b"}]},
}
FAILED = {"type": "code_execution_tool_result", "content": {"type": "error", "error_code": "unavailable"}}
ASKED = {"type": "tool_use", "name": "code_execution_tool_result", "input": {"content": [{"file_id": "file_b"}]}}


def test_made_files() -> None:
    """Only what the API itself says was made, in events and in plain answers."""
    event = msgspec.json.encode({"type": "content_block_start", "index": 0, "content_block": RAN})
    other = msgspec.json.encode({"type": "content_block_start", "index": 0, "content_block": ASKED})
    body = msgspec.json.encode({"content": [{"type": "text", "text": "t"}, FAILED, ASKED, RAN]})

    assert (["file_a"], [], ["file_a"]) == (files_of_event(event), files_of_event(other), files_of_body(body))
    assert ([], []) == (files_of_event(b"{"), files_of_body(b"[]"))
