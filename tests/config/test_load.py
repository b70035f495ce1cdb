"""Layers of settings: which one wins, where each value came from, what is refused."""

from pathlib import Path

import pytest

from clearway.config.load import Loaded, ignored_variables, load
from clearway.config.model import Config, Upstream
from clearway.config.problems import ConfigError


class World:
    """A home, a working directory, an environment."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.cwd = root / "work"
        self.home.mkdir()
        self.cwd.mkdir()
        self.environ = {"HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home / "etc")}

    def write(self, text: str, path: Path | None = None) -> Path:
        """Write a configuration file, `./clearway.toml` unless named."""
        path = path or self.cwd / "clearway.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def load(self, flags: dict[str, object] | None = None, path: Path | None = None, **environ: str) -> Loaded:
        """Load in this world."""
        return load(path=path, environ=self.environ | environ, flags=flags, cwd=self.cwd)

    def problems(self, text: str, flags: dict[str, object], environ: dict[str, str]) -> list[str]:
        """Every problem as one line, hint after a bar."""
        self.write(text)
        with pytest.raises(ConfigError) as caught:
            load(path=None, environ=self.environ | environ, flags=flags, cwd=self.cwd)
        return [f"{problem} | {problem.hint}" for problem in caught.value.problems]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_nothing_configured(world: World) -> None:
    """Without a file or variables the defaults hold, and a client's own login passes."""
    loaded = world.load()

    assert loaded.path is None
    assert Config().server.port == loaded.config.server.port
    assert (Upstream(name="own-login", kind="passthrough"),) == loaded.config.upstreams
    assert str(world.home / ".local/share/clearway") == loaded.config.server.data_dir
    assert set(loaded.origins.values()) == {"default"}


def test_an_api_key_in_the_environment_adds_its_upstream(world: World) -> None:
    """`ANTHROPIC_API_KEY` adds `anthropic`; the value itself is nowhere in the settings."""
    loaded = world.load(ANTHROPIC_API_KEY="sk-ant-dummy")

    assert [u.name for u in loaded.config.upstreams] == ["own-login", "anthropic"]
    assert "sk-ant-dummy" not in repr(loaded)
    assert loaded.origins["upstreams[1].name"] == "environment ANTHROPIC_API_KEY is set"


def test_configured_upstreams_stand_alone(world: World) -> None:
    """With upstreams in the file none is added."""
    world.write('[[upstreams]]\nname = "s"\nkind = "sim"')

    assert [u.name for u in world.load(ANTHROPIC_API_KEY="x").config.upstreams] == ["s"]


def test_each_layer_beats_the_one_below(world: World) -> None:
    """Defaults < file < environment < flags, setting by setting, each with its origin."""
    path = world.write("[server]\nport = 1\nmax_reading = 1\nheartbeat_s = 1")
    loaded = world.load({"server.port": 3}, CLEARWAY_SERVER__PORT="2", CLEARWAY_SERVER__MAX_READING="2")
    server = loaded.config.server

    assert (3, 2, 1.0) == (server.port, server.max_reading, server.heartbeat_s)
    assert loaded.origins["server.port"] == "flag --port"
    assert loaded.origins["server.max_reading"] == "environment CLEARWAY_SERVER__MAX_READING"
    assert loaded.origins["server.heartbeat_s"] == str(path)
    assert loaded.origins["server.host"] == "default"


@pytest.mark.parametrize(
    ("switch", "expected"),
    [
        pytest.param(None, "1.36", id="not-set"),
        pytest.param("http", "1.36", id="others"),
        pytest.param("gen_ai_latest_experimental", "latest", id="alone"),
        pytest.param("http, gen_ai_latest_experimental", "latest", id="among-others"),
        pytest.param("gen_ai_latest_experimental_not", "1.36", id="longer"),
    ],
)
def test_the_switch_of_the_genai_conventions(world: World, switch: str | None, expected: str) -> None:
    """`OTEL_SEMCONV_STABILITY_OPT_IN` decides where nothing of ours does, and is told as the origin."""
    name = "OTEL_SEMCONV_STABILITY_OPT_IN"
    world.environ |= {} if switch is None else {name: switch}
    loaded = world.load()

    assert expected == loaded.config.otel.semconv
    assert (f"environment {name}" if expected == "latest" else "default") == loaded.origins["otel.semconv"]
    world.write('[otel]\nsemconv = "1.36"')
    assert "1.36" == world.load().config.otel.semconv


def test_flags_not_given_change_nothing(world: World) -> None:
    """A flag that is None leaves the layers below."""
    assert world.load({"server.port": None}).config.server.port == 8317


def test_where_files_are_looked_for(world: World) -> None:
    """`--config`, then `CLEARWAY_CONFIG`, then the working directory, then the user's directory."""
    flag = world.write("", world.home / "flag.toml")
    variable = world.write("", world.home / "variable.toml")
    here = world.write("")
    user = world.write("", world.home / "etc/clearway/clearway.toml")

    assert flag == world.load(path=flag, CLEARWAY_CONFIG=str(variable)).path
    assert variable == world.load(CLEARWAY_CONFIG=str(variable)).path
    assert here == world.load().path
    here.unlink()

    assert user == world.load().path


def test_a_named_file_must_exist(world: World) -> None:
    """A file that was named is never skipped in silence."""
    with pytest.raises(ConfigError, match=r"environment CLEARWAY_CONFIG: there is no file .*gone\.toml"):
        world.load(CLEARWAY_CONFIG="gone.toml")


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        pytest.param("CLEARWAY_SERVER__MAX_BODY", "1MB", {"max_body": 1_000_000}, id="size"),
        pytest.param("CLEARWAY_SERVER__DRAIN_S", "0", {"drain_s": 0.0}, id="zero-drain"),
        pytest.param("CLEARWAY_SERVER__HEARTBEAT_S", "1m", {"heartbeat_s": 60.0}, id="duration"),
        pytest.param(
            "CLEARWAY_SERVER__HOSTS", "a.example, b.example", {"hosts": ("a.example", "b.example")}, id="list"
        ),
        pytest.param("CLEARWAY_SERVER__HOSTS", "", {"hosts": ()}, id="empty-list"),
        pytest.param("CLEARWAY_SERVER__BEHIND_PROXY", "yes", {"behind_proxy": True}, id="truth"),
    ],
)
def test_environment_values(world: World, variable: str, value: str, expected: dict[str, object]) -> None:
    """Text of a variable becomes the type of its setting."""
    server = load(path=None, environ=world.environ | {variable: value}, cwd=world.cwd).config.server

    assert expected == {name: getattr(server, name) for name in expected}


def test_deep_and_structured_variables(world: World) -> None:
    """Two underscores nest; tables and lists of tables are JSON."""
    config = world.load(
        CLEARWAY_SERVER__TIMEOUTS__CONNECT_S="3",
        CLEARWAY_MODELS__ALIASES='{"gpt-4o": "claude-sonnet-5-5"}',
        CLEARWAY_UPSTREAMS='[{"name": "s", "kind": "sim", "pace_ms": 2}]',
    ).config

    assert config.server.timeouts.connect_s == 3.0
    assert config.models.aliases == {"gpt-4o": "claude-sonnet-5-5"}
    assert config.upstreams == (Upstream(name="s", kind="sim", pace_ms=2.0),)


def test_variables_of_kubernetes_are_no_settings(world: World) -> None:
    """Service links such as `CLEARWAY_PORT` do no harm, and can be told about."""
    environ = {"CLEARWAY_PORT": "tcp://10.0.0.1:80", "CLEARWAY_CONFIG": "x", "CLEARWAY_SERVER__PORT": "1"}
    world.load(CLEARWAY_PORT="tcp://10.0.0.1:80")

    assert ignored_variables(environ) == ["CLEARWAY_PORT"]


def test_paths_are_absolute(world: World) -> None:
    """A relative path stands beside the file that holds it, `~` is the home, flags start here."""
    path = world.write(
        '[server]\ndata_dir = "~/data"\n[usage]\nprices = "p.json"\n'
        '[[upstreams]]\nname="r"\nkind="replay"\nrecordings="../rec"\n'
        '[[upstreams]]\nname="a"\nkind="anthropic"\nca="ca.pem"\napi_key={file="key"}',
        world.home / "conf/c.toml",
    )
    config = world.load(path=path).config

    assert str(world.home / "data") == config.server.data_dir
    assert str(world.home / "conf/p.json") == config.usage.prices
    assert str(world.home / "rec") == config.upstreams[0].recordings
    assert config.upstreams[1].ca == str(world.home / "conf/ca.pem")
    assert config.upstreams[1].api_key is not None
    assert config.upstreams[1].api_key.file == str(world.home / "conf/key")
    assert world.load({"server.data_dir": Path("d")}).config.server.data_dir == str(world.cwd / "d")


def test_xdg_data_home(world: World) -> None:
    """The data directory follows `XDG_DATA_HOME` where nothing names it."""
    loaded = world.load(XDG_DATA_HOME="/x/data")

    assert loaded.config.server.data_dir == "/x/data/clearway"
    assert loaded.origins["server.data_dir"] == "environment XDG_DATA_HOME"


def test_every_problem_at_once(world: World) -> None:
    """All layers are read before anything is said."""
    found = world.problems(
        '[server]\nprot = 1\nport = "x"\n[[upstreams]]\nkind = "sim"',
        {"server.host": 5},
        {"CLEARWAY_LOG__LEVEL": "loud"},
    )

    assert len(found) == 5
    assert f'{world.cwd / "clearway.toml"}: server.prot: unknown setting | did you mean "port"?' in found
    assert "flag --host: server.host: expected a string, got 5 | " in found


def test_origins_of_replaced_lists(world: World) -> None:
    """A list that a higher layer replaces takes the origins of its entries along."""
    world.write('[[upstreams]]\nname = "a"\nkind = "sim"\npace_ms = 1')
    origins = world.load(CLEARWAY_UPSTREAMS='[{"name": "b", "kind": "sim"}]').origins

    assert origins["upstreams[0].name"] == "environment CLEARWAY_UPSTREAMS"
    assert origins["upstreams[0].pace_ms"] == "default"
