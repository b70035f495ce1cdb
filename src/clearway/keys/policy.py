"""What a key may do: pure judgement over plain values.

Owns the rules of expiry, revocation and allowed names; it does not look keys up,
count requests or know money. Used by gateway/authenticate, gateway/admit, gateway/route.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase

import msgspec

from clearway.keys.model import Key, KeySecret


class Allow(msgspec.Struct, frozen=True):
    """Go on."""


class Deny(msgspec.Struct, frozen=True):
    """Stop here, and why."""

    reason: str
    """Lower case, no full stop; safe to show to the client."""
    hint: str = ""
    """What to do next."""


Verdict = Allow | Deny

ALLOW = Allow()


def judge(key: Key, secret: KeySecret, now_us: int) -> Verdict:
    """Whether the key is in force at `now_us`, and this secret of it. It ends at its expiry, not after it."""
    if isinstance(verdict := judge_key(key, now_us), Deny):
        return verdict
    if _is_over(secret.expires_us, now_us):
        return Deny("this secret was replaced when its key was rotated", "use the key's newer secret")
    return ALLOW


def judge_key(key: Key, now_us: int) -> Verdict:
    """Likewise, whatever its secret."""
    if key.revoked_us is not None:
        return Deny(f"the key {key.prefix}… was revoked", "ask the owner of the gateway for a new key")
    if _is_over(key.expires_us, now_us):
        return Deny(f"the key {key.prefix}… has expired", "ask the owner of the gateway to extend it")
    return ALLOW


def may(
    key: Key, *, endpoint: str | None = None, models: Iterable[str | None] = (), upstream: str | None = None
) -> Verdict:
    """Whether the key allows all that is named; what is None is not asked about.

    Args:
        key: The key, already found to be in force.
        endpoint: `messages`, `count_tokens`, `models`, `files`, `batches` or `relay`; a key for `metrics`
            alone allows none of them.
        models: Every name that the request's model has: as asked for, as sent.
            One of them must match: only the owner makes aliases, so a key that
            names either the alias or its target was meant to be able to use it.
        upstream: Name of the upstream that would be used.
    """
    if endpoint is not None and key.endpoints and endpoint not in key.endpoints:
        return Deny(f"this key may not use the endpoint {endpoint!r}", f"it may use: {_listed(key.endpoints)}")
    names = [model for model in models if model is not None]
    if names and not any(allows_model(key, name) for name in names):
        return Deny(f"this key may not use the model {names[0]!r}", f"it may use: {_listed(key.models)}")
    if upstream is not None and not allows_upstream(key, upstream):
        return Deny(f"this key may not use the upstream {upstream!r}", f"it may use: {_listed(key.upstreams)}")
    return ALLOW


def may_read_metrics(key: Key) -> Verdict:
    """Whether the key opens `/metrics`: an owner's does, and one that names it among its endpoints."""
    if "metrics" in key.endpoints or (key.owner and not key.endpoints):
        return ALLOW
    hint = "it takes an owner key, or one made for it: clearway keys create NAME --endpoint metrics"
    return Deny("this key may not read the metrics", hint)


def allows_model(key: Key, model: str) -> bool:
    """Whether one of the key's patterns matches; a key without patterns allows all."""
    return not key.models or any(fnmatchcase(model, pattern) for pattern in key.models)


def allows_upstream(key: Key, upstream: str) -> bool:
    """Whether the key names the upstream, or names none."""
    return not key.upstreams or upstream in key.upstreams


def _is_over(ends_us: int | None, now_us: int) -> bool:
    return ends_us is not None and now_us >= ends_us


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
