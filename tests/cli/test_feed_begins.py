"""When a follower may take itself for subscribed."""

import socket
import threading
from pathlib import Path

import pytest

from clearway.cli.remote import read_feed
from clearway.observe.protocol import Update

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
EMPTY_LINE = b"1\r\n\n\r\n"


@pytest.mark.parametrize(("said", "expected"), [(HEAD, []), (HEAD + EMPTY_LINE, [None])], ids=["head", "head-and-line"])
def test_a_head_alone_is_no_subscription(tmp_path: Path, said: bytes, expected: list[Update | None]) -> None:
    """Only with the first line it is: whoever lists before it misses what settles in between."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(str(path))
        door.listen()

        def answer() -> None:
            with door.accept()[0] as connection:
                connection.recv(65_536)
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        found = list(read_feed(path))
        thread.join()

    assert expected == found
