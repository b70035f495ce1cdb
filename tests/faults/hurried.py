"""Starts the real program with less patience for requests that do not come whole.

Its limits are constants of ten seconds to five minutes, which no test can wait for. They
are changed here and nothing else is; a constant that is gone ends the program at once.
Run as `python hurried.py PROGRAM ARGUMENTS…`.
"""

import runpy
import sys
from types import ModuleType

from clearway.server import body, guard, stall

HEAD_S = 1.0
BODY_S = 2.0
STALL_S = 1.5


def _hurry(module: ModuleType, name: str, seconds: float) -> None:
    if not isinstance(getattr(module, name), float):
        raise TypeError(f"{module.__name__}.{name} is no time any more")
    setattr(module, name, seconds)


if __name__ == "__main__":
    _hurry(guard, "HEAD_S", HEAD_S)
    _hurry(body, "_BASE_S", BODY_S)
    _hurry(stall, "STALL_S", STALL_S)
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
