"""The sign-in page: plain HTML, one script, one stylesheet, nothing from elsewhere.

The link's token stands behind `#`: it is in no request, log or referrer, and a program
that only looks at links does not use it up. Used by server/admin/routes.
"""

from pathlib import Path

import msgspec

from clearway.server.admin.parts import Asked, Parts

_FOLDER = Path(__file__).with_name("static")


class Page(msgspec.Struct, frozen=True):
    """A static answer."""

    media_type: str
    content: bytes


def sign_in_page(parts: Parts, asked: Asked) -> Page:  # noqa: ARG001  # the form of handlers
    """The page."""
    return Page("text/html; charset=utf-8", (_FOLDER / "sign-in.html").read_bytes())


def sign_in_script(parts: Parts, asked: Asked) -> Page:  # noqa: ARG001
    """What it does."""
    return Page("text/javascript; charset=utf-8", (_FOLDER / "sign-in.js").read_bytes())


def sign_in_style(parts: Parts, asked: Asked) -> Page:  # noqa: ARG001
    """How it looks."""
    return Page("text/css; charset=utf-8", (_FOLDER / "sign-in.css").read_bytes())
