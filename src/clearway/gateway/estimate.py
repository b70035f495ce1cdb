"""What an attempt might use, estimated high from the request's bytes.

Asked only where a limit or budget holds. The prompt is measured by its bytes, as
counting its tokens would take another request. Used by gateway/send.
"""

import re
from typing import Literal

from clearway.core.usage import Billing
from clearway.gateway.admit import Walk
from clearway.gateway.route import Target
from clearway.limits.protocol import OUTPUT_SLICE, Estimate

_BYTES_PER_TOKEN_LOW = 2.5
_ESCAPE = rb"\u00"
_ESCAPED_LETTER = re.compile(rb"\\u00[67]")
# Members that can make a token dearer.
_SPEED, _GEO = b'"speed"', b'"inference_geo"'
_Ttl = Literal["no", "5m", "1h"]


def estimate_of(walk: Walk, target: Target, billing: Billing) -> Estimate:
    """The estimate for one attempt."""
    if walk.call.endpoint != "messages":
        # Not metered: all that can be asked is whether something is left.
        return Estimate(model=None, input_tokens=0, output_tokens=1, billing=billing)
    asked = walk.asked
    body = asked.plain
    peek = asked.peek
    most = peek.max_tokens or OUTPUT_SLICE
    # Letters can be written as escapes, also those of a member's name.
    at = body.find(_ESCAPE)
    is_escaped = at >= 0 and _ESCAPED_LETTER.search(body, at) is not None
    return Estimate(
        model=target.model,
        input_tokens=int(len(body) / _BYTES_PER_TOKEN_LOW),
        output_tokens=OUTPUT_SLICE if peek.stream and most > OUTPUT_SLICE else most,
        most_output=peek.max_tokens,
        billing=billing,
        writes_cache="1h" if is_escaped else _ttl(body),
        is_plain=not is_escaped and body.find(_SPEED) < 0 and body.find(_GEO) < 0,
        is_stream=bool(peek.stream),
    )


def _ttl(body: bytes | bytearray) -> _Ttl:
    if body.find(b'"cache_control"') < 0:
        return "no"
    return "5m" if body.find(b'"1h"') < 0 else "1h"
