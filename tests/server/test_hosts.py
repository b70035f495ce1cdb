"""`Host` must name this gateway, or a page elsewhere could speak to it."""

import pytest

from clearway.config.check import is_loopback
from clearway.config.model import Server
from clearway.core.errors import WrongHost
from clearway.server.hosts import Hosts
from clearway.server.listen import UnsafeBind, check_bind

OURS = [b"127.0.0.1", b"127.0.0.1:8317", b"localhost:1", b"LOCALHOST", b"[::1]:8317", b"claude.lan:8317"]
FOREIGN = [
    b"",
    b"evil.example",
    b"127.0.0.1.evil.example",
    b"localhost.evil.example:8317",
    b"127.0.0.1:8317@evil.example",
    b"localhost:99999999",
    b"localhost:x",
    b"::1",
    b"[::1",
    b"0.0.0.0",
    b"2130706433",
    b"127.1",
    b"localhost, evil.example",
    b"localhost ",
    b"local\xffhost",
]


@pytest.mark.parametrize("value", OURS)
def test_ours(value: bytes) -> None:
    """Loopback names and configured ones, with any port."""
    Hosts("127.0.0.1", ["claude.lan"]).check([(b"accept", b"*/*"), (b"host", value)])


@pytest.mark.parametrize("value", FOREIGN)
def test_foreign(value: bytes) -> None:
    """Everything else is for somebody else."""
    with pytest.raises(WrongHost):
        Hosts("127.0.0.1", ["claude.lan"]).check([(b"host", value)])


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_may_be_listened_on(host: str) -> None:
    """Only this machine reaches it."""
    assert is_loopback(host)
    check_bind(Server(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "10.0.0.1", "gateway.lan", ""])  # noqa: S104  # refused, not bound
def test_other_addresses_need_a_proxy(host: str) -> None:
    """Keys and prompts do not cross a network in the clear by accident."""
    with pytest.raises(UnsafeBind, match="behind_proxy"):
        check_bind(Server(host=host))

    check_bind(Server(host=host, behind_proxy=True))
