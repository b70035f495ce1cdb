"""A look into request bodies: what is read, what is refused, what is replaced."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.core.errors import BadRequest
from clearway.wire.body import Peek, Unreadable, peek, replace_model

PLAIN = b'{"model":"claude-a","max_tokens":10,"stream":true,"messages":[{"role":"user","content":"hi"}]}'

READ = [
    pytest.param(PLAIN, Peek("claude-a", stream=True, max_tokens=10), id="plain"),
    pytest.param(b'{"model":"m"}', Peek("m"), id="little"),
    pytest.param(b"{}", Peek(), id="empty-object"),
    pytest.param(b' \n{ "model" : "m" , "x" : [ 1 ] } ', Peek("m"), id="white-space"),
    pytest.param(b'{"\\u006dodel":"m"}', Peek("m"), id="escaped-name"),
    pytest.param(b'{"model":"m","messages":[{"model":"n","stream":1,"max_tokens":[]}]}', Peek("m"), id="nested-names"),
    pytest.param(
        b'{"messages":[{"content":"say \\"model\\": \\u001b[0m"}],"model":"m"}', Peek("m"), id="quoted-in-text"
    ),
    pytest.param(b'{"max_tokens":0}', Peek(max_tokens=0), id="no-tokens"),
    pytest.param(b'{"max_tokens":9007199254740992}', Peek(max_tokens=1 << 53), id="many-tokens"),
    pytest.param(b'{"stream":null,"max_tokens":null,"model":null}', Peek(), id="nulls"),
    pytest.param(
        b'{"model":"m","unknown":{"deep":[[[{}]]]},"temperature":1e400}'.replace(b"1e400", b"1"),
        Peek("m"),
        id="unknown",
    ),
]


@pytest.mark.parametrize(("body", "expected"), READ)
def test_what_is_read(body: bytes, expected: Peek) -> None:
    """The members of interest, wherever they stand."""
    assert peek(body) == expected


UNREADABLE = [
    pytest.param(b"", id="empty"),
    pytest.param(b"hello", id="not-json"),
    pytest.param(b"[1]", id="not-an-object"),
    pytest.param(b'{"model":7}', id="model-is-a-number"),
    pytest.param(b'{"stream":"yes"}', id="stream-is-text"),
    pytest.param(b'{"max_tokens":"many"}', id="max-tokens-is-text"),
    pytest.param(b'{"max_tokens":-1}', id="max-tokens-below-zero"),
    pytest.param(b'{"max_tokens":9007199254740993}', id="max-tokens-beyond-all-numbers-of-tokens"),
    pytest.param(b'{"model":"m"', id="cut"),
    pytest.param(b'{"model":"m"}x', id="more-after-it"),
    pytest.param(b'{"a":NaN}', id="nan"),
    pytest.param(b'{"model":"\xff"}', id="not-utf8"),
    pytest.param(b"\xef\xbb\xbf{}", id="byte-order-mark"),
    pytest.param('{"model":"m"}'.encode("utf-16"), id="utf-16"),
    pytest.param(b'{"model":"\\ud800"}', id="lone-surrogate"),
    pytest.param(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="nesting"),
]


@pytest.mark.parametrize("body", UNREADABLE)
def test_what_cannot_be_read(body: bytes) -> None:
    """A clear error, never anything else, and never a piece of the body."""
    with pytest.raises(Unreadable) as raised:
        peek(body)

    assert "hello" not in str(raised.value)


TWICE = [
    pytest.param(b'{"model":"a","model":"b"}', "model", id="model"),
    pytest.param(b'{"stream":true,"x":1,"stream":false}', "stream", id="stream"),
    pytest.param(b'{"max_tokens":1,"max_tokens":1}', "max_tokens", id="same-value"),
    pytest.param(b'{"model":"a","\\u006dodel":"b"}', "model", id="escaped"),
    pytest.param(b'{"model":"a","mode\\u006C":"b"}', "model", id="escaped-upper-case"),
    pytest.param(b'{"max_tokens":1,"max\\u005ftokens":9}', "max_tokens", id="escaped-underscore"),
    pytest.param(b'{"messages":[{"model":"n"}],"model":"a", "model" :"b"}', "model", id="beside-a-nested-one"),
    pytest.param(b'{"model":"a","x\xe4":["\xff"],"model":"b"}', "model", id="beside-text-that-is-not-utf8"),
]


@pytest.mark.parametrize(("body", "name"), TWICE)
def test_what_decides_may_stand_there_once(body: bytes, name: str) -> None:
    """Of two, another reader could take the other one."""
    with pytest.raises(BadRequest, match=f"^{name} stands in the body twice"):
        peek(body)


REPLACED = [
    pytest.param(b'{"model":"a","x":1}', b'{"model":"new","x":1}', id="first"),
    pytest.param(b'{ "x":1 , "model"\t:\n"a" }', b'{ "x":1 , "model"\t:\n"new" }', id="white-space-stays"),
    pytest.param(b'{"m":[{"model":"n"}],"model":"a"}', b'{"m":[{"model":"n"}],"model":"new"}', id="not-the-nested-one"),
    pytest.param(
        b'{"\\u006dodel":"a","x":"\xe2\x82\xac"}', b'{"\\u006dodel":"new","x":"\xe2\x82\xac"}', id="escaped-name"
    ),
    pytest.param(b'{"x":"\xe2\x82\xac","model":"a\\"b"}', b'{"x":"\xe2\x82\xac","model":"new"}', id="escaped-value"),
    pytest.param(
        b'{"\\u006dodel":"a","x\xe4":["\xff"]}', b'{"\\u006dodel":"new","x\xe4":["\xff"]}', id="text-that-is-not-utf8"
    ),
    pytest.param(b'{"x":"the \\"model\\" of","model":"a"}', b'{"x":"the \\"model\\" of","model":"new"}', id="in-text"),
]


@pytest.mark.parametrize(("body", "expected"), REPLACED)
def test_one_value_changes_and_nothing_else(body: bytes, expected: bytes) -> None:
    """An alias changes the model's bytes; every other byte stays."""
    assert replace_model(body, "new") == expected


LONG = b'"messages":["' + b"\\u0061 " * 300 + b'"]'
SHORT = b'"messages":[{"model":1}]'
AROUND = [
    pytest.param(b'{"model":"a",%b,"x":{"model":1}}', id="before"),
    pytest.param(b'{%b,"x":{"model":1},"model":"a"}', id="after"),
    pytest.param(b'{"x":{%b},"system":"\\u0061","model":"a","y":"\xff"}', id="nested"),
    pytest.param(b'{"tools":[{"messages":{}}],%b,"\\u006dodel":"a"}', id="behind-another-of-its-name"),
]


@pytest.mark.parametrize("frame", AROUND)
@pytest.mark.parametrize("value", [LONG, SHORT], ids=["long", "short"])
def test_the_slow_way_reads_around_long_values(frame: bytes, value: bytes) -> None:
    """Wherever they stand, the model is found and replaced, and nothing else."""
    body = frame % value
    before, _, after = body.rpartition(b'"a"')

    assert peek(body).model == "a"
    assert replace_model(body, "new") == before + b'"new"' + after
    with pytest.raises(BadRequest, match=r"^model stands in the body twice"):
        peek(body[:-1] + b',"model":"b"}')


SLOW = [
    pytest.param(b'"\\u0061":1,' + b'"k":1,' * 1000, "too many members", id="members"),
    pytest.param(b'"\\u0061":1,"x":[' + b"[]," * 400_000 + b"0],", "too many bytes", id="a-long-value"),
    pytest.param(b'"\\u0061":1,' + b'"k":1,' * 1_000_000, "too many bytes", id="a-million-members"),
]


@pytest.mark.parametrize(("members", "reason"), SLOW)
def test_the_slow_way_is_never_long(members: bytes, reason: str) -> None:
    """What would take it seconds is refused; without an escaped name it is read like any other."""
    body = b"{" + members + b'"model":"a"}'
    begin = time.process_time()
    with pytest.raises(Unreadable, match=reason):
        peek(body)

    assert 1.0 > time.process_time() - begin
    assert peek(body.replace(b"\\u0061", b"a")).model == "a"


def test_long_numbers_are_nobodys_business() -> None:
    """Five thousand digits beside an escaped name."""
    assert peek(b'{"\\u006dodel":"a","x":' + b"9" * 5000 + b"}").model == "a"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["model", "stream", "a", '"']), inner, max_size=3)
    ),
    max_leaves=20,
)


MEMBERS = st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=5), JSON), max_size=5)


@given(MEMBERS, st.integers(0, 5), st.sampled_from(["escaped", "plain"]))
def test_any_body(members: list[tuple[str, object]], place: int, style: str) -> None:
    """In any object the right model is read and replaced, and the rest is the same value."""
    others = [(name, value) for name, value in members if name not in ("model", "stream", "max_tokens")]
    pairs = [*others[:place], ("model", "old"), *others[place:]]
    write = json.JSONEncoder(ensure_ascii=style == "escaped").encode
    body = ("{" + ",".join(f"{write(name)}: {write(value)}" for name, value in pairs) + "}").encode()

    assert peek(body).model == "old"
    assert json.loads(replace_model(body, "neu"), object_pairs_hook=list)[len(others[:place])] == ("model", "neu")
    assert json.loads(replace_model(body, "neu")) == {**json.loads(body), "model": "neu"}
