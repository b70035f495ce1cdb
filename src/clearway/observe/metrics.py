"""Every metric: its name, its kind, its labels, and what it says.

Names follow Prometheus (base units, `_total` for counters, which is left out here).
Source: https://prometheus.io/docs/practices/naming/ (read 2026-11-27). The kinds of
outcome, error and failure are those of core/exchange, core/errors and upstreams/health.
Used by observe/exposition, and by tools/docs.py for `docs/reference/metrics.md`.
"""

from typing import Literal

import msgspec

Kind = Literal["counter", "gauge", "histogram"]


class Metric(msgspec.Struct, frozen=True):
    """One family of series."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


_SPENT = ("upstream", "model")

EXCHANGES = Metric(
    "clearway_exchanges", "counter", ("endpoint", "outcome", "upstream", "model"), "Exchanges that are over."
)
ERRORS = Metric(
    "clearway_exchange_errors",
    "counter",
    ("endpoint", "upstream", "error"),
    "Exchanges that ended in an error, by our code or the upstream's type of error.",
)
TOKENS = Metric(
    "clearway_tokens",
    "counter",
    ("kind", *_SPENT, "billing"),
    "Tokens used; kinds: input, cache_read, cache_write_5m, cache_write_1h, output.",
)
THINKING = Metric("clearway_thinking_tokens", "counter", _SPENT, "Output tokens that were thinking, as far as told.")
TOOLS = Metric(
    "clearway_server_tool_requests", "counter", ("tool", *_SPENT), "Requests of server tools: web_search, web_fetch."
)
COST = Metric(
    "clearway_cost_nanodollars", "counter", _SPENT, "Money really billed, in nano-dollars (1 USD = 1,000,000,000)."
)
COST_USD = Metric("clearway_cost_usd", "counter", _SPENT, "The same in USD, divided when it is read.")
ESTIMATE = Metric(
    "clearway_estimate_nanodollars",
    "counter",
    (*_SPENT, "billing"),
    "List price of what was not billed by it (a plan's or simulated traffic), in nano-dollars; never part of a cost.",
)
UNPRICED = Metric(
    "clearway_unpriced_exchanges", "counter", _SPENT, "Exchanges with usage whose price is unknown: no cost has them."
)
ESTIMATED = Metric(
    "clearway_estimated_exchanges", "counter", _SPENT, "Exchanges that broke off, so that output was estimated."
)
KEY_EXCHANGES = Metric("clearway_key_exchanges", "counter", ("key",), "Exchanges that are over, by the key's name.")
KEY_TOKENS = Metric("clearway_key_tokens", "counter", ("key", "kind"), "Tokens used, by the key's name.")
KEY_COST = Metric(
    "clearway_key_cost_nanodollars", "counter", ("key",), "Money really billed, in nano-dollars, by the key's name."
)
KEY_ESTIMATE = Metric(
    "clearway_key_estimate_nanodollars",
    "counter",
    ("key",),
    "List price of what was not billed by it, in nano-dollars, by the key's name.",
)
DURATION = Metric(
    "clearway_exchange_duration_seconds",
    "histogram",
    ("endpoint", *_SPENT, "stream"),
    "From admission to the end of the exchange.",
)
FIRST_TOKEN = Metric(
    "clearway_time_to_first_token_seconds", "histogram", _SPENT, "From admission to the first output of the model."
)
ATTEMPTS = Metric(
    "clearway_attempts", "counter", ("upstream", "outcome", "status"), "Tries at upstreams that are over."
)
COOL_DOWNS = Metric("clearway_upstream_cool_downs", "counter", ("upstream", "why"), "Cool-downs that have begun.")
COOLING = Metric(
    "clearway_upstream_cooling_seconds",
    "gauge",
    ("upstream", "model", "why"),
    "For how long an upstream, or a model there, is still left alone.",
)
TURNED_AWAY = Metric(
    "clearway_turned_away", "counter", ("code",), "Requests that were refused before they were exchanges."
)
OPEN = Metric("clearway_open_exchanges", "gauge", ("endpoint",), "Exchanges that run now.")
OPEN_STREAMS = Metric("clearway_open_streams", "gauge", (), "Exchanges that run now and asked for a stream.")
IN_FLIGHT = Metric(
    "clearway_requests_in_flight", "gauge", (), "Requests that were let in and are not over, unread ones included."
)
BODY_BYTES = Metric("clearway_request_bodies_bytes", "gauge", (), "Request bodies that are held or promised now.")
BODIES_READING = Metric("clearway_request_bodies_reading", "gauge", (), "Request bodies that are being read now.")
LEDGER_WAITING = Metric(
    "clearway_ledger_waiting_exchanges", "gauge", (), "Exchanges with records that are not yet written."
)
LEDGER_BATCHES = Metric("clearway_ledger_batches", "gauge", (), "Batches that the ledger's thread has in hand.")
LEDGER_HEALTHY = Metric("clearway_ledger_healthy", "gauge", (), "1 while the ledger can be written.")
LEDGER_REFUSED = Metric(
    "clearway_ledger_refused_exchanges", "counter", (), "Exchanges that the database would not take: a defect."
)
LEDGER_SWEPT = Metric(
    "clearway_ledger_swept_exchanges", "counter", (), "Exchanges of dead processes that were ended as interrupted."
)
WATCHERS = Metric("clearway_feed_watchers", "gauge", (), "Who watches the live feed.")
DROPPED = Metric(
    "clearway_feed_dropped_updates", "counter", (), "Updates of the live feed that a watcher was too slow for."
)
LIMITS_HEALTHY = Metric(
    "clearway_limits_healthy",
    "gauge",
    (),
    "1 while limits and budgets can be counted; 0 while the counters that gateways share do not answer.",
)
LIMITS_ERRORS = Metric("clearway_limits_errors", "counter", (), "How often the counters that gateways share went away.")
OTEL_DROPPED = Metric(
    "clearway_otel_dropped_exchanges", "counter", (), "Exchanges for which no span was made, as too many waited."
)
READY = Metric("clearway_ready", "gauge", (), "1 while `/ready` says so.")
BUILD = Metric("clearway_build_info", "gauge", ("version", "python"), "Always 1; what runs.")
_BUDGET = ("key", "period")
BUDGETS = {
    (name, unit): Metric(f"clearway_budget_{name}_{told}", "gauge", _BUDGET, f"{help_}, in {words}.")
    for unit, told, words in (("usd", "nanodollars", "nano-dollars"), ("tokens", "tokens", "tokens"))
    for name, help_ in (
        ("limit", "A budget's amount"),
        ("spent", "What a budget's period has used"),
        ("held", "What runs and holds of a budget"),
        ("left", "What may still be held of a budget; without a key it is the whole gateway's"),
    )
}
"""By what is told and the budget's unit."""
BUDGET_RESETS = Metric(
    "clearway_budget_resets_timestamp_seconds",
    "gauge",
    (*_BUDGET, "unit"),
    "When a budget's period ends, in seconds since 1970; not there for `total`.",
)
_WINDOW = ("credential", "upstream", "window")
WINDOW = Metric(
    "clearway_window_utilization_ratio", "gauge", _WINDOW, "How much of a subscription's window is used, as last seen."
)
WINDOW_RESETS = Metric(
    "clearway_window_resets_timestamp_seconds", "gauge", _WINDOW, "When a window begins anew, in seconds since 1970."
)

METRICS: tuple[Metric, ...] = (
    *(EXCHANGES, ERRORS, TOKENS, THINKING, TOOLS, COST, COST_USD, ESTIMATE, UNPRICED, ESTIMATED),
    *(KEY_EXCHANGES, KEY_TOKENS, KEY_COST, KEY_ESTIMATE, DURATION, FIRST_TOKEN),
    *(ATTEMPTS, COOL_DOWNS, COOLING, TURNED_AWAY, OPEN, OPEN_STREAMS, IN_FLIGHT, BODY_BYTES, BODIES_READING),
    *(LIMITS_HEALTHY, LIMITS_ERRORS),
    *(LEDGER_WAITING, LEDGER_BATCHES, LEDGER_HEALTHY, LEDGER_REFUSED, LEDGER_SWEPT),
    *(WATCHERS, DROPPED, OTEL_DROPPED, READY, BUILD, *BUDGETS.values(), BUDGET_RESETS, WINDOW, WINDOW_RESETS),
)
"""All of ours; `process_…` comes with the library."""
