"""The README's commands do what it says."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.gateway_process import PROGRAM, SIM

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def environment(home: Path) -> dict[str, str]:
    """A user's, with nothing in it but what is needed."""
    config = home / "clearway.toml"
    config.write_text(SIM)
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "CLEARWAY_CONFIG": str(config)}


def lines() -> list[str]:
    """The command lines of its shell blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return [line.removeprefix(".venv/bin/") for block in blocks for line in block.splitlines() if line]


@pytest.mark.timeout(120)
def test_make_serve(tmp_path: Path) -> None:
    """It prints an address that answers, and ends when it is told to."""
    assert "make serve" in lines()

    command = ["make", "serve", "ARGS=--port 0 --json"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(tmp_path), stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as serving:
        assert serving.stdout is not None

        ready = json.loads(serving.stdout.readline())
        with urllib.request.urlopen(ready["url"] + "/ready") as answer:  # noqa: S310  # http, as it was printed
            said = answer.read()
        owner = json.loads(next((tmp_path / ".local/share/clearway").glob("owner.json")).read_text())
        os.kill(owner["pid"], signal.SIGTERM)
        code = serving.wait(30)

    assert said == b'{"status":"ready"}'
    assert code == 0


@pytest.mark.timeout(60)
def test_run_and_keys(tmp_path: Path) -> None:
    """`run` with a stand-in for the client, and the key that is made."""
    stand_in = tmp_path / "bin" / "claude"
    stand_in.parent.mkdir()
    stand_in.write_text('#!/bin/sh\nexec curl -sS "$ANTHROPIC_BASE_URL/v1/models"\n')
    stand_in.chmod(0o755)
    env = environment(tmp_path)
    env["PATH"] = f"{stand_in.parent}:{env['PATH']}"
    said = {}
    for line in lines():
        words = shlex.split(line)
        if words[:2] in (["clearway", "run"], ["clearway", "keys"]):
            said[words[1]] = subprocess.run(
                [PROGRAM, *words[1:]], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
            )

    assert json.loads(said["run"].stdout)["object"] == "list"
    assert "1 request" in said["run"].stderr
    assert re.fullmatch(r"cw-[0-9A-Za-z]{49}\n", said["keys"].stdout)


@pytest.mark.timeout(120)
def test_transcripts_are_true() -> None:
    """What the README shows is what the commands print."""
    checked = subprocess.run(
        [sys.executable, ROOT / "tools" / "transcript.py", "--check"], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stderr
