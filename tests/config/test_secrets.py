"""Secrets from where they are; errors that say what to do and repeat nothing."""

from pathlib import Path

import pytest

from clearway.config.model import SecretSource
from clearway.config.problems import ConfigError
from clearway.config.secrets import resolve

SETTING = "upstreams[0].api_key"


def test_from_the_environment() -> None:
    """The one named variable, without the white space around it."""
    assert resolve(SecretSource(env="K"), {"K": " sk-1\n", "L": "x"}, setting=SETTING).reveal() == "sk-1"


def test_from_a_file(tmp_path: Path) -> None:
    """A file's content, as container secrets are written: with a line break at the end."""
    (tmp_path / "key").write_text("sk-2\n")

    assert resolve(SecretSource(file=str(tmp_path / "key")), {}, setting=SETTING).reveal() == "sk-2"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"two SECRETS", "more than one word"),
        (b"SECRET\nSECRET", "more than one word"),
        ("SECRÉT".encode(), "more than one word"),
        (b"\xffSECRET", "is not text"),
        (b"S" * 70_000, "is too large"),
    ],
)
def test_files_that_hold_no_secret(content: bytes, message: str, tmp_path: Path) -> None:
    """What could not be sent in a header is refused here, and not shown."""
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        resolve(SecretSource(file=str(tmp_path / "key")), {}, setting=SETTING)

    assert "SECR" not in str(caught.value)


def test_what_is_not_there(tmp_path: Path) -> None:
    """A missing variable, file or place names itself and the setting."""
    for source, message in (
        (SecretSource(env="NOPE"), "environment NOPE: upstreams\\[0\\].api_key: is not set"),
        (SecretSource(file=str(tmp_path / "gone")), "gone: .*: no such file"),
        (SecretSource(file=str(tmp_path)), "is a directory"),
        (SecretSource(), "names no place"),
    ):
        with pytest.raises(ConfigError, match=message):
            resolve(source, {}, setting=SETTING)
