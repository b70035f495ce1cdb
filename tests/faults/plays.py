"""Scenarios by the ids of their rows, and how they are noted.

What the upstream does is a `Play` for each way in which a row happens (cut after k
bytes, for several k); what a client does is a part that it plays on a connection. All
scenarios of a row must end alike. Used by the modules that hold them.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from tests.fake_upstream import Cut, Gate, stream_answer
from tests.faults.seen import Play, Scene
from tests.faults.table import Asked, ClientSees
from tests.relay.wire_client import Client

Plays = Callable[[Asked], Iterable[Play]]
Part = Callable[[Scene, Client], ClientSees]
Scenario = TypeVar("Scenario")


class Scenarios(Generic[Scenario]):
    """Some scenarios of a table."""

    def __init__(self) -> None:
        self.by_id: dict[str, list[Scenario]] = {}
        self.hasty: set[str] = set()
        """Rows that are about waiting, and need a gateway that does not wait for long."""
        self.nameless: set[str] = set()
        """Rows whose requests name no model that can be read, and lead to the first upstream."""

    def note(self, name: str, *, hasty: bool = False, nameless: bool = False) -> Callable[[Scenario], Scenario]:
        """Decorates the scenario of a row, or one of several."""

        def keep(scenario: Scenario) -> Scenario:
            self.by_id.setdefault(name, []).append(scenario)
            self.hasty |= {name} if hasty else set()
            self.nameless |= {name} if nameless else set()
            return scenario

        return keep

    def __or__(self, other: "Scenarios[Scenario]") -> "Scenarios[Scenario]":
        """Both; a row has its scenarios in one place."""
        assert not self.by_id.keys() & other.by_id.keys()
        both = Scenarios[Scenario]()
        both.by_id = self.by_id | other.by_id
        both.hasty = self.hasty | other.hasty
        both.nameless = self.nameless | other.nameless
        return both


def note_cuts(scenarios: Scenarios[Plays], name: str, plays: Callable[[Asked, Cut], Iterable[Play]]) -> None:
    """Note the rows `fin-NAME` and `rst-NAME`."""
    for cut in Cut:

        def cut_so(asked: Asked, cut: Cut = cut) -> Iterable[Play]:
            return plays(asked, cut)

        scenarios.note(f"{cut.value}-{name}")(cut_so)


def said_then_cut(said: Sequence[bytes], cut: Cut) -> Play:
    """A stream that is cut once the client has all that was said of it."""
    # A reset may overtake what was said before it.
    gate = Gate()
    return Play([stream_answer([*said, gate, cut])], b"".join(said), gate=gate)
