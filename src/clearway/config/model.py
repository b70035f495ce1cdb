"""The tree of settings with their defaults; a field's docstring is its reference.

Sizes are in bytes and durations in seconds here; the file may say `"64MB"` or
`"30d"` (`config/units.py`). Secrets are named by where they are, never written.
What a reload puts in force is every setting but those marked with `restart`.
"""

from typing import Annotated, Literal

import msgspec

from clearway.wire.chat.form import Reasoning
from clearway.wire.hub.names import DEFAULTS

Bytes = Annotated[int, msgspec.Meta(ge=1, extra={"unit": "bytes"})]
Seconds = Annotated[float, msgspec.Meta(gt=0, extra={"unit": "seconds"})]
OnlyAtStart = msgspec.Meta(extra={"restart": True})
Kind = Literal["anthropic", "passthrough", "replay", "sim"]


class Timeouts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long to wait for an upstream, in seconds."""

    connect_s: Seconds = 10.0
    """For a connection, proxy and TLS included. Default 10."""
    first_byte_s: Seconds = 600.0
    """For the head of the answer after the request was sent. Default 600."""
    idle_s: Seconds = 300.0
    """Between two pieces of the answer. Default 300."""
    total_s: Seconds = 3600.0
    """For the whole exchange. Default 3600."""


class Server(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The listening side."""

    host: Annotated[str, OnlyAtStart] = "127.0.0.1"
    """Address to listen on. Anything but loopback needs keys and `behind_proxy`. Default loopback."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65535, extra={"restart": True})] = 8317
    """TCP port; 0 picks a free one. Default 8317."""
    max_body: Bytes = 64_000_000
    """Largest request body, compressed or not, in bytes. Default 64MB."""
    max_buffered: Bytes = 512_000_000
    """All request bodies held at one moment, together, in bytes. Default 512MB."""
    max_reading: Annotated[int, msgspec.Meta(ge=1)] = 256
    """Request bodies being read at one moment. Default 256."""
    max_in_flight: Annotated[int, msgspec.Meta(ge=1)] = 8192
    """Exchanges at one moment; past it new ones are refused with 529. Default 8192."""
    max_memory: Annotated[int, msgspec.Meta(ge=0, extra={"unit": "bytes"})] = 0
    """Memory that the process may hold; past it new exchanges are refused with 529.
    0: 80 % of what the machine, or its control group, has. Default 0. Linux only."""
    behind_proxy: Annotated[bool, OnlyAtStart] = False
    """A reverse proxy with TLS stands in front: every request needs a key. Default false."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks of reverse proxies whose `x-forwarded-for` or `forwarded` says where a request
    comes from. Everybody else counts as the address that it calls from. Default none."""
    wrong_keys_per_minute: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 10
    """Wrong keys (unknown, mistyped, expired, revoked) of one source within a minute that are answered as such;
    further ones get 429. Right keys slow nobody down. 0: no limit. Default 10."""
    hosts: tuple[str, ...] = ()
    """Further names that the `Host` header may have. Default none."""
    cors_origins: tuple[str, ...] = ()
    """Web origins that may call `/v1/*`. Default none: no CORS headers at all."""
    data_dir: Annotated[str, OnlyAtStart] = "~/.local/share/clearway"
    """Where the ledger, the control socket and the installation secret live (0700)."""
    heartbeat_s: Seconds = 15.0
    """Silence in a stream after which a `ping` is sent to the client. Default 15."""
    drain_s: Annotated[float, msgspec.Meta(ge=0, extra={"unit": "seconds"})] = 600.0
    """How long running answers may go on after SIGTERM. Default 600."""
    timeouts: Timeouts = Timeouts()


class Retries(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Further tries of one request, and how long a failing upstream is left alone."""

    max: Annotated[int, msgspec.Meta(ge=0, le=10)] = 2
    """Further tries after the first; each only where the one before certainly cost nothing. Default 2."""
    total_s: Seconds = 30.0
    """No further try begins later than this after the first. Default 30."""
    wait_s: Annotated[float, msgspec.Meta(ge=0, extra={"unit": "seconds"})] = 0.0
    """How long a client may be kept waiting for a busy upstream that has no alternative, instead of hearing it
    and coming back by itself, as most do. Not on passthrough. Default 0: not at all."""
    longest_cool_down_s: Annotated[float, msgspec.Meta(ge=0, extra={"unit": "seconds"})] = 600.0
    """After this long an upstream is asked again, whatever it said itself. 0: none is ever left alone. Default 600."""


class SecretSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a secret is found. Exactly one field is set."""

    env: str | None = None
    """Name of an environment variable."""
    file: str | None = None
    """Path of a file; white space around the value is cut off."""
    keyring: str | None = None
    """Entry of the operating system's keyring, service `clearway`."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds for the whole gateway, and what a key's limits leave open."""

    budgets: tuple[str, ...] = ()
    """Budgets of all traffic together, such as `"50usd/day"` or `"20Mtokens/month"`. Default none."""
    count_tokens_per_minute: Annotated[int, msgspec.Meta(ge=1)] = 1200
    """Requests to count tokens, which cost nothing, of each key that has a limit or budget. Default 1200."""
    valkey_url: Annotated[str, OnlyAtStart] = ""
    """A Valkey that counts for several gateways on one PostgreSQL: `valkey://host:6379/0`, with TLS `valkeys://…`;
    with the extra `clearway[valkey]`. Default none: each gateway counts for itself."""
    valkey_password: Annotated[SecretSource, OnlyAtStart] | None = None
    """Its password: `{ env = "NAME" }`, `{ file = "…" }` or `{ keyring = "…" }`. Default none."""


class Store(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the ledger is kept."""

    url: Annotated[str, OnlyAtStart] = "sqlite"
    """`sqlite` (in the data directory) or `postgresql://…`."""


class Upstream(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place that answers."""

    name: str
    """Unique; shown in the ledger."""
    kind: Kind
    """`anthropic`, `passthrough`, `replay` or `sim`."""
    base_url: str = "https://api.anthropic.com"
    """Scheme, host, port and an optional path before `/v1`."""
    api_key: SecretSource | None = None
    """The gateway's own credential (kind `anthropic`): `{ env = "NAME" }`, `{ file = "…" }` or `{ keyring = "…" }`."""
    auth: Literal["x-api-key", "bearer"] = "x-api-key"
    """The header that carries `api_key`."""
    allow_hosts: tuple[str, ...] = ("api.anthropic.com",)
    """Hosts that a client's own login may go to (kind `passthrough`)."""
    models: tuple[str, ...] = ("*",)
    """Patterns of the models it serves."""
    files: bool = False
    """Keys may upload files there and use them; each sees its own only (kind `anthropic`). Default false."""
    batches: bool = False
    """Keys may make message batches there; each sees its own only (kind `anthropic`). Default false."""
    withhold_betas: tuple[str, ...] = ()
    """Values of `anthropic-beta` that are not sent on (kind `anthropic`)."""
    api_version: Annotated[str, msgspec.Meta(pattern=r"^20\d\d-\d\d-\d\d$")] = "2023-06-01"
    """`anthropic-version` of requests that are translated (kinds `anthropic` and `passthrough`); clients of Messages
    say their own. From `2026-10-21` on no model takes `temperature`. Default `2023-06-01`, which compatible vendors
    know too."""
    ca: str | None = None
    """A PEM file with further certificate authorities for this upstream and its proxy."""
    proxy: str | None = None
    """An outgoing proxy, `http://[user:password@]host:port` or `https://…`; `none` for a direct connection
    (kinds `anthropic` and `passthrough`). Not set: as `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say."""
    recordings: str | None = None
    """Folder of recordings (kind `replay`)."""
    delays: Literal["none", "recorded"] = "none"
    """Timing of replayed streams (kind `replay`)."""
    pace_ms: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """Time between simulated events (kind `sim`)."""


class Models(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names of models."""

    aliases: dict[str, str] = {}
    """Second names; applied on the gateway's own upstreams only."""
    abilities: str = ""
    """A JSON file of what models accept, in the form of the shipped `wire/hub/models.json`, for what that does not
    know or has wrong. Default none."""


class Chat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Chat Completions, OpenAI's format, on Claude."""

    names: dict[str, str] = msgspec.field(default_factory=lambda: dict(DEFAULTS))
    """Models by the names of OpenAI's, their snapshots included; `models.aliases` win. Others are asked for as they
    are."""
    caches: bool = True
    """Cache breakpoints are set for clients that set none: the system prompt, and all that there is so far.
    Default true."""
    reasoning: Reasoning = "default"
    """In which members thoughts are told: `default` (`reasoning_content` and `reasoning_details`), `openrouter`,
    `litellm`, `deepseek`, `none`. A request may say it with `x-clearway-reasoning`. Default `default`."""
    thoughts: Annotated[int, msgspec.Meta(ge=0, extra={"unit": "bytes"})] = 64_000_000
    """What models thought is kept in memory and put back for clients that drop it, up to so many bytes, an eighth
    of them for one key. 0: it is not kept. Default 64MB."""
    thoughts_s: Seconds = 3600.0
    """How long it is kept. Default 3600."""


class UsageSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How usage is counted."""

    timezone: Annotated[str, OnlyAtStart] = "UTC"
    """Where a day begins, as an IANA name."""
    prices: str = ""
    """A JSON file that overrides the shipped prices."""
    thresholds: tuple[float, ...] = (0.75, 0.95)
    """Parts of a budget or window, ascending; where one is passed, the log and the webhooks say so. Default 75 %
    and 95 %."""
    webhooks: tuple[str, ...] = ()
    """URLs that are posted to when a threshold is passed: `https`, or `http` on loopback and for
    `webhook_hosts`. Never shown whole, for some are secrets themselves. Default none."""
    webhook_secret: SecretSource | None = None
    """What messages to webhooks are signed with, as Standard Webhooks has it: `whsec_` and base64, or other text of
    16 characters at least. Default none: they are not signed."""
    webhook_hosts: tuple[str, ...] = ()
    """Hosts that a webhook may lead to though they are spoken to without TLS, or are addresses of a private
    network. Default none."""


class Log(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The process's own log, on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe lines that are written. Default info."""
    format: Literal["auto", "text", "json"] = "auto"
    """`auto`: text on a terminal, JSON lines elsewhere."""


class Otel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """OpenTelemetry: spans and metrics for a collector, never content; with the extra `clearway[otel]`."""

    endpoint: Annotated[str, OnlyAtStart] = ""
    """Where a collector takes OTLP over HTTP: `http://127.0.0.1:4318`, to which `/v1/traces` and `/v1/metrics`
    are added. Default none: nothing is sent."""
    semconv: Annotated[Literal["1.36", "latest"], OnlyAtStart] = "1.36"
    """The spelling of the GenAI conventions. Not set, and `OTEL_SEMCONV_STABILITY_OPT_IN` holds
    `gen_ai_latest_experimental`: `latest`. Default `1.36`."""
    service: Annotated[str, OnlyAtStart] = "clearway"
    """`service.name` of what is sent. Default `clearway`."""
    sample: Annotated[float, msgspec.Meta(ge=0, le=1, extra={"restart": True})] = 1.0
    """The share of exchanges that get spans; where a client sends `traceparent`, it decides. Default 1: all."""
    metrics_every_s: Annotated[float, msgspec.Meta(gt=0, extra={"unit": "seconds", "restart": True})] = 60.0
    """How often metrics are sent. Default 60."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings."""

    server: Server = Server()
    retries: Retries = Retries()
    limits: Limits = Limits()
    store: Store = Store()
    upstreams: tuple[Upstream, ...] = ()
    """None configured: `passthrough` to Anthropic, and `anthropic` too where
    `ANTHROPIC_API_KEY` is set."""
    models: Models = Models()
    chat: Chat = Chat()
    usage: UsageSettings = UsageSettings()
    log: Log = Log()
    otel: Otel = Otel()
