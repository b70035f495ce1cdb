"""The table of failures is read as it is meant, and refuses what it does not know."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.table import (
    Asked,
    ClientSees,
    LedgerHas,
    TableError,
    UpstreamSees,
    read,
    read_asked,
    read_client,
    read_ledger,
    read_upstream,
)

CELLS = [
    pytest.param(
        read_client,
        "502 from Clearway: api_error (upstream_credential); x-should-retry false; whole; kept",
        ClientSees(
            status=502,
            by="Clearway",
            error="api_error",
            code="upstream_credential",
            should_retry="false",
            end="whole",
            connection="kept",
        ),
        id="client",
    ),
    pytest.param(
        read_upstream,
        "1 request; 2 connections; dropped after idle_s",
        UpstreamSees(requests=1, connections=2, then="dropped", when="idle_s"),
        id="upstream",
    ),
    pytest.param(
        read_ledger,
        "client_closed, no status; usage none; not charged; 1 attempt",
        LedgerHas(outcome="client_closed", usage="none", charged="not charged", attempts=1),
        id="ledger",
    ),
    pytest.param(read_ledger, "no row", LedgerHas(row="no row"), id="no-row"),
    pytest.param(
        read_asked, "stream", (Asked(stream=True, payer="passthrough"), Asked(stream=True, payer="own")), id="asked"
    ),
]


@pytest.mark.parametrize(("reader", "cell", "expected"), CELLS)
def test_cell(reader: Callable[[str], object], cell: str, expected: object) -> None:
    """A cell says what it says."""
    assert expected == reader(cell)


REFUSED = [
    pytest.param(read_client, "200 from upstream; whole; maybe", id="unknown-clause"),
    pytest.param(read_client, "200 from upstream; whole; cut; kept", id="told-twice"),
    pytest.param(read_client, "200 from upstream; whole", id="connection-is-not-told"),
    pytest.param(read_client, "200 from upstream; kept", id="end-is-not-told"),
    pytest.param(read_upstream, "1 request", id="connections-are-not-told"),
    pytest.param(read_ledger, "ok, status 200; usage final; charged", id="attempts-are-not-told"),
    pytest.param(read_ledger, "no row; usage final", id="told-of-no-row"),
    pytest.param(read_asked, "stream, anyone", id="unknown-asker"),
]


@pytest.mark.parametrize(("reader", "cell"), REFUSED)
def test_refused(reader: Callable[[str], object], cell: str) -> None:
    """What is not in the vocabulary, or is not told, is an error and no shrug."""
    with pytest.raises((TableError, ValueError)):
        reader(cell)


def test_ids_are_unique(tmp_path: Path) -> None:
    """A row is found by its id."""
    document = tmp_path / "failures.md"
    row = "| `a` | It happens. | any | no answer; closed | 0 requests; 0 connections | no row |\n"
    titles = "| id | what happens | asked | the client sees | the upstream sees | the ledger has |\n"
    document.write_text(f"## One\n\n{titles}|-|-|-|-|-|-|\n{row}{row}")

    with pytest.raises(TableError, match="twice"):
        read("One", document)


def test_every_cell_is_read() -> None:
    """The whole document is in its vocabulary, and an id leads to one row in all of it."""
    rows = [row for section in ("Upstream", "Client") for row in read(section)]

    assert all(row.client and row.upstream and row.ledger for row in rows)
    assert len(rows) == len({row.id for row in rows})
