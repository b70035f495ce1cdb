"""The examples of docs/admin-api.md run as they are written."""

import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from tests.gateway_process import SIM, GatewayProcess

PAGE = (Path(__file__).parents[2] / "docs" / "admin-api.md").read_text()


@pytest.mark.timeout(60)
def test_examples(tmp_path: Path) -> None:
    """One after the other, in one shell; each that should answer does."""
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
    with GatewayProcess(tmp_path, SIM) as gateway:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script.replace("http://127.0.0.1:8317", gateway.url)],
            cwd=tmp_path,
            env=gateway.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    assert 0 == done.returncode, done.stderr
    assert '"what":"key.revoke"' in done.stdout
    assert "live" not in msgspec.json.decode((tmp_path / "session.json").read_bytes())
    assert script.count("curl") >= 12
