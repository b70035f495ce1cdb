"""b25: What the upstream says of limits reaches the client whose they are, every field of it, and nobody else.

Elsewhere the fields were dropped, so that a client's own display of its limits went dark, or were read in part:
lean-ctx#1638, opencode#49653, opencodex PR #3809.
Formats: messages
"""

from pathlib import Path

import anthropic
import pytest

from clearway.ledger.protocol import WindowState
from tests.clients.answers import HEADERS, events, message
from tests.clients.sdk import connect
from tests.fake_upstream import Answer, Fields, answer, error_answer, json_answer, stream_answer
from tests.recordings.recorded import read
from tests.relay.stage import PAYERS, Payer, Stage, wait_until
from tests.relay.wire_client import JSON, MODEL, OWN_CREDENTIAL, VERSION, Whole, prompt

YEAR_S = 365 * 86_400
RFC_3339, UNIX = "2026-11-21T10:00:00Z", "1795255200"
CLASSIC: Fields = tuple(
    (f"anthropic-{kind}-{what}", value)
    for kind in (
        "ratelimit-requests",
        "ratelimit-tokens",
        "ratelimit-input-tokens",
        "ratelimit-output-tokens",
        "priority-input-tokens",
        "priority-output-tokens",
        "fast-input-tokens",
        "fast-output-tokens",
    )
    for what, value in (("limit", "50"), ("remaining", "49"), ("reset", RFC_3339))
)
"""Of traffic that is paid by the token, with the priority tier and the fast mode."""
_OF_EACH = (("status", "allowed"), ("utilization", "0.42"), ("reset", UNIX), ("surpassed-threshold", "0.75"))
WINDOWS: Fields = tuple(
    (f"anthropic-ratelimit-unified-{window}-{what}", value)
    for window in ("5h", "7d", "7d_oi", "7d_opus", "7d_sonnet", "overage", "30d_of_2027")
    for what, value in (
        ("status", "allowed"),
        ("utilization", "0.42"),
        ("reset", UNIX),
        ("surpassed-threshold", "0.75"),
    )
)
"""Of a subscription, for each window, one that nobody knows yet among them."""
UNIFIED: Fields = tuple(
    (f"anthropic-ratelimit-unified-{name}", value)
    for name, value in (
        ("status", "allowed_warning"),
        ("reset", UNIX),
        ("representative-claim", "five_hour"),
        ("fallback", "available"),
        ("fallback-percentage", "0.5"),
        ("overage-in-use", "true"),
        ("overage-disabled-reason", "out_of_credits"),
        ("overage-period", "monthly"),
        ("overage-period-monthly-utilization", "0.9"),
        ("overage-scope", "group_pool"),
        ("grace-status", "eligible"),
        ("grace-5h-utilization", "1.02"),
        ("slow-offer", "true"),
        ("slow-retry-after", "30"),
        ("slow-budget-reset", UNIX),
        ("upgrade-paths", "max_20x, extra_usage"),
        ("of-2027", "something new"),
    )
)
LIMITS: Fields = (*CLASSIC, *WINDOWS, *UNIFIED)
IDENTITY: Fields = (
    ("anthropic-organization-id", "0192f0c1-aaaa-4bbb-8ccc-0123456789ab"),
    ("anthropic-workspace-id", "wrkspc_scripted"),
)
KEPT: Fields = (*HEADERS, ("retry-after", "17"), ("retry-after-ms", "17000"), ("x-should-retry", "true"))
"""What every client needs, whoever pays."""
ALL: Fields = (*KEPT, *LIMITS, *IDENTITY)

ERROR = b'{"type":"error","error":{"type":"rate_limit_error","message":"scripted"}}'
ANSWERS = [
    pytest.param("/v1/messages", stream_answer(events("heard", MODEL), headers=ALL), id="stream"),
    pytest.param("/v1/messages", json_answer(message("heard", MODEL), headers=ALL), id="plain"),
    pytest.param("/v1/messages", answer(ERROR, status=429, headers=[JSON, *ALL]), id="429"),
    pytest.param("/v1/messages", answer(ERROR, status=529, headers=[JSON, *ALL]), id="529"),
    pytest.param("/v1/messages", answer(ERROR, status=400, headers=[JSON, *ALL]), id="400"),
    pytest.param("/v1/messages/count_tokens", json_answer({"input_tokens": 7}, headers=ALL), id="count"),
]


def _told(whole: Whole) -> list[tuple[str, str]]:
    """The fields of limits and of the account, and those that say when to come back, in their order."""
    names = {name for name, _ in KEPT}
    return [(name, value) for name, value in whole.head.headers if name in names or name.startswith("anthropic-")]


@pytest.mark.parametrize(("target", "said"), ANSWERS)
def test_a_login_hears_of_its_limits(stage: Stage, target: str, said: Answer) -> None:
    """b25: On passthrough every field of every kind comes back, in its order, known or not, whatever the status."""
    stage.play(said)

    assert list(ALL) == _told(stage.ask("client", prompt(), target=target))


@pytest.mark.parametrize(("target", "said"), ANSWERS)
def test_a_key_hears_nothing_of_the_account(stage: Stage, target: str, said: Answer) -> None:
    """b25: Where the gateway pays, limits and identity of its account stay here; when to come back does not."""
    stage.play(said)

    assert list(KEPT) == _told(stage.ask("gateway", prompt(), target=target))


@pytest.mark.parametrize("target", ["/v1/models", "/v1/files", "/api/oauth/usage"])
def test_on_every_path_of_a_login(stage: Stage, target: str) -> None:
    """b25: The same for whatever else a login asks for."""
    stage.play(json_answer({}, headers=ALL))
    with stage.client() as client:
        client.request("GET", target, [OWN_CREDENTIAL, VERSION])

        assert list(ALL) == _told(client.read_whole())


def test_a_login_beside_a_key(stage: Stage) -> None:
    """b25: A key that only says who is calling takes nothing away: the limits are those of the login."""
    stage.play(json_answer(message("heard", MODEL), headers=ALL))

    assert list(ALL) == _told(stage.ask("client", prompt(), ("x-clearway-key", stage.key_field[1])))


@pytest.mark.client
@pytest.mark.usefixtures("_no_machine")
@pytest.mark.parametrize("payer", PAYERS)
@pytest.mark.parametrize("status", [200, 429])
def test_what_the_sdk_finds(stage: Stage, payer: Payer, status: int) -> None:
    """b25: The official SDK hands its program the fields, of an answer and of an error."""
    good = json_answer(message("heard", MODEL), headers=ALL)
    stage.play(good if status == 200 else error_answer(429, "rate_limit_error", "scripted", headers=ALL))
    with connect(stage.gateway.url, stage.credential(payer)[1]) as client:
        try:
            headers = client.messages.with_raw_response.create(
                model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "hi"}]
            ).headers
        except anthropic.RateLimitError as error:
            headers = error.response.headers

    names = ("retry-after", "anthropic-ratelimit-unified-5h-utilization", "anthropic-ratelimit-requests-remaining")
    shown = ("17", "0.42", "49") if payer == "client" else ("17", None, None)
    assert shown == tuple(headers.get(name) for name in names)


@pytest.mark.recordings
@pytest.mark.parametrize("payer", PAYERS)
def test_as_they_were_recorded(stage: Stage, recordings: Path, payer: Payer) -> None:
    """b25: Each set of such fields that a real answer had comes back whole to a login, and not at all to a key."""
    recorded = {tuple((n, v) for n, v in one.headers.items() if "ratelimit" in n) for one in read(recordings)} - {()}
    for fields in sorted(recorded):
        stage.play(json_answer(message("heard", MODEL), headers=fields))

        whole = stage.ask(payer, prompt(stream=False))
        assert (list(fields) if payer == "client" else []) == _told(whole)
    assert len(recorded) > 10


def test_what_the_owner_sees(stage: Stage) -> None:
    """b25: Each window is read on the way, known or not; of several that reject the latest decides."""
    login = ("authorization", "Bearer sk-ant-oat01-b25" + "dummy" * 8)
    late = [
        (name, "rejected" if name.endswith("status") else value)
        for name, value in WINDOWS
        if name.split("-")[3] not in {"overage", "7d"}
    ]
    later = [
        (f"anthropic-ratelimit-unified-7d-{what}", value) for what, value in (*_OF_EACH[1:], ("status", "rejected"))
    ]
    later = [
        (name, str(int(UNIX) + 100 * YEAR_S)) if name.endswith("reset") else (name, value) for name, value in later
    ]
    late = [(name, str(int(UNIX) + 99 * YEAR_S)) if name.endswith("reset") else (name, value) for name, value in late]
    stage.play(answer(ERROR, status=429, headers=[JSON, *late, *later, *UNIFIED]))
    with stage.client() as client:
        client.ask(prompt(), [login])
        assert 429 == client.read_whole().head.status

    def mine() -> dict[str, WindowState]:
        states = stage.books.ledger.windows()
        ids = {state.credential_id for state in states if state.resets_us == (int(UNIX) + 100 * YEAR_S) * 1_000_000}
        return {state.window: state for state in states if state.credential_id in ids}

    wait_until(lambda: bool(mine()), "the windows are kept")
    assert {"5h", "7d", "7d_oi", "7d_opus", "7d_sonnet", "30d_of_2027", "overage"} <= set(mine())
    assert {("rejected", 0.42, 0.75)} == {
        (state.status, state.utilization, state.surpassed_threshold)
        for name, state in mine().items()
        if name.startswith(("5h", "7d", "30d"))
    }
    assert ["7d"] == [name for name, state in mine().items() if state.decides]
