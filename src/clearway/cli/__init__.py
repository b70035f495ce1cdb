"""The command line: words typed by the owner."""


def main() -> None:
    """Run the `clearway` command."""
    from clearway.cli.app import app  # noqa: PLC0415  # `--help` stays fast: import late

    app()
