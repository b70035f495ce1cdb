"""`clearway keys`: make, list, change and end the keys that clients show."""

from collections.abc import Iterable
from datetime import tzinfo
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
import typer

from clearway.cli.access import open_ledger
from clearway.cli.clean import clean
from clearway.cli.failures import Exit, Failure
from clearway.cli.figures import day, moment
from clearway.cli.key_limits import (
    Budgets,
    Estimates,
    InputTpm,
    OutputTpm,
    Parallel,
    Rpm,
    limits_given,
    shown_budgets,
    shown_limits,
)
from clearway.cli.moments import future
from clearway.cli.options import AsJson, load_config
from clearway.cli.screen import console, note, plain_table, print_json
from clearway.config.units import UnitError, parse_duration
from clearway.core.clock import SystemClock
from clearway.keys.model import Key, KeyChange, KeySpec, NewKey

Ref = Annotated[str, typer.Argument(help="Name, id, beginning of an id (8 characters), or displayed prefix.")]
Model = Annotated[
    list[str] | None, typer.Option("--model", help="Pattern of models it may use, repeatable. All without it.")
]
Endpoint = Annotated[
    list[str] | None,
    typer.Option(
        "--endpoint",
        help="messages, count_tokens, models, files, batches, relay, metrics; repeatable. All but metrics without it.",
    ),
]
Upstream = Annotated[
    list[str] | None, typer.Option("--upstream", help="Upstream it may use, repeatable. All without it.")
]
Tag = Annotated[list[str] | None, typer.Option("--tag", help="A word of yours, repeatable.")]
Caching = Annotated[
    Literal["on", "off", "default"] | None,
    typer.Option(help="Set cache breakpoints for clients that set none. default: as the gateway does."),
]
_CACHES = {"on": True, "off": False, "default": None}
_ENDPOINTS = ("messages", "count_tokens", "models", "files", "batches", "relay", "metrics")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.callback(help="Make and manage the keys that clients show.")(_group)
    app.command("create")(create)
    app.command("list")(list_keys)
    app.command("show")(show)
    app.command("update")(update)
    app.command("revoke")(revoke)
    app.command("rotate")(rotate)


def _group() -> None:
    """The group itself does nothing."""


def create(  # noqa: PLR0913  # one argument for each option
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What to call it.")],
    *,
    owner: Annotated[bool, typer.Option("--owner", help="It belongs to the gateway's owner.")] = False,
    model: Model = None,
    endpoint: Endpoint = None,
    upstream: Upstream = None,
    tag: Tag = None,
    expires: Annotated[str, typer.Option(help="30d, a date, or never.")] = "never",
    strict: Annotated[bool, typer.Option("--strict", help="Refuse what could only be approximated.")] = False,
    caching: Caching = None,
    budget: Budgets = None,
    rpm: Rpm = None,
    input_tpm: InputTpm = None,
    output_tpm: OutputTpm = None,
    parallel: Parallel = None,
    count_estimates: Estimates = None,
    json: AsJson = False,
) -> None:
    """Make a key. Its secret is printed once, alone, on stdout."""
    config = load_config(context).config
    known = [entry.name for entry in config.upstreams]
    spec = KeySpec(
        name=_named(name),
        owner=owner,
        expires_us=future(
            expires, now_us=SystemClock().now_us(), zone=ZoneInfo(config.usage.timezone), option="--expires"
        ),
        models=tuple(model or ()),
        endpoints=_chosen(endpoint or (), _ENDPOINTS, "--endpoint"),
        upstreams=_chosen(upstream or (), known, "--upstream"),
        tags=tuple(tag or ()),
        strict=strict,
        caches=_CACHES[caching or "default"],
    )
    limits = limits_given(
        budget=budget,
        rpm=rpm,
        input_tpm=input_tpm,
        output_tpm=output_tpm,
        parallel=parallel,
        count_estimates=count_estimates,
    )
    spec = msgspec.structs.replace(spec, **limits)
    with open_ledger(config) as ledger:
        made = ledger.create_key(spec)
    _print_new(
        made, f"made the key {made.key.name!r} ({made.key.id}); this is the only time that it is shown", json=json
    )


def list_keys(
    context: typer.Context,
    *,
    every: Annotated[bool, typer.Option("--all", help="Revoked ones too.")] = False,
    json: AsJson = False,
) -> None:
    """List keys, the oldest first."""
    config = load_config(context).config
    with open_ledger(config) as ledger:
        keys = ledger.list_keys(revoked=every)
    if json:
        print_json(keys)
        return
    if not keys:
        note("no keys yet; make one with: clearway keys create NAME")
        return
    zone, now_us = ZoneInfo(config.usage.timezone), SystemClock().now_us()
    table = plain_table()
    for column in ("NAME", "KEY", "STATE", "EXPIRES", "CREATED", "MAY USE", "LIMITS", "TAGS"):
        table.add_column(column, overflow="fold" if column in {"MAY USE", "LIMITS"} else "ellipsis")
    for key in keys:
        state = _state(key, now_us)
        table.add_row(
            clean(key.name),
            f"{clean(key.prefix)}…",
            state,
            day(key.expires_us, zone) if key.expires_us is not None else "never",
            day(key.created_us, zone),
            clean(_rights(key)),
            ", ".join(shown_limits(key)) or "none",
            clean(", ".join(key.tags)),
            style=None if state in {"live", "owner"} else "dim",
        )
    console(context).print(table)


def show(context: typer.Context, ref: Ref, *, json: AsJson = False) -> None:
    """Show one key."""
    config = load_config(context).config
    zone = ZoneInfo(config.usage.timezone)
    with open_ledger(config) as ledger:
        key = ledger.show_key(ref)
        budgets = [] if json else shown_budgets(ledger, key, zone, SystemClock().now_us())
    _print_key(context, key, zone, budgets, json=json)


def update(  # noqa: PLR0913  # one argument for each option
    context: typer.Context,
    ref: Ref,
    *,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    owner: Annotated[bool | None, typer.Option("--owner/--no-owner", help="Whose it is.")] = None,
    model: Annotated[list[str] | None, typer.Option("--model", help="Replaces the patterns; '' allows all.")] = None,
    endpoint: Annotated[list[str] | None, typer.Option("--endpoint", help="Replaces the list; '' allows all.")] = None,
    upstream: Annotated[list[str] | None, typer.Option("--upstream", help="Replaces the list; '' allows all.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Replaces the tags; '' removes all.")] = None,
    expires: Annotated[str | None, typer.Option(help="30d from now, a date, or never.")] = None,
    strict: Annotated[bool | None, typer.Option("--strict/--no-strict", help="Refuse approximations.")] = None,
    caching: Caching = None,
    budget: Annotated[list[str] | None, typer.Option("--budget", help="Replaces the budgets; '' removes all.")] = None,
    rpm: Rpm = None,
    input_tpm: InputTpm = None,
    output_tpm: OutputTpm = None,
    parallel: Parallel = None,
    count_estimates: Estimates = None,
    json: AsJson = False,
) -> None:
    """Change a key. What is not named stays as it is."""
    config = load_config(context).config
    zone, now_us = ZoneInfo(config.usage.timezone), SystemClock().now_us()
    known = [entry.name for entry in config.upstreams]
    changes = {
        "name": None if name is None else _named(name),
        "owner": owner,
        "models": _replaced(model),
        "endpoints": None if endpoint is None else _chosen(_replaced(endpoint) or (), _ENDPOINTS, "--endpoint"),
        "upstreams": None if upstream is None else _chosen(_replaced(upstream) or (), known, "--upstream"),
        "tags": _replaced(tag),
        "strict": strict,
    }
    given: dict[str, object] = {field: value for field, value in changes.items() if value is not None}
    given |= limits_given(
        budget=budget,
        rpm=rpm,
        input_tpm=input_tpm,
        output_tpm=output_tpm,
        parallel=parallel,
        count_estimates=count_estimates,
    )
    if caching is not None:
        given["caches"] = _CACHES[caching]
    if expires is not None:
        given["expires_us"] = future(expires, now_us=now_us, zone=zone, option="--expires")
    if not given:
        raise Failure("nothing to change", "name at least one option; see: clearway keys update --help", Exit.USAGE)
    with open_ledger(config) as ledger:
        key = ledger.update_key(ref, msgspec.structs.replace(KeyChange(), **given))
    _print_key(context, key, zone, json=json)


def revoke(context: typer.Context, ref: Ref, *, json: AsJson = False) -> None:
    """End a key for good."""
    with open_ledger(load_config(context).config) as ledger:
        key = ledger.revoke_key(ref)
    if json:
        print_json(key)
    else:
        note(f"revoked the key {key.name!r} ({key.prefix}…)")


def rotate(
    context: typer.Context,
    ref: Ref,
    *,
    overlap: Annotated[str, typer.Option(help="How long the old secret goes on: 24h, 0s.")] = "24h",
    json: AsJson = False,
) -> None:
    """Give a key a new secret. It is printed once, alone, on stdout."""
    try:
        overlap_s = round(parse_duration(overlap))
    except UnitError as error:
        raise Failure(f"--overlap: {error}", code=Exit.USAGE) from error
    with open_ledger(load_config(context).config) as ledger:
        made = ledger.rotate_key(ref, overlap_s)
    _print_new(made, f"new secret for {made.key.name!r}; the old one ends in {overlap}", json=json)


def _print_new(made: NewKey, text: str, *, json: bool) -> None:

    if json:
        print_json({"id": made.key.id, "name": made.key.name, "key": made.secret})
        return
    note(text)
    typer.echo(made.secret)


def _print_key(context: typer.Context, key: Key, zone: tzinfo, budgets: Iterable[str] = (), *, json: bool) -> None:

    if json:
        print_json(key)
        return
    table = plain_table()
    table.show_header = False
    for label, value in (
        ("name", key.name),
        ("id", key.id),
        ("key", f"{key.prefix}…"),
        ("state", _state(key, SystemClock().now_us())),
        ("created", moment(key.created_us, zone)),
        ("expires", moment(key.expires_us, zone) if key.expires_us is not None else "never"),
        ("revoked", moment(key.revoked_us, zone)),
        ("models", _or_all(key.models)),
        ("endpoints", _or_all(key.endpoints)),
        ("upstreams", _or_all(key.upstreams)),
        ("tags", ", ".join(key.tags) or "-"),
        ("strict", "yes" if key.strict else "no"),
        ("caching", {True: "on", False: "off", None: "as the gateway"}[key.caches]),
        ("limits", ", ".join(shown_limits(key)) or "none"),
        *(("budget", line) for line in budgets),
    ):
        table.add_row(label, clean(value))
    console(context).print(table)


def _state(key: Key, now_us: int) -> str:
    if key.revoked_us is not None:
        return "revoked"
    if key.expires_us is not None and now_us >= key.expires_us:
        return "expired"
    return "owner" if key.owner else "live"


def _rights(key: Key) -> str:
    parts = [*key.models, *key.endpoints, *(f"@{name}" for name in key.upstreams)]
    return ", ".join(parts) or "everything"


def _or_all(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "all"


def _replaced(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(value for value in values if value)


def _named(name: str) -> str:

    if not name.strip() or not name.isprintable() or len(name) > 100:  # noqa: PLR2004  # a line on a screen
        raise Failure("a name is 1 to 100 printable characters", code=Exit.USAGE)
    if name.startswith("cw-"):
        raise Failure("a name may not begin with cw-, as keys themselves do", code=Exit.USAGE)
    return name.strip()


def _chosen(values: Iterable[str], known: Iterable[str], option: str) -> tuple[str, ...]:

    chosen, names = tuple(values), list(known)
    for value in chosen:
        if value not in names:
            raise Failure(f"{option}: there is no {value!r}", f"known: {', '.join(names)}", Exit.USAGE)
    return chosen
