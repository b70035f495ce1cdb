"""One gateway for a module, and those who may ask it."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from clearway.keys.model import KeySpec
from tests.admin.door import HELLO, Door, ledger, new_key, settled, signed_in, with_key
from tests.gateway_process import SIM, GatewayProcess

# Here many keys are wrong on purpose.
UNCOUNTED = "[server]\nwrong_keys_per_minute = 0\n" + SIM


@dataclass(frozen=True)
class House:
    """A gateway with a simulated model, and its keys."""

    gateway: GatewayProcess
    owner: str
    client: str
    revoked: str
    expired: str

    @property
    def url(self) -> str:
        """Where it is."""
        return self.gateway.url

    @property
    def door(self) -> Door:
        """For its owner."""
        return with_key(self.gateway, self.owner)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway that has served a little."""
    with GatewayProcess(tmp_path_factory.mktemp("house"), UNCOUNTED) as gateway:
        owner = new_key(gateway, "boss", owner=True)
        door = with_key(gateway, owner)
        client = new_key(gateway, "client")
        revoked = new_key(gateway, "former", owner=True)
        ledger(gateway).revoke_key("former")
        expired = ledger(gateway).create_key(KeySpec(name="over", owner=True, expires_us=1)).secret
        for secret in (owner, client, client):
            assert 200 == with_key(gateway, secret).ask("POST", "/v1/messages", HELLO).status
        settled(door, 3)
        yield House(gateway, owner, client, revoked, expired)


@pytest.fixture
def page(house: House) -> Door:
    """A browser with a session of its own: a change of the password ends those that there were."""
    return signed_in(house.gateway)
