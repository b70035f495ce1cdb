"""Time tells nothing about keys: a near-miss of a real one and a random one look alike."""

import random
import socket
import time
from statistics import median, quantiles
from urllib.parse import urlsplit

import pytest

from clearway.keys import secret as secrets
from tests.admin.conftest import House

SAMPLES = 450
"""Of each kind: a connection serves a thousand requests."""
TRIES = 5
PATHS = [("GET", "/admin/api/status"), ("GET", "/v1/models")]


def near_miss(secret: str, chance: random.Random) -> str:
    """The same but for six characters at the end of its random part, with the checksum that belongs to it."""
    body = secret[:-12] + "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=6))
    return body + secrets._checksum(body)  # noqa: SLF001  # as an attacker would


def timed(sock: socket.socket, method: str, path: str, secret: str) -> float:
    """How long one refusal takes, on an open connection, in seconds."""
    asked = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: {secret}\r\n\r\n".encode()
    began = time.perf_counter()
    sock.sendall(asked)
    said = sock.recv(8192)
    while not said.endswith(b"}"):  # its body is one line of JSON
        said += sock.recv(8192)
    took = time.perf_counter() - began
    assert said.startswith(b"HTTP/1.1 401"), said[:200]
    return took


def difference(house: House, method: str, path: str) -> float:
    """Between the medians of both kinds, as a share of what one kind varies by itself."""
    chance = random.Random()  # noqa: S311  # of an attacker
    # All made before: what is done between two requests is the same for both kinds.
    shown = [(near_miss(house.owner, chance), True) for _ in range(SAMPLES)]
    shown += [(secrets.generate(), False) for _ in range(SAMPLES)]
    chance.shuffle(shown)
    parts = urlsplit(house.url)
    times: dict[bool, list[float]] = {True: [], False: []}
    with socket.create_connection((parts.hostname or "", parts.port or 0), 10) as sock:
        for secret, is_near in shown:
            times[is_near].append(timed(sock, method, path, secret))
    spread = quantiles(times[False], n=4)
    return abs(median(times[True]) - median(times[False])) / max(spread[2] - spread[0], 1e-6)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("method", "path"), PATHS)
def test_near_misses(house: House, method: str, path: str) -> None:
    """Medians differ by less than half of what chance alone makes of them; a busy machine may try again."""
    assert any(difference(house, method, path) < 0.5 for _ in range(TRIES))


def test_the_same_words(house: House) -> None:
    """Nor do the words differ."""
    door = house.door
    chance = random.Random()  # noqa: S311  # of an attacker
    answers = {
        door.showing(x_api_key=shown).ask("GET", "/admin/api/status").body
        for shown in (
            near_miss(house.owner, chance),
            near_miss(house.client, chance),
            secrets.generate(),
        )
    }

    assert 1 == len(answers)
