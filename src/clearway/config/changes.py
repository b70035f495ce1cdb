"""What is different between two configurations, and what of it can be put in force at once.

Pure. Values are shown as in the file, passwords masked. Used by server/reload and,
across the control socket, by `clearway reload`.
"""

from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec

from clearway.config.masking import masked_value
from clearway.config.model import Config, Upstream
from clearway.config.problems import Problem
from clearway.config.sample import as_toml
from clearway.config.tree import settings_of
from clearway.config.types import Type, fields_of

_UPSTREAMS = "upstreams"
S = TypeVar("S", bound=msgspec.Struct)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One setting that is different. Of an upstream: `upstreams.NAME.base_url`, or all of it."""

    setting: str
    before: str | None = None
    """As it is written in the file; None: it was not there."""
    after: str | None = None
    """Likewise; None: it is not there any more."""
    needs_restart: bool = False
    """It stays as it was until the gateway is started anew."""

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.setting} added" + (f": {self.after}" if self.after else "")
        if self.after is None:
            return f"{self.setting} removed"
        return f"{self.setting}: {self.before} -> {self.after}"


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """What came of reading the configuration again."""

    path: str | None = None
    """The file; None: there is none, or it was not found out."""
    changes: tuple[Change, ...] = ()
    problems: tuple[Problem, ...] = ()
    """Why it was refused, and nothing has changed; empty: it is in force."""


def compare(before: Config, after: Config) -> list[Change]:
    """Every setting that differs, in the order of the model."""
    old, new = _flat(before), _flat(after)
    kinds = {name: kind for config in (before, after) for name, _, kind in _settings(config)}
    changes = [
        Change(
            setting=name,
            before=_shown(name, old.get(name), kind),
            after=_shown(name, new.get(name), kind),
            needs_restart=kind.needs_restart,
        )
        for name, kind in kinds.items()
        # A table that may be missing is there with its settings, or itself as None.
        if old.get(name) != new.get(name)
    ]
    return changes + list(_of_upstreams(before.upstreams, after.upstreams))


def put_in_force(running: Config, wanted: Config) -> Config:
    """`wanted`, but for what `running` cannot change."""
    return _keep(running, wanted)


def _keep(running: S, wanted: S) -> S:
    kept: dict[str, object] = {}
    for name, kind in fields_of(type(running)).items():
        value = getattr(running, name)
        if kind.needs_restart:
            kept[name] = value
        elif kind.table is not None and not kind.is_optional:
            kept[name] = _keep(value, getattr(wanted, name))
    return msgspec.structs.replace(wanted, **kept)


def _settings(config: Config) -> Iterator[tuple[str, object, Type]]:
    """All but the upstreams, which are told apart by their names and not by their places."""
    return (entry for entry in settings_of(config) if not entry[0].startswith(_UPSTREAMS))


def _flat(config: Config) -> Mapping[str, object]:
    return {name: value for name, value, _ in _settings(config)}


def _of_upstreams(before: tuple[Upstream, ...], after: tuple[Upstream, ...]) -> Iterator[Change]:
    old = {upstream.name: upstream for upstream in before}
    new = {upstream.name: upstream for upstream in after}
    for name, upstream in old.items():
        if name not in new:
            yield Change(setting=f"{_UPSTREAMS}.{name}", before=upstream.kind)
    for name, upstream in new.items():
        if name not in old:
            yield Change(setting=f"{_UPSTREAMS}.{name}", after=upstream.kind)
        elif upstream != old[name]:
            yield from _of_upstream(old[name], upstream)
    left, right = [name for name in old if name in new], [name for name in new if name in old]
    if left != right:
        yield Change(setting=f"{_UPSTREAMS} (their order)", before=", ".join(left), after=", ".join(right))


def _of_upstream(before: Upstream, after: Upstream) -> Iterator[Change]:
    for field, kind in fields_of(Upstream).items():
        values = getattr(before, field), getattr(after, field)
        if values[0] != values[1]:
            setting = f"{_UPSTREAMS}.{before.name}.{field}"
            shown = [_shown(setting, value, kind) for value in values]
            yield Change(setting=setting, before=shown[0], after=shown[1])


def _shown(setting: str, value: object, kind: Type) -> str | None:
    return None if value is None else as_toml(masked_value(setting, value), kind)
