"""Ids of calls as Messages takes them: `^[A-Za-z0-9_-]+$`. Pure.

The same function for a call and its result, so that both still fit; two ids never become one.
"""

import hashlib
import re

_BAD = re.compile(r"[^A-Za-z0-9_-]")


def clean_id(given: str) -> str:
    """The id itself where it may be sent as it is."""
    if given and not _BAD.search(given):
        return given
    mark = hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{_BAD.sub('_', given)}_{mark}"
