"""Errors: what is asked a second time and what is not, and what never comes.

What each status becomes for the client is in tests/checks, b9.
"""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.answers import events, message
from tests.fake_upstream import Answer, FakeUpstream, Fields, Gate, Received, Script, answer, json_answer, stream_answer
from tests.gateway_process import SIM, GatewayProcess, anthropic, passthrough
from tests.relay.stage import CREDENTIAL, NO_COOL_DOWN, Books, Stage
from tests.relay.wire_client import MODEL, OWN_CREDENTIAL, Client, Whole, prompt

Upstreams = Callable[[Script], FakeUpstream]
Start = Callable[..., GatewayProcess]

# Odd spacing, an unknown member and no final newline: bytes that a rewrite would change.
BODY = b'{ "type":"error", "error":{"type":"scripted_error","message":"l\xc3\xa4uft nicht"},"x":[1.0] }'
FIELDS: Fields = (
    ("content-type", "application/json; charset=utf-8"),
    ("retry-after", "17"),
    ("x-should-retry", "true"),
    ("request-id", "req_scripted0001"),
    ("anthropic-ratelimit-unified-status", "rejected"),
)


def _ask(stage: Stage, field: tuple[str, str], *, stream: bool = True) -> Whole:
    with stage.client() as client:
        client.ask(prompt(stream=stream), [field])
        return client.read_whole()


def _unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@pytest.mark.parametrize("config", [passthrough, anthropic])
def test_unreachable(config: Callable[[str], str], start_gateway: Start) -> None:
    """Nobody listens there: tried twice, then a 502 of ours that says so, and nothing is charged."""
    where = f"http://127.0.0.1:{_unused_port()}"
    gateway = start_gateway(config(where), environment={"UPSTREAM_CREDENTIAL": CREDENTIAL})
    field = OWN_CREDENTIAL if config is passthrough else ("x-api-key", gateway.new_key("laptop"))

    with Client(gateway.url) as client:
        client.ask(prompt(), [field])
        whole = client.read_whole()

    assert (502, "upstream_unreachable") == (whole.head.status, whole.head.header("x-clearway-error"))
    assert where.removeprefix("http://") in whole.error()[1]
    attempts = Books(gateway.data_dir).attempts(whole.head.exchange_id)
    assert [(1, "upstream_error", "upstream_unreachable"), (2, "upstream_error", "upstream_unreachable")] == [
        (attempt.number, attempt.outcome, attempt.error_code) for attempt in attempts
    ]
    row = Books(gateway.data_dir).settled(whole.head.exchange_id)
    assert ("upstream_error", 502, None, 2) == (row.outcome, row.status, row.cost_nano, row.attempts)


def _two(first: str, second: str, kind: str = "anthropic") -> str:
    credential = 'api_key = { env = "UPSTREAM_CREDENTIAL" }' if kind == "anthropic" else 'allow_hosts = ["127.0.0.1"]'
    return "".join(
        f'[[upstreams]]\nname = "{name}"\nkind = "{kind}"\nbase_url = "{url}"\n{credential}\n'
        for name, url in (("first", first), ("second", second))
    )


class Pair:
    """A gateway in front of two upstreams of one kind, neither of which is ever left alone."""

    def __init__(self, start: Start, upstreams: Upstreams, first: Script, kind: str = "anthropic") -> None:
        self.first = upstreams(first)
        self.second = upstreams(_good)
        config = NO_COOL_DOWN + _two(self.first.url, self.second.url, kind)
        self.gateway = start(config, environment={"UPSTREAM_CREDENTIAL": CREDENTIAL})
        self.field = OWN_CREDENTIAL if kind == "passthrough" else ("x-api-key", self.gateway.new_key("pair"))
        self.books = Books(self.gateway.data_dir)

    def ask(self) -> Whole:
        """One streaming request."""
        with Client(self.gateway.url) as client:
            client.ask(prompt(), [self.field])
            return client.read_whole()

    def counts(self) -> tuple[int, int]:
        """Requests at each upstream."""
        return len(self.first.received), len(self.second.received)


GOOD = b"".join(events("from the second", MODEL))


def _good(_: Received) -> Answer:
    return stream_answer(events("from the second", MODEL))


def test_fail_over(start_gateway: Start, fake_upstream: Upstreams) -> None:
    """A busy upstream is passed over for the next one; each try is in the books."""
    statuses = [429, 503, 529]
    busy = iter(statuses)
    pair = Pair(start_gateway, fake_upstream, lambda _: answer(BODY, status=next(busy), headers=FIELDS))

    for place, status in enumerate(statuses, 1):
        whole = pair.ask()

        assert (200, GOOD, True) == (whole.head.status, whole.body, whole.complete)
        assert (place, place) == pair.counts()
        attempts = pair.books.attempts(whole.head.exchange_id)
        assert [("first", status, "upstream_error", None), ("second", 200, "ok", True)] == [
            (attempt.upstream, attempt.status, attempt.outcome, (attempt.cost_nano or 0) > 0 or None)
            for attempt in attempts
        ]
        row = pair.books.settled(whole.head.exchange_id)
        assert ("ok", "second", 2) == (row.outcome, row.upstream, row.attempts)
    assert pair.first.received[0].body == pair.second.received[0].body


def test_fail_over_when_unreachable(start_gateway: Start, fake_upstream: Upstreams) -> None:
    """An upstream that cannot be reached is passed over, too."""
    second = fake_upstream(_good)
    config = _two(f"http://127.0.0.1:{_unused_port()}", second.url)
    gateway = start_gateway(config, environment={"UPSTREAM_CREDENTIAL": CREDENTIAL})
    field = ("x-api-key", gateway.new_key("pair"))

    with Client(gateway.url) as client:
        client.ask(prompt(), [field])
        whole = client.read_whole()

    assert (200, GOOD) == (whole.head.status, whole.body)
    attempts = Books(gateway.data_dir).attempts(whole.head.exchange_id)
    assert [("first", "upstream_unreachable"), ("second", None)] == [
        (attempt.upstream, attempt.error_code) for attempt in attempts
    ]


@pytest.mark.parametrize("field", [OWN_CREDENTIAL, None], ids=["own-login", "key-alone"])
def test_nothing_falls_over_to_another_payer(start_gateway: Start, field: tuple[str, str] | None) -> None:
    """Whoever's upstream cannot be reached hears so: a simulated answer is no substitute for a real one."""
    nowhere = f"http://127.0.0.1:{_unused_port()}"
    config = passthrough(nowhere) + anthropic(nowhere) + SIM
    gateway = start_gateway(config, environment={"UPSTREAM_CREDENTIAL": CREDENTIAL})
    with Client(gateway.url) as client:
        client.ask(prompt(), [field or ("x-api-key", gateway.new_key("own"))])
        whole = client.read_whole()

    assert (502, "upstream_unreachable") == (whole.head.status, whole.head.header("x-clearway-error"))
    attempts = Books(gateway.data_dir).attempts(whole.head.exchange_id)
    assert 1 == len({attempt.upstream for attempt in attempts})


def test_no_fail_over(start_gateway: Start, fake_upstream: Upstreams) -> None:
    """What may have been billed, or is the client's own fault, is never asked elsewhere."""
    said: list[tuple[Answer, int]] = [
        (answer(BODY, status=400), 400),
        (answer(BODY, status=404), 404),
        (answer(BODY, status=500), 500),
        (answer(BODY, status=502), 502),
        (answer(BODY, status=504), 504),
        (answer(BODY, status=401), 502),
        (Answer((b"HTTP/1.1 200 OK\r\n",), close=True), 502),
        (stream_answer(events("half", MODEL)[:4]), 200),
    ]
    scripts = iter(said)
    pair = Pair(start_gateway, fake_upstream, lambda _: next(scripts)[0])

    for place, (_, status) in enumerate(said, 1):
        whole = pair.ask()

        assert status == whole.head.status
        assert (place, 0) == pair.counts()
        assert 1 == pair.books.settled(whole.head.exchange_id).attempts


def test_both_are_busy(start_gateway: Start, fake_upstream: Upstreams) -> None:
    """Where all are busy the client hears the last of them, word for word."""
    first = fake_upstream(lambda _: answer(b"{}", status=429))
    second = fake_upstream(lambda _: answer(BODY, status=529, headers=FIELDS))
    gateway = start_gateway(_two(first.url, second.url), environment={"UPSTREAM_CREDENTIAL": CREDENTIAL})
    field = ("x-api-key", gateway.new_key("pair"))

    with Client(gateway.url) as client:
        client.ask(prompt(), [field])
        whole = client.read_whole()

    assert (529, BODY, "17") == (whole.head.status, whole.body, whole.head.header("retry-after"))
    assert (1, 1) == (len(first.received), len(second.received))
    row = Books(gateway.data_dir).settled(whole.head.exchange_id)
    assert ("upstream_error", "second", 2) == (row.outcome, row.upstream, row.attempts)


def test_passthrough_is_not_failed_over(start_gateway: Start, fake_upstream: Upstreams) -> None:
    """The client's own login, limits and retries are the client's: a busy upstream is not passed over."""
    pair = Pair(start_gateway, fake_upstream, lambda _: answer(BODY, status=529, headers=FIELDS), kind="passthrough")

    whole = pair.ask()

    assert (529, BODY) == (whole.head.status, whole.body)
    assert (1, 0) == pair.counts()


# Long enough for an upstream that speaks, on a machine that has other things to do.
TIMEOUTS = "[server.timeouts]\nfirst_byte_s = 1.0\nidle_s = 1.0\n"


@pytest.mark.parametrize("payer", ["client", "gateway"])
def test_first_byte_too_late(build_stage: Callable[[str], Stage], payer: str) -> None:
    """An upstream that stays silent ends in a 504 of ours, and is not asked again."""
    stage = build_stage(TIMEOUTS)
    stage.play(Answer((Gate(),)))

    whole = _ask(stage, OWN_CREDENTIAL if payer == "client" else stage.key_field)

    assert (504, "upstream_timeout") == (whole.head.status, whole.head.header("x-clearway-error"))
    kind, text = whole.error()
    assert "timeout_error" == kind
    assert "first_byte_s = 1 " in text
    stage.upstream.wait_left()
    row = stage.books.settled(whole.head.exchange_id)
    assert ("upstream_error", 504, "upstream_timeout", 1) == (row.outcome, row.status, row.error_code, row.attempts)
    assert 1 == len(stage.received)


def test_silence_within_an_answer(build_stage: Callable[[str], Stage]) -> None:
    """An answer that stops coming is cut for the client, streamed or plain, and what was seen is charged."""
    stage = build_stage(TIMEOUTS)
    said = events("and then nothing more", MODEL)
    plain = json_answer(message("half of it", MODEL)).pieces[0]
    assert isinstance(plain, bytes)
    scripts = [
        (stream_answer([*said[:5], Gate()]), b"".join(said[:5]), True),
        (Answer((plain[:200], Gate())), plain[:200].partition(b"\r\n\r\n")[2], False),
    ]
    for place, (script, seen, stream) in enumerate(scripts, 1):
        stage.play(script)

        whole = _ask(stage, OWN_CREDENTIAL, stream=stream)

        assert (200, seen, False) == (whole.head.status, whole.body, whole.complete)
        stage.upstream.wait_left(place)
        row = stage.books.settled(whole.head.exchange_id)
        assert ("upstream_error", 200, "upstream_timeout") == (row.outcome, row.status, row.error_code)
        assert stream == bool(row.cost_nano)


def test_the_total_is_bounded(build_stage: Callable[[str], Stage], tmp_path: Path) -> None:
    """An answer that never ends, however lively, ends after `total_s`."""
    del tmp_path
    stage = build_stage("[server.timeouts]\ntotal_s = 0.7\n")
    said = events("on and on", MODEL)
    endless = stream_answer([said[0], *[said[2]] * 100_000])
    stage.play(endless)

    whole = _ask(stage, OWN_CREDENTIAL)

    assert not whole.complete
    assert "upstream_timeout" == stage.books.settled(whole.head.exchange_id).error_code
