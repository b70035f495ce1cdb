"""Another configuration is in force for the next request, and nobody's request fails by it."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import msgspec

from tests.clients.answers import FINAL_OUTPUT, events
from tests.fake_upstream import Gate, error_answer, stream_answer
from tests.relay.stage import wait_until
from tests.relay.wire_client import MODEL, VERSION, prompt
from tests.reload.place import RELOADED, Place, upstream

SAID = events("to the end", MODEL)


def test_a_signal_puts_the_file_in_force(place: Place) -> None:
    """SIGHUP: the next request goes where the file says now; the log says what has changed."""
    assert "first" == place.who_answers()
    place.hang_up(upstream("api", place.second.upstream.url))

    assert "second" == place.who_answers()
    line = next(line for line in place.gateway.log.splitlines() if RELOADED in line)
    urls = [f'"{host.upstream.url}"' for host in (place.first, place.second)]
    assert [f"upstreams.api.base_url: {urls[0]} -> {urls[1]}"] == msgspec.json.decode(line)["changes"]


def test_the_command_says_what_has_changed(place: Place) -> None:
    """`clearway reload` prints each change, and which need a restart; those stay as they were."""
    place.write(
        '[server]\ndata_dir = "/nowhere"\nheartbeat_s = "3s"\n[store]\nurl = "postgresql://me:hush@nowhere/x"\n'
        + upstream("api", place.first.upstream.url)
        + upstream("more", place.second.upstream.url, "SECOND_CREDENTIAL")
    )
    done = place.gateway.cli("reload")

    assert [
        'server.heartbeat_s: "15s" -> "3s"',
        'store.url: "sqlite" -> "postgresql://me:***@nowhere/x" (needs a restart)',
        "upstreams.more added: anthropic",
    ] == done.stdout.splitlines()
    assert '"restart_needed"' in place.gateway.log
    assert "hush" not in place.gateway.log
    assert "first" == place.who_answers()
    # Still not in force, and told again.
    assert ["store.url"] == [change.setting for change in place.reload().changes]


def test_nothing_changed_is_no_news(place: Place) -> None:
    """Reading the same file again keeps the upstreams, with their connections."""
    place.who_answers()
    for _ in range(3):
        assert () == place.reload().changes
        place.who_answers()

    assert 1 == place.first.upstream.connections


def test_a_stream_goes_on_at_its_upstream(place: Place) -> None:
    """An upstream is removed, and the one that comes into its place answers, while a stream
    of the old one runs: it comes to its end, is in the books, and only then are its connections closed.
    """
    gate = Gate()
    place.first.script = lambda _: stream_answer([*SAID[:3], gate, *SAID[3:]])
    with place.client() as client:
        client.ask(prompt(), [("x-api-key", place.key)])
        exchange_id = client.read_head().exchange_id
        client.read_until(SAID[2])
        place.hang_up(upstream("api", place.second.upstream.url))
        place.hang_up(upstream("other", place.second.upstream.url, "SECOND_CREDENTIAL"))
        place.hang_up()

        assert "second" == place.who_answers()
        (talk,) = place.first.upstream.talks
        assert talk.left_at is None
        gate.open()
        assert (b"".join(SAID[3:]), True) == client.read_rest()

    place.first.upstream.wait_over(talk)
    assert talk.left_at is not None
    row = place.books.settled(exchange_id)
    assert ("ok", "api", FINAL_OUTPUT) == (row.outcome, row.upstream, row.output_tokens)


def test_a_body_on_its_way_goes_where_it_was_meant_to(place: Place) -> None:
    """A request whose head came before the reload and whose body comes after it is served, by what it came to."""
    body = prompt(stream=False)
    with place.client() as client:
        fields = [("x-api-key", place.key), VERSION, ("expect", "100-continue")]
        client.send(client.head("POST", "/v1/messages", fields, len(body)))
        # It waits for the body now.
        assert client.read_interim().startswith(b"HTTP/1.1 100 ")
        client.send(body[:9])
        place.hang_up(upstream("api", place.second.upstream.url))
        client.send(body[9:])
        whole = client.read_whole()

    assert (200, True) == (whole.head.status, whole.complete)
    assert b'"first"' in whole.body


def test_under_load_nobody_notices(place: Place) -> None:
    """Twenty reloads back and forth while requests run all the time: each of them is answered, by one or the other."""
    over = Event()

    def work(_: int) -> list[str]:
        seen = []
        while not over.is_set():
            seen.append(place.who_answers())
        return seen

    configs = [upstream("api", host.upstream.url) for host in (place.first, place.second)]
    with ThreadPoolExecutor(8) as pool:
        try:
            working = [pool.submit(work, number) for number in range(8)]
            for turn in range(20):
                assert not place.reload(configs[turn % 2]).problems
        finally:
            over.set()
        seen = [name for worker in working for name in worker.result()]

    assert {"first", "second"} == set(seen)
    assert '"level": "error"' not in place.gateway.log
    place.books.wait_idle()


def test_a_credential_is_read_again(place: Place) -> None:
    """A secret that was replaced in its file is the one that is sent, and is shown nowhere."""
    secret = place.gateway.home / "secret"
    secret.write_text("dummy-old")
    config = upstream("api", place.first.upstream.url, api_key=f'{{ file = "{secret}" }}')
    place.reload(config)
    place.who_answers()
    secret.write_text("dummy-new\n")
    changes = place.reload().changes
    place.who_answers()

    assert ["upstreams.api.api_key: *** -> *** (another one)"] == [str(change) for change in changes]
    assert ["dummy-old", "dummy-new"] == [got.header("x-api-key") for got in place.first.upstream.received]
    assert "dummy-" not in place.gateway.log


def test_settings_of_the_walk_and_the_door(place: Place) -> None:
    """Aliases, bodies' bounds, hosts, origins and the log are the new ones for the next request."""
    place.reload(
        '[server]\nmax_body = 500\nhosts = ["gateway.example"]\ncors_origins = ["https://app.example"]\n'
        '[models.aliases]\nswift = "claude-haiku-4-5"\n[log]\nlevel = "warning"\n'
        + upstream("api", place.first.upstream.url)
    )
    lines = place.gateway.log.count("exchange_settled")
    with place.client() as client:
        client.request("GET", "/health", [("origin", "https://app.example")])
        assert "https://app.example" == client.read_head().header("access-control-allow-origin")
    whole = place.ask("swift", ("origin", "https://app.example"))
    (received,) = place.first.upstream.received
    with place.client() as client:
        client.send(b"GET /health HTTP/1.1\r\nhost: gateway.example\r\n\r\n")
        named = client.read_head().status
    with place.client() as client:
        client.ask(prompt("x" * 500), [("x-api-key", place.key)])
        large = client.read_head().status

    assert "https://app.example" == whole.head.header("access-control-allow-origin")
    asked = received.json()
    assert isinstance(asked, dict)
    assert "claude-haiku-4-5" == asked["model"]
    assert (200, 413) == (named, large)
    assert lines == place.gateway.log.count("exchange_settled")
    place.reload(upstream("api", place.first.upstream.url))
    with place.client() as client:
        client.send(b"GET /health HTTP/1.1\r\nhost: gateway.example\r\norigin: https://app.example\r\n\r\n")
        head = client.read_head()
    assert (421, None) == (head.status, head.header("access-control-allow-origin"))


def test_prices_are_read_again(place: Place) -> None:
    """A price file that was changed counts for the next request."""
    prices = place.gateway.home / "prices.json"
    costs = []
    for factor in (1, 3):
        rates = dict.fromkeys(("input", "output", "cache_read", "cache_write_5m", "cache_write_1h"), factor * 10**9)
        made = {"models": [{"id": MODEL, "prices": [{"standard": [rates]}]}]}
        prices.write_bytes(msgspec.json.encode(made))
        came = place.reload(f'[usage]\nprices = "{prices}"\n' + upstream("api", place.first.upstream.url))
        assert () == came.problems
        costs.append(place.books.settled(place.ask().head.exchange_id).cost_nano)

    assert costs[0]
    assert costs[1] == 3 * costs[0]


def test_what_is_known_of_an_upstream_stays_with_it(place: Place) -> None:
    """An upstream that cools down still does after a reload that does not concern it; one that
    has been replaced is asked at once.
    """
    second = upstream("spare", place.second.upstream.url, "SECOND_CREDENTIAL")
    place.reload(upstream("api", place.first.upstream.url) + second)
    place.first.script = lambda _: error_answer(429, "rate_limit_error", "no", headers=[("retry-after", "60")])
    assert "second" == place.who_answers()
    place.reload('[models.aliases]\nswift = "x"\n' + upstream("api", place.first.upstream.url) + second)

    assert "second" == place.who_answers()
    assert 1 == len(place.first.upstream.received)
    assert ["api"] == [mark.upstream for mark in place.books.status().cooling]
    place.reload(upstream("api", place.first.upstream.url, auth='"bearer"') + second)
    assert () == place.books.status().cooling
    assert "second" == place.who_answers()
    assert 2 == len(place.first.upstream.received)


def test_old_news_are_no_news(place: Place) -> None:
    """What happens to a stream at a replaced upstream says nothing about the new one of that name."""
    gate = Gate()
    place.first.script = lambda _: stream_answer([*SAID[:3], gate, _overloaded()])
    with place.client() as client:
        client.ask(prompt(), [("x-api-key", place.key)])
        client.read_head()
        client.read_until(SAID[2])
        place.reload(upstream("api", place.second.upstream.url))
        gate.open()
        client.read_rest()
    place.books.wait_idle()

    assert () == place.books.status().cooling


def _overloaded() -> bytes:
    return b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'


def test_a_file_that_is_being_written(place: Place) -> None:
    """An editor empties a file before it fills it: what is not whole yet is never put in force."""
    over = Event()

    def work() -> set[int]:
        seen = set()
        while not over.is_set():
            seen.add(place.ask().head.status)
        return seen

    with ThreadPoolExecutor(1) as pool:
        try:
            working = pool.submit(work)
            for _ in range(5):
                place.write("")
                os.kill(place.gateway.pid, signal.SIGHUP)
                # As long as it is written at all, it is waited for.
                for _ in range(5):
                    place.write(" ")
                place.hang_up(upstream("api", place.first.upstream.url))
        finally:
            over.set()

        assert {200} == working.result()


def test_many_signals_are_one_wish(place: Place) -> None:
    """Signals that come faster than they are obeyed are not queued, and the last word counts."""
    for turn in range(50):
        place.write(upstream("api", (place.first, place.second)[turn % 2].upstream.url))
        os.kill(place.gateway.pid, signal.SIGHUP)
    wait_until(lambda: place.who_answers() == "second", "the last one is in force")

    assert () == place.reload().changes
    assert place.gateway.log.count(RELOADED) <= 51


def test_flags_stay(build_place: Callable[..., Place]) -> None:
    """What was said on the command line of `serve` still wins over the file."""
    place = build_place(arguments=("--host", "127.0.0.1"))

    assert () == place.reload('[server]\nhost = "::1"\nport = 1\n' + upstream("api", place.first.upstream.url)).changes
