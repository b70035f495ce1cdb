"""What a configuration file must not say: one row for each rule."""

from pathlib import Path

import pytest

from clearway.config.load import load
from clearway.config.model import Config
from clearway.config.problems import ConfigError

PASSTHROUGH = '[[upstreams]]\nname="p"\nkind="passthrough"\n'
ANTHROPIC = '[[upstreams]]\nname="a"\nkind="anthropic"\n'
WITH_KEY = ANTHROPIC + 'api_key={env="K"}\n'

REFUSED = [
    pytest.param("server = 5", "server: expected a table, got 5", "", id="section-is-a-value"),
    pytest.param("[server\n", "is not valid TOML", "", id="not-toml"),
    pytest.param("[sever]\nport=1", "sever: unknown setting", 'did you mean "server"?', id="section-typo"),
    pytest.param("[server]\nzzz=1", "server.zzz: unknown setting", "known here: host, port", id="no-near-name"),
    pytest.param("[server]\nport=70000", "expected a whole number from 0 to 65535, got 70000", "", id="port-range"),
    pytest.param(
        "[server]\nport=true", "expected a whole number from 0 to 65535, got true", "", id="bool-is-no-number"
    ),
    pytest.param("[server]\nport=1.5", "got 1.5", "", id="fraction-is-no-port"),
    pytest.param("[server]\nmax_body=0", "expected a size", "", id="no-body-at-all"),
    pytest.param('[server]\nmax_body="x"', "'x' is not a size", "", id="size"),
    pytest.param("[server]\nheartbeat_s=0", "expected a duration", "", id="heartbeat-of-0"),
    pytest.param("[server]\nheartbeat_s=nan", "expected a duration", "", id="not-a-number"),
    pytest.param("[server.timeouts]\nidle_s='5x'", "server.timeouts.idle_s: '5x' is not a duration", "", id="duration"),
    pytest.param('[server]\nhosts="a"', "server.hosts: expected a list, got a string", "", id="list"),
    pytest.param(
        '[server]\nhosts=["http://a"]', "server.hosts[0]: 'http://a' is not a host name", "", id="host-of-url"
    ),
    pytest.param('[server]\nhosts=["a:80"]', "is not a host name", "leave out scheme and port", id="host-with-port"),
    pytest.param('[server]\nhost="a b"', "is not an address or host name", "", id="listen-host"),
    pytest.param('[server]\nhost="0.0.0.0"', "can be reached from other machines", "behind_proxy = true", id="open"),
    pytest.param('[server]\nhost="::"', "can be reached from other machines", "", id="open-ipv6"),
    pytest.param('[server]\ncors_origins=["a.example"]', "is not an origin", "https://app.example", id="origin"),
    pytest.param('[server]\ncors_origins=["https://a/x"]', "is not an origin", "", id="origin-with-path"),
    pytest.param('[server]\nmax_body="2GB"', "is larger than server.max_buffered", "", id="body-over-buffer"),
    pytest.param("[retries]\nmax=11", "expected a whole number from 0 to 10", "", id="tries-without-end"),
    pytest.param("[retries]\nmax=-1", "expected a whole number from 0 to 10", "", id="tries-below-0"),
    pytest.param("[retries]\ntotal_s=0", "more than 0, got 0", "", id="no-time-for-tries"),
    pytest.param("[retries]\nwait_s=-1", "expected a duration", "", id="wait-below-0"),
    pytest.param("[retries]\nwait_s='1m'", "is longer than retries.total_s", "", id="wait-over-total"),
    pytest.param('[otel]\nendpoint="collector:4318"', "otel.endpoint: is not a URL", "127.0.0.1:4318", id="collector"),
    pytest.param('[otel]\nendpoint="grpc://collector:4317"', "otel.endpoint: is not a URL", "", id="collector-by-grpc"),
    pytest.param('[otel]\nendpoint="http://[::1"', "otel.endpoint: is not a URL", "", id="collector-garbled"),
    pytest.param('[otel]\nendpoint="http://u:SECRET@c"', "must hold no user", "", id="collector-with-password"),
    pytest.param('[otel]\nsemconv="1.37"', "otel.semconv: expected", "", id="spelling"),
    pytest.param("[otel]\nsample=1.5", "otel.sample: expected", "", id="sample-over-1"),
    pytest.param('[store]\nurl="mysql://u:pw@h/d"', 'expected "sqlite" or "postgresql://', "", id="store"),
    pytest.param('[limits]\nvalkey_url="redis://h"', 'expected "valkey://host:6379/0"', "valkeys://", id="redis-url"),
    pytest.param('[limits]\nvalkey_url="valkey://"', "limits.valkey_url: expected", "", id="valkey-without-host"),
    pytest.param('[limits]\nvalkey_url="valkey://h:x"', "limits.valkey_url: expected", "", id="valkey-port"),
    pytest.param('[limits]\nvalkey_url="valkey://h/db"', "limits.valkey_url: expected", "", id="valkey-database"),
    pytest.param(
        '[limits]\nvalkey_url="valkey://u:SECRET@h"', "no password", "limits.valkey_password", id="valkey-secret"
    ),
    pytest.param(
        '[limits]\nvalkey_url="valkeys://h?ssl_cert_reqs=none"', "ssl_ca_certs=FILE only", "", id="valkey-unverified"
    ),
    pytest.param(
        '[limits]\nvalkey_password={env="P"}', "is the password of nothing", "valkey_url", id="valkey-password-alone"
    ),
    pytest.param(
        '[limits]\nvalkey_url="valkey://h"\nvalkey_password={env="P",file="p"}', "names 2 places", "", id="two-places"
    ),
    pytest.param("upstreams=5", "upstreams: expected a list, got 5", "", id="upstreams-value"),
    pytest.param("upstreams=[5]", "upstreams[0]: expected a table, got 5", "", id="upstream-value"),
    pytest.param('[[upstreams]]\nkind="sim"', "upstreams[0].name: is missing", "", id="name-missing"),
    pytest.param('[[upstreams]]\nname="a"', "upstreams[0].kind: is missing", "", id="kind-missing"),
    pytest.param(
        '[[upstreams]]\nname="a"\nkind="pasthrough"', "upstreams[0].kind: expected", '"passthrough"', id="kind"
    ),
    pytest.param('[[upstreams]]\nname="a/b"\nkind="sim"', "expected letters", "", id="name-form"),
    pytest.param(WITH_KEY + WITH_KEY, "is the name of another upstream too", "", id="name-twice"),
    pytest.param(ANTHROPIC, "upstreams[0].api_key: is missing", "{ env =", id="key-missing"),
    pytest.param(ANTHROPIC + "api_key={}", "upstreams[0].api_key: is missing", "", id="key-empty"),
    pytest.param(ANTHROPIC + 'api_key={env="A",file="b"}', "names 2 places", "", id="key-twice"),
    pytest.param(ANTHROPIC + 'api_key="sk-SECRET"', "expected a table", "not written in the configuration", id="key"),
    pytest.param(ANTHROPIC + 'api_key={value="sk-SECRET"}', "unknown setting", "", id="key-value"),
    pytest.param(WITH_KEY + 'base_url="ftp://h"', "base_url: is not a URL", "", id="scheme"),
    pytest.param(WITH_KEY + 'base_url="https://u:p@h"', "must hold no user", "", id="url-user"),
    pytest.param(WITH_KEY + 'base_url="https://h?x=1"', "must hold no user", "", id="url-query"),
    pytest.param(WITH_KEY + 'base_url="https://h:x"', "is not a URL", "", id="url-port"),
    pytest.param(WITH_KEY + 'allow_hosts=["h"]', "is for upstreams of kind", "", id="other-kinds-setting"),
    pytest.param(
        PASSTHROUGH + 'api_key={env="K"}', 'is for upstreams of kind "anthropic" only', "", id="key-beside-login"
    ),
    pytest.param(PASSTHROUGH + 'base_url="https://else.example"', "lacks else.example", 'add "else', id="allow-hosts"),
    pytest.param('[[upstreams]]\nname="r"\nkind="replay"', "recordings: is missing", "", id="replay"),
    pytest.param('[models.aliases]\na="b"\nb="c"', "models.aliases.a: points to 'b'", "the model itself", id="chain"),
    pytest.param('[models.aliases]\na="b"\nb="a"', "which is an alias too", "", id="cycle"),
    pytest.param('[models.aliases]\na="a"', "is its own target", "", id="self"),
    pytest.param('[models.aliases]\na=""', "may be empty", "", id="empty-alias"),
    pytest.param("[models.aliases]\na=1", "expected a table of strings", "", id="alias-type"),
    pytest.param('[usage]\ntimezone="Mars/Olympus"', "is not a time zone", "Europe/Berlin", id="timezone"),
    pytest.param('[usage]\ntimezone="../etc/passwd"', "is not a time zone", "", id="timezone-path"),
]
DECLINED = [
    pytest.param("[server]\ncloaking=true", "never pretends to be another client", id="cloaking"),
    pytest.param('[server]\noauth_client_id="x"', "never signs in with another product", id="oauth-client"),
    pytest.param("login=true", "never signs in with another product", id="login"),
    pytest.param(ANTHROPIC + 'refresh_token="x"', "never signs in", id="refresh-token"),
    pytest.param('[[accounts]]\nname="x"', "pools and rotates none", id="accounts"),
    pytest.param(WITH_KEY + "verify_tls=false", "never turns TLS verification off", id="tls"),
    pytest.param(WITH_KEY + "skip-tls-verify=true", "never turns TLS verification off", id="tls-with-dashes"),
]


def _refusal(text: str, tmp_path: Path) -> ConfigError:
    file = tmp_path / "c.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path=file, environ={"HOME": str(tmp_path)}, cwd=tmp_path)
    return caught.value


@pytest.mark.parametrize(("text", "message", "hint"), REFUSED)
def test_refused(text: str, message: str, hint: str, tmp_path: Path) -> None:
    """Each is told with its file, setting, what was expected, and what to do; no secret is repeated."""
    error = _refusal(text, tmp_path)

    assert any(message in str(problem) and hint in problem.hint for problem in error.problems), error.problems
    assert all(problem.where == str(tmp_path / "c.toml") for problem in error.problems)
    assert "SECRET" not in repr(error.problems)
    assert "pw" not in str(error)


@pytest.mark.parametrize(("text", "reason"), DECLINED)
def test_declined_on_purpose(text: str, reason: str, tmp_path: Path) -> None:
    """Settings of other tools that Clearway declines are explained, not just unknown."""
    (problem,) = _refusal(text, tmp_path).problems

    assert problem.message == "there is no such setting, on purpose"
    assert reason in problem.hint


def test_unreadable_files(tmp_path: Path) -> None:
    """A file that is not text is told, not a traceback."""
    file = tmp_path / "c.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read: it is not UTF-8"):
        load(path=file, environ={}, cwd=tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        '[server]\nhost="0.0.0.0"\nbehind_proxy=true',
        '[server]\nhost="::1"',
        '[server]\nhost="localhost"',
        '[server]\ncors_origins=["https://app.example:8443"]',
        PASSTHROUGH + 'base_url="http://127.0.0.1:9"\nallow_hosts=["127.0.0.1"]',
        WITH_KEY + 'base_url="https://api.z.ai/api/anthropic"',
        '[usage]\ntimezone="Asia/Kathmandu"',
        '[models.aliases]\n"gpt-4o"="claude-sonnet-5-5"\nsmall="claude-haiku-4-5"',
    ],
)
def test_allowed(text: str, tmp_path: Path) -> None:
    """What looks close to a refusal, and is fine."""
    file = tmp_path / "c.toml"
    file.write_text(text)

    assert isinstance(load(path=file, environ={"HOME": str(tmp_path)}, cwd=tmp_path).config, Config)
