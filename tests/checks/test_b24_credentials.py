"""b24: A credential is in no log, no error, no export and no file, and goes to no host but the one it is meant for.

Elsewhere tokens stood in logs and tracebacks, and a subscription's token went to another vendor's address:
litellm PR #35678, #42172.
Formats: messages
Open: exports other than what the reading commands print, which come with them
"""

import base64
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.fake_upstream import answer, error_answer, json_answer
from tests.gateway_process import GatewayProcess, passthrough
from tests.observe.collector import Collector
from tests.security.canaries import Canaries
from tests.security.session import (
    PATIENCE_S,
    Session,
    Watching,
    check,
    check_that_it_happened,
    files,
    go_well,
    go_wrong_client,
    go_wrong_upstream,
    leave,
    lose_the_ledger,
    places,
    tables,
)
from tests.security.talk import ASK, exchange, request
from tests.security.world import CREDENTIAL, MESSAGE, Stage, World


@pytest.mark.timeout(120)
def test_no_secret_is_kept_or_shown(tmp_path: Path) -> None:
    """b24: No secret is kept or shown at the most talkative log level, in a session in which everything goes wrong."""
    with Collector() as collector, World(tmp_path, server=_sending(collector), log="debug", dead=True) as world:
        session = Session(world)
        watching = Watching(world.gateway.data_dir / "control.sock")
        watching.start()
        for act in (go_well, go_wrong_upstream, go_wrong_client, leave, lose_the_ledger):
            act(session)
        check_that_it_happened(session)
        canaries = session.canaries
        shown = [*places(session), ("log", world.gateway.log.encode())]
        check(canaries, iter(shown))
        kept = list(files(world.gateway.data_dir))
        check(canaries, iter(kept), hashes=False)

        # The gateway's own, which it was given in its environment.
        own = CREDENTIAL.removeprefix("sk-ant-api03-").encode()
        assert own in world.api_host.bytes
        told = [("an answer", one.body + repr(one.headers).encode()) for one in session.answered]
        assert [] == [place for place, data in (*shown, *kept, *told) if own in data]
        check_errors(session)
    watching.join(PATIENCE_S)

    assert watching.said.count(b"admitted") > 75
    assert len(collector.spans()) > 75
    assert collector.metrics()
    check(canaries, ((f"OpenTelemetry {path}", body) for path, _, body in collector.bodies))
    check(canaries, iter([("feed", watching.said), ("log", world.gateway.log.encode())]))
    check(canaries, files(world.gateway.data_dir), hashes=False)
    check(canaries, tables(world.gateway.data_dir / "ledger.db"))


def _sending(collector: Collector) -> str:
    return f'[otel]\nendpoint = "{collector.url}"\nsemconv = "latest"'


CREDENTIALS = ("login", "api login", "clearway key", "mistyped key", "foreign value", "cookie", "proxy authorization")


def check_errors(session: Session) -> None:
    """What the gateway itself says to a client repeats none of what it was shown."""
    errors = [one.body + repr(one.headers).encode() for one in session.answered if one.error]

    assert len(errors) > 20
    leaks = {leak for said in errors for leak in session.canaries.leaks("an error", said)}
    assert set() == {leak for leak in leaks if leak.startswith(CREDENTIALS)}


CHILD = """
import os, urllib.request
url = os.environ["ANTHROPIC_BASE_URL"]
for body in (os.environ["BODY"], os.environ["BODY"][:-1]):
    request = urllib.request.Request(url + "/v1/messages?x=" + os.environ["QUERY"], body.encode())
    request.add_header("authorization", "Bearer " + os.environ["LOGIN"])
    request.add_header("content-encoding", "identity")
    try:
        urllib.request.urlopen(request).read()
    except Exception:
        pass
"""


@pytest.mark.timeout(60)
def test_a_run_leaves_no_secret(tmp_path: Path) -> None:
    """b24: `clearway run` with a gateway of its own leaves no secret in its log, files and account."""
    canaries = Canaries()
    stage = Stage()
    with stage.upstream:
        stage.says(error_answer(500, "api_error", canaries.new("message")))
        gateway = GatewayProcess(tmp_path, passthrough(stage.url) + '[log]\nlevel = "debug"\n')
        body = msgspec.json.encode({"model": "claude-x", "messages": [], "system": canaries.new("system")}).decode()
        environment = {"BODY": body, "QUERY": canaries.new("query"), "LOGIN": canaries.new("login", "sk-ant-oat01-{}")}
        done = gateway.cli("run", "--", sys.executable, "-c", CHILD, environment=environment)

        assert {"login", "query", "system"} <= canaries.present(stage.bytes)
    found = dict(files(gateway.data_dir))

    assert "exchange_settled" in found["run-gateway.log"].decode()
    check(canaries, iter([*found.items(), ("output", (done.stdout + done.stderr).encode())]))


@pytest.mark.timeout(60)
def test_the_secret_of_a_key_is_seen_once(tmp_path: Path) -> None:
    """b24: The secret of a key is seen when it is made or rotated, on stdout of that command, and nowhere else."""
    gateway = GatewayProcess(tmp_path)
    canaries = Canaries()
    outputs: list[tuple[str, bytes]] = []

    def make(*command: str) -> None:
        done = gateway.cli(*command)
        secret = msgspec.json.decode(done.stdout, type=dict[str, str])["key"]
        canaries.key(" ".join(command), secret)
        outputs.append(("notes", done.stderr.encode()))

    make("keys", "create", "before", "--json")
    with gateway:
        make("keys", "create", "during", "--json")
        make("keys", "rotate", "before", "--json")
        exchange(gateway.url, request("/v1/messages", ("x-api-key", canaries["keys create during --json"]), body=b"{}"))
        commands = (("list", "--json"), ("show", "before"), ("revoke", "during", "--json"))
        outputs += [(" ".join(command), gateway.cli("keys", *command).stdout.encode()) for command in commands]
    check(canaries, iter([*outputs, ("log", gateway.log.encode())]))
    check(canaries, files(gateway.data_dir), hashes=False)
    check(canaries, tables(gateway.data_dir / "ledger.db"))


LOGIN = "sk-ant-oat01-clients-own-login-abcdef"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_the_clients_business(world: World, key: str, status: int) -> None:
    """b24: A redirect is handed on and not followed: a login goes to the allowed host only."""
    for stage in (world.login_host, world.api_host):
        stage.says(answer(b"{}", status=status, headers=[("location", f"{world.spare_host.url}/v1/messages")]))
    for fields in ((("authorization", f"Bearer {LOGIN}"),), (("x-api-key", key),)):
        said = world.ask(*fields)

        assert (status, f"{world.spare_host.url}/v1/messages") == (said.status, said.header("location"))
    assert not world.spare_host.received


NOT_ALLOWED = [
    ("https://api.anthropic.com.evil.example", 'allow_hosts = ["api.anthropic.com"]'),
    ("https://evil.example", ""),
    ("http://127.0.0.1:9", 'allow_hosts = ["127.0.0.2"]'),
    ("http://127.0.0.1:9", 'allow_hosts = ["localhost"]'),
    ("https://evil.example", 'allow_hosts = ["*"]'),
    ("https://a.evil.example", 'allow_hosts = ["evil.example"]'),
    ("https://api.anthropic.com@evil.example", 'allow_hosts = ["api.anthropic.com"]'),
    ("https://evil.example#api.anthropic.com", 'allow_hosts = ["api.anthropic.com"]'),
    ("https://evil.example\\\\@api.anthropic.com", 'allow_hosts = ["api.anthropic.com"]'),
    ("https://[::1]:9", 'allow_hosts = ["127.0.0.1"]'),
]


@pytest.mark.parametrize(("url", "allowed"), NOT_ALLOWED)
def test_a_login_goes_to_allowed_hosts_only(tmp_path: Path, url: str, allowed: str) -> None:
    """b24: A base URL elsewhere is refused before anything starts: exit code 3, and what to change."""
    config = f'[[upstreams]]\nname = "own-login"\nkind = "passthrough"\nbase_url = "{url}"\n{allowed}\n'
    gateway = GatewayProcess(tmp_path, config)
    done = gateway.cli("serve", "--port", "0", check=False)

    assert (3, "") == (done.returncode, done.stdout)
    assert "upstreams[0].base_url" in done.stderr or "upstreams[0].allow_hosts" in done.stderr
    assert not gateway.data_dir.exists()


def test_a_request_names_no_host(world: World, key: str) -> None:
    """b24: What a client writes into body, query and fields leads no credential elsewhere; it goes on as it came."""
    elsewhere = world.spare_host.url
    members = ("api_base", "base_url", "api_key", "extra_headers", "litellm_params", "upstream", "proxy")
    fields = ("x-forwarded-host", "x-original-url", "x-base-url", "x-clearway-upstream", "x-portkey-custom-host")
    body = {**ASK, **dict.fromkeys(members, elsewhere)}
    odd = tuple((name, elsewhere) for name in fields if not name.startswith("x-forwarded"))
    target = f"/v1/messages?base_url={elsewhere}&upstream=spare"
    for credential in (("authorization", f"Bearer {LOGIN}"), ("x-api-key", key)):
        assert 200 == world.ask(credential, *odd, target=target, body=body).status
    said = world.ask(("authorization", f"Bearer {LOGIN}"), ("x-clearway-key", key), (fields[0], elsewhere), body=body)

    assert 200 == said.status
    assert (2, 1, 0) == tuple(len(stage.received) for stage in world.stages)
    assert msgspec.json.encode(body) == world.login_host.received[0].body == world.api_host.received[0].body


@pytest.mark.parametrize(
    "leak",
    [
        lambda value: value,
        lambda value: value.upper(),
        lambda value: value[:30],
        lambda value: value[-14:],
        lambda value: value.encode().hex(),
        lambda value: base64.b64encode(b"x" + value.encode()).decode(),
        lambda value: base64.b64encode(b"xx" + value.encode()).decode(),
        lambda value: hashlib.sha256(value.encode()).hexdigest(),
        lambda value: repr(f"Bearer {value}"),
    ],
    ids=["plain", "upper", "beginning", "end", "hex", "base64-1", "base64-2", "hash", "repr"],
)
def test_the_search_itself(leak: Callable[[str], str]) -> None:
    """b24: Each form in which a secret could stand somewhere is found."""
    canaries = Canaries()
    value = canaries.new("secret", "sk-ant-oat01-{}")

    assert canaries.leaks("here", f"some {leak(value)} text".encode())
    assert set() == canaries.leaks("here", b"some other text")


def test_what_may_be_kept_is_kept(world: World, key: str) -> None:
    """b24: Names and ids of a known form are what the ledger is for (`gateway/labels.py`)."""
    session, asked = "0192f0c1-aaaa-4bbb-8ccc-0123456789ab", "claude-sonnet-4-5"
    fields = (("x-claude-code-session-id", session), ("user-agent", "claude-cli/2.1.329 (external, cli)"))
    world.api_host.says(json_answer(MESSAGE, headers=[("request-id", "req_011CSHoEeqs5C35K2UUqR7Fy")]))
    world.ask(("x-api-key", key), *fields)
    row = world.gateway.settled(1, "--session", session)[0]

    assert (asked, asked, session) == (row["request_model"], row["response_model"], row["session_id"])
    assert ("claude-cli", "2.1.329") == (row["client_name"], row["client_version"])
    assert ("msg_0123456", "req_011CSHoEeqs5C35K2UUqR7Fy") == (row["response_id"], row["upstream_request_id"])
    assert ("end_turn", "/v1/messages") == (row["stop_reason"], row["path"])
