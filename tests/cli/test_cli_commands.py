"""The commands as their user types them: the real program, in a home of its own."""

import json
import re
import socket
import stat

import pytest

from clearway import __version__
from clearway.cli.app import whole
from clearway.keys.secret import is_wellformed
from tests.cli.conftest import PROGRAM, Desk
from tests.cli.exchanges import exchange_id, store_with_history


def test_version(desk: Desk) -> None:
    """`--version` is one line, and reads no configuration."""
    done = desk.run("--version", CLEARWAY_SERVER__PORT="bad")

    assert (0, f"clearway {__version__}\n", "") == (done.returncode, done.stdout, done.stderr)


def test_help_names_every_command(desk: Desk) -> None:
    """`--help`, and no argument at all, list every command with a summary."""
    bare, asked = desk.run(), desk.run("--help")

    assert bare.stdout == asked.stdout
    assert bare.returncode == asked.returncode == 0
    for name in ("serve", "run", "demo", "log", "show", "usage", "keys", "env", "doctor", "config"):
        assert re.search(rf"^  {name} +[A-Z].*\.$", asked.stdout, re.MULTILINE), name


def test_every_command_can_be_imported() -> None:
    """The table names modules that exist; each command has help of its own."""
    for name, command in whole().commands.items():
        assert command.name == name
        assert command.help


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["lgo"], "no such command 'lgo'. Did you mean 'log'?", "clearway --help"),
        (["log", "--frobnicate"], "no such option: --frobnicate", "clearway log --help"),
        (["log", "--data-dir", "x"], "no such option: --data-dir", "before the command: clearway --data-dir … log"),
        (["log", "--outcome", "fine"], "--outcome: there is no 'fine'", "known: ok, client_closed"),
        (["keys", "create"], "missing argument 'name'", "clearway keys create --help"),
        (["keys"], "missing command", "clearway keys --help"),
        (["usage", "--by", "weather"], "--by: there is no 'weather'", "known: hour, day"),
        (["usage", "--since", "yore"], "--since: 'yore' is neither a duration", ""),
        (["keys", "create", "a", "--endpoint", "x"], "--endpoint: there is no 'x'", "messages, count_tokens"),
        (["keys", "create", "a", "--upstream", "x"], "--upstream: there is no 'x'", "known: sim"),
        (["keys", "create", "a", "--expires", "30"], "--expires: '30' is neither a duration", ""),
        (["keys", "create", "cw-x"], "a name may not begin with cw-", ""),
        (["keys", "create", "a", "--expires", "2001-01-01"], "--expires: '2001-01-01' is already over", "never"),
        (["keys", "rotate", "a", "--overlap", "x"], "--overlap: 'x' is not a duration", ""),
        (["keys", "update", "a"], "nothing to change", "keys update --help"),
        (["env", "emacs"], "there is no client 'emacs'", "known: claude-code"),
    ],
)
def test_wrong_usage(desk: Desk, arguments: list[str], message: str, hint: str) -> None:
    """Exit code 2, one line that says what is wrong, one that says what to do; stdout is empty."""
    done = desk.quick(*arguments)
    lines = done.stderr.splitlines()

    assert (2, "") == (done.returncode, done.stdout)
    assert lines[0].startswith(f"clearway: {message}")
    assert len(lines) <= 2
    assert hint in "".join(lines[1:])


def test_invalid_configuration(desk: Desk) -> None:
    """Exit code 3 from every command that needs settings, all problems at once."""
    (desk.cwd / "clearway.toml").write_text('[server]\nprot = 1\n[log]\nlevel = "loud"\n')
    for command in (["log"], ["keys", "list"], ["config", "check"], ["config", "show"], ["env", "curl"]):
        done = desk.quick(*command)

        assert (3, "") == (done.returncode, done.stdout)
        assert 'hint: did you mean "port"?' in done.stderr
        assert "log.level: expected" in done.stderr


def test_a_key_from_birth_to_end(desk: Desk) -> None:
    """Create, list, show, update, rotate, revoke; the secret is alone on stdout, once."""
    made = desk.run("keys", "create", "team", "--model", "claude-haiku-*", "--tag", "x", "--expires", "30d")
    secret = made.stdout.strip()

    assert is_wellformed(secret)
    assert secret not in made.stderr
    listed = desk.quick("keys", "list", "--json")
    (key,) = json.loads(listed.stdout)

    assert ("team", secret[:9], ["claude-haiku-*"], ["x"]) == (key["name"], key["prefix"], key["models"], key["tags"])
    assert secret not in listed.stdout
    assert desk.quick("keys", "list").stdout.split()[:2] == ["NAME", "KEY"]

    changed = json.loads(desk.quick("keys", "update", "team", "--expires", "never", "--model", "", "--json").stdout)

    assert (None, [], ["x"]) == (changed["expires_us"], changed["models"], changed["tags"])
    rotated = json.loads(desk.quick("keys", "rotate", secret[:9], "--overlap", "1h", "--json").stdout)

    assert {"id", "name", "key"} == set(rotated)
    assert key["id"] == rotated["id"]
    assert secret != rotated["key"]
    assert desk.quick("keys", "revoke", key["id"][:18]).returncode == 0
    assert json.loads(desk.quick("keys", "list", "--json").stdout) == []
    assert "revoked" in desk.quick("keys", "list", "--all").stdout
    assert "revoked" in desk.quick("keys", "show", key["id"]).stdout


def test_what_the_ledger_refuses(desk: Desk) -> None:
    """A name that is taken, and a name that is not there: exit code 1, one line."""
    desk.quick("keys", "create", "a")
    for command, message in ((["create", "a"], "'a' is taken"), (["show", "b"], "no key goes by 'b'")):
        done = desk.quick("keys", *command)

        assert (1, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
        assert message in done.stderr


def test_an_empty_ledger(desk: Desk) -> None:
    """Nothing to read is no failure: a note, and JSON that is empty."""
    for command, empty in (("log", ""), ("usage", "[]\n")):
        text, as_json = desk.quick(command), desk.quick(command, "--json")

        assert (0, "") == (text.returncode, text.stdout)
        assert text.stderr.startswith("clearway: no ")
        assert (0, empty, "") == (as_json.returncode, as_json.stdout, as_json.stderr)


def test_reading_a_history(desk: Desk) -> None:
    """`log`, `usage` and `show` read what is kept; JSON has the ledger's field names."""
    with store_with_history(desk.data_dir):
        pass
    rows = [json.loads(line) for line in desk.quick("log", "--json", "-n", "3").stdout.splitlines()]

    assert [exchange_id(number) for number in (6, 7, 8)] == [row["id"] for row in rows]
    assert {"admitted_us", "outcome", "cost_nano", "cache_read_tokens"} <= set(rows[0])
    text = desk.quick("log").stdout

    assert text.index("2026-11-20 (UTC)") < text.index("TIME") < text.index("2026-11-21 (UTC)")
    assert text.count("TIME") == 1
    assert len(desk.quick("log", "--outcome", "denied").stdout.splitlines()) == 3

    (total,) = json.loads(desk.quick("usage", "--by", "total", "--json").stdout)

    assert (8, 1) == (total["exchanges"], total["unpriced"])
    assert json.loads(desk.quick("usage", "--since", "2026-11-21", "--json").stdout)[0]["exchanges"] == 7
    by_key = json.loads(desk.quick("usage", "--by", "key,model", "--key", "team", "--json").stdout)

    assert {"team"} == {row["group"]["key"] for row in by_key}
    shown = json.loads(desk.quick("show", exchange_id(2)[:13], "--json").stdout)

    assert (exchange_id(2), 1) == (shown["exchange"]["id"], len(shown["attempts"]))
    assert "$0.008775" in desk.quick("show", exchange_id(2)).stdout


def test_json_is_safe_to_print(desk: Desk) -> None:
    """Control and override characters of strangers are escaped in JSON, and mean the same."""
    with store_with_history(desk.data_dir):
        pass
    printed = desk.run("show", exchange_id(6), "--json").stdout

    assert not {"\x1b", "\u202e"} & set(printed)
    assert json.loads(printed)["exchange"]["request_model"] == "\x1b[31mevil\x1b[0m\u202emodel"


def test_colour_is_for_terminals(desk: Desk) -> None:
    """A pipe gets no escape sequence; forced colour is taken back by --no-color and NO_COLOR."""
    with store_with_history(desk.data_dir):
        pass

    assert "\x1b" not in desk.run("log").stdout
    assert "\x1b[32m" in desk.run("log", FORCE_COLOR="1").stdout
    assert "\x1b[32m" not in desk.run("--no-color", "log", FORCE_COLOR="1").stdout
    assert "\x1b[32m" not in desk.run("log", FORCE_COLOR="1", NO_COLOR="1").stdout


def test_nobody_reads(desk: Desk) -> None:
    """A reader that leaves early is no error: quiet, with the code of a broken pipe."""
    with store_with_history(desk.data_dir):
        pass
    for command in (["log"], ["log", "--json"], ["demo", "--once", "--pace", "0"]):
        process = desk.start(*command)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()

        assert process.wait(15) == 141
        assert process.stderr.read() == ""
        process.stderr.close()


def test_the_demo_has_a_ledger_of_its_own(desk: Desk) -> None:
    """Neither the configured store nor the configured address is touched by it."""
    (desk.cwd / "clearway.toml").write_text(
        f'[server]\nhost = "0.0.0.0"\nbehind_proxy = true\n[store]\nurl = "postgresql://u@127.0.0.1:{_free_port()}/x"\n'
    )
    done = desk.run("demo", "--once", "--pace", "0")

    assert (0, "") == (done.returncode, done.stderr)
    assert "answers at http://127.0.0.1:" in done.stdout
    assert not desk.data_dir.exists()


def test_env_is_honest_about_who_pays(desk: Desk) -> None:
    """With passthrough the client's own login stays; otherwise a key is asked for, from a variable."""
    own = desk.quick("env", "claude-code", CLEARWAY_UPSTREAMS="[]")

    assert own.stdout == "export ANTHROPIC_BASE_URL=http://127.0.0.1:8317\n"
    assert "its own login, which passes through unchanged" in own.stderr
    by_key = desk.quick("env", "claude-code")

    assert by_key.stdout.splitlines()[1] == 'export ANTHROPIC_AUTH_TOKEN="$CLEARWAY_KEY"'
    assert "the gateway's own credential pays" in by_key.stderr


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        ("bash", 'export ANTHROPIC_API_KEY="$CLEARWAY_KEY"'),
        ("fish", 'set -gx ANTHROPIC_API_KEY "$CLEARWAY_KEY"'),
        ("powershell", '$env:ANTHROPIC_API_KEY = "$env:CLEARWAY_KEY"'),
    ],
)
def test_env_speaks_shells(desk: Desk, shell: str, expected: str) -> None:
    """Each shell gets its own words."""
    assert expected in desk.quick("env", "python", "--shell", shell).stdout.splitlines()


def test_env_behind_a_proxy(desk: Desk) -> None:
    """Where every request needs a key, Claude Code is told both: its login stays, the key goes beside it."""
    environ = {"CLEARWAY_UPSTREAMS": "[]", "CLEARWAY_SERVER__BEHIND_PROXY": "true"}
    variables = json.loads(desk.quick("env", "claude-code", "--json", **environ).stdout)["variables"]

    assert variables["ANTHROPIC_CUSTOM_HEADERS"] == "x-clearway-key: $CLEARWAY_KEY"
    assert "ANTHROPIC_AUTH_TOKEN" not in variables


def test_config_commands(desk: Desk) -> None:
    """`init` writes a file that is valid and private and never overwrites; `show` says where values come from."""
    made = desk.quick("config", "init", "clearway.toml")
    file = desk.cwd / "clearway.toml"

    assert made.returncode == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = desk.quick("config", "init", "clearway.toml")

    assert (5, "") == (again.returncode, again.stdout)
    assert "exists already" in again.stderr
    assert desk.quick("config", "check").stderr == f"clearway: {file} is valid\n"
    shown = json.loads(desk.quick("config", "show", "--json").stdout)["settings"]

    assert {"value": str(desk.data_dir), "origin": "environment CLEARWAY_SERVER__DATA_DIR"} == shown["server.data_dir"]


def test_config_show_masks(desk: Desk) -> None:
    """A password in a URL is not shown, nor is the value of any variable that holds a key."""
    environ = {
        "CLEARWAY_STORE__URL": "postgresql://me:hunter2@db.example/x?password=hunter2",
        "CLEARWAY_UPSTREAMS": "[]",
        "ANTHROPIC_API_KEY": "sk-ant-hunter2",
    }
    for options in ([], ["--json"]):
        done = desk.run("config", "show", *options, **environ)

        assert done.returncode == 0
        assert "db.example" in done.stdout
        assert "hunter2" not in done.stdout + done.stderr


def test_doctor_is_content(desk: Desk) -> None:
    """With nothing wrong every line is ok, and the exit code 0."""
    done = desk.run("doctor", "--json", CLEARWAY_SERVER__PORT=str(_free_port()))
    findings = {finding["check"]: finding["level"] for finding in json.loads(done.stdout)}

    assert done.returncode == 0
    assert {"configuration", "data directory", "store", "gateway", "port", "upstream sim", "prices"} <= set(findings)
    assert "fail" not in findings.values()


def test_doctor_finds_what_is_wrong(desk: Desk) -> None:
    """A taken port, an open directory, a missing secret, a dead store and upstream, a project that goes elsewhere."""
    desk.data_dir.mkdir(mode=0o755)
    (desk.cwd / ".claude").mkdir()
    elsewhere = {"env": {"ANTHROPIC_BASE_URL": "https://u:hunter2@other.example/x", "ANTHROPIC_AUTH_TOKEN": "hunter2"}}
    (desk.cwd / ".claude/settings.json").write_text(json.dumps(elsewhere))
    dead = f"http://127.0.0.1:{_free_port()}"
    upstream = {"name": "api", "kind": "anthropic", "base_url": dead, "api_key": {"env": "NOT_THERE"}}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = desk.quick(
            "doctor",
            CLEARWAY_SERVER__PORT=str(taken.getsockname()[1]),
            CLEARWAY_UPSTREAMS=json.dumps([upstream]),
            CLEARWAY_STORE__URL=f"postgresql://u:hunter2@127.0.0.1:{_free_port()}/x",
            CLEARWAY_PROT="1",
            HTTPS_PROXY="http://u:hunter2@proxy.example",
        )

    assert done.returncode == 1
    assert "hunter2" not in done.stdout
    for line in (
        "warn data directory: others on this machine may open: data",
        "fail port: 127.0.0.1:",
        "fail store: the ledger's database cannot be used: ",
        "fail credential of api: environment NOT_THERE: upstreams[0].api_key: is not set",
        f"fail upstream api: no connection to {dead.removeprefix('http://')}: connection refused",
        "warn .claude/settings.json: sends Claude Code in this directory to other.example",
        "warn proxy variables: HTTPS_PROXY: clients would ask that proxy",
        "warn variables: not read: CLEARWAY_PROT",
    ):
        assert line in done.stdout


def test_doctor_with_an_invalid_configuration(desk: Desk) -> None:
    """Every problem of the configuration is a finding; the rest is looked at all the same."""
    done = desk.quick("doctor", CLEARWAY_SERVER__PORT="x", CLEARWAY_LOG__LEVEL="y")

    assert done.returncode == 1
    assert done.stdout.count("fail configuration: ") == 2
    assert "descriptors" in done.stdout


@pytest.mark.parametrize("is_on_path", [True, False])
def test_serve_says_how_to_go_on(desk: Desk, *, is_on_path: bool) -> None:
    """What `serve` tells to type works: with the program's path where the name alone is not found."""
    if not is_on_path:
        desk.environ["PATH"] = str(desk.home)
    with desk.start("serve", "--port", "0") as process:
        try:
            told = [next(iter(process.stdout or ())) for _ in range(7)]
        finally:
            process.terminate()

    name = "clearway" if is_on_path else str(PROGRAM)

    assert f"{name} log --follow" in told[-1]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
