"""What is remembered stays small, whatever comes."""

import pytest

from clearway.core.fields import Names, by_names, lower_case
from clearway.core.remembered import Remembered


def test_each_key_is_judged_once() -> None:
    """The judge is asked for what is new only."""
    asked: list[bytes] = []

    def judge(key: bytes) -> int:
        asked.append(key)
        return len(key)

    sizes = Remembered(judge, len, longest=8, most=8)

    assert [3, 5, 3, 3] == [sizes(key) for key in (b"one", b"three", b"one", b"one")]
    assert [b"one", b"three"] == asked


def test_when_full_it_begins_anew() -> None:
    """Never more than `most`, and what comes again is remembered again."""
    sizes: Remembered[bytes, int] = Remembered(len, len, longest=8, most=4)

    for number in range(100):
        assert len(str(number)) == sizes(b"%d" % number)
        assert len(sizes.known) <= 4
    assert sizes(b"known") == 5
    assert b"known" in sizes.known


def test_what_is_long_is_judged_and_forgotten() -> None:
    """A long key costs no memory."""
    sizes: Remembered[bytes, int] = Remembered(len, len, longest=8, most=8)

    assert sizes(b"x" * 9) == 9
    assert {} == sizes.known


@pytest.mark.parametrize("count", [1, 100], ids=["one-long-name", "many-names"])
def test_strange_heads_are_not_remembered(count: int) -> None:
    """A head is bounded by 64 KB; one of more than 4 KB of names is not kept."""
    lengths = by_names(len)
    names: Names = tuple(b"x" * (5000 // count) for _ in range(count))

    assert count == lengths(names)
    assert {} == lengths.known


def test_a_flood_of_names_takes_no_memory() -> None:
    """Names that nobody has sent before, again and again."""
    for number in range(2000):
        assert (b"x-%d" % number,) == lower_case((b"X-%d" % number,))
    assert len(lower_case.known) <= 256
