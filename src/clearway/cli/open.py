"""`clearway open`: a one-time link that signs a browser in to the running gateway."""

import os
import webbrowser
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from clearway.cli.access import find_socket
from clearway.cli.failures import Exit, Failure
from clearway.cli.options import AsJson, load_config
from clearway.cli.remote import RemoteLedger, read_status
from clearway.cli.screen import note, print_json
from clearway.keys.session import LINK_S

_PAGE = "open.html"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("open")(make_link)


def make_link(
    context: typer.Context,
    *,
    browser: Annotated[bool, typer.Option("--browser", help="Open it in this machine's browser.")] = False,
    url: Annotated[
        str | None, typer.Option(help="Where browsers reach the gateway, behind a proxy: https://claude.lan.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Print a link that signs a browser in to the running gateway.

    It works once, for five minutes. The session that it begins ends after 30 minutes
    without use, after 12 hours, or when you sign out.
    """
    config = load_config(context).config
    data_dir = Path(config.server.data_dir)
    socket = find_socket(data_dir)
    if socket is None:
        raise Failure("no gateway is running on this data directory", "start one: clearway serve", Exit.UNREACHABLE)
    base = _base(url) if url is not None else read_status(socket).url
    link = f"{base}/admin/sign-in#{RemoteLedger(socket).make_link()}"
    if json:
        print_json({"url": link, "expires_s": LINK_S})
    else:
        note(f"this link signs in once, within {LINK_S // 60} minutes")
        typer.echo(link)
    if browser and not _show(data_dir, link):
        raise Failure("there is no browser here that could be opened", "open the link yourself")


def _base(url: str) -> str:
    parts = urlsplit(url)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.netloc
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
    ):
        raise Failure(f"--url: {url!r} is not an address", 'write it like "https://claude.lan"', Exit.USAGE)
    return url.rstrip("/")


def _show(data_dir: Path, link: str) -> bool:
    # What a program is started with can be read by every user of the machine: the
    # browser is given a file, which only its owner can read, and the link is in there.
    page = data_dir / _PAGE
    page.unlink(missing_ok=True)
    with open(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123  # with its mode
        file.write(f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={link}">\n')
    return webbrowser.open(page.as_uri())
