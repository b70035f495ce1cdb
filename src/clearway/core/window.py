"""What an answer says about one window: a subscription's rolling limit, observed.

Fractions are whole millionths, so that both databases and all sums agree on them.
Made by wire/messages, kept by observe/windows and the ledger.
"""

import msgspec

MILLION = 1_000_000


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One window as one answer tells it; None: it does not say."""

    window: str
    """As the header fields spell it: `5h`, `7d`, `7d_opus`, `overage`; any other is kept as it came."""
    status: str | None = None
    """`allowed`, `allowed_warning`, `rejected`; an open list."""
    utilization_ppm: int | None = None
    """Used part in millionths; may be over a million."""
    resets_us: int | None = None
    threshold_ppm: int | None = None
    """The highest threshold of its own that the provider says is passed."""
    is_claim: bool = False
    """The provider names it as the one that decides."""
    notes: dict[str, str] = {}
    """What else was said of it, by the rest of the field's name: `disabled-reason`."""
