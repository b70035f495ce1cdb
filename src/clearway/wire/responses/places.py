"""Where a client of Responses has what an upstream complains of. Pure.

Used by gateway/responses.
"""

from clearway.wire.hub.places import client_place
from clearway.wire.hub.typed import read
from clearway.wire.responses.request import Asking, marked

NAMES = {
    "max_tokens": ("max_output_tokens",),
    "system": ("instructions", "input"),
    "messages": ("input",),
    "thinking": ("reasoning",),
    "output_config.format": ("text", "tool_choice"),
    "output_config.effort": ("reasoning",),
    "metadata": ("safety_identifier", "user"),
    "tool_choice": ("tool_choice", "parallel_tool_calls"),
    "cache_control": ("cache_control", "prompt_cache_options"),
}
"""The client's members by those of Messages in which they are sent, the likeliest first."""


def param_of(place: str, body: bytes | bytearray, asking: Asking) -> str | None:
    """How the client would name a place of the request that was sent.

    Args:
        place: As the upstream names it.
        body: The client's request, which was translated before.
        asking: What it was translated with.
    """
    fields = read(body)
    given = dict(fields)  # whoever translates may use parts of them up
    return client_place(place, marked(fields, asking), given, NAMES)
