"""What a configuration decides: the walk, its prices, its limits. Made again at each reload.

All that can fail or takes long is done by `prepare`, in a thread; what it returns puts
everything in place within one turn of the loop (decision 0017).
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from clearway.config.check import is_loopback
from clearway.config.model import Config
from clearway.config.problems import ConfigError, Problem
from clearway.core.budget import parse_budget
from clearway.core.clock import Clock
from clearway.core.exchange import Endpoint, Wire
from clearway.core.secret import Secret
from clearway.core.usage import Billing, Cost, Usage
from clearway.gateway.bookkeeping import Books, Pricing
from clearway.gateway.chat import ChatSpoke
from clearway.gateway.objects.holds import Holds
from clearway.gateway.objects.serve import Objects
from clearway.gateway.pipeline import Gateway, Lasting, Settings
from clearway.gateway.responses import ResponsesSpoke
from clearway.gateway.route import Router
from clearway.gateway.thoughts import Thoughts
from clearway.gateway.translate import Settings as TranslationSettings
from clearway.gateway.translate import Spoke, Translator
from clearway.ledger.objects import OwnerTable
from clearway.ledger.writer import Writer
from clearway.limits.keeper import Ceilings, Keeper
from clearway.limits.keeper import Settings as LimitSettings
from clearway.limits.protocol import Estimate
from clearway.observe.alerts import Alerts
from clearway.observe.feed import LiveFeed
from clearway.observe.feeds import Feeds, Listener
from clearway.observe.logging import ExchangeLog
from clearway.observe.windows import Windows
from clearway.pricing.ceiling import NOTHING_COSTS, Ceiling, DearestRates
from clearway.pricing.cost import cost
from clearway.pricing.prices import PriceFileError, PriceList
from clearway.server.reload import Walks
from clearway.upstreams.counts import Counters
from clearway.upstreams.registry import Managed
from clearway.upstreams.webhooks import webhooks
from clearway.wire.hub.models import SHIPPED, AbilityTable


class Making(msgspec.Struct, frozen=True, kw_only=True):
    """What every walk is made of, whatever the configuration."""

    instance_id: str
    lasting: Lasting
    writer: Writer
    feed: LiveFeed
    listeners: tuple[Listener, ...]
    """Hear of what is over."""
    keeper: Keeper
    limits_changed: Callable[[], None]
    """Has the keeper take other settings; nothing before its first are loaded."""
    alerts: Alerts
    windows: Windows
    credentials: Callable[[Sequence[Managed]], Mapping[str, Secret]]
    """What the upstreams spend, by their names."""
    owners: OwnerTable
    holds: Holds
    secret: Secret
    """The installation's."""
    thoughts: Thoughts
    """What models thought."""
    counts: Counters
    """What each upstream has done."""
    environ: Mapping[str, str]
    clock: Clock

    def prepare(self, config: Config) -> Walks:
        """See `server.reload.Behind.prepare`."""
        prices = prices_of(config)
        receivers = webhooks(config, self.environ)
        settings = Settings(
            instance_id=self.instance_id,
            key_required=key_required(config),
            max_body=config.server.max_body,
            heartbeat_s=config.server.heartbeat_s,
            retries=config.retries,
        )
        limits, ceilings = limits_of(config), ceilings_of(prices)
        spokes: dict[Wire, Spoke] = {
            "chat": ChatSpoke(config.chat.reasoning),
            "responses": ResponsesSpoke(self.secret),
        }
        translation = TranslationSettings(
            abilities=abilities_of(config),
            secret=self.secret,
            names=config.chat.names,
            caches=config.chat.caches,
            total_s=config.server.timeouts.total_s,
        )

        def walk(upstreams: Sequence[Managed]) -> Gateway:
            self.alerts.adjust(config.usage.thresholds, receivers)
            self.windows.spend(self.credentials(upstreams))
            self.keeper.adjust(limits, ceilings)
            self.limits_changed()
            self.thoughts.adjust(room=config.chat.thoughts, lasts_s=config.chat.thoughts_s)
            log = ExchangeLog()
            books = Books(
                journal=self.writer,
                feed=Feeds(self.feed, (*self.listeners, log) if log.is_on else self.listeners),
                clock=self.clock,
                price=_pricing(prices),
                windows=self.windows,
                counters=self.counts,
                owners=self.owners,
            )
            router = Router(upstreams, config.models.aliases, _holders(config))
            objects = Objects(
                router=router,
                owners=self.owners,
                limiter=self.keeper,
                holds=self.holds,
                books=books,
                instance_id=self.instance_id,
                max_body=config.server.max_body,
                is_direct=not settings.key_required,
                has_files=any(upstream.files for upstream in config.upstreams),
            )
            return Gateway(
                settings,
                self.lasting,
                router=router,
                books=books,
                objects=objects,
                translator=Translator(translation, spokes, router, self.clock, self.thoughts),
            )

        return walk


def _holders(config: Config) -> dict[Endpoint, list[str]]:
    """Which upstreams may hold files and batches of keys."""
    return {
        "files": [upstream.name for upstream in config.upstreams if upstream.files],
        "batches": [upstream.name for upstream in config.upstreams if upstream.batches],
    }


def key_required(config: Config) -> bool:
    """Whether every request needs a key."""
    return not is_loopback(config.server.host) or config.server.behind_proxy


def prices_of(config: Config) -> PriceList:
    """The shipped list, and the owner's on top. Raises ConfigError."""
    prices = PriceList.shipped()
    if config.usage.prices:
        try:
            prices = prices.with_override(config.usage.prices)
        except PriceFileError as error:
            raise ConfigError(Problem(config.usage.prices, "usage.prices", str(error))) from error
    return prices


def abilities_of(config: Config) -> AbilityTable:
    """The shipped table of what models accept, and the owner's in front. Raises ConfigError."""
    shipped = SHIPPED.read_bytes()
    if not config.models.abilities:
        return AbilityTable(shipped)
    try:
        return AbilityTable(Path(config.models.abilities).expanduser().read_bytes(), shipped)
    except (OSError, ValueError) as error:
        raise ConfigError(Problem(config.models.abilities, "models.abilities", str(error))) from error


def limits_of(config: Config) -> LimitSettings:
    """What holds for everybody."""
    return LimitSettings(
        budgets=tuple(map(parse_budget, config.limits.budgets)),
        count_tokens_per_minute=config.limits.count_tokens_per_minute,
        zone=ZoneInfo(config.usage.timezone),
    )


def ceilings_of(prices: PriceList) -> Ceilings:
    """What the tokens of an estimate can cost at most."""
    dearest = DearestRates(prices)

    def ceilings(estimate: Estimate, at_us: int) -> Ceiling | None:
        if not estimate.model:
            return NOTHING_COSTS
        return dearest.find(
            estimate.model,
            at_us=at_us,
            input_tokens=estimate.input_tokens,
            writes_cache=estimate.writes_cache,
            is_plain=estimate.is_plain,
        )

    return ceilings


def _pricing(prices: PriceList) -> Pricing:
    def price(usage: Usage, model: str | None, *, at_us: int, billing: Billing) -> Cost:
        return cost(usage, model, at_us=at_us, billing=billing, prices=prices)

    return price
