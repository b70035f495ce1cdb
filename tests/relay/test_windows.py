"""Windows as the whole program shows them: read from what passes, kept over restarts, checked by a command."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from subprocess import CompletedProcess

import brotli
import msgspec
import pytest

from clearway.core.clock import SystemClock
from clearway.ledger.protocol import WindowQuery, WindowState
from tests.clients.answers import events, message
from tests.fake_upstream import Answer, Fields, answer, error_answer, json_answer, stream_answer
from tests.gateway_process import GatewayProcess
from tests.ledger.conftest import new_schema
from tests.recordings.recorded import read
from tests.relay.stage import CREDENTIAL, Stage, wait_until
from tests.relay.wire_client import MODEL, OWN_CREDENTIAL, VERSION, Whole, prompt
from tests.services import ServiceMissing, postgres, require

LOGIN = ("authorization", "Bearer sk-ant-oat01-" + "dummy" * 8)
OTHER_LOGIN = ("authorization", "Bearer sk-ant-oat01-" + "other" * 8)
UNIFIED = "anthropic-ratelimit-unified-"
HOUR_S = 3600


def now_s() -> int:
    """Wall time, as reset fields tell it."""
    return SystemClock().now_us() // 1_000_000


def said(windows: Mapping[str, Mapping[str, object]], **whole: object) -> Fields:
    """The fields of a subscription's answer; `_` stands for `-` in the names of `whole`."""
    fields = [(f"{UNIFIED}{name.replace('_', '-')}", str(value)) for name, value in whole.items()]
    for window, parts in windows.items():
        fields += [(f"{UNIFIED}{window}-{what}", str(value)) for what, value in parts.items()]
    return fields


def usual(used: float, *, in_s: int = 2 * HOUR_S) -> Fields:
    """A healthy 5-hour window beside a week's."""
    now = now_s()
    five = {"status": "allowed", "utilization": used, "reset": now + in_s}
    week = {"status": "allowed", "utilization": 0.1, "reset": now + 100 * HOUR_S}
    return said({"5h": five, "7d": week}, status="allowed", reset=now + in_s, representative_claim="five_hour")


def good(fields: Fields) -> Answer:
    """An answer to a prompt."""
    return json_answer(message("heard", MODEL), headers=fields)


def ask(stage: Stage, credential: tuple[str, str], *fields: tuple[str, str]) -> Whole:
    """One prompt, to its end."""
    with stage.client() as client:
        client.ask(prompt(stream=False), [credential, *fields])
        whole = client.read_whole()
    assert whole.complete
    return whole


def kept(stage: Stage, holds: Callable[[list[WindowState]], bool], what: str) -> list[WindowState]:
    """What the ledger has, once it is so."""
    ledger = stage.books.ledger
    wait_until(lambda: holds(ledger.windows()), what)
    return ledger.windows()


def by_window(states: list[WindowState], upstream: str = "own-login") -> dict[str, WindowState]:
    """Of one upstream."""
    return {state.window: state for state in states if state.upstream == upstream}


def check(stage: Stage, *arguments: str) -> CompletedProcess[str]:
    """`clearway usage --check`."""
    return stage.gateway.cli("usage", "--check", *arguments, check=False)


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty schema in a real PostgreSQL."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgres())
        except ServiceMissing as missing:
            require(missing)
            raise
        yield new_schema(server, tmp_path_factory.mktemp("schema")).url


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest) -> str:
    """Where the ledger is."""
    url = "sqlite" if request.param == "sqlite" else request.getfixturevalue("server_url")
    return f'[store]\nurl = "{url}"\n'


@pytest.mark.timeout(120)
def test_seen_kept_and_shown(build_stage: Callable[..., Stage], settings: str) -> None:
    """From an answer that passes to the command, over a restart and without a gateway; two logins are two."""
    stage = build_stage(settings)
    stage.play(good(usual(0.42)))
    ask(stage, LOGIN)
    ask(stage, OTHER_LOGIN)
    states = kept(stage, lambda states: len(states) == 4, "two windows of two logins are kept")

    assert 2 == len({state.credential_id for state in states})
    assert all(state.credential_label == f"login {state.credential_id[:8]}" for state in states)
    five = by_window(states)["5h"]
    assert ("allowed", 0.42, True, False) == (five.status, five.utilization, five.decides, five.is_over)
    # Three of five hours are over: about 0.14 an hour, which lasts.
    assert five.rate_per_hour is not None
    assert 0.13 < five.rate_per_hour < 0.15
    assert five.runs_out_us is None
    assert 0 == check(stage).returncode

    before = [(state.credential_id, state.window, state.utilization) for state in states]
    stage.gateway.stop()
    shown = msgspec.json.decode(stage.gateway.cli("usage", "--windows", "--json").stdout, type=list[WindowState])
    assert sorted(before) == sorted((state.credential_id, state.window, state.utilization) for state in shown)
    stage.gateway.start()
    stage.play(good(usual(0.95)))
    ask(stage, LOGIN)
    again = kept(stage, lambda states: 0.95 in [state.utilization for state in states], "the new value is kept")
    # The same login has the same name after a restart.
    assert sorted({state.credential_id for state in states}) == sorted({state.credential_id for state in again})
    history = stage.books.ledger.window_history(WindowQuery(window="5h", credential_id=again[0].credential_id))
    assert [(0.42, 0.95)] == [(point.began, point.utilization) for point in history]
    done = check(stage)
    assert 6 == done.returncode
    assert "95% used, threshold 90%" in done.stdout


@pytest.mark.timeout(120)
def test_check_without_a_gateway(build_stage: Callable[..., Stage]) -> None:
    """The same answers and exit codes when nobody owns the data directory; a kill loses nothing that was kept."""
    stage = build_stage()
    assert 0 == check(stage).returncode
    stage.play(good(usual(0.85)))
    ask(stage, LOGIN)
    kept(stage, lambda states: len(states) == 2, "two windows are kept")
    stage.gateway.kill()

    # 85 % in three hours: used up in half an hour, well before the reset.
    done = check(stage, "--json")
    assert 6 == done.returncode
    found = msgspec.json.decode(done.stdout)
    assert [("runs_out", "5h")] == [(one["concern"], one["state"]["window"]) for one in found]
    assert "over_threshold" == msgspec.json.decode(check(stage, "--json", "--threshold", "80%").stdout)[0]["concern"]
    assert 2 == check(stage, "--threshold", "lots").returncode
    assert 2 == check(stage, "--by", "day").returncode
    text = stage.gateway.cli("usage").stdout
    assert "85%" in text
    assert "out in" in text
    assert isinstance(stage.gateway.usage(), list)


def test_the_latest_rejection_decides(stage: Stage) -> None:
    """Of several windows that reject the one that does so longest is the credential's state, whoever is named."""
    now = now_s()
    full = {"status": "rejected", "utilization": 1.02}
    windows = {"5h": {**full, "reset": now + 600}, "7d": {**full, "reset": now + 90_000}}
    fields = said(windows, status="rejected", reset=now + 600, representative_claim="five_hour")
    stage.play(error_answer(429, "rate_limit_error", "scripted", headers=fields))
    login = ("authorization", "Bearer sk-ant-oat01-" + "late" * 8)
    assert 429 == ask(stage, login).head.status
    states = kept(stage, lambda states: any(state.status == "rejected" for state in states), "a rejection is kept")

    (week,) = [state for state in states if state.decides and state.status == "rejected"]
    assert ("7d", 1.02, (now + 90_000) * 1_000_000) == (week.window, week.utilization, week.resets_us)
    assert 6 == check(stage).returncode
    shown = stage.gateway.cli("usage", "--windows")
    assert "102%" in shown.stdout
    assert f"{week.credential_label} is refused by its window 7d until" in shown.stderr


def test_the_gateways_own_credential(build_stage: Callable[..., Stage]) -> None:
    """Where the gateway pays its own credential is told of, also in an answer that nobody got."""
    stage = build_stage("[retries]\nmax = 1\nwait_s = 5\n")
    refused = said({"5h": {"status": "rejected", "utilization": 1, "reset": now_s() + 1}}, status="rejected")
    answers = iter([error_answer(429, "rate_limit_error", "scripted", headers=refused), good(usual(0.2))])
    stage.play(lambda _: next(answers))
    whole = ask(stage, stage.key_field)

    assert 200 == whole.head.status
    assert not [name for name, _ in whole.head.headers if name.startswith("anthropic-ratelimit")]
    states = kept(stage, lambda states: bool(by_window(states, "api")), "the upstream's windows are kept")
    assert {"api key"} == {state.credential_label.rpartition(" ")[0] for state in states}
    wait_until(lambda: by_window(stage.books.ledger.windows(), "api")["5h"].utilization == 0.2, "the later one")
    assert CREDENTIAL not in repr(states)


def test_a_clients_own_question(build_stage: Callable[..., Stage]) -> None:
    """The answer to a client's own question for its quota is read, compressed or not, and passes as it came."""
    stage = build_stage()
    body = msgspec.json.encode(
        {
            "five_hour": {"utilization": 37.0, "resets_at": "2099-11-21T10:00:00.943648+00:00"},
            "seven_day_opus": {"utilization": 12, "resets_at": None},
            "seven_day_oauth_apps": None,
            "iguana_necktie": {"utilization": 4.0, "resets_at": "2099-11-21T10:00:00Z"},
            "extra_usage": {"is_enabled": False, "utilization": None, "disabled_reason": "out_of_credits"},
        }
    )
    packed = brotli.compress(body)
    coded = answer(packed, headers=[("content-type", "application/json"), ("content-encoding", "br")])
    for reply, expected in ((answer(body), body), (coded, packed)):
        stage.play(reply)
        login = LOGIN if reply is coded else OTHER_LOGIN
        with stage.client() as client:
            client.request("GET", "/api/oauth/usage?skip_spend=1", [login, VERSION])

            assert expected == client.read_whole().body
    states = kept(stage, lambda states: len(states) == 8, "four windows of two logins are kept")
    found = by_window(states)
    assert {"5h": 0.37, "7d_opus": 0.12, "iguana_necktie": 0.04, "overage": None} == {
        name: state.utilization for name, state in found.items()
    }
    assert {"disabled-reason": "out_of_credits"} == found["overage"].notes
    # A header of the same window later goes on from there.
    stage.play(good(said({"5h": {"status": "allowed", "utilization": 0.38, "reset": 4_098_938_400}})))
    ask(stage, LOGIN)
    kept(stage, lambda states: 0.38 in [state.utilization for state in states], "the header is kept")
    # No request is ever made for it.
    assert ["POST"] == [request.method for request in stage.received]


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(json_answer([]), id="list"),
        pytest.param(answer(b'{"five_hour": {"utilization": 1e400}}'), id="infinity"),
        pytest.param(answer(b'{"five_hour": {"utilization": ' + b"9" * 4000 + b"}}"), id="digits"),
        pytest.param(answer(b'{"a":' * 20_000), id="deep"),
        pytest.param(answer(b"{" + b" " * 500_000 + b"}"), id="long"),
        pytest.param(answer(b"not br", headers=[("content-encoding", "br")]), id="not-its-coding"),
        pytest.param(json_answer({"five_hour": {"utilization": True}}, status=403), id="refused"),
    ],
)
def test_a_strange_answer_to_the_question(stage: Stage, reply: Answer) -> None:
    """Whatever comes back reaches the client; nothing is made of it."""
    before = len(stage.books.ledger.windows())
    stage.play(reply)
    with stage.client() as client:
        client.request("GET", "/api/oauth/usage", [("authorization", "Bearer sk-ant-oat01-" + "odd" * 8), VERSION])
        whole = client.read_whole()

    assert whole.complete
    stage.books.wait_idle()
    assert before == len(stage.books.ledger.windows())


HOSTILE: dict[str, Fields] = {
    "not-a-number": said({"5h": {"utilization": "nan", "reset": "nan", "status": "\xff\xfe"}}),
    "infinite": said({"5h": {"utilization": "inf", "reset": "9" * 400}}, reset="-inf"),
    "negative": said({"5h": {"utilization": "-0.5", "reset": "-1"}}),
    "huge": said({"5h": {"utilization": "9" * 300, "reset": "9" * 12}}),
    "long": said({"5h": {"utilization": "0." + "1" * 20_000, "status": "a" * 20_000}}),
    "markup": said({"5h": {"status": "<script>", "utilization": "0x10"}}, representative_claim="'; drop table windows"),
    "empty": said({"": {"status": ""}, "5h": {"utilization": ""}}, status=""),
}


@pytest.mark.parametrize("fields", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_fields_pass(stage: Stage, fields: Fields) -> None:
    """Values that are none are passed on as they came, and nothing is made of them."""
    before = len(stage.books.ledger.windows())
    stage.play(stream_answer(events("heard", MODEL), headers=fields))
    with stage.client() as client:
        client.ask(prompt(), [("authorization", "Bearer sk-ant-oat01-" + "bad" * 8)])
        whole = client.read_whole()

    assert whole.complete
    assert list(fields) == [field for field in whole.head.headers if field[0].startswith(UNIFIED)]
    assert "ok" == stage.books.settled(whole.head.exchange_id).outcome
    assert before == len(stage.books.ledger.windows())
    assert "windows_not_read" not in stage.gateway.log


@pytest.mark.timeout(120)
def test_many_names_and_many_credentials(build_stage: Callable[..., Stage]) -> None:
    """Ever new windows and ever new credentials find their bounds."""
    stage = build_stage()
    reset = now_s() + HOUR_S
    for turn in range(100):
        windows = {f"w{turn}_{number}": {"utilization": 0.5, "reset": reset} for number in range(90)}
        stage.play(good(said(windows)))
        assert 200 == ask(stage, ("x-api-key", f"sk-ant-api03-{turn:04}")).head.status

    states = kept(stage, bool, "some are kept")
    per_credential = [sum(one.credential_id == state.credential_id for one in states) for state in states]
    assert max(per_credential) <= 32
    assert stage.books.status().healthy


def test_no_credential_anywhere(build_stage: Callable[..., Stage]) -> None:
    """Neither the client's credential nor the gateway's, nor a plain hash of one, is in any file or on any page."""
    stage = build_stage()
    stage.play(good([*usual(0.5), ("anthropic-organization-id", "0192f0c1-aaaa-4bbb-8ccc-0123456789ab")]))
    ask(stage, LOGIN)
    ask(stage, OWN_CREDENTIAL)
    ask(stage, stage.key_field)
    states = kept(stage, lambda states: len(states) == 6, "three credentials are kept")
    shown = stage.gateway.cli("usage", "--windows").stdout + stage.gateway.cli("usage", "--windows", "--json").stdout
    stage.gateway.stop()

    secrets = [LOGIN[1].split()[1], OWN_CREDENTIAL[1], stage.key_field[1], CREDENTIAL]
    files = {path.name: path.read_bytes() for path in stage.gateway.data_dir.rglob("*") if path.is_file()}
    texts = [*files.values(), shown.encode(), stage.gateway.log.encode(), repr(states).encode()]
    for secret in [*secrets, "0192f0c1-aaaa-4bbb-8ccc-0123456789ab"]:
        assert not [text for text in texts if secret.encode() in text]
    installation = files.pop("installation.secret")
    assert not [name for name, content in files.items() if installation.strip() in content]
    assert 0o600 == (stage.gateway.data_dir / "installation.secret").stat().st_mode & 0o777


def test_a_secret_that_is_none(start_gateway: Callable[..., GatewayProcess]) -> None:
    """An empty secret would make every hash a guess: the gateway says so and does not start."""
    gateway = start_gateway()
    gateway.stop()
    (gateway.data_dir / "installation.secret").write_bytes(b"")
    done = gateway.cli("serve", "--port", "0", check=False)

    assert 1 == done.returncode
    assert "too short for an installation's secret" in done.stderr


@pytest.mark.recordings
def test_as_they_were_recorded(build_stage: Callable[..., Stage], recordings: Path) -> None:
    """What real answers to subscriptions said is read; of an old one the reset has long passed."""
    stage = build_stage()
    recorded = {tuple((n, v) for n, v in one.headers.items() if n.startswith(UNIFIED)) for one in read(recordings)} - {
        ()
    }
    for number, fields in enumerate(sorted(recorded)):
        stage.play(good(fields))
        ask(stage, ("authorization", f"Bearer sk-ant-oat01-recorded-{number}"))
    states = kept(stage, lambda states: len(states) >= len(recorded), "every credential's windows are kept")

    assert len(recorded) >= 2
    five = [state for state in states if state.window == "5h"]
    assert len(recorded) == len(five)
    for state in five:
        assert state.is_over
        assert state.status is None
        assert state.resets_us is not None
    notes = [state.notes for state in states if state.window == "overage"]
    assert notes == [{"disabled-reason": "overage_not_provisioned"}] * len(recorded)
    assert 0 == check(stage).returncode
