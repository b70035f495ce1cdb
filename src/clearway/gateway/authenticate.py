"""Who is calling: before the body is read, so that strangers cost nothing.

The prefix `cw-` alone makes a credential ours, wherever it stands. A foreign
one is never looked up as a key. The credential decides who pays.
"""

from typing import Literal

import msgspec

from clearway.core.errors import NotAuthenticated
from clearway.core.fields import Headers
from clearway.core.usage import Billing
from clearway.gateway.headers import is_ours
from clearway.gateway.wrong_keys import WrongKeys
from clearway.keys import policy
from clearway.keys.model import Key
from clearway.keys.secret import digest, is_wellformed
from clearway.ledger.protocol import KeyRing

Credential = Literal["none", "api", "subscription"]
"""What the client brought of its own. `subscription`: an OAuth login (`sk-ant-oat`)."""

_PLACES = (b"x-clearway-key", b"x-api-key", b"authorization")
_LONGEST = 128
"""More than twice a key."""
_NEW_KEY = "ask the gateway's owner for a new one: clearway keys create NAME"


class Caller(msgspec.Struct, frozen=True):
    """Who is calling and what they may spend."""

    key: Key | None
    credential: Credential

    @property
    def billing(self) -> Billing:
        """Who is charged for what goes through with the client's own credential."""
        return "plan" if self.credential == "subscription" else "billed"


def authenticate(  # what there is to go by
    headers: Headers, ring: KeyRing, *, now_us: int, key_required: bool, wrong: WrongKeys, source: str
) -> Caller:
    """Find the key and tell the kind of the client's own credential.

    Args:
        headers: The request's, names in lower case.
        ring: The keys in force.
        now_us: The time, for expiry.
        key_required: A client without a key is refused, whatever else it brings.
        wrong: Counts wrong keys.
        source: Where the request comes from.

    Raises:
        NotAuthenticated: A key of ours that is wrong, expired or revoked; no key
            where one is required.
        LimitExceeded: Too many wrong keys came from the source.
    """
    ours: dict[bytes, bytes] = {}
    credential: Credential = "none"
    for name, value in headers:
        if name not in _PLACES or not value.strip():
            continue
        if is_ours(value):
            ours.setdefault(name, value)
        elif name == b"x-clearway-key":
            raise NotAuthenticated("x-clearway-key holds no Clearway key", hint="keys begin with cw-")
        elif credential != "subscription":
            credential = _kind(value)
    secret = next((ours[name] for name in _PLACES if name in ours), None)
    if secret is None:
        if key_required:
            hint = "send one in x-clearway-key, x-api-key or as a bearer token; make one: clearway keys create NAME"
            raise NotAuthenticated("this gateway needs a Clearway key for every request", hint=hint)
        return Caller(None, credential)
    return Caller(_find(secret, ring, now_us, wrong, source), credential)


def _kind(value: bytes) -> Credential:
    bare = value.rsplit(b" ", 1)[-1]
    return "subscription" if bare.startswith(b"sk-ant-oat") else "api"


def _find(value: bytes, ring: KeyRing, now_us: int, wrong: WrongKeys, source: str) -> Key:
    secret = value.decode("latin-1").strip().rsplit(" ", 1)[-1]
    # Nothing that is longer than a key is one: its beginning will do to count it.
    secret_hash = digest(secret[:_LONGEST])
    wrong.check(source, secret_hash)
    found = ring.find(secret_hash)
    if found is None:
        wrong.was_wrong(source, secret_hash)
        # The checksum only tells a typo from an unknown key: no need to look before.
        if not is_wellformed(secret):
            raise NotAuthenticated("the Clearway key is mistyped: its checksum is wrong", hint="copy it again, whole")
        raise NotAuthenticated("this Clearway key is not known here", hint=_NEW_KEY)
    key, part = found
    verdict = policy.judge(key, part, now_us)
    if isinstance(verdict, policy.Deny):
        wrong.was_wrong(source, secret_hash)
        raise NotAuthenticated(verdict.reason, hint=verdict.hint)
    wrong.was_right(source, secret_hash)
    return key
