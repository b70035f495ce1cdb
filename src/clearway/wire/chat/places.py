"""Where a client of Chat Completions has what an upstream complains of. Pure.

Used by gateway/chat.
"""

from clearway.wire.chat.request import Asking, marked
from clearway.wire.hub.places import client_place
from clearway.wire.hub.typed import read

NAMES = {
    "max_tokens": ("max_completion_tokens", "max_tokens"),
    "system": ("messages",),
    "thinking": ("thinking", "reasoning_effort", "reasoning"),
    "output_config.format": ("response_format", "output_config", "tool_choice"),
    "output_config.effort": ("reasoning_effort", "reasoning", "output_config"),
    "stop_sequences": ("stop",),
    "metadata": ("safety_identifier", "user"),
    "tools": ("tools", "functions", "web_search_options"),
    "tool_choice": ("tool_choice", "function_call", "parallel_tool_calls"),
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
