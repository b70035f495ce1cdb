"""A URL taken into its parts, without ever being repeated: it may hold a password.

Pure. Used by `proxies` and by upstreams/http/address.
"""

from urllib.parse import SplitResult, urlsplit


def split_url(url: str) -> SplitResult:
    """The parts; `port` can be asked for without an error.

    Raises:
        ValueError: It is none; the text says why, without a subject and without the URL.
    """
    if any(character <= " " or character == "\x7f" for character in url):
        raise ValueError("holds white space or control characters")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        # Not chained: the text of urlsplit's error can repeat user-info.
        raise ValueError("is not a valid URL") from None
    return parts
