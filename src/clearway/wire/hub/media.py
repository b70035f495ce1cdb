"""Images and documents as blocks of Messages, from data or from a URL.

A URL is sent on for the upstream to fetch; nothing is fetched here. What data is, its
first bytes decide, as clients often say something else. Pure.
Source: `ImageBlockParam`, `DocumentBlockParam` of the `anthropic` SDK 2.x (read 2026-11-21).
Used by the translators of every spoke.
"""

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes, urlsplit

from clearway.wire.hub.notes import Refusal
from clearway.wire.hub.turns import Block

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF", "application/pdf"),
)
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_DATA_URL = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)
_WHITE = re.compile(r"\s")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_PEEK = 64
_SHORT_TYPE = 100


def image_block(url: str, where: str) -> Block:
    """An image.

    Args:
        url: `data:` or `http(s):`.
        where: How the client would name it.

    Raises:
        Refusal: It is neither, or no image that the model reads.
    """
    if _scheme(url) != "data":
        return {"type": "image", "source": {"type": "url", "url": _web(url, where)}}
    media, data = _data(url, where)
    if media not in _IMAGES:
        raise Refusal(where, f"images of the type {_shown(media)} are not read; png, jpeg, gif and webp are")
    return {"type": "image", "source": {"type": "base64", "media_type": media, "data": data}}


def document_block(given: str, where: str, *, title: str | None = None) -> Block:
    """A document, or an image that came as a file.

    Args:
        given: A data URL, bare base64, or an address.
        where: How the client would name it.
        title: Its name.

    Raises:
        Refusal: Nothing that the model reads.
    """
    named = {"title": title} if title else {}
    if _scheme(given) in {"http", "https"}:
        return {"type": "document", "source": {"type": "url", "url": _web(given, where)}, **named}
    media, data = _data(given, where) if _scheme(given) == "data" else _bare(given, where)
    if media in _IMAGES:
        return {"type": "image", "source": {"type": "base64", "media_type": media, "data": data}}
    if media == "application/pdf":
        return {"type": "document", "source": {"type": "base64", "media_type": media, "data": data}, **named}
    if media.startswith("text/") or media in {"application/json", "application/xml"}:
        try:
            text = base64.b64decode(data).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise Refusal(where, "the text of this file is not UTF-8") from None
        return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}, **named}
    raise Refusal(where, f"files of the type {_shown(media)} are not read; PDF, text and images are")


def _scheme(url: str) -> str:
    return url[:8].partition(":")[0].strip().lower()


def _web(url: str, where: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Refusal(where, "expected an address with http or https, or a data URL")
    return url


def _data(url: str, where: str) -> tuple[str, str]:
    """Media type and base64 of a data URL."""
    found = _DATA_URL.match(url.lstrip())
    if found is None:
        raise Refusal(where, "the data URL is not valid")
    rest = url.lstrip()[found.end() :]
    if ";base64" not in found[2].lower():
        data = base64.b64encode(unquote_to_bytes(rest)).decode("ascii")
    else:
        data = _clean(rest, where)
    return _media(data, where) or found[1].strip().lower() or "text/plain", data


def _bare(given: str, where: str) -> tuple[str, str]:
    data = _clean(given, where)
    return _media(data, where) or "application/octet-stream", data


def _clean(text: str, where: str) -> str:
    data = _WHITE.sub("", text) if _WHITE.search(text) else text
    if not data or not _BASE64.fullmatch(data):
        raise Refusal(where, "this is not base64")
    return data


def _media(data: str, where: str) -> str | None:
    """What the first bytes say that it is."""
    try:
        head = base64.b64decode(data[:_PEEK] + "=" * (-len(data[:_PEEK]) % 4))
    except binascii.Error:
        raise Refusal(where, "this is not base64") from None
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((media for magic, media in _MAGIC if head.startswith(magic)), None)


def _shown(media: str) -> str:
    return media[:_SHORT_TYPE]
