"""Settings as they may be shown: without a password in a URL.

Pure. Used by `config show` and by what tells of changes.
"""

from urllib.parse import urlsplit, urlunsplit

from clearway.config.proxies import masked


def _host_of(url: str) -> str:
    """Of a webhook's URL only where it leads: its path can be what lets a message in."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "***"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/***"


def masked_value(setting: str, value: object) -> object:
    """The value of a dotted setting without what only its owner should see."""
    if setting.endswith(".proxy") and isinstance(value, str):
        return masked(value)
    if setting.endswith(".webhooks") and isinstance(value, tuple):
        return tuple(_host_of(str(url)) for url in value)
    if setting.endswith("url") and isinstance(value, str):
        parts = urlsplit(value)
        user, at, host = parts.netloc.rpartition("@")
        shown = f"{user.partition(':')[0]}{':***' if ':' in user else ''}{at}{host}"
        return urlunsplit(parts._replace(netloc=shown, query="***" if parts.query else ""))
    return value
