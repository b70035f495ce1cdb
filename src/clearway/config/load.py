"""Finds, reads and merges the settings: defaults < file < environment < flags.

The only module that reads the process's environment. Every problem of every
layer is collected, then told at once as one `ConfigError`.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec
import platformdirs

from clearway.config.check import Rules
from clearway.config.convert import Source, build, leaves
from clearway.config.model import Config, SecretSource, Upstream
from clearway.config.paths import absolute, expand
from clearway.config.problems import ConfigError, Problem
from clearway.config.proxies import settle_proxies
from clearway.config.tree import settings_of
from clearway.config.types import fields_of

FILE_NAME = "clearway.toml"
FILE_VARIABLE = "CLEARWAY_CONFIG"
_PREFIX = "CLEARWAY_"
_API_KEY_VARIABLE = "ANTHROPIC_API_KEY"
_SEMCONV_VARIABLE = "OTEL_SEMCONV_STABILITY_OPT_IN"
_SEMCONV_LATEST = "gen_ai_latest_experimental"
_DEFAULT = "default"


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """The settings in force."""

    config: Config
    """Paths in it are absolute."""
    origins: dict[str, str]
    """Where each setting came from, by dotted name: a file, `environment NAME`,
    `flag --name`, or `default`."""
    path: Path | None
    """The file that was read; None: none was found."""


def environment() -> dict[str, str]:
    """A copy of the process's environment, to hand to `load` and `resolve`."""
    return dict(os.environ)  # noqa: TID251  # this is the one place


def load(
    *, path: Path | None, environ: Mapping[str, str], flags: Mapping[str, object] | None = None, cwd: Path | None = None
) -> Loaded:
    """Read and merge every layer, and check the whole.

    Args:
        path: The file that `--config` named; None: search.
        environ: The environment.
        flags: Values by dotted setting, `server.port`; None means not given.
        cwd: Where the search begins and relative flags start; None: here.

    Raises:
        ConfigError: With every problem that was found.
    """
    cwd = cwd or Path.cwd()
    problems: list[Problem] = []
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    found = _find(path, environ, cwd)
    for source, layer in (
        _file_layer(found, environ, problems),
        *_environment_layers(environ, cwd, problems),
        *_flag_layers(flags or {}, cwd, environ, problems),
    ):
        _merge(source, layer, values, origins)
    _default_data_dir(values, origins, environ)
    _default_upstreams(values, origins, environ)
    _default_semconv(values, origins, environ)
    if problems:
        raise ConfigError(*problems)
    config = build(Config, values)
    _fill_origins(config, origins)
    config = settle_proxies(config, origins, environ, problems)
    Rules(config, origins, problems).check()
    if problems:
        raise ConfigError(*problems)
    return Loaded(config=config, origins=origins, path=found)


def user_config_file(environ: Mapping[str, str]) -> Path:
    """Where the user's own configuration file is looked for."""
    base = environ.get("XDG_CONFIG_HOME")
    return (Path(base) / "clearway" if base else platformdirs.user_config_path("clearway")) / FILE_NAME


def ignored_variables(environ: Mapping[str, str]) -> list[str]:
    """Variables that look like ours and are not read: names only.

    A name without `__` is no setting; service links of Kubernetes make such
    names (`CLEARWAY_PORT`) for a service called clearway, so they are no error.
    """
    return sorted(
        name
        for name in environ
        if name.startswith(_PREFIX) and name != FILE_VARIABLE and _setting_of(name) is None and name.isupper()
    )


def _find(path: Path | None, environ: Mapping[str, str], cwd: Path) -> Path | None:
    named, by = path, "flag --config"
    if named is None and environ.get(FILE_VARIABLE):
        named, by = Path(environ[FILE_VARIABLE]), f"environment {FILE_VARIABLE}"
    if named is not None:
        absolute = Path(expand(str(named), environ, cwd))
        if not absolute.is_file():
            raise ConfigError(Problem(by, "", f"there is no file {absolute}", "make one with: clearway config init"))
        return absolute
    for candidate in (cwd / FILE_NAME, user_config_file(environ)):
        if candidate.is_file():
            return candidate
    return None


def _file_layer(
    path: Path | None, environ: Mapping[str, str], problems: list[Problem]
) -> tuple[Source, dict[str, object]]:
    source = Source(str(path or ""), problems)
    if path is None:
        return source, {}
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        source.complain("", f"is not valid TOML: {str(error)[:1].lower()}{str(error)[1:]}")
        return source, {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        source.complain("", f"cannot be read: {reason}")
        return source, {}
    # Relative paths mean the same wherever a command is started: beside the file.
    return source, absolute(leaves(tree, Config, source), environ, path.parent)


def _environment_layers(
    environ: Mapping[str, str], cwd: Path, problems: list[Problem]
) -> list[tuple[Source, dict[str, object]]]:
    layers = []
    for name in sorted(environ):
        setting = _setting_of(name)
        if setting is not None:
            source = Source(f"environment {name}", problems, is_text=True)
            layers.append((source, absolute(_leaf(setting, environ[name], source), environ, cwd)))
    return layers


def _flag_layers(
    flags: Mapping[str, object], cwd: Path, environ: Mapping[str, str], problems: list[Problem]
) -> list[tuple[Source, dict[str, object]]]:
    layers = []
    for setting, value in flags.items():
        if value is not None:
            source = Source(f"flag --{setting.rpartition('.')[2].replace('_', '-')}", problems, is_text=True)
            plain = str(value) if isinstance(value, Path) else value
            layers.append((source, absolute(_leaf(setting, plain, source), environ, cwd)))
    return layers


def _leaf(setting: str, value: object, source: Source) -> dict[str, object]:
    """One dotted setting as a layer of its own."""
    tree: object = value
    for name in reversed(setting.split(".")):
        tree = {name: tree}
    return leaves(tree, Config, source) if isinstance(tree, dict) else {}


def _setting_of(variable: str) -> str | None:
    """`CLEARWAY_SERVER__PORT` -> `server.port`; None where it is no setting of ours."""
    if not variable.startswith(_PREFIX):
        return None
    parts = variable.removeprefix(_PREFIX).lower().split("__")
    if len(parts) == 1 and not _is_list(parts[0]):
        return None
    return ".".join(parts)


def _is_list(name: str) -> bool:
    kind = fields_of(Config).get(name)
    return kind is not None and kind.entry is not None


def _merge(source: Source, layer: dict[str, object], values: dict[str, object], origins: dict[str, str]) -> None:
    for setting, value in layer.items():
        values[setting] = value
        for inner in [name for name in origins if re.match(rf"{re.escape(setting)}[\[.]", name)]:
            del origins[inner]
    origins.update(dict.fromkeys(source.settings, source.where))


def _default_data_dir(values: dict[str, object], origins: dict[str, str], environ: Mapping[str, str]) -> None:
    base = environ.get("XDG_DATA_HOME")
    if "server.data_dir" in values:
        return
    if base and Path(base).is_absolute():
        values["server.data_dir"] = str(Path(base) / "clearway")
        origins["server.data_dir"] = "environment XDG_DATA_HOME"
    else:
        values["server.data_dir"] = expand(Config().server.data_dir, environ, Path.cwd())


def _default_upstreams(values: dict[str, object], origins: dict[str, str], environ: Mapping[str, str]) -> None:
    if values.get("upstreams"):
        return
    upstreams = [Upstream(name="own-login", kind="passthrough")]
    origins["upstreams"] = _DEFAULT
    if environ.get(_API_KEY_VARIABLE):
        upstreams.append(Upstream(name="anthropic", kind="anthropic", api_key=SecretSource(env=_API_KEY_VARIABLE)))
        origins["upstreams[1]"] = f"environment {_API_KEY_VARIABLE} is set"
    values["upstreams"] = tuple(upstreams)


def _default_semconv(values: dict[str, object], origins: dict[str, str], environ: Mapping[str, str]) -> None:
    """The switch that all programs share: https://opentelemetry.io/docs/specs/semconv/gen-ai/ (read 2026-11-27)."""
    asked_for = [word.strip() for word in environ.get(_SEMCONV_VARIABLE, "").split(",")]
    if "otel.semconv" not in values and _SEMCONV_LATEST in asked_for:
        values["otel.semconv"] = "latest"
        origins["otel.semconv"] = f"environment {_SEMCONV_VARIABLE}"


def _fill_origins(config: Config, origins: dict[str, str]) -> None:
    """Say `default` for everything that no layer set."""
    for setting, _, _ in settings_of(config):
        if setting not in origins:
            entry = re.match(r"(upstreams\[\d+\])\.", setting)
            inherited = origins.get(entry[1]) if entry else None
            origins[setting] = inherited or _DEFAULT
