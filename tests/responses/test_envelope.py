"""Blocks of thinking, sealed: they come back as they were, or not at all."""

import base64
import hmac
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.core.secret import Secret
from clearway.wire.responses.envelope import Envelope, family

MODEL = "claude-sonnet-5-5"
BLOCKS: list[dict[str, object]] = [
    {"type": "thinking", "thinking": "hm \u20ac \U0001f326", "signature": "c2ln/+=="},
    {"signature": "x", "type": "thinking", "thinking": ""},
    {"type": "redacted_thinking", "data": "ZGF0YQ=="},
]
ENVELOPE = Envelope(Secret("s" * 32), "key-1")
TEXT = ENVELOPE.seal(BLOCKS, model=MODEL)


def test_it_comes_back() -> None:
    """R15: what was sealed is opened again, member by member in its order, for each snapshot of the model."""
    for model in (MODEL, f"{MODEL}-20261001", f"anthropic/{MODEL}", f"{MODEL}@20261001", f"{MODEL}-latest"):
        opened = ENVELOPE.open(TEXT, model=model)
        assert json.dumps(BLOCKS) == json.dumps(opened)
    assert TEXT == ENVELOPE.seal(BLOCKS, model=MODEL)


@given(st.lists(st.dictionaries(st.text(), st.one_of(st.text(), st.none(), st.integers(-9, 9))), max_size=4))
def test_any_blocks(blocks: list[dict[str, object]]) -> None:
    """R15: whatever the blocks hold."""
    assert blocks == ENVELOPE.open(ENVELOPE.seal(blocks, model=MODEL), model=MODEL)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param((Envelope(Secret("t" * 32), "key-1"), MODEL), id="R16-another-installation"),
        pytest.param((Envelope(Secret("s" * 32), "key-2"), MODEL), id="R16-another-key"),
        pytest.param((ENVELOPE, "claude-opus-5-5"), id="R16-another-model"),
        pytest.param((ENVELOPE, "claude-sonnet-5"), id="R16-another-generation"),
    ],
)
def test_it_is_opened_for_no_other(other: tuple[Envelope, str]) -> None:
    """R16: another key, installation or family of models opens nothing."""
    envelope, model = other

    assert envelope.open(TEXT, model=model) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("cw1", id="version-alone"),
        pytest.param("cw1..", id="hollow"),
        pytest.param("gAAAAABpQ2xhdWRl", id="of-openai"),
        pytest.param('[{"type":"thinking","thinking":"x","signature":"y"}]', id="plain-list"),
        pytest.param("cw2" + TEXT[3:], id="another-version"),
        pytest.param(TEXT + "A", id="longer"),
        pytest.param(TEXT + ".x", id="another-part"),
        pytest.param(TEXT.replace(".", ".=", 1), id="padded"),
        pytest.param("cw1.\u20ac.\u20ac", id="no-base64"),
        pytest.param("cw1." + "A" * (25 * 1024 * 1024), id="huge"),
    ],
)
def test_what_is_none(text: str) -> None:
    """R16: what we did not make is not opened, and never fails."""
    assert ENVELOPE.open(text, model=MODEL) is None


def test_every_letter_counts() -> None:
    """R16: any letter changed, nothing is opened."""
    for place in range(len(TEXT)):
        changed = TEXT[:place] + ("A" if TEXT[place] != "A" else "B") + TEXT[place + 1 :]
        assert ENVELOPE.open(changed, model=MODEL) is None


def test_a_bomb_is_not_inflated() -> None:
    """R16: what would inflate beyond the bound is not opened, even where its mark is right."""
    bomb = zlib.compress(b"[" + b" " * (65 * 1024 * 1024) + b"]")
    parts = (b"responses.reasoning", b"key-1", family(MODEL).encode(), bomb)
    mark = hmac.digest(b"s" * 32, b"".join(b"%d:%b" % (len(part), part) for part in parts), "sha256")
    body, end = (base64.urlsafe_b64encode(data).rstrip(b"=").decode() for data in (bomb, mark))

    assert ENVELOPE.open(f"cw1.{body}.{end}", model=MODEL) is None
