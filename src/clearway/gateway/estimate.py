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
# Letters can be written as escapes, also those of a member's name.
_ESCAPED_LETTER = re.compile(rb"\\u00[67]")
_DEARER = (b'"speed"', b'"inference_geo"')
_Ttl = Literal["no", "5m", "1h"]


def estimate_of(walk: Walk, target: Target, billing: Billing) -> Estimate:
    """The estimate for one attempt."""
    if walk.call.endpoint != "messages":
        # Not metered: all that can be asked is whether something is left.
        return Estimate(model=None, input_tokens=0, output_tokens=1, billing=billing)
    asked = walk.asked
    body = asked.plain
    most = asked.peek.max_tokens or OUTPUT_SLICE
    is_escaped = _ESCAPED_LETTER.search(body) is not None
    return Estimate(
        model=target.model,
        input_tokens=int(len(body) / _BYTES_PER_TOKEN_LOW),
        output_tokens=min(most, OUTPUT_SLICE) if asked.peek.stream else most,
        most_output=asked.peek.max_tokens,
        billing=billing,
        writes_cache="1h" if is_escaped else _ttl(body),
        is_plain=not is_escaped and all(body.find(name) < 0 for name in _DEARER),
        is_stream=bool(asked.peek.stream),
    )


def _ttl(body: bytes | bytearray) -> _Ttl:
    if body.find(b'"cache_control"') < 0:
        return "no"
    return "5m" if body.find(b'"1h"') < 0 else "1h"
