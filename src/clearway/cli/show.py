"""`clearway show`: everything about one exchange, laid out for reading."""

from datetime import tzinfo
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.text import Text

from clearway.cli import figures, words
from clearway.cli.access import open_ledger
from clearway.cli.clean import clean
from clearway.cli.exchange_line import payer, prompt_tokens
from clearway.cli.itemize import Item, items_of
from clearway.cli.options import AsJson, load_config
from clearway.cli.screen import console, note, plain_table, print_json
from clearway.config.model import Config
from clearway.ledger.protocol import AttemptRow, ExchangeDetail, ExchangeRow
from clearway.pricing.prices import PriceFileError, PriceList

_LABEL = 16
_HEAD = 3
"""Lines of an attempt that its exchange does not have."""
_BILLING = {
    "billed": "billed to the API account",
    "plan": "paid by a subscription; the list price is an estimate",
    "simulated": "simulated; nobody pays",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("show")(show)


def show(
    context: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="ID", help="Id of an exchange, or its beginning (13 characters).")],
    *,
    json: AsJson = False,
) -> None:
    """Show everything about one exchange."""
    config = load_config(context).config
    with open_ledger(config) as ledger:
        detail = ledger.exchange(ref)
    if json:
        print_json(detail)
        return
    print_detail(console(context), detail, ZoneInfo(config.usage.timezone), price_list(config))


def price_list(config: Config) -> PriceList:
    """The prices in force; the shipped ones alone where the owner's file is broken."""
    try:
        prices = PriceList.shipped()
        return prices.with_override(Path(config.usage.prices)) if config.usage.prices else prices
    except PriceFileError as error:
        note(f"{error}; using the shipped prices")
        return PriceList.shipped()


def print_detail(screen: Console, detail: ExchangeDetail, zone: tzinfo, prices: PriceList) -> None:
    """Print it in parts: what was asked, what came, the times, the money, each try."""
    row = detail.exchange
    screen.print(Text.assemble(("exchange ", "bold"), clean(row.id), "  ", (words.result(row), words.style(row))))
    _section(screen, "request", _request(row, zone))
    _section(screen, "answer", _answer(row))
    _section(screen, "time", _times(row, zone))
    _print_usage(screen, row, prices)
    for attempt in detail.attempts:
        title = f"attempt {attempt.number} of {len(detail.attempts)}"
        # A single try is told by the exchange already.
        told = _attempt(attempt, zone) if len(detail.attempts) > 1 else _attempt(attempt, zone)[:_HEAD]
        _section(screen, title, told, result=(words.result(attempt), words.style(attempt)))


def _request(row: ExchangeRow, zone: tzinfo) -> list[tuple[str, object]]:
    client = f"{row.client_name} {row.client_version or ''}" if row.client_name else None
    return [
        ("when", f"{figures.moment(row.admitted_us, zone)} {zone}"),
        ("what", f"{row.method} {row.path}  ({row.wire}, {row.endpoint})"),
        ("who", payer(row)),
        ("client", client),
        ("model", row.request_model),
        ("stream", None if row.stream is None else "yes" if row.stream else "no"),
        ("size", figures.size(row.request_bytes)),
        ("session", row.session_id),
        ("agent", row.agent_id),
        ("parent agent", row.parent_agent_id),
        ("run", row.run_id),
        ("client's id", row.client_request_id),
    ]


def _answer(row: ExchangeRow | AttemptRow) -> list[tuple[str, object]]:
    served = row.response_model
    return [
        ("outcome", row.outcome or "running"),
        ("status", row.status),
        ("error", " / ".join(part for part in (row.error_code, row.error_type) if part) or None),
        ("upstream", f"{row.upstream} ({row.kind})" if row.upstream else None),
        ("model", served),
        ("stop reason", row.stop_reason),
        ("size", figures.size(row.response_bytes) if row.outcome is not None else None),
        ("message id", row.response_id),
        ("upstream's id", row.upstream_request_id),
        ("service tier", row.service_tier),
        ("speed", row.speed),
        ("geography", row.inference_geo),
    ]


def _times(row: ExchangeRow, zone: tzinfo) -> list[tuple[str, object]]:
    speed = None
    if row.output_tokens and row.total_us and row.first_token_us is not None and row.total_us > row.first_token_us:
        speed = f"{row.output_tokens * 1_000_000 / (row.total_us - row.first_token_us):.1f} tokens/s after the first"
    return [
        ("first byte", figures.span(row.first_byte_us) if row.first_byte_us is not None else None),
        ("first token", figures.span(row.first_token_us) if row.first_token_us is not None else None),
        ("total", figures.span(row.total_us) if row.total_us is not None else None),
        ("speed", speed),
        ("ended", figures.moment(row.ended_us, zone) if row.ended_us is not None else None),
    ]


def _attempt(attempt: AttemptRow, zone: tzinfo) -> list[tuple[str, object]]:
    told = dict(_answer(attempt))
    spent = attempt.cost_nano if attempt.cost_nano is not None else attempt.estimate_nano
    return [
        ("started", figures.moment(attempt.started_us, zone)),
        ("upstream", told["upstream"]),
        ("sent as", attempt.model),
        *((name, told[name]) for name in ("outcome", "status", "error", "model", "stop reason", "upstream's id")),
        ("first byte", figures.span(attempt.first_byte_us) if attempt.first_byte_us is not None else None),
        ("total", figures.span(attempt.total_us) if attempt.total_us is not None else None),
        ("prompt", figures.whole(prompt_tokens(attempt)) if prompt_tokens(attempt) is not None else None),
        ("output", figures.whole(attempt.output_tokens) if attempt.output_tokens is not None else None),
        ("cost", figures.exact_money(spent) if spent is not None else None),
    ]


def _print_usage(screen: Console, row: ExchangeRow, prices: PriceList) -> None:
    if row.output_tokens is None and row.input_tokens is None:
        return
    items = items_of(row, row.admitted_us, prices)
    several = len({item.model for item in items}) > 1
    screen.print("\nusage and price", style="bold")
    table = plain_table()
    table.show_header = True
    for title in (*(("MODEL",) if several else ()), "KIND"):
        table.add_column(title)
    for title in ("COUNT", "RATE", "COST"):
        table.add_column(title, justify="right")
    for item in items:
        cells = (clean(item.model),) if several else ()
        table.add_row(*cells, item.kind, figures.whole(item.count), _rate(item), figures.exact_money(item.nano))
    screen.print(table)
    _section(screen, "", _money(row, items, prices))


def _money(row: ExchangeRow, items: list[Item], prices: PriceList) -> list[tuple[str, object]]:
    stored = row.cost_nano if row.cost_nano is not None else row.estimate_nano
    parts = [item.nano for item in items]
    differs = (
        stored is not None
        and all(part is not None for part in parts)
        and abs(stored - sum(part or 0 for part in parts)) > len(parts)
    )
    label = "cost" if row.billing in {"billed", None} else "≈ at list price"
    cached = figures.share(row.cache_read_tokens, prompt_tokens(row))
    return [
        ("whole prompt", f"{figures.whole(prompt_tokens(row))} tokens, {cached} from the cache"),
        ("of the output", f"{figures.whole(row.thinking_tokens)} tokens thinking" if row.thinking_tokens else None),
        (label, "unknown: this model has no known price" if row.unpriced else figures.exact_money(stored)),
        ("billing", _BILLING.get(row.billing or "")),
        ("prices", row.price_version),
        ("note", "the output is an estimate: the answer broke off" if row.estimated else None),
        ("note", f"the rates above are of today's prices ({prices.version}); they lead elsewhere" if differs else None),
    ]


def _rate(item: Item) -> str:
    if item.rate is None:
        return "unknown"
    unit = "per million" if item.per == 1_000_000 else "per thousand"  # noqa: PLR2004  # the two units
    factor = f" x {item.permille / 1000:g}" if item.permille != 1000 else ""  # noqa: PLR2004  # plain
    return f"{figures.exact_money(item.rate)} {unit}{factor}"


def _section(
    screen: Console, title: str, pairs: list[tuple[str, object]], *, result: tuple[str, str] | None = None
) -> None:
    """Labels and values; what is not known is left out, and so is a section without any."""
    if title and any(value is not None for _, value in pairs):
        screen.print(Text.assemble("\n", (title, "bold"), *(("  ", result) if result else ())))
    for label, value in pairs:
        if value is not None:
            screen.print(Text.assemble("  ", (f"{label:<{_LABEL}}", "dim"), clean(value)))
