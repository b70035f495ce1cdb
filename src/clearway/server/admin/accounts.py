"""The state of the gateway and of its upstreams, as the process knows it.

Only what was heard of an upstream before this process began comes from the ledger; no
upstream is asked. Used by server/admin/routes.
"""

from collections.abc import Mapping

from clearway.ledger.administration import LastHeard
from clearway.ledger.protocol import LedgerError
from clearway.observe.protocol import Cooling
from clearway.server.admin.answers import CoolingAnswer, LastFailure, StatusAnswer, UpstreamAnswer, Upstreams, Windows
from clearway.server.admin.parts import Asked, Parts, Place
from clearway.upstreams.counts import Counts

_S = 1_000_000


def status(parts: Parts, asked: Asked) -> StatusAnswer:  # noqa: ARG001  # the form of handlers
    """This gateway."""
    told = parts.status()
    return StatusAnswer(
        version=told.version,
        instance_id=told.instance_id,
        started_us=told.started_us,
        now_us=parts.clock.now_us(),
        healthy=told.healthy,
        open_exchanges=told.open_exchanges,
    )


def upstreams(parts: Parts, asked: Asked) -> Upstreams:  # noqa: ARG001
    """All upstreams, in the configuration's order."""
    told, counts, observed = parts.status(), parts.counts(), tuple(parts.windows())
    before, now_us = _heard_before(parts), parts.clock.now_us()
    return Upstreams(
        counted_since_us=told.started_us,
        upstreams=tuple(
            _upstream(
                place,
                counts.get(place.name) or Counts(),
                before.get(place.name) or LastHeard(),
                tuple(_cooling(mark, now_us) for mark in told.cooling if mark.upstream == place.name),
                tuple(window for window in observed if getattr(window, "upstream", None) == place.name),
            )
            for place in parts.upstreams()
        ),
    )


def _heard_before(parts: Parts) -> Mapping[str, LastHeard]:
    try:
        return parts.desk.last_heard()
    except LedgerError:
        # What the process knows itself is told all the same.
        return {}


def windows(parts: Parts, asked: Asked) -> Windows:  # noqa: ARG001
    """What was observed of subscriptions."""
    return Windows(windows=tuple(parts.windows()))


def _cooling(mark: Cooling, now_us: int) -> CoolingAnswer:
    return CoolingAnswer(
        model=mark.model, why=mark.why, until_us=now_us + int(mark.left_s * _S), left_s=mark.left_s, told=mark.told
    )


def _upstream(
    place: Place, counts: Counts, before: LastHeard, cooling: tuple[CoolingAnswer, ...], windows: tuple[object, ...]
) -> UpstreamAnswer:
    failure = None
    failed = counts if counts.failed_us is not None else before
    if failed.failed_us is not None:
        failure = LastFailure(at_us=failed.failed_us, why=failed.failure, status=failed.failure_status)
    succeeded_us = before.succeeded_us if counts.succeeded_us is None else counts.succeeded_us
    has_failed_last = (failed.failed_us or 0) > (succeeded_us or 0)
    return UpstreamAnswer(
        name=place.name,
        kind=place.kind,
        base_url=place.base_url,
        models=place.models,
        state="cooling"
        if any(mark.model is None for mark in cooling)
        else "limited"
        if cooling
        else "failing"
        if has_failed_last
        else "unused"
        if succeeded_us is None
        else "well",
        last_success_us=succeeded_us,
        last_failure=failure,
        answered=counts.answered,
        refused=counts.refused,
        failed=counts.failed,
        left=counts.left,
        cooling=cooling,
        windows=windows,
    )
