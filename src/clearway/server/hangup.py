"""SIGHUP means two things: "read your configuration again", and "your terminal is gone".

Owns telling them apart. Used by server/serving.
"""

import os


class Terminal:
    """The terminal that this process was started at, if any."""

    def __init__(self) -> None:
        self._had_one = _is_there()

    @property
    def is_gone(self) -> bool:
        """There was one, and it was closed: whoever started us there expects us to end, too."""
        return self._had_one and not _is_there()


def _is_there() -> bool:
    # A terminal that hung up is none any more: every question to it fails (tty_ioctl(4)).
    return any(os.isatty(number) for number in (0, 1, 2))
