"""Ids of responses and of their items: derived, so that the same answer has the same ones. Pure.

Source: the form that the recorded answers of OpenAI's have (`resp_`, `msg_`, `rs_`, `fc_`,
`ctc_`, `ws_`; read 2026-11-27). Used by the modules beside it.
"""

import hashlib

from clearway.wire.hub.ids import clean_id


def response_id(message_id: str) -> str:
    """The id of a response, from that of the message without its prefix."""
    return f"resp_{clean_id(message_id)}"


def item_id(prefix: str, message_id: str, index: int) -> str:
    """The id of the item at `index` of the output."""
    mark = hashlib.sha256(f"{message_id}\0{index}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"{prefix}_{mark[:40]}"
