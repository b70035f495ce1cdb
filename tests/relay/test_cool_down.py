"""What is remembered of a failure: for whom, until when, and how it is found out that all is well again."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fake_upstream import Answer, Gate, Received, json_answer, stream_answer
from tests.relay.arena import MESSAGES, Arena, Case, busy, good, refusing
from tests.relay.stage import wait_until
from tests.relay.wire_client import OWN_CREDENTIAL, Client, prompt

AFTER_30 = ("retry-after", "30")
SOON = ("retry-after-ms", "20")
UNIFIED = "anthropic-ratelimit-unified-"
LEFT = (("anthropic-ratelimit-requests-remaining", "40"), ("anthropic-ratelimit-tokens-remaining", "1000"))


def _in_turn(*answers: Answer | Callable[[Received], Answer]) -> Callable[[Received], Answer]:
    """One after the other; the last for ever."""
    left = list(answers)

    def script(received: Received) -> Answer:
        said = left.pop(0) if len(left) > 1 else left[0]
        return said if isinstance(said, Answer) else said(received)

    return script


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Default settings."""
    lone = ["large", "account", "told", "truth"]
    cases = [
        *(Case(name) for name in ("models", "refusal", "lacking", "both")),
        *(Case(name, places=1) for name in lone),
    ]
    cases.append(Case("logins", "client"))
    with Arena(tmp_path_factory.mktemp("arena"), cases, "") as arena:
        yield arena


def test_a_limit_is_a_models(arena: Arena) -> None:
    """The other models of the upstream are asked for as before."""
    arena.play("models", busy(429, AFTER_30))
    arena.ask("models", model="models-a")
    arena.play("models", good)

    arena.ask("models", model="models-b")
    arena.ask("models", model="models-a")

    assert "12" + "1" + "2" == arena.hits("models")


def test_a_limit_of_the_account_is_every_models(arena: Arena) -> None:
    """Where the upstream says that a window of the whole account is used up."""
    arena.play("account", busy(429, AFTER_30, (f"{UNIFIED}status", "rejected"), (f"{UNIFIED}5h-status", "rejected")))
    arena.ask("account", model="account-a")

    whole = arena.ask("account", model="account-b")

    assert (429, "upstream_limited") == (whole.head.status, whole.head.header("x-clearway-error"))
    assert "1" == arena.hits("account")


def test_what_was_too_large_for_the_rest_of_a_limit(arena: Arena) -> None:
    """A smaller request may pass: the lone upstream is asked, though it said when to come back."""
    arena.play("large", _in_turn(busy(429, AFTER_30, *LEFT), good))
    arena.ask("large")

    assert 200 == arena.ask("large").head.status
    assert "11" == arena.hits("large")


def test_a_refused_credential_is_every_models(arena: Arena) -> None:
    """The next request, for another model too, goes where the credential is good."""
    arena.play("refusal", busy(401))
    first = arena.ask("refusal", model="refusal-a")

    then = arena.ask("refusal", model="refusal-b")

    assert (502, 200, "12") == (first.head.status, then.head.status, arena.hits("refusal"))
    assert "upstream_cools" in arena.gateway.log


def test_a_model_that_is_not_there(arena: Arena) -> None:
    """The client sees the 404; afterwards another upstream is asked for that model, and only for that."""
    missing = json_answer(
        {"type": "error", "error": {"type": "not_found_error", "message": "model: lacking-a"}}, status=404
    )
    arena.play("lacking", missing)
    first = arena.ask("lacking", model="lacking-a")
    arena.ask("lacking", model="lacking-a")
    arena.play("lacking", good)
    arena.ask("lacking", model="lacking-b")

    assert (404, "121") == (first.head.status, arena.hits("lacking"))


def test_one_clients_limit_is_not_anothers(arena: Arena) -> None:
    """On passthrough a 429 is one account's, whatever it says; everybody else is served as before."""
    arena.play("logins", _in_turn(busy(429, AFTER_30), busy(529, AFTER_30), busy(401), good))
    other = ("authorization", "Bearer sk-ant-oat01-" + "other" * 8)

    seen = [arena.ask("logins", field=field).head.status for field in (OWN_CREDENTIAL, other, other, OWN_CREDENTIAL)]

    assert ([429, 529, 401, 200], "1111") == (seen, arena.hits("logins"))
    assert not [entry for entry in arena.books.status().cooling if entry.upstream.startswith("logins")]


def test_status_tells_what_cools(arena: Arena) -> None:
    """With the reason and the time that is left, also to `clearway doctor`."""
    arena.play("told", busy(429, AFTER_30))
    arena.ask("told")

    (entry,) = [entry for entry in arena.books.status().cooling if entry.upstream == "told.1"]

    assert ("told", "limited", True) == (entry.model, entry.why, entry.told)
    assert 0 < entry.left_s <= 30
    assert "told.1 for told is left alone" in arena.gateway.cli("doctor", check=False).stdout


def test_counting_is_never_refused(arena: Arena) -> None:
    """While messages are told to come back later, tokens are counted: their limit is another."""
    arena.play("truth", _in_turn(busy(429, AFTER_30), good))
    arena.ask("truth")

    assert 429 == arena.ask("truth").head.status
    assert 200 == arena.ask("truth", target=MESSAGES + "/count_tokens").head.status
    assert "11" == arena.hits("truth")


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Cool-downs of 0.3 s at most; a busy lone upstream is waited for up to 5 s."""
    cases = [Case(name, places=1) for name in ("waits", "later", "final", "leaves", "back")]
    cases += [Case("login", "client", places=1), Case("probe"), Case("left")]
    settings = '[retries]\nlongest_cool_down_s = "300ms"\nwait_s = 5\n'
    with Arena(tmp_path_factory.mktemp("quick"), cases, settings) as arena:
        yield arena


def test_it_is_asked_again_when_its_time_is_over(quick: Arena) -> None:
    """However long the upstream asked for; a success ends it."""
    quick.play("back", _in_turn(busy(429, ("retry-after", "86400")), good))
    quick.ask("back")

    wait_until(lambda: quick.ask("back").head.status == 200, "the upstream is asked again")

    assert "11" == quick.hits("back")
    assert not [entry for entry in quick.books.status().cooling if entry.upstream == "back.1"]
    assert "upstream_recovered" in quick.gateway.log


def _begin(arena: Arena, name: str) -> Client:
    client = arena.client()
    client.ask(prompt(model=name), [arena.field("gateway")])
    return client


def _probe(arena: Arena, name: str) -> tuple[Gate, Client]:
    """A request that stands at the upstream and finds out whether it is well; others have gone to the second."""
    gate = Gate()
    arena.play(name, _in_turn(busy(503, AFTER_30), Answer((gate,)), good))
    arena.ask(name)
    wait_until(lambda: not arena.books.status().cooling, "the cool-down is over")
    client = _begin(arena, name)
    gate.wait_reached()
    return gate, client


def test_one_request_finds_out(quick: Arena) -> None:
    """After the cool-down one request probes the upstream; others go elsewhere until it has an answer."""
    gate = Gate()
    answered = stream_answer([gate])
    quick.play("probe", _in_turn(busy(503, AFTER_30), answered, good))
    quick.ask("probe")
    wait_until(lambda: not quick.books.status().cooling, "the cool-down is over")
    with _begin(quick, "probe") as probing:
        # The head of its answer is enough: the second is asked no more.
        probing.read_head()
        quick.ask("probe")
        gate.open()

    assert "12" + "1" + "1" == quick.hits("probe")


def test_a_probe_whose_client_leaves(quick: Arena) -> None:
    """It has found out nothing: the next request probes."""
    _, client = _probe(quick, "left")
    assert 200 == quick.ask("left").head.status
    before = quick.hits("left")
    client.reset()
    quick.upstream.wait_left()
    quick.books.wait_idle()

    quick.ask("left")

    assert ("12" + "1" + "2", "12121") == (before, quick.hits("left"))


def test_a_busy_lone_upstream_is_waited_for(quick: Arena) -> None:
    """Where the owner wants it and the upstream says that it is soon; each try is in the books."""
    quick.play("waits", _in_turn(busy(429, SOON), busy(529, SOON), good))

    whole = quick.ask("waits")

    assert (200, "111") == (whole.head.status, quick.hits("waits"))
    assert [429, 529, 200] == [attempt.status for attempt in quick.attempts(whole)]


def test_not_for_long(quick: Arena) -> None:
    """A longer wait is the client's to decide; and nobody waits who was told that it is in vain."""
    quick.play("later", busy(429, ("retry-after", "6")))
    quick.play("final", busy(429, SOON, ("x-should-retry", "false")))

    assert [429, 429] == [quick.ask(name).head.status for name in ("later", "final")]
    assert ("1", "1") == (quick.hits("later"), quick.hits("final"))


def test_not_for_a_client_who_pays(quick: Arena) -> None:
    """On passthrough the client hears it at once, and waits as it likes."""
    quick.play("login", busy(429, SOON))

    assert 429 == quick.ask("login").head.status
    assert "1" == quick.hits("login")


def test_nobody_waits_for_a_client_that_has_left(quick: Arena) -> None:
    """It is noticed while waiting; the upstream is not asked again."""
    quick.play("leaves", busy(429, ("retry-after", "4")))
    client = _begin(quick, "leaves")
    wait_until(lambda: quick.hits("leaves") == "1", "it is asked")
    wait_until(lambda: bool(quick.books.status().cooling), "its answer has come")
    client.reset()
    quick.books.wait_idle()

    (row,) = [row for row in quick.books.later_than("0" * 36, 1) if row.request_model == "leaves"]
    assert ("client_closed", 429, 1) == (row.outcome, row.status, row.attempts)
    assert "1" == quick.hits("leaves")


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """No further try at all; one upstream is out of reach."""
    with refusing() as nowhere:
        cases = [Case("busy"), Case("gone", first_at=nowhere), Case("login", "client", 1, nowhere)]
        with Arena(tmp_path_factory.mktemp("strict"), cases, "[retries]\nmax = 0\n") as arena:
            yield arena


def test_without_further_tries(strict: Arena) -> None:
    """With `max = 0` each request is tried once; what is learnt still helps the next one."""
    strict.play("busy", busy(429))

    first = [strict.ask(name) for name in ("busy", "gone", "login")]
    then = [strict.ask(name).head.status for name in ("busy", "gone", "login")]

    assert ([429, 502, 502], ["1", "1", "1"]) == (
        [whole.head.status for whole in first],
        [strict.asked(whole) for whole in first],
    )
    assert [200, 200, 502] == then


def test_it_stays_ready(strict: Arena) -> None:
    """An upstream that is out of reach is no reason to take the gateway out of service: others are served."""
    for _ in range(2):
        strict.ask("login")
    seen = []
    for path in ("/ready", "/health"):
        with strict.client() as client:
            client.request("GET", path)
            seen.append(client.read_whole().head.status)

    assert [200, 200] == seen


def test_the_time_for_tries_is_bounded(tmp_path: Path) -> None:
    """After `total_s` no further try begins, though there is another upstream."""
    gate = Gate()
    with Arena(tmp_path, [Case("slow")], "[retries]\ntotal_s = 0.05\n") as arena:
        arena.play("slow", Answer((gate, *busy(429).pieces)))
        with _begin(arena, "slow") as client:
            gate.wait_reached()
            due = time.monotonic() + 0.1
            wait_until(lambda: time.monotonic() > due, "the time is over")
            gate.open()

            assert 429 == client.read_whole().head.status
        assert "1" == arena.hits("slow")


def test_many_at_once(arena: Arena) -> None:
    """Forty requests at a busy pair: each asks each upstream once at most, and the books have all of it."""
    arena.play("both", busy(529), busy(529))
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: arena.ask("both"), range(40)))

    asked = [arena.asked(whole) for whole in answers]
    assert {529} == {whole.head.status for whole in answers}
    assert {"12", "21", "1", "2"} >= set(asked)
    assert len(arena.hits("both")) == sum(map(len, asked))
