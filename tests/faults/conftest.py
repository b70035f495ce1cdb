"""Two stages for each worker: one that is patient, and one for the rows about time-outs."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from tests.faults import doors, hurried, stage
from tests.faults.scenarios import HASTY
from tests.faults.stage import FaultStage
from tests.faults.table import read


def _doors(home: Path) -> tuple[dict[str, AbstractContextManager[doors.Door]], Path]:
    certificates = doors.Certificates(home)
    return {
        "refused": doors.refused(),
        "never-accepts": doors.full(),
        "tls-untrusted": doors.greeting(certificates.server("127.0.0.1")),
        "tls-wrong-name": doors.greeting(certificates.server("other.example")),
        "tls-plain-http": doors.greeting(doors.plain_http),
        "tls-silent": doors.greeting(doors.silence),
    }, certificates.path


def _stage(home: Path, *, hasty: bool) -> Iterator[FaultStage]:
    rows = [row for section in ("Upstream", "Client") for row in read(section) if (row.id in HASTY) == hasty]
    found, authority = _doors(home)
    with ExitStack() as stack:
        opened = {row.id: stack.enter_context(found[row.id]) for row in rows if row.id in found}
        built = FaultStage(
            home,
            rows,
            settings=stage.HASTY if hasty else stage.PATIENT,
            doors=opened,
            ca={"tls-wrong-name": authority},
            before=(sys.executable, hurried.__file__) if hasty else (),
        )
        with built.running():
            yield built


@pytest.fixture(scope="session")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultStage]:
    """A gateway with default time-outs."""
    yield from _stage(tmp_path_factory.mktemp("patient"), hasty=False)


@pytest.fixture(scope="session")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultStage]:
    """A gateway with short time-outs, and little patience with clients."""
    yield from _stage(tmp_path_factory.mktemp("hasty"), hasty=True)
