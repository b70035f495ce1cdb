"""Who is calling, in every combination of headers."""

import msgspec
import pytest

from clearway.core.clock import SystemClock
from clearway.core.errors import NotAuthenticated
from clearway.gateway.authenticate import Caller, authenticate
from clearway.gateway.wrong_keys import WrongKeys
from clearway.keys.model import Key, KeySecret
from clearway.keys.secret import digest, display_prefix, generate

NOW = 1_000_000
LOGIN = b"Bearer sk-ant-oat01-dummy"
API = b"sk-ant-api03-dummy"


class Ring:
    """Keys in memory."""

    def __init__(self) -> None:
        self.secrets: dict[bytes, tuple[Key, KeySecret]] = {}

    def add(self, name: str, **changes: object) -> bytes:
        """A key that is in force; returns its secret."""
        secret = generate()
        part = KeySecret(hash=digest(secret), key_id=name, expires_us=changes.pop("secret_expires_us", None))  # type: ignore[arg-type]
        key = Key(id=name, name=name, prefix=display_prefix(secret), created_us=0)
        self.secrets[part.hash] = msgspec.structs.replace(key, **changes), part
        return secret.encode()

    def by_id(self, key_id: str) -> Key | None:
        """The key with this id."""
        return next((key for key, _ in self.secrets.values() if key.id == key_id), None)

    def find(self, secret_hash: bytes) -> tuple[Key, KeySecret] | None:
        """As the real one."""
        return self.secrets.get(secret_hash)


@pytest.fixture
def ring() -> Ring:
    """An empty ring."""
    return Ring()


def call(ring: Ring, *headers: tuple[bytes, bytes], key_required: bool = False) -> Caller:
    """Authenticate a request."""
    wrong = WrongKeys(SystemClock(), 0)
    return authenticate(headers, ring, now_us=NOW, key_required=key_required, wrong=wrong, source="192.0.2.1")


@pytest.mark.parametrize("name", [b"x-clearway-key", b"x-api-key"])
def test_a_key_alone(ring: Ring, name: bytes) -> None:
    """Found by its hash, in either header."""
    caller = call(ring, (name, ring.add("ada")))

    assert caller.key is not None
    assert (caller.key.name, caller.credential) == ("ada", "none")


def test_a_key_as_bearer(ring: Ring) -> None:
    """New SDKs send every key that way."""
    for scheme in (b"Bearer ", b"bearer ", b"BEARER  "):
        caller = call(ring, (b"authorization", scheme + ring.add(f"k{scheme.decode()}")))

        assert caller.key is not None
        assert caller.credential == "none"


def test_a_login_beside_a_key(ring: Ring) -> None:
    """The key identifies, the login pays."""
    caller = call(ring, (b"authorization", LOGIN), (b"x-clearway-key", ring.add("ada")))

    assert caller.key is not None
    assert (caller.credential, caller.billing) == ("subscription", "plan")


def test_a_key_in_one_field_and_an_api_key_in_the_other(ring: Ring) -> None:
    """Either way round."""
    secret = ring.add("ada")
    for headers in (
        ((b"x-api-key", secret), (b"authorization", b"Bearer " + API)),
        ((b"x-api-key", API), (b"authorization", b"Bearer " + secret)),
    ):
        caller = call(ring, *headers)

        assert caller.key is not None
        assert (caller.credential, caller.billing) == ("api", "billed")


def test_the_own_header_comes_first(ring: Ring) -> None:
    """`x-clearway-key`, then `x-api-key`, then bearer."""
    first, second, third = ring.add("first"), ring.add("second"), ring.add("third")
    everything = ((b"authorization", b"Bearer " + third), (b"x-api-key", second), (b"x-clearway-key", first))
    names = []
    for headers in (everything, everything[:2], everything[:1]):
        key = call(ring, *headers).key
        names.append(key.name if key else None)

    assert names == ["first", "second", "third"]


def test_foreign_credentials_alone(ring: Ring) -> None:
    """They are told apart by their prefix and never looked up."""
    assert call(ring, (b"authorization", LOGIN)) == Caller(None, "subscription")
    assert call(ring, (b"authorization", b"Bearer " + API)) == Caller(None, "api")
    assert call(ring, (b"x-api-key", API)) == Caller(None, "api")
    assert call(ring, (b"x-api-key", b"anything")) == Caller(None, "api")
    assert call(ring) == Caller(None, "none")
    assert call(ring, (b"x-api-key", b"  ")) == Caller(None, "none")


def refusals(ring: Ring) -> dict[str, tuple[tuple[bytes, bytes], ...]]:
    """Requests that are refused, by a word of the refusal."""
    secret = ring.add("ada")
    typo = secret[:10] + (b"x" if secret[10:11] != b"x" else b"y") + secret[11:]
    return {
        "checksum": ((b"x-api-key", typo),),
        "not known": ((b"x-api-key", generate().encode()),),
        "was revoked": ((b"x-api-key", ring.add("gone", revoked_us=NOW - 1)),),
        "has expired": ((b"x-api-key", ring.add("old", expires_us=NOW)),),
        "was replaced": ((b"x-api-key", ring.add("rotated", secret_expires_us=NOW)),),
        "holds no Clearway key": ((b"x-clearway-key", API), (b"x-api-key", secret)),
        "mistyped": ((b"authorization", b"Bearer cw-"),),
    }


@pytest.mark.parametrize(
    "word",
    ["checksum", "not known", "was revoked", "has expired", "was replaced", "holds no Clearway key", "mistyped"],
)
def test_refused(ring: Ring, word: str) -> None:
    """A bad key of ours is a local 401, also where a good login stands beside it."""
    headers = refusals(ring)[word]
    for request in (headers, (headers[0], (b"authorization", LOGIN))):
        with pytest.raises(NotAuthenticated, match=word) as raised:
            call(ring, *request)

        assert not any(value.decode() in raised.value.sentence for _, value in headers)


def test_where_a_key_is_required_a_login_is_not_enough(ring: Ring) -> None:
    """Off loopback, or behind a proxy."""
    with pytest.raises(NotAuthenticated, match="needs a Clearway key"):
        call(ring, (b"authorization", LOGIN), key_required=True)

    caller = call(ring, (b"authorization", LOGIN), (b"x-clearway-key", ring.add("ada")), key_required=True)

    assert caller.key is not None
