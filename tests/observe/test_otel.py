"""OpenTelemetry: what a real collector receives, and that nothing depends on one."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.clients.answers import FINAL_OUTPUT, USAGE, events, message
from tests.fake_upstream import Answer, FakeUpstream, Gate, Received, error_answer, json_answer, stream_answer
from tests.gateway_process import GatewayProcess, anthropic, passthrough
from tests.observe.collector import Collector, Took
from tests.observe.scraped import scrape
from tests.relay.stage import CREDENTIAL, Books, wait_until
from tests.relay.wire_client import OWN_CREDENTIAL, Client, Whole, prompt

MODEL = "claude-sonnet-5-5"
SERVER, CLIENT = 2, 3
ERROR = 2
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
CONTENT = "a-secret-in-the-text-4711"
LATEST = {"OTEL_SEMCONV_STABILITY_OPT_IN": "http,gen_ai_latest_experimental"}
WHOLE_PROMPT = 11 + 7 + 5


class Scene:
    """A gateway that sends to a collector, in front of one scripted upstream."""

    def __init__(
        self, home: Path, collector: Collector, *, settings: str = "", environment: dict[str, str] | None = None
    ) -> None:
        self.collector = collector
        self.upstream = FakeUpstream(self._answer)
        self._script: Callable[[Received], Answer] = _whole
        self.seen = 0
        top = f'[otel]\nendpoint = "{collector.url}"\n{settings}\n[retries]\nlongest_cool_down_s = 0\nwait_s = 1\n'
        self.gateway = GatewayProcess(
            home,
            top + passthrough(self.upstream.url) + anthropic(self.upstream.url),
            environment={"UPSTREAM_CREDENTIAL": CREDENTIAL, **(environment or {})},
        )

    def _answer(self, received: Received) -> Answer:
        return self._script(received)

    @property
    def received(self) -> list[Received]:
        """What the upstream got since the test began."""
        return self.upstream.received[self.seen :]

    def play(self, script: Callable[[Received], Answer]) -> None:
        """What the upstream says."""
        self._script = script

    def ask(
        self, *fields: tuple[str, str], stream: bool = True, text: str = "hi", target: str = "/v1/messages"
    ) -> Whole:
        """One request by a client that pays for itself, unless it shows a key."""
        with Client(self.gateway.url) as client:
            client.ask(prompt(text, stream=stream), fields or [OWN_CREDENTIAL], target)
            return client.read_whole()


def _whole(received: Received) -> Answer:
    asked = received.json()
    assert isinstance(asked, dict)
    if asked.get("stream"):
        return stream_answer(events(CONTENT, MODEL), headers=[("request-id", "req_scripted0001")])
    return json_answer(message(CONTENT, MODEL))


@contextmanager
def scene_of(home: Path, **options: object) -> Iterator[Scene]:
    """A scene while the context is open."""
    home.mkdir(exist_ok=True)
    with ExitStack() as stack:
        collector = stack.enter_context(Collector())
        scene = Scene(home, collector, **options)  # type: ignore[arg-type]  # as they are
        stack.enter_context(scene.upstream)
        stack.enter_context(scene.gateway)
        yield scene


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """As it is without a word about the spelling."""
    with scene_of(tmp_path_factory.mktemp("scene")) as scene:
        yield scene


@pytest.fixture
def older(shared: Scene) -> Scene:
    """The same for each test, of which nothing has come yet."""
    shared.play(_whole)
    shared.collector.bodies.clear()
    shared.seen = len(shared.upstream.received)
    return shared


@pytest.fixture
def newest(tmp_path: Path) -> Iterator[Scene]:
    """As the switch of all programs has it."""
    with scene_of(tmp_path, settings="metrics_every_s = 1", environment=LATEST) as scene:
        yield scene


def _pair(spans: list[Took]) -> tuple[Took, Took]:
    (server,) = [span for span in spans if span.kind == SERVER]
    (client,) = [span for span in spans if span.kind == CLIENT]
    return server, client


def test_spans_of_an_exchange(older: Scene) -> None:
    """One span for the exchange and one for its try inside it, with tokens, cost and times."""
    said = older.ask(OWN_CREDENTIAL, ("x-claude-code-session-id", "0192f0c1-8f1a-4b52-9a55-0d6f3a7be001"))
    server, client = _pair(older.collector.wait_spans(2))
    row = Books(older.gateway.data_dir).settled(said.head.exchange_id)

    assert ("POST /v1/messages", "", 0) == (server.name, server.parent_id, server.status)
    assert (f"chat {MODEL}", server.span_id, server.trace_id) == (client.name, client.parent_id, client.trace_id)
    assert server.start_ns <= client.start_ns <= client.end_ns
    assert (row.admitted_us * 1000, (row.total_us or 0) * 1000) == (server.start_ns, server.end_ns - server.start_ns)
    expected = {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "clearway.exchange.id": row.id,
        "clearway.attempt.number": 1,
        "clearway.outcome": "ok",
        "clearway.upstream.name": "own-login",
        "clearway.upstream.kind": "passthrough",
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "anthropic",
        "gen_ai.request.model": MODEL,
        "gen_ai.response.model": MODEL,
        "gen_ai.response.id": "msg_scripted0001",
        "gen_ai.response.finish_reasons": ("end_turn",),
        "gen_ai.conversation.id": "0192f0c1-8f1a-4b52-9a55-0d6f3a7be001",
        "gen_ai.usage.input_tokens": WHOLE_PROMPT,
        "gen_ai.usage.output_tokens": FINAL_OUTPUT,
        "clearway.billing": "billed",
        "clearway.cost.nanodollars": row.cost_nano,
    }
    times = {"clearway.time_to_first_token"}
    assert expected == {name: value for name, value in client.attributes.items() if name not in times}
    assert {"service.name": "clearway", "service.instance.id": row.instance_id}.items() <= (
        older.collector.resources()[0].items()
    )


def test_the_newest_spelling(newest: Scene) -> None:
    """`OTEL_SEMCONV_STABILITY_OPT_IN` switches, and the older names are not sent beside the newer ones."""
    newest.ask()
    _, client = _pair(newest.collector.wait_spans(2))

    assert "gen_ai.system" not in client.attributes
    expected = {
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.stream": True,
        "gen_ai.usage.input_tokens": WHOLE_PROMPT,
        "gen_ai.usage.cache_read.input_tokens": USAGE["cache_read_input_tokens"],
        "gen_ai.usage.cache_creation.input_tokens": USAGE["cache_creation_input_tokens"],
    }
    assert expected.items() <= client.attributes.items()
    assert 0 < float(str(client.attributes["gen_ai.response.time_to_first_chunk"])) < 10
    wait_until(lambda: "gen_ai.client.operation.time_to_first_chunk" in newest.collector.metrics(), "metrics")
    ((labels, _),) = newest.collector.points("gen_ai.client.operation.duration")
    assert "anthropic" == labels["gen_ai.provider.name"]


def test_metrics(tmp_path: Path) -> None:
    """Tokens, durations and cost of what was asked, in the conventions' names and buckets."""
    with scene_of(tmp_path, settings="metrics_every_s = 1") as scene:
        _check_metrics(scene)


def _check_metrics(older: Scene) -> None:
    asks = 5
    for number in range(asks):
        older.ask(stream=bool(number % 2))
    older.play(lambda _: error_answer(500, "api_error", "no"))
    older.ask()
    collector = older.collector
    wait_until(
        lambda: (
            "gen_ai.server.request.duration" in collector.metrics()
            and asks + 1 == sum(point.count for _, point in collector.points("gen_ai.server.request.duration"))
        ),
        "all is counted",
    )
    tokens = {labels["gen_ai.token.type"]: point for labels, point in collector.points("gen_ai.client.token.usage")}
    tries = collector.points("gen_ai.client.operation.duration")

    assert {"input": WHOLE_PROMPT * asks, "output": FINAL_OUTPUT * asks} == {
        kind: point.sum for kind, point in tokens.items()
    }
    assert [float(4**power) for power in range(14)] == list(tokens["input"].explicit_bounds)
    assert {None: asks, "api_error": 1} == {labels.get("error.type"): point.count for labels, point in tries}
    assert {"chat", "anthropic", MODEL} <= {str(value) for value in tries[0][0].values()}
    assert [0.01, 0.02, 0.04] == list(tries[0][1].explicit_bounds)[:3]
    # Of an answer that comes at once, nobody can tell when it began.
    assert asks // 2 == sum(point.count for _, point in collector.points("gen_ai.server.time_to_first_token"))
    billed = sum(point.as_int for _, point in collector.counts("clearway.cost.nanodollars"))
    assert scrape(older.gateway.url).total("clearway_cost_nanodollars_total") == billed > 0


def test_every_try_has_a_span(older: Scene) -> None:
    """A try that failed stands beside the one that answered, and only the former is an error."""
    answers = iter([error_answer(529, "overloaded_error", "no"), stream_answer(events("x", MODEL))])
    older.play(lambda _: next(answers))
    key = older.gateway.new_key("ada")
    assert 200 == older.ask(("x-api-key", key)).head.status
    spans = older.collector.wait_spans(3)
    tries = sorted((span for span in spans if span.kind == CLIENT), key=lambda span: span.start_ns)
    (server,) = [span for span in spans if span.kind == SERVER]

    assert [(ERROR, "overloaded_error", 529), (0, None, 200)] == [
        (span.status, span.attributes.get("error.type"), span.attributes["http.response.status_code"]) for span in tries
    ]
    assert (0, "ada", 2) == (
        server.status,
        server.attributes["clearway.key.name"],
        server.attributes["clearway.attempts"],
    )
    assert {server.span_id} == {span.parent_id for span in tries}


def test_the_clients_trace_goes_on(older: Scene) -> None:
    """`traceparent` names the parent of the exchange's span, and reaches the upstream as it came."""
    value = f"00-{TRACE}-{PARENT}-01"
    older.ask(OWN_CREDENTIAL, ("traceparent", value), ("tracestate", "vendor=x"))
    server, client = _pair(older.collector.wait_spans(2))
    (received,) = older.received

    assert (TRACE, PARENT) == (server.trace_id, server.parent_id)
    assert TRACE == client.trace_id
    assert (value, "vendor=x") == (received.header("traceparent"), received.header("tracestate"))


WRONG = [
    "00-0-0-01",
    f"00-{'0' * 32}-{PARENT}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE.upper()}-{PARENT}-01",
    "sk-ant-secret",
    f"00-{TRACE}-{PARENT}",
]


def test_a_wrong_trace_is_none(older: Scene) -> None:
    """What is no `traceparent` is sent on, and begins a trace of its own here."""
    for value in WRONG:
        older.ask(OWN_CREDENTIAL, ("traceparent", value))
    spans = older.collector.wait_spans(2 * len(WRONG))

    assert {""} == {span.parent_id for span in spans if span.kind == SERVER}
    assert len(WRONG) == len({span.trace_id for span in spans})
    assert WRONG == [received.header("traceparent") for received in older.received]


def test_a_client_that_does_not_sample_is_heard(older: Scene) -> None:
    """Its flag says that nobody records this trace."""
    older.ask(OWN_CREDENTIAL, ("traceparent", f"00-{TRACE}-{PARENT}-00"))
    older.ask()
    spans = older.collector.wait_spans(2)

    assert TRACE not in {span.trace_id for span in spans}
    assert 2 == len(spans)


def test_never_content(newest: Scene) -> None:
    """Nothing of prompts, answers, headers or secrets is in what is sent, in either signal."""
    key = newest.gateway.new_key("ada")
    newest.ask(("x-api-key", key), ("x-custom", CONTENT), text=CONTENT)
    newest.ask(OWN_CREDENTIAL, ("authorization", f"Bearer {CONTENT}"), text=CONTENT, stream=False)
    newest.play(lambda _: error_answer(400, "invalid_request_error", CONTENT))
    newest.ask(text=CONTENT, target=f"/v1/messages?token={CONTENT}")
    newest.collector.wait_spans(6)
    wait_until(lambda: bool(newest.collector.metrics()), "metrics")
    sent = b"".join(body for _, _, body in newest.collector.bodies)
    fields = " ".join(value for _, headers, _ in newest.collector.bodies for value in headers.values())

    for secret in (CONTENT, key, OWN_CREDENTIAL[1], CREDENTIAL):
        assert secret.encode() not in sent
        assert secret not in fields


def test_what_is_left_is_sent_at_the_end(tmp_path: Path) -> None:
    """A gateway that is told to stop sends what it has, metrics included, however long they would have waited."""
    with Collector() as collector:
        scene = Scene(tmp_path, collector)
        with scene.upstream:
            with scene.gateway:
                scene.ask()
            assert 2 == len(collector.spans())
            assert "gen_ai.client.token.usage" in collector.metrics()


def _warnings(scene: Scene) -> int:
    return scene.gateway.log.count('"otel_not_taken"')


@pytest.mark.timeout(60)
def test_a_collector_that_refuses_is_told_of_once(tmp_path: Path) -> None:
    """Exchanges go on as ever; the log has one line when it begins, and one when it is over."""
    with scene_of(tmp_path, settings="metrics_every_s = 3600") as scene:
        scene.collector.status = 400
        for _ in range(3):
            seen = len(scene.collector.bodies)
            assert scene.ask().complete
            wait_until(lambda seen=seen: len(scene.collector.bodies) > seen, "it was tried")  # type: ignore[misc]
        wait_until(lambda: _warnings(scene) > 0, "it is told")

        assert 1 == _warnings(scene)
        scene.collector.status = 200
        scene.ask()
        wait_until(lambda: '"otel_recovered"' in scene.gateway.log, "it is told")
        assert 1 == _warnings(scene)
        assert "Traceback" not in scene.gateway.log


@pytest.mark.timeout(60)
def test_without_a_collector_nothing_is_missing(tmp_path: Path) -> None:
    """Nobody listens, or somebody who never answers: answers are as quick as ever, and so is the end."""
    with ExitStack() as stack:
        deaf = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        for number, port in enumerate((9, deaf.getsockname()[1])):
            collector = Collector()
            home = tmp_path / str(number)
            home.mkdir()
            with collector:
                scene = Scene(home, collector, environment={"CLEARWAY_OTEL__ENDPOINT": f"http://127.0.0.1:{port}"})
                with scene.upstream:
                    with scene.gateway:
                        began = time.monotonic()
                        assert all(scene.ask().complete for _ in range(20))
                        assert 10 > time.monotonic() - began
                        began = time.monotonic()
                    # Five seconds for what is left, and what the end of any gateway takes.
                    assert 10 > time.monotonic() - began
                    assert 2 >= _warnings(scene)
                    assert "Traceback" not in scene.gateway.log


def test_a_stream_that_runs_has_no_span_yet(older: Scene) -> None:
    """Spans are of what is over; meanwhile the metrics show it as open."""
    gate = Gate()
    pieces = events("x", MODEL)
    older.play(lambda _: stream_answer([*pieces[:4], gate, *pieces[4:]]))
    with Client(older.gateway.url) as client:
        client.ask(prompt(), [OWN_CREDENTIAL])
        client.read_head()
        gate.wait_reached()
        seen = scrape(older.gateway.url)

        assert 1 == seen.total("clearway_open_streams") == seen.total("clearway_open_exchanges", endpoint="messages")
        assert [] == older.collector.spans()
        gate.open()
        client.read_rest()
    older.collector.wait_spans(2)
    wait_until(lambda: not scrape(older.gateway.url).total("clearway_open_streams"), "it is over")


def test_the_extra_is_asked_for(tmp_path: Path) -> None:
    """Without its packages a gateway that should send says what to install, and does not start."""
    bare = tmp_path / "bare" / "opentelemetry"
    bare.mkdir(parents=True)
    (bare / "__init__.py").touch()
    environment = {"PYTHONPATH": str(bare.parent), "CLEARWAY_OTEL__ENDPOINT": "http://127.0.0.1:4318"}
    done = GatewayProcess(tmp_path, environment=environment).cli("serve", "--port", "0", check=False)

    assert 3 == done.returncode
    assert "otel.endpoint: needs OpenTelemetry, which is not installed" in done.stderr
    assert "pip install 'clearway[otel]'" in done.stderr
