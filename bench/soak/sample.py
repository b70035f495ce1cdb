"""Looks at the gateway's process again and again, from outside. Used by bench/soak/run.py."""

import time
from pathlib import Path

import msgspec

from bench import proc
from bench.places import Place
from bench.talk import seen
from clearway.cli.remote import read_status
from clearway.ledger.lock import read_owner


class Sample(msgspec.Struct, frozen=True):
    """One look."""

    at_s: float
    """Since the soak began."""
    rss_kb: int
    pss_kb: int
    descriptors: int
    upstream_connections: int
    """Kept by the gateway, in use or idle."""
    threads: int
    open_exchanges: int
    ledger_bytes: int

    @property
    def own_descriptors(self) -> int:
        """Those that are not connections to the upstream, which come and go with the load."""
        return self.descriptors - self.upstream_connections


class Sampler:
    """Takes samples of one gateway.

    Args:
        place: The gateway.
        data_dir: Where its ledger is.
    """

    def __init__(self, place: Place, data_dir: Path) -> None:
        self._place = place
        self._data_dir = data_dir
        owner = read_owner(data_dir)
        if owner is None or owner.socket is None:
            raise LookupError("no gateway owns the data directory")
        self._socket = owner.socket
        self._began = time.monotonic()

    def take(self) -> Sample:
        """Look now."""
        pid = self._place.pid
        # The control socket first: its connection is gone again when descriptors are counted.
        open_exchanges = read_status(self._socket).open_exchanges
        return Sample(
            at_s=round(time.monotonic() - self._began, 1),
            rss_kb=proc.rss_kb(pid),
            pss_kb=proc.pss_kb(pid),
            descriptors=proc.descriptors(pid),
            upstream_connections=seen(self._place.fake).open - 1,
            threads=proc.threads(pid),
            open_exchanges=open_exchanges,
            ledger_bytes=sum(path.stat().st_size for path in self._data_dir.glob("*.db*") if path.is_file()),
        )
