"""Names beside values."""

from clearway.core.fields import Choice, Fields, lower_case

PAIRS = [(b"host", b"x"), (b"accept", b"a"), (b"x-api-key", b"never-shown"), (b"accept", b"b")]


def test_they_are_what_they_were_made_of() -> None:
    """In order, repeated names included."""
    fields = Fields.of(PAIRS)

    assert PAIRS == list(fields)
    assert len(fields) == len(PAIRS)
    assert Fields.of(fields) is fields
    assert Fields.of(iter(PAIRS)) == fields


def test_of_two_the_first_is_found() -> None:
    """And None where there is none."""
    fields = Fields.of(PAIRS)

    assert fields.first(b"accept") == b"a"
    assert fields.first(b"accep") is None


def test_a_choice_holds_for_every_head_with_the_same_names() -> None:
    """Values are picked by place, so that of two fields with one name the right one goes."""
    fields = Fields.of(PAIRS)
    choice = Choice(fields.names, [True, False, False, True], b"x-more")

    assert [(b"host", b"x"), (b"accept", b"b"), (b"x-more", b"1")] == list(choice.of(fields, b"1"))
    other = Fields(fields.names, (b"y", b"c", b"d", b"e"))
    assert [(b"host", b"y"), (b"accept", b"e"), (b"x-more", b"2")] == list(choice.of(other, b"2"))


def test_no_value_is_shown() -> None:
    """A head can hold a credential."""
    assert repr(Fields.of(PAIRS)) == str(Fields.of(PAIRS)) == "Fields(host, accept, x-api-key, accept)"


def test_names_in_lower_case_are_the_same_objects() -> None:
    """However they were written, once they are known."""
    again = bytes(bytearray(b"Accept"))

    assert lower_case((b"Accept", b"host"))[0] is lower_case((again, b"host"))[0]
    assert lower_case((b"ACCEPT",)) == (b"accept",)
