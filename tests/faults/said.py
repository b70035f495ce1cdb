"""What an upstream says when nothing fails: one message, streamed and plain.

Used by the scenarios of the failures, which take it apart.
"""

from tests.clients.answers import HEADERS, events, message
from tests.fake_upstream import Answer, json_answer, stream_answer
from tests.faults.table import Asked
from tests.relay.wire_client import MODEL


def bytes_of(answer: Answer) -> bytes:
    """An answer in one piece, head and body."""
    (whole,) = answer.pieces
    assert isinstance(whole, bytes)
    return whole


def body_of(answer: Answer) -> bytes:
    """Its body."""
    return bytes_of(answer).partition(b"\r\n\r\n")[2]


SAID = events("it was said that", MODEL)
STREAMED = b"".join(SAID)
_ANSWER = json_answer(message("it was said that", MODEL), headers=HEADERS)
PLAIN = body_of(_ANSWER)
WHOLE = bytes_of(_ANSWER)
"""Head and body of the plain answer."""
PLAIN_HEAD = WHOLE.removesuffix(PLAIN)


def good(asked: Asked) -> tuple[Answer, bytes]:
    """An answer as it should be, and its body."""
    if asked.stream:
        return stream_answer(SAID, headers=HEADERS), STREAMED
    return Answer((WHOLE,)), PLAIN
