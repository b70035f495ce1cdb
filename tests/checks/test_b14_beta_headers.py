"""b14: The client's betas arrive, all and in order, unless the owner withholds some from an upstream; nothing leaks.

Elsewhere `anthropic-beta` was replaced or cut, sent to upstreams that refuse it, and the fields of proxies in
between went along: krouter PR #16, llm-gateway PR #2910, auto_ai_router PR #116, CLIProxyAPI PR #2228,
claude-code#13770, #70563, CCR PR #1594.
Formats: messages
"""

from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.clients.answers import message
from tests.clients.sdk import connect
from tests.fake_upstream import Fields, Received, json_answer
from tests.gateway_process import GatewayProcess, anthropic, passthrough
from tests.recordings.recorded import read
from tests.relay.stage import CREDENTIAL, PAYERS, Payer, Stage
from tests.relay.wire_client import JSON, MODEL, OWN_CREDENTIAL, VERSION, prompt

TARGETS = ["/v1/messages", "/v1/messages?beta=true", "/v1/messages/count_tokens?beta=true"]
BETAS = [
    pytest.param(["one-2026-01-01"], id="one"),
    pytest.param(["claude-code-20250219,oauth-2025-04-20, effort-2025-11-24"], id="a-list"),
    pytest.param(["one-2026-01-01", "two-2026-01-01, three-2026-01-01", "one-2026-01-01"], id="several-lines"),
    pytest.param(["of-2027-12-31 ,  UPPER,,two-2026-01-01;q=1"], id="odd"),
    pytest.param([f"beta-{number}-2026-01-01" for number in range(60)], id="sixty-lines"),
]


def _lines(received: Received, name: str = "anthropic-beta") -> list[str]:
    return [value for field, value in received.headers if field == name]


@pytest.fixture
def answering(stage: Stage) -> Stage:
    """Its upstream takes everything."""
    stage.play(json_answer(message("heard", MODEL)))
    return stage


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("payer", PAYERS)
@pytest.mark.parametrize("lines", BETAS)
def test_all_of_them_in_order(answering: Stage, lines: list[str], payer: Payer, target: str) -> None:
    """b14: In one line or in many, known or not, betas reach the upstream as they were written, and none is added."""
    whole = answering.ask(payer, prompt(stream=False), *(("anthropic-beta", line) for line in lines), target=target)

    assert 200 == whole.head.status
    (received,) = answering.received
    assert lines == _lines(received)
    assert [VERSION[1]] == _lines(received, "anthropic-version")


@pytest.mark.parametrize("payer", PAYERS)
def test_none_is_made_up(answering: Stage, payer: Payer) -> None:
    """b14: A client that names no beta and no version of the API has none named for it."""
    with answering.client() as client:
        client.request("POST", "/v1/messages", [answering.credential(payer), JSON], prompt(stream=False))

        assert 200 == client.read_whole().head.status
    (received,) = answering.received
    assert ([], []) == (_lines(received), _lines(received, "anthropic-version"))


@pytest.mark.client
@pytest.mark.usefixtures("_no_machine")
@pytest.mark.parametrize("payer", PAYERS)
def test_as_the_sdk_sends_them(answering: Stage, payer: Payer) -> None:
    """b14: The betas that a program gives to the official SDK are those that the upstream sees."""
    written: list[httpx2.Request] = []
    with connect(answering.gateway.url, answering.credential(payer)[1], seen=written.append) as client:
        client.beta.messages.create(
            model=MODEL,
            max_tokens=9,
            messages=[{"role": "user", "content": "hi"}],
            betas=["context-management-2025-06-27", "of-2027-12-31"],
        )

    (received,) = answering.received
    assert ["context-management-2025-06-27,of-2027-12-31"] == _lines(received)
    assert written[0].url.raw_path.decode() == received.target


@pytest.mark.recordings
@pytest.mark.parametrize("payer", PAYERS)
def test_as_real_clients_sent_them(answering: Stage, recordings: Path, payer: Payer) -> None:
    """b14: The betas of recorded requests arrive as they were."""
    recorded = [value for one in read(recordings) for name, value in one.request_headers if name == "anthropic-beta"]
    for value in recorded:
        answering.ask(payer, prompt(stream=False), ("anthropic-beta", value))

    assert len(recorded) > 10
    assert [[value] for value in recorded] == [_lines(received) for received in answering.received]


VENDOR = """
[[upstreams]]
name = "vendor"
kind = "anthropic"
base_url = "{url}"
api_key = {{ env = "UPSTREAM_CREDENTIAL" }}
models = ["vendor-*"]
withhold_betas = ["refused-2026-01-01", "also-refused"]
"""
WITHHELD = [
    (["refused-2026-01-01"], []),
    (["a, refused-2026-01-01,b"], ["a,b"]),
    (["a", "refused-2026-01-01, also-refused", "also-refused,b"], ["a", "b"]),
    (["refused-2026-01-012, not-refused"], ["refused-2026-01-012, not-refused"]),
]


def test_withheld_from_one_upstream(build_stage: Callable[..., Stage]) -> None:
    """b14: What an upstream is configured not to see does not reach it, in whatever line; others get everything."""
    usual = anthropic("URL").replace("api_key", 'models = ["claude-*"]\napi_key') + passthrough("URL")
    stage = build_stage(upstreams=lambda url: VENDOR.format(url=url) + usual.replace("URL", url))
    stage.play(json_answer(message("heard", MODEL)))
    ways: list[tuple[Payer, str, bool]] = [
        ("gateway", "vendor-1", True),
        ("gateway", MODEL, False),
        ("client", "vendor-1", False),
    ]
    for target in TARGETS:
        for came, went in WITHHELD:
            for payer, model, withholds in ways:
                fields = [("anthropic-beta", value) for value in came]

                assert 200 == stage.ask(payer, prompt(model=model, stream=False), *fields, target=target).head.status
                assert (went if withholds else came) == _lines(stage.received[-1])


def test_nothing_is_withheld_from_logins(tmp_path: Path) -> None:
    """b14: Where clients pay for themselves the list has no place, and the owner is told."""
    config = passthrough("http://127.0.0.1:9") + 'withhold_betas = ["a"]\n'
    done = GatewayProcess(tmp_path, config).cli("config", "check", check=False)

    assert 3 == done.returncode
    assert "withhold_betas" in done.stderr


HOP_BY_HOP: Fields = (
    ("connection", "keep-alive, X-Named, x-also-named"),
    ("x-named", "1"),
    ("X-Also-Named", "1"),
    ("keep-alive", "timeout=5"),
    ("te", "trailers"),
    ("trailer", "x-sum"),
    ("proxy-authorization", "Basic eDp5"),
    ("proxy-authenticate", "Basic"),
    ("proxy-connection", "keep-alive"),
    ("proxy-anything", "1"),
    ("cookie", "session=1"),
)
FORWARDING: Fields = (
    ("forwarded", "for=192.0.2.1"),
    ("via", "1.1 proxy.example"),
    ("x-forwarded-for", "192.0.2.1"),
    ("X-Forwarded-Proto", "https"),
    ("x-forwarded-host", "claude.example"),
    ("x-forwarded-anything", "1"),
    ("x-real-ip", "192.0.2.1"),
    ("cf-connecting-ip", "192.0.2.1"),
    ("true-client-ip", "192.0.2.1"),
)
OURS: Fields = (("x-clearway-upstream", "api"), ("X-Clearway-Note", "mine"), ("x-clearway-exchange", "1"))
KEPT: Fields = (
    ("user-agent", "scripted/1.0 (odd; external)"),
    ("x-app", "cli"),
    ("x-stainless-retry-count", "0"),
    ("x-claude-code-session-id", "0192f0c1-aaaa-4bbb-8ccc-0123456789ab"),
    ("anthropic-dangerous-direct-browser-access", "true"),
    ("x-unknown", "first"),
    ("accept", "application/json"),
    ("x-unknown", "second"),
)


WAYS: list[tuple[Payer, str]] = [
    *(("client", target) for target in (*TARGETS, "/v1/files")),
    *(("gateway", target) for target in TARGETS),
]


@pytest.mark.parametrize(("payer", "target"), WAYS)
def test_what_leaves(answering: Stage, payer: Payer, target: str) -> None:
    """b14: Hop-by-hop fields, proxies', cookies and Clearway's own stay here; all else leaves, and none is added."""
    # A key beside the login: where somebody has forwarded, loopback proves nothing.
    key = ("x-clearway-key", answering.key_field[1])
    credential = [OWN_CREDENTIAL, key] if payer == "client" else [answering.key_field]
    fields = [*KEPT[:3], *HOP_BY_HOP, *FORWARDING, *OURS, *credential, *KEPT[3:], VERSION, JSON]
    with answering.client() as client:
        client.request("POST", target, fields, prompt(stream=False))

        assert 200 == client.read_whole().head.status

    (received,) = answering.received
    shown = [OWN_CREDENTIAL] if payer == "client" else []
    own = [] if payer == "client" else [("x-api-key", CREDENTIAL)]
    asked = [] if target == "/v1/files" else [("accept-encoding", "identity")]
    framing = {"host", "content-length"}
    assert [*KEPT[:3], *shown, *KEPT[3:], VERSION, JSON, *asked, *own] == [
        field for field in received.headers if field[0] not in framing
    ]
    assert answering.upstream.url.removeprefix("http://") == received.header("host")


PLACES = [
    pytest.param("x-clearway-key", "{}", id="own-header"),
    pytest.param("x-api-key", "{}", id="x-api-key"),
    pytest.param("authorization", "Bearer {}", id="bearer"),
]


@pytest.mark.parametrize(
    "login", [(), (("authorization", "Bearer sk-ant-oat01-dummy"),)], ids=["alone", "with-a-login"]
)
@pytest.mark.parametrize(("name", "form"), PLACES)
def test_a_key_stays_here(answering: Stage, name: str, form: str, login: Fields) -> None:
    """b14: Wherever a client puts a key of the gateway's, the upstream gets no byte of it."""
    secret = answering.key_field[1]
    fields = [(name, form.format(secret)), *(field for field in login if field[0] != name)]
    with answering.client() as client:
        client.request("POST", "/v1/messages", [*fields, VERSION, JSON], prompt(stream=False))

        assert 200 == client.read_whole().head.status
    (received,) = answering.received
    assert b"cw-" not in received.head
    assert secret[3:].encode() not in received.head + received.body
