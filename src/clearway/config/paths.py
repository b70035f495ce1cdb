"""Paths in settings: absolute, wherever a command is started.

Used by config/load. Touches no file.
"""

import os.path
from collections.abc import Mapping
from pathlib import Path

import msgspec

from clearway.config.model import Upstream

_PATHS = ("server.data_dir", "usage.prices")


def absolute(layer: dict[str, object], environ: Mapping[str, str], base: Path) -> dict[str, object]:
    """The layer with every path in it made absolute."""
    for setting in _PATHS:
        if isinstance(text := layer.get(setting), str) and text:
            layer[setting] = expand(text, environ, base)
    upstreams = layer.get("upstreams")
    if isinstance(upstreams, tuple):
        layer["upstreams"] = tuple(_absolute_upstream(upstream, environ, base) for upstream in upstreams)
    return layer


def _absolute_upstream(upstream: Upstream, environ: Mapping[str, str], base: Path) -> Upstream:
    changes: dict[str, object] = {
        name: expand(text, environ, base)
        for name in ("ca", "recordings")
        if isinstance(text := getattr(upstream, name), str) and text
    }
    if upstream.api_key is not None and upstream.api_key.file:
        changes["api_key"] = msgspec.structs.replace(
            upstream.api_key, file=expand(upstream.api_key.file, environ, base)
        )
    return msgspec.structs.replace(upstream, **changes)


def expand(text: str, environ: Mapping[str, str], base: Path) -> str:
    """`~` is the home directory, anything else relative stands under `base`."""
    if text == "~" or text.startswith("~/"):
        home = environ.get("HOME") or str(Path.home())
        text = home + text[1:]
    return os.path.normpath(base / text)
