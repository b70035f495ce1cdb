"""What differs between two configurations, how it is told, and what a reload puts in force."""

import msgspec
import pytest

from clearway.config.changes import compare, put_in_force
from clearway.config.model import Config, Limits, Models, SecretSource, Server, Store, Timeouts, Upstream, UsageSettings
from clearway.config.tree import settings_of

API = Upstream(name="api", kind="anthropic", api_key=SecretSource(env="A"))
OTHER = Upstream(name="other", kind="sim")

CASES = [
    pytest.param(Config(), Config(), [], id="nothing"),
    pytest.param(
        Config(), Config(server=Server(max_body=1000)), ['server.max_body: "64MB" -> "1KB"'], id="with-its-unit"
    ),
    pytest.param(
        Config(),
        Config(server=Server(timeouts=Timeouts(connect_s=1))),
        ['server.timeouts.connect_s: "10s" -> "1s"'],
        id="inner-table",
    ),
    pytest.param(
        Config(), Config(models=Models(aliases={"a": "b"})), ['models.aliases: {} -> { "a" = "b" }'], id="aliases"
    ),
    pytest.param(Config(), Config(upstreams=(API,)), ["upstreams.api added: anthropic"], id="added"),
    pytest.param(Config(upstreams=(API,)), Config(), ["upstreams.api removed"], id="removed"),
    pytest.param(
        Config(upstreams=(API, OTHER)),
        Config(upstreams=(OTHER, API)),
        ["upstreams (their order): api, other -> other, api"],
        id="order-matters",
    ),
    pytest.param(
        Config(upstreams=(API, OTHER)), Config(upstreams=(OTHER,)), ["upstreams.api removed"], id="places-do-not"
    ),
    pytest.param(
        Config(upstreams=(API,)),
        Config(upstreams=(msgspec.structs.replace(API, proxy="http://me:hush@p:1"),)),
        ['upstreams.api.proxy added: "http://***@p:1"'],
        id="password-in-a-proxy",
    ),
    pytest.param(
        Config(),
        Config(usage=UsageSettings(webhooks=("https://hooks.example/T/hush?x=hush",))),
        ['usage.webhooks: [] -> ["https://hooks.example/***"]'],
        id="webhook",
    ),
    pytest.param(
        Config(),
        Config(usage=UsageSettings(webhook_secret=SecretSource(env="A"))),
        ['usage.webhook_secret.env added: "A"'],
        id="optional-table",
    ),
    pytest.param(
        Config(store=Store(url="postgresql://me:hush@a/x")),
        Config(store=Store(url="postgresql://me:hash@a/x")),
        ['store.url: "postgresql://me:***@a/x" -> "postgresql://me:***@a/x"'],
        id="password-in-the-store",
    ),
    pytest.param(
        Config(),
        Config(limits=Limits(valkey_url="valkey://me@h:6379/1", valkey_password=SecretSource(file="p"))),
        ['limits.valkey_url: "" -> "valkey://me@h:6379/1"', 'limits.valkey_password.file added: "p"'],
        id="shared-counters",
    ),
]


@pytest.mark.parametrize(("before", "after", "told"), CASES)
def test_told(before: Config, after: Config, told: list[str]) -> None:
    """Each difference once, as it is written in the file, without a secret."""
    assert told == [str(change) for change in compare(before, after)]


def test_what_cannot_change_stays() -> None:
    """A reload leaves alone what was bound, opened or promised at the start, and takes the rest."""
    running = Config(server=Server(port=1, data_dir="/a"), store=Store(url="sqlite"))
    wanted = Config(
        server=Server(port=2, host="::1", data_dir="/b", behind_proxy=True, heartbeat_s=1),
        store=Store(url="postgresql://x/y"),
        upstreams=(API,),
    )

    assert Config(server=Server(port=1, data_dir="/a", heartbeat_s=1), upstreams=(API,)) == put_in_force(
        running, wanted
    )
    needs = [change.setting for change in compare(running, wanted) if change.needs_restart]
    assert ["server.host", "server.port", "server.behind_proxy", "server.data_dir", "store.url"] == needs


IN_FORCE = {
    "openai.names",
    "openai.caches",
    "openai.reasoning",
    "openai.thoughts",
    "openai.thoughts_s",
    "models.abilities",
    "server.max_body",
    "server.max_buffered",
    "server.max_reading",
    "server.max_in_flight",
    "server.max_memory",
    "server.hosts",
    "server.trusted_proxies",
    "server.wrong_keys_per_minute",
    "server.cors_origins",
    "server.heartbeat_s",
    "server.drain_s",
    "server.timeouts.connect_s",
    "server.timeouts.first_byte_s",
    "server.timeouts.idle_s",
    "server.timeouts.total_s",
    "retries.max",
    "retries.total_s",
    "retries.wait_s",
    "retries.longest_cool_down_s",
    "limits.budgets",
    "limits.count_tokens_per_minute",
    "upstreams",
    "models.aliases",
    "usage.prices",
    "usage.thresholds",
    "usage.webhooks",
    "usage.webhook_secret",
    "usage.webhook_hosts",
    "log.level",
    "log.format",
}
"""What `server/reload.py`, or what it calls, hands on."""


def test_a_table_that_stays() -> None:
    """What is within a table that a reload leaves alone needs a restart, too."""
    changes = compare(Config(), Config(limits=Limits(valkey_url="valkey://h", valkey_password=SecretSource(env="P"))))

    assert [True, True] == [change.needs_restart for change in changes]


def test_every_setting_is_decided() -> None:
    """A new setting is either marked as one that needs a restart, or a reload really puts it in force:
    then hand it on in server/reload (or in what compose prepares for it), and list it here.
    """
    assert IN_FORCE == {name for name, _, kind in settings_of(Config()) if not kind.needs_restart}
