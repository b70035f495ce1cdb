"""`docs/failures.md`, read: what was promised for each failure, cell by cell.

Owns the vocabulary of the tables and nothing else: a cell is a list of clauses with
`; ` between them, and a clause that is not in the vocabulary is an error. What a test
saw is put in the same structs, so that a cell is asserted whole: what it does not say
(a `retry-after`, an error) must not be there.
Used by the tests of this folder, which are made from the rows.
"""

import re
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Literal

import msgspec

DOCUMENT = Path(__file__).parents[2] / "docs" / "failures.md"

Payer = Literal["passthrough", "own"]
"""Whose credential is spent: the client's (`passthrough`) or the gateway's own."""
End = Literal["whole", "cut"]


class TableError(ValueError):
    """The document says something that is not in its vocabulary."""


class ClientSees(msgspec.Struct, frozen=True, kw_only=True):
    """The second half of a client's story."""

    answer: Literal["no answer"] | None = None
    """Not one byte of an answer came."""
    status: int | None = None
    by: Literal["Clearway", "upstream"] | None = None
    """Who made the answer. `upstream`: its body came byte for byte as far as it was said;
    `Clearway`: it is marked by `x-clearway-error`.
    """
    error: str | None = None
    """`error.type` of the body."""
    code: str | None = None
    """`x-clearway-error`."""
    interim: int | None = None
    """A 1xx that came before."""
    answers: int = 1
    """How many came, in the order of the questions."""
    end: End | None = None
    """Whether the framing says that nothing is missing."""
    last_event: str | None = None
    """`error.type` of an `error` event that ended a stream."""
    retry_after: int | None = None
    should_retry: Literal["true", "false"] | None = None
    """`x-should-retry`."""
    connection: Literal["kept", "closed"]
    """Whether another request on it is answered."""


class UpstreamSees(msgspec.Struct, frozen=True, kw_only=True):
    """What arrived at the upstream."""

    requests: int
    """Heads of requests."""
    connections: int
    then: Literal["kept", "ended", "dropped"] | None = None
    """What became of the last connection: it serves the next request, the upstream
    itself ended it, or the gateway dropped it; None where there was none.
    """
    when: str | None = None
    """`at once`, or the limit after which it was dropped."""
    given_up: str | None = None
    """The time after which the client has its answer, where nothing came here."""


class LedgerHas(msgspec.Struct, frozen=True, kw_only=True):
    """What was written of the exchange."""

    row: Literal["no row"] | None = None
    outcome: Literal["ok", "client_closed", "upstream_error", "denied", "interrupted"] | None = None
    status: int | None = None
    error: str | None = None
    """Its `error_type`."""
    code: str | None = None
    """Its `error_code`: the error is the gateway's."""
    usage: Literal["none", "estimated", "final"] | None = None
    charged: Literal["charged", "not charged"] | None = None
    attempts: int | None = None
    rows: int = 1
    """Exchanges, alike in all of the above."""


_LIMIT = r"(?:connect_s|first_byte_s|idle_s|total_s|stall_s)"
_CLIENT = (
    r"(?P<answer>no answer)",
    r"(?P<status>\d{3}) from (?P<by>Clearway|upstream)(?:: (?P<error>\w+)(?: \((?P<code>\w+)\))?)?",
    r"(?P<interim>1\d\d) first",
    r"(?P<answers>\d+) answers in order",
    r"(?P<end>whole|cut)",
    r"last event error (?P<last_event>\w+)",
    r"retry-after (?:what is left of )?(?P<retry_after>\d+)",
    r"x-should-retry (?P<should_retry>true|false)",
    r"(?P<connection>kept|closed)",
)
_UPSTREAM = (
    r"(?P<requests>\d+) requests?",
    r"(?P<connections>\d+) connections?",
    r"(?P<then>kept)",
    r"(?P<then>ended) by it",
    rf"(?P<then>dropped) (?:after )?(?P<when>at once|{_LIMIT})",
    rf"given up after (?P<given_up>\d {_LIMIT})",
)
_LEDGER = (
    r"(?P<row>no row)",
    r"(?P<outcome>ok|client_closed|upstream_error|denied|interrupted), (?:status (?P<status>\d{3})|no status)",
    r"error (?P<error>\w+)(?: \((?P<code>\w+)\))?",
    r"usage (?P<usage>none|estimated|final)",
    r"(?P<charged>charged|not charged)",
    r"(?P<attempts>\d+) attempts?",
    r"(?P<rows>\d+) rows",
)


class Asked(msgspec.Struct, frozen=True):
    """One way to ask, of those that a row holds for."""

    stream: bool
    payer: Payer

    @property
    def name(self) -> str:
        """`stream-own`."""
        return f"{'stream' if self.stream else 'plain'}-{self.payer}"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One failure and its outcome."""

    id: str
    happens: str
    asked: tuple[Asked, ...]
    client: ClientSees | None
    """None where the table has no such column."""
    upstream: UpstreamSees | None
    ledger: LedgerHas | None
    further: dict[str, tuple[str, ...]]
    """Clauses of any other column, by its title: their vocabulary is their test's."""


def read_client(cell: str) -> ClientSees:
    """`502 from Clearway: api_error (upstream_protocol); whole; kept`."""
    said = msgspec.convert(_facts(cell, _CLIENT), ClientSees, strict=False)
    if [said.answer is None] * 2 != [said.status is not None, said.end is not None]:
        raise TableError(f"an answer has a status and an end, no answer has none: {cell!r}")
    return said


def read_upstream(cell: str) -> UpstreamSees:
    """`1 request; 1 connection; dropped after idle_s`."""
    return msgspec.convert(_facts(cell, _UPSTREAM), UpstreamSees, strict=False)


def read_ledger(cell: str) -> LedgerHas:
    """`ok, status 200; usage final; charged; 1 attempt`."""
    said = msgspec.convert(_facts(cell, _LEDGER), LedgerHas, strict=False)
    told = (said.outcome, said.usage, said.charged, said.attempts)
    if said.row is None and None in told:
        raise TableError(f"outcome, usage, charged and attempts must all be told: {cell!r}")
    if said.row is not None and any(told):
        raise TableError(f"nothing can be told of no row: {cell!r}")
    return said


def read_asked(cell: str) -> tuple[Asked, ...]:
    """`any`, or one or two of: stream or plain, passthrough or own."""
    words = set() if cell == "any" else set(cell.split(", "))
    if not words <= {"stream", "plain", "passthrough", "own"}:
        raise TableError(f"not a way to ask: {cell!r}")
    streams = [stream for stream, word in ((True, "stream"), (False, "plain")) if word in words] or [True, False]
    payers: list[Payer] = ["passthrough", "own"]
    return tuple(
        Asked(stream, payer) for stream, payer in product(streams, [p for p in payers if p in words] or payers)
    )


def _facts(cell: str, vocabulary: Sequence[str]) -> dict[str, str]:
    facts: dict[str, str] = {}
    for clause in cell.split("; "):
        found = next((match for match in (re.fullmatch(form, clause) for form in vocabulary) if match), None)
        if found is None:
            raise TableError(f"not in the vocabulary: {clause!r}")
        told = {name: value for name, value in found.groupdict().items() if value is not None}
        if twice := facts.keys() & told:
            raise TableError(f"told twice: {sorted(twice)} in {cell!r}")
        facts |= told
    return facts


_COLUMNS = ("id", "what happens", "asked", "the client sees", "the upstream sees", "the ledger has")


def read(section: str, document: Path = DOCUMENT) -> list[Row]:
    """The rows of the table under `## section`; none where there is no such section.

    Raises:
        TableError: A cell is not in the vocabulary, or an id stands there twice.
    """
    found = re.search(rf"^## {re.escape(section)}$(.*?)(?=^## |\Z)", document.read_text(), re.MULTILINE | re.DOTALL)
    lines = [] if found is None else [line for line in found[1].splitlines() if line.startswith("|")]
    if not lines:
        return []
    titles = _cells(lines[0])
    rows = [_row(dict(zip(titles, _cells(line), strict=True))) for line in lines[2:]]
    if len({row.id for row in rows}) != len(rows):
        raise TableError(f"an id stands twice in {section}")
    return rows


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _row(cells: dict[str, str]) -> Row:
    try:
        return Row(
            id=cells["id"].strip("`"),
            happens=cells["what happens"],
            asked=read_asked(cells.get("asked", "any")),
            client=read_client(cells["the client sees"]) if "the client sees" in cells else None,
            upstream=read_upstream(cells["the upstream sees"]) if "the upstream sees" in cells else None,
            ledger=read_ledger(cells["the ledger has"]) if "the ledger has" in cells else None,
            further={title: tuple(cell.split("; ")) for title, cell in cells.items() if title not in _COLUMNS},
        )
    except (TableError, msgspec.ValidationError) as error:
        raise TableError(f"{cells['id']}: {error}") from error
