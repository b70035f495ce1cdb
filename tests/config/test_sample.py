"""The commented file that `config init` writes."""

import re
import tomllib
from pathlib import Path

import msgspec

from clearway.config.convert import Source, build, leaves
from clearway.config.load import load
from clearway.config.model import Config
from clearway.config.problems import Problem
from clearway.config.sample import sample
from clearway.config.types import docs_of, fields_of


def test_it_changes_nothing(tmp_path: Path) -> None:
    """As written, the file leaves every default."""
    file = tmp_path / "clearway.toml"
    file.write_text(sample())
    environ = {"HOME": str(tmp_path)}

    assert load(path=None, environ=environ, cwd=tmp_path / "x").config == load(path=file, environ=environ).config


def test_every_line_says_the_default() -> None:
    """With the `#` taken away, each setting says what holds anyway."""
    text = re.sub(
        r"^# (\w+ = (?!\"anthropic\").*)$", r"\1", sample().split("# A place that answers")[0], flags=re.MULTILINE
    )
    problems: list[Problem] = []
    found = leaves(tomllib.loads(text), Config, Source("", problems))

    assert problems == []
    assert len(found) > 15
    assert Config().server == build(Config, found).server


def test_every_setting_is_explained() -> None:
    """No setting without a docstring, and none is missing from the file."""
    tables = [kind.table for kind in fields_of(Config).values() if kind.table]
    entries = [kind.entry.table for kind in fields_of(Config).values() if kind.entry and kind.entry.table]
    for table in (*tables, *entries):
        assert issubclass(table, msgspec.Struct)
        for name, kind in fields_of(table).items():
            assert kind.table is not None or docs_of(table)[name], name
            assert re.search(rf"\b{name}\b", sample()), name
