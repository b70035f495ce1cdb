"""The state of the gateway and of its upstreams, as the process knows it.

Nothing here asks the ledger or an upstream. Used by server/admin/routes.
"""

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
    cooling, counts, observed = parts.status().cooling, parts.counts(), tuple(parts.windows())
    now_us = parts.clock.now_us()
    return Upstreams(
        upstreams=tuple(
            _upstream(
                place,
                counts.get(place.name) or Counts(),
                tuple(_cooling(mark, now_us) for mark in cooling if mark.upstream == place.name),
                tuple(window for window in observed if getattr(window, "upstream", None) == place.name),
            )
            for place in parts.upstreams()
        )
    )


def windows(parts: Parts, asked: Asked) -> Windows:  # noqa: ARG001
    """What was observed of subscriptions."""
    return Windows(windows=tuple(parts.windows()))


def _cooling(mark: Cooling, now_us: int) -> CoolingAnswer:
    return CoolingAnswer(
        model=mark.model, why=mark.why, until_us=now_us + int(mark.left_s * _S), left_s=mark.left_s, told=mark.told
    )


def _upstream(
    place: Place, counts: Counts, cooling: tuple[CoolingAnswer, ...], windows: tuple[object, ...]
) -> UpstreamAnswer:
    failure = None
    if counts.failed_us is not None:
        failure = LastFailure(at_us=counts.failed_us, why=counts.failure, status=counts.failure_status)
    has_failed_last = (counts.failed_us or 0) > (counts.succeeded_us or 0)
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
        if counts.succeeded_us is None
        else "well",
        last_success_us=counts.succeeded_us,
        last_failure=failure,
        answered=counts.answered,
        refused=counts.refused,
        failed=counts.failed,
        left=counts.left,
        cooling=cooling,
        windows=windows,
    )
