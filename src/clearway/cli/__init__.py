"""The command line: words typed by the owner."""

import sys


def main() -> None:
    """Run the `clearway` command."""
    if sys.argv[1:] == ["--version"]:
        # The one answer that scripts wait for most often needs no parser.
        from clearway import __version__  # noqa: PLC0415

        print(f"clearway {__version__}")  # noqa: T201
        return
    from clearway.cli.app import app  # noqa: PLC0415  # `--help` stays fast: import late

    app()
