"""`/openapi.json` is whole and true: schemathesis asks whatever it allows, and more."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from clearway.server.admin.failures import CODES
from clearway.server.admin.openapi import codes_of, document
from clearway.server.admin.routes import ROUTES
from tests.admin.conftest import UNCOUNTED, House
from tests.admin.door import HELLO, new_key, with_key
from tests.gateway_process import GatewayProcess

SCHEMATHESIS = str(Path(sys.executable).parent / "schemathesis")
SETTINGS = """
# 413 is what a body over the route's limit gets, whatever else is wrong with it.
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429]
[phases.coverage]
unexpected-methods = []
"""
NOT_ASKED = (
    # A wish may fit its schema and still name an upstream that there is not.
    "positive_data_acceptance",
    # test_matrix has the other methods.
    "unsupported_method",
    # A foreign credential beside an owner key is nobody's concern here.
    "ignored_auth",
)


def test_it_describes_the_table(house: House) -> None:
    """Every route with its method, and every way to be refused."""
    told = house.door.ask("GET", "/openapi.json")
    paths = told.json["paths"]

    assert msgspec.json.decode(msgspec.json.encode(document())) == told.json
    assert {(route.path, route.method.lower()) for route in ROUTES} == {
        (path, method) for path, methods in paths.items() for method in methods
    }
    for route in ROUTES:
        operation = paths[route.path][route.method.lower()]
        statuses = {str(CODES[code].status) for code in codes_of(route)} | {str(route.status)}

        assert statuses == set(operation["responses"])
        assert ([] == operation["security"]) == (route.auth == "anyone")


def test_names_are_unique() -> None:
    """Generated clients need one for each operation."""
    names = [operation["operationId"] for methods in document()["paths"].values() for operation in methods.values()]

    assert len(names) == len(set(names)) == len(ROUTES)


def test_every_reference_leads_somewhere() -> None:
    """No schema is named that is not there, and every field that has a docstring is described."""
    told = document()
    text = msgspec.json.encode(told).decode()
    named = {part.split('"', 1)[0] for part in text.split("#/components/schemas/")[1:]}

    assert named <= set(told["components"]["schemas"])
    assert "description" in told["components"]["schemas"]["KeyAnswer"]["properties"]["models"]
    assert "Money really billed." == told["components"]["schemas"]["UsageRow"]["properties"]["cost_nano"]["description"]


@pytest.mark.timeout(180)
def test_whatever_is_asked(tmp_path: Path) -> None:
    """Some thousand requests, right and wrong ones: no 5xx, no answer that is not documented, no wrong shape.

    Left out: what never ends, what is only read from a file, and the second name of a route.
    """
    left_out = ("/admin/api/feed", "/admin/sign-in.js", "/admin/sign-in.css", "/admin/accounts")
    with GatewayProcess(tmp_path, UNCOUNTED) as gateway:
        owner = new_key(gateway, "boss", owner=True)
        door = with_key(gateway, owner)
        for _ in range(3):
            door.ask("POST", "/v1/messages", HELLO)
        (tmp_path / "schemathesis.toml").write_text(SETTINGS)
        command = [SCHEMATHESIS, "run", f"{gateway.url}/openapi.json", "--header", f"x-clearway-key:{owner}"]
        command += ["--phases", "examples,coverage,fuzzing", "--max-examples", "6", "--seed", "1", "--no-shrink"]
        command += [word for path in left_out for word in ("--exclude-path", path)]
        command += ["--exclude-checks", ",".join(NOT_ASKED)]
        env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "NO_COLOR": "1"}
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=170, check=False)
        log = gateway.log

    assert 0 == done.returncode, done.stdout[-6000:] + done.stderr
    assert '"level": "error"' not in log
    assert owner[9:] not in log
