"""Files and batches on the wire: their routes, their ids, and where an answer tells what.

Owns the table of routes that pass with the gateway's own credential, the strict form
of an id, and the one value that is changed in answers (`results_url`). Pure.
Source: `resources/beta/files.py`, `resources/messages/batches.py` and the types beside
them of the `anthropic` SDK 2.11 (read 2026-11-27); recorded batches of 2026-08-19.
Used by server/paths and gateway/objects.
"""

import re
from typing import Literal

import msgspec

Kind = Literal["file", "batch"]
"""What a key can own."""
Verb = Literal["create", "list", "show", "delete", "cancel", "content", "results"]


class Route(msgspec.Struct, frozen=True):
    """One row of the table."""

    method: str
    path: re.Pattern[str]
    """Its only group, where there is one, is the id, in whatever form."""
    kind: Kind
    verb: Verb


_FILES, _BATCHES = r"/v1/files", r"/v1/messages/batches"
_ID = r"/([^/]+)"

ROUTES: tuple[Route, ...] = (
    Route("POST", re.compile(_FILES), "file", "create"),
    Route("GET", re.compile(_FILES), "file", "list"),
    Route("GET", re.compile(_FILES + _ID), "file", "show"),
    Route("DELETE", re.compile(_FILES + _ID), "file", "delete"),
    Route("GET", re.compile(_FILES + _ID + "/content"), "file", "content"),
    Route("POST", re.compile(_BATCHES), "batch", "create"),
    Route("GET", re.compile(_BATCHES), "batch", "list"),
    Route("GET", re.compile(_BATCHES + _ID), "batch", "show"),
    Route("DELETE", re.compile(_BATCHES + _ID), "batch", "delete"),
    Route("POST", re.compile(_BATCHES + _ID + "/cancel"), "batch", "cancel"),
    Route("GET", re.compile(_BATCHES + _ID + "/results"), "batch", "results"),
)
"""What passes with the gateway's own credential, each for the key that owns the object."""

PATHS: dict[Kind, str] = {"file": _FILES, "batch": _BATCHES}

_OWN_FORM: dict[Kind, re.Pattern[str]] = {
    "file": re.compile(r"file_[A-Za-z0-9]{1,128}"),
    "batch": re.compile(r"msgbatch_[A-Za-z0-9]{1,128}"),
}
_BEGINNINGS = (_FILES, _BATCHES)


class Asked(msgspec.Struct, frozen=True):
    """What a request asks of files or batches."""

    kind: Kind
    verb: Verb
    id: str | None = None
    """As it stands in the path; `is_id` says whether it is one."""


def asked_of(method: str, path: str) -> Asked | None:
    """What a request asks for; None where it is no route of the table.

    Args:
        method: In upper case.
        path: Without query; `server/paths.py` has refused what can be read in two ways.
    """
    if not path.startswith(_BEGINNINGS):
        return None
    for route in ROUTES:
        if route.method == method and (found := route.path.fullmatch(path)):
            return Asked(route.kind, route.verb, found[1] if found.groups() else None)
    return None


def is_id(kind: Kind, value: str) -> bool:
    """Whether it has the form of an id, and no other."""
    return _OWN_FORM[kind].fullmatch(value) is not None


class _Made(msgspec.Struct):
    id: str


_made = msgspec.json.Decoder(_Made)


def made_id(kind: Kind, body: bytes) -> str | None:
    """The id in an answer that tells one object; None where there is none of its form."""
    try:
        value = _made.decode(body).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if is_id(kind, value) else None


# A member's name, not text that looks like it: within a string both quotes are escaped.
_RESULTS_URL = re.compile(rb'(?<!\\)("results_url"[ \t\r\n]*:[ \t\r\n]*)"(?:[^"\\]|\\.)*"')


def with_results_url(body: bytes, url: str) -> bytes:
    """The same bytes of a batch with another `results_url`, where it has one."""
    value = msgspec.json.encode(url)
    return _RESULTS_URL.sub(lambda found: found[1] + value, body)
