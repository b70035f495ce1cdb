"""The judgement of paths against every reading that there is."""

import posixpath
import re
import urllib.parse

from clearway.core.errors import BadRequest, NotFound
from clearway.server.paths import place

_WIRES = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
    "/v1/responses/input_tokens": "responses",
}
_ENDPOINTS = {
    "/v1/messages": "messages",
    "/v1/messages/count_tokens": "count_tokens",
    "/v1/models": "models",
    "/v1/chat/completions": "messages",
    "/v1/responses": "messages",
    "/v1/responses/input_tokens": "count_tokens",
}
_OBJECTS = {"files": "/v1/files", "batches": "/v1/messages/batches"}


def paths(data: bytes) -> None:
    """`METHOD path`. An accepted path is its own normal form for every reader there is, so
    that nobody behind us takes it for another.
    """
    word, _, raw = data.partition(b" ")
    method = word.decode("latin-1")
    try:
        where = place(method, raw)
    except (BadRequest, NotFound):
        return
    path = raw.decode("ascii")
    assert path.endswith(where.path)
    assert (where.local is None) != (where.endpoint is None)
    if where.run_id is not None:
        assert path == f"/run/{where.run_id}{where.path}"
        assert re.fullmatch("[A-Za-z0-9-]{8,64}", where.run_id)
    else:
        assert path == where.path
    assert where.endpoint is None or where.path.startswith(("/v1/", "/api/"))
    if where.endpoint in _OBJECTS:
        assert where.path == _OBJECTS[where.endpoint] or where.path.startswith(_OBJECTS[where.endpoint] + "/")
    else:
        assert where.endpoint in (None, "relay", "models") or _ENDPOINTS[where.path] == where.endpoint
    if where.endpoint is not None:
        assert where.wire == _WIRES.get(where.path, "messages")
    read = urllib.parse.unquote_to_bytes(path)
    segments = read.split(b"/")[1:]
    assert b"%" not in read, "decoding twice is not decoding once"
    assert read.count(b"/") == path.count("/"), "an encoded slash"
    assert not {b".", b".."} & set(segments)
    assert b"" not in segments[:-1]
    assert all(byte >= 0x20 and byte not in b"\x7f\\" for byte in read)
    assert posixpath.normpath(read) == (read.rstrip(b"/") or b"/")
    assert urllib.parse.urlsplit("http://host" + path).path == path
    assert urllib.parse.urljoin("http://host/base/", path) == "http://host" + path
