"""b9: An error has the status, shape and fields that its client expects, and one of the gateway's own says so.

Elsewhere statuses changed (400 to 502, 429 to 500, 503 or 403), `retry-after`, the request id and 529 got lost,
and errors came in another API's shape: langwatch PR #6207, ccproxy PR #59, sub2api PR #5567, CLIProxyAPI.
Formats: messages
"""

from collections.abc import Callable, Iterator

import anthropic
import httpx2
import msgspec
import pytest

from clearway.core.clock import SystemClock
from clearway.core.ids import IdMaker
from clearway.keys.model import KeySpec
from tests.clients.answers import message
from tests.clients.sdk import Place, connect
from tests.fake_upstream import Answer, Cut, Fields, Gate, Received, answer, json_answer
from tests.gateway_process import passthrough
from tests.relay.stage import CREDENTIAL, PAYERS, Payer, Stage, wait_until
from tests.relay.wire_client import JSON, MODEL, OWN_CREDENTIAL, Whole, prompt

REQUEST_ID = "req_scripted0001"
FIELDS: Fields = (
    ("content-type", "application/json; charset=utf-8"),
    ("retry-after", "17"),
    ("retry-after-ms", "17000"),
    ("x-should-retry", "true"),
    ("request-id", REQUEST_ID),
)
ACCOUNT: Fields = (("anthropic-ratelimit-unified-status", "rejected"), ("anthropic-organization-id", "org-scripted"))
KINDS: dict[int, tuple[str, type[anthropic.APIStatusError]]] = {
    400: ("invalid_request_error", anthropic.BadRequestError),
    401: ("authentication_error", anthropic.AuthenticationError),
    402: ("billing_error", anthropic.APIStatusError),
    403: ("permission_error", anthropic.PermissionDeniedError),
    404: ("not_found_error", anthropic.NotFoundError),
    409: ("conflict_error", anthropic.ConflictError),
    413: ("request_too_large", anthropic.RequestTooLargeError),
    422: ("invalid_request_error", anthropic.UnprocessableEntityError),
    429: ("rate_limit_error", anthropic.RateLimitError),
    500: ("api_error", anthropic.InternalServerError),
    502: ("api_error", anthropic.InternalServerError),
    503: ("api_error", anthropic.ServiceUnavailableError),
    504: ("timeout_error", anthropic.GatewayTimeoutError),
    529: ("overloaded_error", anthropic.OverloadedError),
}
"""`error.type` and the SDK's class for a status. Source: `_exceptions.py` of the `anthropic` SDK 2.x."""
OTHER_CLASSES = {421: anthropic.APIStatusError, 431: anthropic.RequestHeaderFieldsTooLargeError}
REFUSALS = {401, 402, 403}
"""Of the gateway's own credential: not the client's fault."""


def _said(status: int) -> bytes:
    # Odd spacing, an unknown member and no final newline: bytes that a rewrite would change.
    head = b'{ "type":"error", "error":{"type":"%b","message":"l\xc3\xa4uft nicht", "details":{"x":[1.0]}},'
    return head % KINDS[status][0].encode() + b'"request_id":"%b" }' % REQUEST_ID.encode()


def _script(received: Received) -> Answer:
    """The status stands in the name of the model."""
    asked = received.json()
    assert isinstance(asked, dict)
    status = int(str(asked["model"]).removeprefix("claude-"))
    return answer(_said(status), status=status, headers=[*FIELDS, *ACCOUNT])


def _one_upstream_for_each(url: str) -> str:
    # So that what an upstream said for one status changes nothing for the next.
    own = "".join(
        f'[[upstreams]]\nname = "api-{status}"\nkind = "anthropic"\nbase_url = "{url}"\n'
        f'api_key = {{ env = "UPSTREAM_CREDENTIAL" }}\nmodels = ["claude-{status}"]\n'
        for status in KINDS
    )
    return own + passthrough(url)


@pytest.fixture(scope="module")
def shared_matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway with an upstream of its own for each status, and one for logins."""
    stage = Stage(tmp_path_factory.mktemp("matrix"), upstreams=_one_upstream_for_each)
    with stage.upstream, stage.gateway:
        yield stage


@pytest.fixture
def matrix(shared_matrix: Stage) -> Stage:
    """Answers with the status that the model's name holds."""
    shared_matrix.play(_script)
    return shared_matrix


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
@pytest.mark.parametrize("status", KINDS)
def test_passthrough_hears_everything(matrix: Stage, status: int, *, stream: bool) -> None:
    """b9: A client that pays for itself gets the upstream's error as it was said, after one request."""
    whole = matrix.ask("client", prompt(model=f"claude-{status}", stream=stream))

    assert (status, _said(status), True) == (whole.head.status, whole.body, whole.complete)
    assert {*FIELDS, *ACCOUNT} <= set(whole.head.headers)
    assert whole.head.header("x-clearway-error") is None
    _assert_row(matrix, whole, status)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
@pytest.mark.parametrize("status", [status for status in KINDS if status not in REFUSALS])
def test_key_hears_it_without_the_account(matrix: Stage, status: int, *, stream: bool) -> None:
    """b9: Where the gateway pays the error is the same, but for what it says of the account behind it."""
    whole = matrix.ask("gateway", prompt(model=f"claude-{status}", stream=stream))

    assert (status, _said(status), True) == (whole.head.status, whole.body, whole.complete)
    assert set(FIELDS) <= set(whole.head.headers)
    assert not {name for name, _ in ACCOUNT} & {name for name, _ in whole.head.headers}
    assert whole.head.header("x-clearway-error") is None
    _assert_row(matrix, whole, status)


def _assert_row(matrix: Stage, whole: Whole, status: int) -> None:
    row = matrix.books.settled(whole.head.exchange_id)
    failed = status >= 500 or status == 429

    assert ("upstream_error" if failed else "ok", status, KINDS[status][0]) == (row.outcome, row.status, row.error_type)
    assert (None, 1, REQUEST_ID, None) == (row.error_code, row.attempts, row.upstream_request_id, row.cost_nano)
    assert 1 == len(matrix.received)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
@pytest.mark.parametrize("status", sorted(REFUSALS))
def test_credential_of_the_gateway_is_refused(matrix: Stage, status: int, *, stream: bool) -> None:
    """b9: That is not the client's fault: a 502 of the gateway's own, without the upstream's words."""
    whole = matrix.ask("gateway", prompt(model=f"claude-{status}", stream=stream))

    assert (502, "upstream_credential", "false") == (
        whole.head.status,
        whole.head.header("x-clearway-error"),
        whole.head.header("x-should-retry"),
    )
    kind, text = whole.error()
    assert "api_error" == kind
    assert str(status) in text
    assert CREDENTIAL.encode() not in whole.body
    assert "läuft nicht".encode() not in whole.body
    assert CREDENTIAL not in matrix.gateway.log
    row = matrix.books.settled(whole.head.exchange_id)
    assert ("upstream_error", 502, "upstream_credential") == (row.outcome, row.status, row.error_code)
    assert 1 == len(matrix.received)


@pytest.mark.client
@pytest.mark.usefixtures("_no_machine")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("payer", PAYERS)
def test_the_sdk_raises_the_right_class(matrix: Stage, payer: Payer, *, stream: bool) -> None:
    """b9: The official SDK makes of each error what it makes of the API's own: class, body, id, seconds to wait."""
    with connect(matrix.gateway.url, matrix.credential(payer)[1]) as client:
        for status, (kind, error_class) in KINDS.items():
            with pytest.raises(anthropic.APIStatusError) as caught:
                client.messages.create(
                    model=f"claude-{status}", max_tokens=9, messages=[{"role": "user", "content": "hi"}], stream=stream
                )
            error = caught.value
            if payer == "gateway" and status in REFUSALS:
                assert (anthropic.InternalServerError, 502, "api_error") == (type(error), error.status_code, error.type)
                continue

            assert (error_class, status, kind) == (type(error), error.status_code, error.type)
            assert msgspec.json.decode(_said(status)) == error.body
            assert (REQUEST_ID, "17") == (error.request_id, error.response.headers["retry-after"])

    assert len(KINDS) == len(matrix.received)


@pytest.mark.client
@pytest.mark.usefixtures("_no_machine")
@pytest.mark.parametrize(
    ("field", "count"), [(("retry-after-ms", "1"), 2), (("x-should-retry", "false"), 1)], ids=["wait", "do-not"]
)
def test_the_sdk_does_as_it_is_told(stage: Stage, field: tuple[str, str], count: int) -> None:
    """b9: When to ask again is the upstream's word, which the SDK gets and follows."""
    busy = answer(_said(429), status=429, headers=[*FIELDS[:1], field])
    answers = iter([busy, json_answer(message("at last", MODEL))])
    stage.play(lambda _: next(answers))
    with connect(stage.gateway.url, OWN_CREDENTIAL[1], retries=1) as client:

        def ask() -> str:
            said = client.messages.create(model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "hi"}])
            return said.to_json()

        if count == 1:
            with pytest.raises(anthropic.RateLimitError):
                ask()
        else:
            assert "at last" in ask()

    assert count == len(stage.received)


PAGES = [
    pytest.param(502, "text/html", b"<html><h1>502 Bad Gateway</h1></html>", id="html"),
    pytest.param(503, "text/plain", b"no healthy upstream", id="text"),
    pytest.param(403, "application/json", b'{"detail":"not of this API"}', id="another-shape"),
    pytest.param(500, "application/json", b"", id="nothing"),
]


@pytest.mark.parametrize(("status", "kind", "body"), PAGES)
def test_what_is_not_in_the_shape(stage: Stage, status: int, kind: str, body: bytes) -> None:
    """b9: What something in between says goes on as it is, too; its status says enough."""
    stage.play(answer(body, status=status, headers=[("content-type", kind)]))

    whole = stage.ask("client", prompt())

    assert (status, kind, body) == (whole.head.status, whole.head.header("content-type"), whole.body)
    row = stage.books.settled(whole.head.exchange_id)
    assert ("upstream_error" if status >= 500 else "ok", status) == (row.outcome, row.status)


# What the gateway itself has to say, each by a request that brings it about.

MAX_BODY = 100_000
IDS = IdMaker(SystemClock())


def _odd_upstreams(url: str) -> str:
    def own(name: str, where: str) -> str:
        return (
            f'[[upstreams]]\nname = "{name}"\nkind = "anthropic"\nbase_url = "{where}"\n'
            f'api_key = {{ env = "UPSTREAM_CREDENTIAL" }}\nmodels = ["{name}"]\n'
        )

    # Nobody listens on port 1 of loopback, which is nobody's to take.
    return own("unreachable", "http://127.0.0.1:1") + "".join(own(name, url) for name in ("garbage", "silent", "hot"))


@pytest.fixture(scope="module")
def shared_odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway with small bounds, whose upstreams fail in one way each, and which takes no logins."""
    bounds = f"max_body = {MAX_BODY}\nmax_buffered = {MAX_BODY}\ntimeouts = {{ first_byte_s = 1.0 }}"
    stage = Stage(tmp_path_factory.mktemp("odd"), settings=f"[server]\n{bounds}\n", upstreams=_odd_upstreams)
    with stage.upstream, stage.gateway:
        yield stage


def _fail(received: Received) -> Answer:
    if b'"silent"' in received.body:
        return Answer((Gate(),))
    if b'"hot"' in received.body:
        return answer(_said(401), status=401)
    return Answer((b"SSH-2.0-OpenSSH_9.2\r\n", Cut.FIN))


@pytest.fixture
def odd(shared_odd: Stage) -> Stage:
    """Ready for one more failure."""
    shared_odd.play(_fail)
    return shared_odd


Ask = Callable[[Stage], Whole]


def _model(name: str) -> Ask:
    return lambda stage: stage.ask("gateway", prompt(model=name))


def _with(body: bytes = b"{}", *, target: str = "/v1/messages") -> Ask:
    return lambda stage: stage.ask("gateway", body, target=target)


def _of_a_narrow_key(stage: Stage) -> Whole:
    secret = stage.books.new_key(KeySpec(name=IDS.new(), models=("claude-haiku-*",)))
    return _by(("x-api-key", secret))(stage)


def _by(credential: tuple[str, str]) -> Ask:
    def ask(stage: Stage) -> Whole:
        with stage.client() as client:
            client.ask(prompt(model="garbage"), [credential])
            return client.read_whole()

    return ask


def _to_a_foreign_host(stage: Stage) -> Whole:
    with stage.client() as client:
        client.send(b"GET /v1/models HTTP/1.1\r\nhost: evil.example\r\n\r\n")
        return client.read_whole()


def _while_the_room_is_taken(stage: Stage) -> Whole:
    seen: list[Whole] = []
    with stage.client() as other:
        # Half a body of another client holds all the room that there is.
        other.send(other.head("POST", "/v1/messages", [stage.key_field, JSON], MAX_BODY) + b"{")

        def is_refused() -> bool:
            seen.append(_model("garbage")(stage))
            return seen[-1].head.status != 502

        wait_until(is_refused, "the other body is being read")
    return seen[-1]


OWN = [
    pytest.param(400, "invalid_request", "invalid_request_error", _with(b"{"), id="no-json"),
    pytest.param(401, "invalid_key", "authentication_error", _by(("x-api-key", "cw-typo")), id="bad-key"),
    pytest.param(403, "not_allowed", "permission_error", _of_a_narrow_key, id="narrow-key"),
    pytest.param(404, "not_found", "not_found_error", _model("claude-nobody"), id="unknown-model"),
    pytest.param(404, "not_found", "not_found_error", _with(target="/v1/elsewhere"), id="unknown-path"),
    pytest.param(413, "too_large", "request_too_large", _with(b"x" * (MAX_BODY + 1)), id="large-body"),
    pytest.param(421, "wrong_host", "invalid_request_error", _to_a_foreign_host, id="foreign-host"),
    pytest.param(431, "head_too_large", "invalid_request_error", _with(target="/v1/" + "x" * 9000), id="long-target"),
    pytest.param(502, "upstream_credential", "api_error", _model("hot"), id="credential"),
    pytest.param(502, "upstream_protocol", "api_error", _model("garbage"), id="garbage"),
    pytest.param(502, "upstream_unreachable", "api_error", _model("unreachable"), id="unreachable"),
    pytest.param(503, "no_upstream", "api_error", _by(OWN_CREDENTIAL), id="nobody-takes-logins"),
    pytest.param(504, "upstream_timeout", "timeout_error", _model("silent"), id="silent"),
    pytest.param(529, "overloaded", "overloaded_error", _while_the_room_is_taken, id="no-room"),
]


@pytest.mark.usefixtures("_no_machine")
@pytest.mark.parametrize(("status", "code", "kind", "ask"), OWN)
def test_our_own_are_marked(odd: Stage, status: int, code: str, kind: str, ask: Ask) -> None:
    """b9: What the gateway says itself has the API's shape and type, its mark, an id, and whether waiting helps."""
    whole = ask(odd)

    assert (status, code, "application/json") == (
        whole.head.status,
        whole.head.header("x-clearway-error"),
        whole.head.header("content-type"),
    )
    said = msgspec.json.decode(whole.body, type=dict[str, object])
    assert {"type": "error", "request_id": whole.head.header("request-id")}.items() <= said.items()
    told, sentence = whole.error()
    assert (kind, True) == (told, sentence.startswith("Clearway: "))
    waits = whole.head.header("retry-after") is not None
    is_final = whole.head.header("x-should-retry") == "false"
    # Of an upstream's failure the client knows best; everything else says which it is.
    assert waits != is_final or (code.startswith("upstream_") and not waits)
    assert CREDENTIAL.encode() not in whole.body
    assert _class_for(whole) is (OTHER_CLASSES.get(status) or KINDS[status][1])


def _class_for(whole: Whole) -> type[anthropic.APIStatusError]:
    """What the official SDK raises for these very bytes."""

    def answer_with(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(whole.head.status, headers=whole.head.headers, content=whole.body)

    http_client = anthropic.DefaultHttpxClient(transport=httpx2.MockTransport(answer_with), trust_env=False)
    with (
        anthropic.Anthropic(api_key="dummy", max_retries=0, http_client=http_client) as client,
        pytest.raises(anthropic.APIStatusError) as caught,
    ):
        client.models.list()
    return type(caught.value)


@pytest.mark.client
@pytest.mark.usefixtures("_no_machine")
@pytest.mark.parametrize("place", ["x-api-key", "bearer"])
def test_the_sdk_understands_a_bad_key(odd: Stage, place: Place) -> None:
    """b9: A key that is mistyped or unknown is told so at once, and is not repeated."""
    secret = odd.key_field[1]
    for bad in (secret[:-1] + "_", "cw-"):
        with (
            connect(odd.gateway.url, bad, place, retries=2) as client,
            pytest.raises(anthropic.AuthenticationError) as caught,
        ):
            client.messages.create(model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "hi"}])

        assert ("invalid_key", "false") == (
            caught.value.response.headers["x-clearway-error"],
            caught.value.response.headers["x-should-retry"],
        )
        assert secret[3:40] not in caught.value.message
    assert [] == odd.received
