"""What is fuzzed: one function for each parser.

A target takes bytes and raises AssertionError where a promise is broken; anything
else that it raises is a finding, too. Inputs are plain: a file of a target's corpus
is what would be on the wire. The promises themselves are in `promises`, a file each.
Used by `loop`, `run` and `test_corpus`.
"""

from collections.abc import Callable

from tests.fuzz.promises.answer import answer
from tests.fuzz.promises.body import body
from tests.fuzz.promises.encoding import encoding
from tests.fuzz.promises.guard import guard
from tests.fuzz.promises.paths import paths
from tests.fuzz.promises.sse import sse
from tests.fuzz.promises.windows import windows

Target = Callable[[bytes], None]

TARGETS: dict[str, Target] = {
    "guard": guard,
    "answer": answer,
    "sse": sse,
    "body": body,
    "encoding": encoding,
    "paths": paths,
    "windows": windows,
}
