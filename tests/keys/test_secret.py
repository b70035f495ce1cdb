"""The text of a key: what is ours, what is whole, what is typed wrongly."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.keys import secret

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
secrets = st.binary(min_size=32, max_size=32).map(lambda entropy: secret.generate(lambda _: entropy))


@given(secrets)
def test_generated_is_whole(made: str) -> None:
    """What we make has the one form, is ours and well-formed."""
    assert len(made) == 3 + 43 + 6
    assert secret.looks_ours(made)
    assert secret.is_wellformed(made)


@given(secrets, st.data())
def test_every_typo_is_seen(made: str, data: st.DataObject) -> None:
    """One wrong character, anywhere after the prefix, is never taken for a key."""
    place = data.draw(st.integers(3, len(made) - 1))
    other = data.draw(st.sampled_from([digit for digit in ALPHABET if digit != made[place]]))

    assert not secret.is_wellformed(made[:place] + other + made[place + 1 :])


@given(secrets)
def test_every_transposition_is_seen(made: str) -> None:
    """Two neighbours swapped, anywhere, are never taken for a key."""
    for place in range(len(made) - 1):
        swapped = made[:place] + made[place + 1] + made[place] + made[place + 2 :]

        assert swapped == made or not secret.is_wellformed(swapped)


@pytest.mark.parametrize("entropy", [b"\0" * 32, b"\xff" * 32], ids=["smallest", "largest"])
def test_all_entropy_fits(entropy: bytes) -> None:
    """The digits are the 32 bytes as one number, none lost."""
    value = 0
    for digit in secret.generate(lambda _: entropy)[3:46]:
        value = value * 62 + ALPHABET.index(digit)

    assert int.from_bytes(entropy) == value


def test_two_secrets_differ() -> None:
    """The default source of randomness is not constant."""
    assert secret.generate() != secret.generate()


@pytest.mark.parametrize(
    "value",
    ["", "cw-", "cw", "sk-ant-api03-x", "CW-" + "0" * 49, "cw-" + "0" * 48, "cw-" + "0" * 50, "cw-" + "é" * 49],
)
def test_what_is_not_a_key(value: str) -> None:
    """Anything of another form is not well-formed, and nothing raises."""
    assert not secret.is_wellformed(value)


def test_a_newline_at_the_end_is_not_part_of_a_key() -> None:
    """The whole value must match, not all but a line break."""
    assert not secret.is_wellformed(secret.generate() + "\n")


@pytest.mark.parametrize(("value", "expected"), [("cw-x", True), ("cw-", True), ("sk-cw-", False), (" cw-x", False)])
def test_the_prefix_alone_makes_it_ours(value: str, expected: bool) -> None:  # noqa: FBT001  # a table
    """A value is ours by its prefix, however broken the rest is."""
    assert expected == secret.looks_ours(value)


def test_digest_is_sha256_of_the_text() -> None:
    """The contract with the ledger: SHA-256 of the UTF-8 text; no header value makes it raise."""
    assert hashlib.sha256(b"cw-abc").digest() == secret.digest("cw-abc")
    assert len(secret.digest("cw-\udcff")) == 32


def test_display_prefix_is_nine_characters() -> None:
    """What is shown gives away 6 of 43 digits."""
    assert secret.display_prefix("cw-AbCdEfGhI") == "cw-AbCdEf"
